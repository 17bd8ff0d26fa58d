"""A user's molecule, from a FASTA file or from a structure of one protein chain."""

from pathlib import Path

import gemmi
import numpy as np

from equicryo.errors import InputError
from equicryo.io.structures import PARSERS, StructureConfig, read_structure
from equicryo.structure.atoms import alpha_carbons
from equicryo.structure.chain import Chain, require_unbroken
from equicryo.structure.residues import RESIDUES


def read_molecule(path: str | Path) -> Chain:
    """Read the chain that a data set shows.

    Args:
        path: a PDB or mmCIF file with one protein chain, or else a FASTA file with one
            sequence.

    Returns:
        The chain, its coordinates NaN where the file has only a sequence.

    Raises:
        InputError: the file cannot be read, holds several chains, a broken one or
            residues other than the twenty.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"particles: no file {path} (seen from {Path.cwd()})")
    if path.suffix.lower() in PARSERS:
        return read_single_chain(path)
    return _read_fasta(path)


def read_single_chain(path: Path) -> Chain:
    """Read the Cα atoms of a structure file's only protein chain.

    Raises:
        InputError: the file cannot be read, or holds no chain, several or a broken one.
    """
    settings = StructureConfig(
        source="file",
        file=str(path),
        sha256="",
        model=1,
        chain=_only_chain(path),
        altloc="highest",
    )
    chain = alpha_carbons(read_structure(path, settings, path.stem.lower()))
    require_unbroken(chain)
    return chain


def _only_chain(path: Path) -> str:
    try:
        structure = gemmi.read_structure(str(path))
    # gemmi fails on damaged files with whatever its code runs into.
    except Exception as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: not a readable structure file ({reason})") from error
    structure.setup_entities()
    kinds = (gemmi.PolymerType.PeptideL, gemmi.PolymerType.PeptideD)
    names = [
        chain.name
        for chain in (structure[0] if len(structure) else [])
        if chain.get_polymer().check_polymer_type() in kinds
    ]
    if len(names) != 1:
        raise InputError(
            f"{path}: {len(names)} protein chains ({', '.join(names) or 'none'}); "
            "expected one: cut out the one that the images show"
        )
    return names[0]


def _read_fasta(path: Path) -> Chain:
    try:
        text = path.read_text(encoding="utf-8")
        entries = gemmi.read_pir_or_fasta(text)
    except Exception as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"{path}: not a readable FASTA file ({reason}); a structure file is known "
            f"by its suffix: {', '.join(PARSERS)}"
        ) from error
    if len(entries) != 1:
        raise InputError(
            f"{path}: {len(entries)} sequences; expected one, that of the chain in the "
            "images"
        )
    sequence = "".join(entries[0].seq.split()).upper().removesuffix("*")
    odd = sorted(set(sequence) - set(RESIDUES))
    if odd or not sequence:
        raise InputError(
            f"{path}: {', '.join(odd) or 'nothing'} in the sequence; expected letters "
            f"of the twenty amino acids, {RESIDUES}"
        )
    count = len(sequence)
    return Chain(
        name=path.stem.lower(),
        chain_id="A",
        sequence=sequence,
        residue_numbers=np.arange(1, count + 1),
        insertion_codes=("",) * count,
        coordinates=np.full((count, 3), np.nan),
        b_factors=np.zeros(count),
    )


def check_truth(truth: Chain, chain: Chain) -> None:
    """Refuse a truth of another sequence than the molecule's.

    Raises:
        InputError: the sequences differ.
    """
    if truth.sequence != chain.sequence:
        raise InputError(
            f"particles.truth: {truth.name} has {len(truth)} residues, particles."
            f"sequence {chain.name} {len(chain)}, or others of them: give a truth of "
            "the very residues of the sequence"
        )
