"""Reading a user's PDB or mmCIF file, or a set of chains, into one clean chain."""

import logging
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from Bio.PDB import MMCIFParser, PDBParser
from Bio.PDB.Chain import Chain as BioChain
from Bio.PDB.Structure import Structure
from jaxtyping import Float64

from equicryo.errors import InputError
from equicryo.io.chain_sets import read_chain_set
from equicryo.io.download import Download, download_entry
from equicryo.io.files import file_sha256
from equicryo.io.sites import Site, choose_altlocs, keep_polymer, to_standard
from equicryo.structure.atoms import AtomicModel, alpha_carbons
from equicryo.structure.chain import bond_lengths, chain_breaks, residue_label
from equicryo.structure.residues import THREE_TO_ONE

logger = logging.getLogger(__name__)

PARSERS = {
    ".pdb": PDBParser,
    ".ent": PDBParser,
    ".cif": MMCIFParser,
    ".mmcif": MMCIFParser,
}
CHAIN_SET_SUFFIX = ".npz"
MAX_FILE_BYTES = 200_000_000
FARTHEST_COORDINATE = 9999.0
CLOSEST_NEIGHBOURS = 2.5
"""Consecutive Cα are 3.8 Å apart, 2.9 Å across a cis bond; below this, damaged."""


@dataclass(frozen=True, kw_only=True)
class StructureConfig:
    """Where a target's structure comes from and what of it is meant.

    Attributes:
        source: ``embedded`` (shipped here), ``file`` (the user's) or ``rcsb``.
        file: path of the PDB or mmCIF file, or of a set of chains reduced to their Cα
            (.npz), or for ``rcsb`` the entry's id.
        sha256: of that file; empty for a file that is not to be checked.
        model: position of the model in the file, from 1.
        chain: author's chain name; in a set of chains its id, such as ``1A6M_A``.
        altloc: ``highest`` for the alternative of highest occupancy in each residue,
            or the letter of the alternative to prefer.
    """

    source: str
    file: str
    sha256: str
    model: int
    chain: str
    altloc: str

    def __post_init__(self) -> None:
        """Check the relations between the fields.

        Raises:
            InputError: an unknown source, an alternative that is no letter, or an
                embedded file without checksum.
        """
        if self.source not in ("embedded", "file", "rcsb"):
            raise InputError(
                f"structures: source is {self.source!r}: use embedded, file or rcsb"
            )
        if self.altloc != "highest" and len(self.altloc) != 1:
            raise InputError(
                f"structures: altloc is {self.altloc!r}: use highest or one letter"
            )
        if self.source == "embedded" and not self.sha256:
            raise InputError(f"structures: {self.file} is embedded: give its sha256")


def locate_structure(settings: StructureConfig, download: Download) -> Path:
    """Find a structure's file, downloading it if it comes from RCSB.

    Args:
        settings: of the target.
        download: how and where to download.

    Returns:
        Path of a file that exists and has the checksum asked for.

    Raises:
        InputError: there is no such file or entry, or its checksum is another.
    """
    if settings.source == "rcsb":
        return download_entry(settings.file, settings.sha256, download)
    path = Path(settings.file)
    if not path.is_file():
        raise InputError(f"structures: no file {path} (seen from {Path.cwd()})")
    found = file_sha256(path)
    if settings.sha256 and found != settings.sha256:
        raise InputError(
            f"{path}: sha256 is {found}, the config says {settings.sha256}: restore "
            "the file or correct structures.*.sha256"
        )
    if not settings.sha256:
        logger.info("%s is not checked; its sha256 is %s", path, found)
    return path


def read_structure(path: Path, settings: StructureConfig, name: str) -> AtomicModel:
    """Read one protein chain with its heavy atoms.

    Waters, ligands and hydrogens are dropped. Modified residues become their parents
    (selenomethionine becomes methionine, SE becomes SD). Chain breaks are logged and
    left to the caller to refuse. A chain out of a set has no atoms but its Cα.

    Args:
        path: a PDB or mmCIF file or a set of chains, told apart by its suffix.
        settings: the model, chain and alternatives wanted.
        name: of the target.

    Raises:
        InputError: the file cannot be read, has no such model or chain, or the chain
            is not a protein with a sensible Cα in every residue.
    """
    if path.suffix == CHAIN_SET_SUFFIX:
        return _alpha_carbon_model(path, settings, name)
    chain = _choose_chain(path, _parse(path), settings)
    sites = keep_polymer(choose_altlocs(chain, settings.altloc, str(path)), str(path))
    standard = [to_standard(site, str(path)) for site in sites]
    model = _atomic_model(standard, name, settings.chain)
    _check_geometry(model, path)
    breaks = chain_breaks(alpha_carbons(model))
    if breaks:
        logger.info("%s: chain breaks at %s", path, "; ".join(breaks))
    logger.info("%s: %d residues, %d atoms", path, len(model.sequence), len(model))
    return model


def _alpha_carbon_model(
    path: Path, settings: StructureConfig, name: str
) -> AtomicModel:
    """Take one chain out of a set; its B-factors are unknown, and zero."""
    chains = read_chain_set(path)
    if settings.chain not in chains.ids:
        raise InputError(
            f"{path}: no chain {settings.chain!r} in it: it has {len(chains)} others, "
            f"such as {', '.join(chains.ids[:4])}"
        )
    index = chains.ids.index(settings.chain)
    residues = int(chains.lengths[index])
    return AtomicModel(
        name=name,
        chain_id=settings.chain.rpartition("_")[2],
        sequence=chains.sequence_of(index),
        residue_numbers=np.arange(1, residues + 1),
        insertion_codes=("",) * residues,
        atom_names=("CA",) * residues,
        elements=("C",) * residues,
        residue_index=np.arange(residues),
        coordinates=chains.coordinates_of(index),
        b_factors=np.zeros(residues),
        occupancies=np.ones(residues),
    )


def _parse(path: Path) -> Structure:
    parser = PARSERS.get(path.suffix.lower())
    if parser is None:
        known = ", ".join(PARSERS)
        raise InputError(f"{path}: the suffix is none of {known}: rename or convert it")
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        raise InputError(
            f"{path}: {size / 1e6:.0f} MB, more than {MAX_FILE_BYTES / 1e6:.0f} MB: "
            "cut out the chain first"
        )
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            structure = parser().get_structure("structure", path)
    # Biopython fails on damaged files with whatever its code runs into.
    except Exception as error:
        raise InputError(
            f"{path}: not a readable {path.suffix} file ({error}): download it again "
            "or check the line it names"
        ) from error
    for message in dict.fromkeys(str(warning.message) for warning in caught):
        logger.info("%s: %s", path, " ".join(message.split()))
    return structure


def _choose_chain(
    path: Path, structure: Structure, settings: StructureConfig
) -> BioChain:
    models = list(structure)
    if not models:
        raise InputError(f"{path}: no atoms in it: is it a {path.suffix} file?")
    if not 1 <= settings.model <= len(models):
        raise InputError(
            f"{path}: no model {settings.model}: it has models 1 to {len(models)}"
        )
    model = models[settings.model - 1]
    if settings.chain not in model:
        names = ", ".join(sorted(chain.id for chain in model))
        raise InputError(
            f"{path}: no chain {settings.chain!r} in model {settings.model}: it has "
            f"{names}"
        )
    return model[settings.chain]


def _atomic_model(sites: list[Site], name: str, chain_id: str) -> AtomicModel:
    atoms = [(index, atom) for index, site in enumerate(sites) for atom in site.atoms]
    return AtomicModel(
        name=name,
        chain_id=chain_id,
        sequence="".join(THREE_TO_ONE[site.residue_name] for site in sites),
        residue_numbers=np.array([site.number for site in sites], dtype=np.int64),
        insertion_codes=tuple(site.insertion_code for site in sites),
        atom_names=tuple(atom.name for _, atom in atoms),
        elements=tuple(atom.element for _, atom in atoms),
        residue_index=np.array([index for index, _ in atoms], dtype=np.int64),
        coordinates=_column([atom.position for _, atom in atoms]),
        b_factors=_column([atom.b_factor for _, atom in atoms]),
        occupancies=_column([atom.occupancy for _, atom in atoms]),
    )


def _column(values: list) -> Float64[np.ndarray, "..."]:
    return np.array(values, dtype=np.float64)


def _check_geometry(model: AtomicModel, path: Path) -> None:
    """Refuse coordinates that no molecule can have."""
    chain = alpha_carbons(model)
    absurd = ~(np.abs(model.coordinates) <= FARTHEST_COORDINATE).all(axis=1)
    if absurd.any():
        atom = int(np.flatnonzero(absurd)[0])
        residue = residue_label(chain, int(model.residue_index[atom]))
        raise InputError(
            f"{path}: atom {model.atom_names[atom]} of {residue} is at "
            f"{model.coordinates[atom].tolist()} Å: mend or remove it"
        )
    close = np.flatnonzero(bond_lengths(chain.coordinates) < CLOSEST_NEIGHBOURS)
    if close.size:
        first = residue_label(chain, int(close[0]))
        second = residue_label(chain, int(close[0]) + 1)
        raise InputError(
            f"{path}: the Cα of {first} and {second} are closer than "
            f"{CLOSEST_NEIGHBOURS} Å: the coordinates are damaged"
        )
