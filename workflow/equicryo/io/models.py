"""Atomic models as mmCIF: Cα chains, ensembles of them, and all heavy atoms.

Equal models give equal bytes: no date, host or program version is written.
"""

from itertools import pairwise
from pathlib import Path

import gemmi
import numpy as np
from jaxtyping import Float64

from equicryo.errors import InputError
from equicryo.io.files import replace_atomically
from equicryo.structure.atoms import AtomicModel, alpha_carbons
from equicryo.structure.chain import Chain
from equicryo.structure.residues import ONE_TO_THREE, THREE_TO_ONE
from equicryo.structure.spread import spread_to_b_factor

# 10⁻⁴ Å and 10⁻⁴ Å² are far below any error reported, and keep the text short.
DECIMALS = 4


def write_chain(path: str | Path, chain: Chain) -> None:
    """Write one Cα chain with its B-factors.

    Args:
        path: an mmCIF file, replaced as a whole.
        chain: coordinates are rounded to 10⁻⁴ Å.
    """
    write_ensemble(path, chain, chain.coordinates[None], chain.b_factors)


def read_chain(path: str | Path) -> Chain:
    """Read the only Cα chain of a file that `write_chain` wrote.

    Raises:
        InputError: the file is missing, damaged or holds several models.
    """
    chain, coordinates = read_ensemble(path)
    _expect_one(path, len(coordinates), "models")
    return chain


def write_ensemble(
    path: str | Path,
    chain: Chain,
    coordinates: Float64[np.ndarray, "sample residue 3"],
    b_factors: Float64[np.ndarray, " residue"],
) -> None:
    """Write Cα models of one chain, numbered from 1.

    Args:
        path: an mmCIF file, replaced as a whole.
        chain: gives names and residue numbers; its coordinates are not written.
        coordinates: Å, rounded to 10⁻⁴ Å.
        b_factors: the same in every model, Å².
    """
    residues = len(chain)
    atoms = AtomicModel(
        name=chain.name,
        chain_id=chain.chain_id,
        sequence=chain.sequence,
        residue_numbers=chain.residue_numbers,
        insertion_codes=chain.insertion_codes,
        atom_names=("CA",) * residues,
        elements=("C",) * residues,
        residue_index=np.arange(residues),
        coordinates=chain.coordinates,
        b_factors=b_factors,
        occupancies=np.ones(residues),
    )
    _write_models(path, atoms, coordinates)


def write_samples(
    path: str | Path,
    chain: Chain,
    coordinates: Float64[np.ndarray, "sample residue 3"],
) -> None:
    """Write posterior samples of one chain, their spread as its B-factors.

    Args:
        path: an mmCIF file, replaced as a whole.
        chain: gives names and residue numbers.
        coordinates: Å, in one frame.
    """
    write_ensemble(path, chain, coordinates, spread_to_b_factor(coordinates))


def read_ensemble(
    path: str | Path,
) -> tuple[Chain, Float64[np.ndarray, "sample residue 3"]]:
    """Read Cα models of one chain.

    Returns:
        The first model as a chain, and the coordinates of all models, Å.

    Raises:
        InputError: the file is missing or damaged, its models differ in their
            residues, or it is not one Cα a residue.
    """
    atoms, coordinates = _read_models(path)
    if atoms.atom_names != ("CA",) * len(atoms.sequence):
        raise InputError(f"{path}: expected one Cα a residue and no other atoms")
    return alpha_carbons(atoms), coordinates


def write_atoms(path: str | Path, atoms: AtomicModel) -> None:
    """Write one chain with all its heavy atoms.

    Args:
        path: an mmCIF file, replaced as a whole.
        atoms: coordinates are rounded to 10⁻⁴ Å.
    """
    _write_models(path, atoms, atoms.coordinates[None])


def read_atoms(path: str | Path) -> AtomicModel:
    """Read a chain that `write_atoms` wrote.

    Raises:
        InputError: the file is missing, damaged or holds several models.
    """
    atoms, coordinates = _read_models(path)
    _expect_one(path, len(coordinates), "models")
    return atoms


def _write_models(
    path: str | Path,
    atoms: AtomicModel,
    coordinates: Float64[np.ndarray, "model atom 3"],
) -> None:
    """Write models that differ in their coordinates only."""
    structure = gemmi.Structure()
    structure.name = atoms.name
    for number, positions in enumerate(coordinates.round(DECIMALS), start=1):
        model = gemmi.Model(number)
        model.add_chain(_gemmi_chain(atoms, positions))
        structure.add_model(model)
    structure.setup_entities()
    names = [ONE_TO_THREE[letter] for letter in atoms.sequence]
    for entity in structure.entities:
        entity.full_sequence = names
    groups = gemmi.MmcifOutputGroups(False)  # noqa: FBT003, gemmi has no keyword
    groups.block_name = groups.entry = groups.struct_asym = True
    groups.entity = groups.entity_poly = groups.entity_poly_seq = True
    groups.atoms = groups.group_pdb = True
    # gemmi's own writing of files says nothing of a full disk.
    text = structure.make_mmcif_document(groups).as_string()
    with replace_atomically(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _gemmi_chain(
    atoms: AtomicModel, positions: Float64[np.ndarray, "atom 3"]
) -> gemmi.Chain:
    b_factors = atoms.b_factors.round(DECIMALS).tolist()
    occupancies = atoms.occupancies.tolist()
    bounds = np.searchsorted(atoms.residue_index, np.arange(len(atoms.sequence) + 1))
    chain = gemmi.Chain(atoms.chain_id)
    for index, (first, last) in enumerate(pairwise(bounds.tolist())):
        residue = gemmi.Residue()
        residue.name = ONE_TO_THREE[atoms.sequence[index]]
        insertion = atoms.insertion_codes[index] or " "
        residue.seqid = gemmi.SeqId(int(atoms.residue_numbers[index]), insertion)
        residue.label_seq = index + 1
        residue.subchain = atoms.chain_id
        residue.entity_type = gemmi.EntityType.Polymer
        residue.het_flag = "A"
        for place in range(first, last):
            atom = gemmi.Atom()
            atom.name = atoms.atom_names[place]
            atom.element = gemmi.Element(atoms.elements[place])
            atom.pos = gemmi.Position(*positions[place].tolist())
            atom.b_iso = b_factors[place]
            atom.occ = occupancies[place]
            residue.add_atom(atom)
        chain.add_residue(residue)
    return chain


def _read_models(
    path: str | Path,
) -> tuple[AtomicModel, Float64[np.ndarray, "model atom 3"]]:
    """Read models that differ in their coordinates only: the first, and all places."""
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file")
    try:
        structure = gemmi.read_structure(str(path), format=gemmi.CoorFormat.Mmcif)
    # gemmi fails on damaged files with whatever its code runs into.
    except Exception as error:
        raise InputError(f"{path}: not a readable mmCIF file ({error})") from error
    if not len(structure):
        raise InputError(f"{path}: no atoms in it")
    models = [_atomic_model(path, structure.name, model) for model in structure]
    for number, model in enumerate(models, start=1):
        if _labels(model) != _labels(models[0]):
            raise InputError(
                f"{path}: model {number} has other residues or atoms than model 1: an "
                "ensemble needs the same throughout"
            )
    return models[0], np.stack([model.coordinates for model in models])


def _atomic_model(path: str | Path, name: str, model: gemmi.Model) -> AtomicModel:
    _expect_one(path, len(model), "chains")
    chain = model[0]
    strange = sorted({residue.name for residue in chain} - set(THREE_TO_ONE))
    if strange:
        raise InputError(f"{path}: {', '.join(strange)} is not a standard amino acid")
    atoms = [(index, atom) for index, residue in enumerate(chain) for atom in residue]
    return AtomicModel(
        name=name,
        chain_id=chain.name,
        sequence="".join(THREE_TO_ONE[residue.name] for residue in chain),
        residue_numbers=np.array([residue.seqid.num for residue in chain]),
        insertion_codes=tuple(residue.seqid.icode.strip() for residue in chain),
        atom_names=tuple(atom.name for _, atom in atoms),
        elements=tuple(atom.element.name for _, atom in atoms),
        residue_index=np.array([index for index, _ in atoms]),
        coordinates=np.array([atom.pos.tolist() for _, atom in atoms]),
        b_factors=np.array([atom.b_iso for _, atom in atoms], dtype=np.float64),
        occupancies=np.array([atom.occ for _, atom in atoms], dtype=np.float64),
    )


def _labels(model: AtomicModel) -> tuple:
    """Return all that the models of one ensemble have in common."""
    numbers = model.residue_numbers.tolist()
    names = (model.chain_id, model.sequence, model.insertion_codes, model.atom_names)
    return (*names, numbers, model.residue_index.tolist())


def _expect_one(path: str | Path, count: int, what: str) -> None:
    if count != 1:
        raise InputError(f"{path}: {count} {what} where one was expected")
