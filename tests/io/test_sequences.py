from pathlib import Path

import gemmi
import numpy as np
import pytest

from equicryo.errors import InputError
from equicryo.io.sequences import check_truth, read_molecule, read_single_chain

LYSOZYME = Path("resources/structures/1hel.pdb").resolve()


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_fasta_and_structure_name_the_same_residues(tmp_path) -> None:
    chain = read_molecule(LYSOZYME)
    text = f">1HEL lysozyme\n{chain.sequence[:60]}\n{chain.sequence[60:].lower()}*\n"
    from_fasta = read_molecule(write(tmp_path / "lys.fasta", text))
    assert from_fasta.sequence == chain.sequence
    assert from_fasta.residue_numbers.tolist() == list(range(1, 130))
    assert np.isnan(from_fasta.coordinates).all()
    assert np.isfinite(chain.coordinates).all()


def test_a_truth_stays_in_its_frame() -> None:
    """Not centred: it has to lie where the poses say."""
    chain = read_single_chain(LYSOZYME)
    polymer = gemmi.read_structure(str(LYSOZYME))[0]["A"].get_polymer()
    expected = [list(residue["CA"][0].pos) for residue in polymer]
    np.testing.assert_allclose(chain.coordinates, expected, atol=1e-6)


def test_a_truth_of_another_sequence_is_refused(tmp_path) -> None:
    truth = read_single_chain(LYSOZYME)
    check_truth(truth, truth)
    other = read_molecule(write(tmp_path / "a.fasta", ">a\nGAS\n"))
    with pytest.raises(InputError, match=r"129 residues, .* 3"):
        check_truth(truth, other)


def two_chains(folder: Path) -> Path:
    structure = gemmi.read_structure(str(LYSOZYME))
    copy = structure[0]["A"].clone()
    copy.name = "B"
    structure[0].add_chain(copy)
    structure.write_pdb(str(folder / "two.pdb"))
    return folder / "two.pdb"


BAD = {
    "missing": (lambda folder: folder / "none.fasta", "no file"),
    "two chains": (two_chains, r"2 protein chains \(A, B\)"),
    "two sequences": (
        lambda folder: write(folder / "two.fasta", ">a\nGAS\n>b\nGAS\n"),
        "2 sequences; expected one",
    ),
    "other letters": (
        lambda folder: write(folder / "odd.fasta", ">a\nGAXZ\n"),
        "X, Z in the sequence",
    ),
    "no letters": (lambda folder: write(folder / "no.fasta", ">a\n"), "sequence"),
    "not a FASTA file": (
        lambda folder: write(folder / "no.txt", "hello\nworld\n"),
        "not a readable FASTA file",
    ),
    "not a structure": (
        lambda folder: write(folder / "no.cif", "hello"),
        "not a readable structure file",
    ),
    "no atoms": (lambda folder: write(folder / "no.pdb", "END\n"), "0 protein chains"),
}


@pytest.mark.parametrize(("make", "message"), BAD.values(), ids=BAD)
def test_bad_molecules_are_refused_in_one_line(tmp_path, make, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read_molecule(make(tmp_path))
    assert "\n" not in str(caught.value)
