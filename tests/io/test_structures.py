import logging
from dataclasses import replace
from pathlib import Path

import gemmi
import numpy as np
import pytest
import torch

from equicryo.errors import InputError
from equicryo.io.download import Download
from equicryo.io.files import file_sha256
from equicryo.io.structures import (
    MAX_FILE_BYTES,
    StructureConfig,
    locate_structure,
    read_structure,
)
from equicryo.structure.atoms import alpha_carbons
from equicryo.structure.chain import chain_breaks
from equicryo.structure.residues import RESIDUES
from equicryo.structure.superposition import rmsd

LYSOZYME = Path(__file__).parents[2] / "resources" / "structures" / "1hel.pdb"
TARGETS = LYSOZYME.parents[1] / "chains" / "targets.npz"
SETTINGS = StructureConfig(
    source="file", file="", sha256="", model=1, chain="A", altloc="highest"
)
NO_DOWNLOAD = Download(
    url="http://localhost:9",
    cache=Path("nowhere"),
    attempts=1,
    backoff=0.0,
    timeout=0.1,
    max_bytes=1,
)


def atom_line(
    name: str, residue: str, number: str, position: tuple, **fields: object
) -> str:
    """Write one PDB record; `number` may end with an insertion code."""
    values = {"record": "ATOM", "altloc": " ", "occupancy": 1.0, "element": name[0]}
    values |= fields
    digits = number.rstrip("ABCDEF")
    insertion = number[len(digits) :] or " "
    x, y, z = position
    return (
        f"{values['record']:<6}{1:5d} {name:^4}{values['altloc']}{residue:>3} "
        f"A{digits:>4}{insertion}   {x:8.3f}{y:8.3f}{z:8.3f}"
        f"{values['occupancy']:6.2f}{15.0:6.2f}          {values['element']:>2}"
    )


def residue_lines(
    residue: str, number: str, start: float, **fields: object
) -> list[str]:
    """Write the backbone of a residue; starts 3.8 Å apart make a chain."""
    places = {"N": 0.0, "CA": 1.3, "C": 2.5}
    return [
        atom_line(name, residue, number, (start + place, 0.0, 0.0), **fields)
        for name, place in places.items()
    ]


def read_lines(
    folder: Path, lines: list[str], settings: StructureConfig = SETTINGS
) -> object:
    path = folder / "chain.pdb"
    path.write_text("\n".join([*lines, "END"]) + "\n")
    return read_structure(path, settings, "test")


TRIPEPTIDE = [
    *residue_lines("GLY", "1", 0.0),
    *residue_lines("ALA", "2", 3.8),
    *residue_lines("SER", "3", 7.6),
]


def test_lysozyme_equals_what_gemmi_reads() -> None:
    model = read_structure(LYSOZYME, SETTINGS, "1hel")
    polymer = gemmi.read_structure(str(LYSOZYME))[0]["A"].get_polymer()
    atoms = [atom for residue in polymer for atom in residue]
    assert len(model) == len(atoms) == 1001
    assert model.sequence == gemmi.one_letter_code(polymer.extract_sequence())
    assert model.atom_names == tuple(atom.name for atom in atoms)
    assert model.elements == tuple(atom.element.name for atom in atoms)
    # Biopython keeps coordinates as float32: 50 Å × 2⁻²⁴.
    np.testing.assert_allclose(
        model.coordinates, [atom.pos.tolist() for atom in atoms], atol=4e-6
    )
    # gemmi keeps B-factors as float32: 60 Å² × 2⁻²⁴.
    np.testing.assert_allclose(model.b_factors, [a.b_iso for a in atoms], atol=4e-6)


def test_mmcif_and_pdb_give_the_same_model(tmp_path: Path) -> None:
    path = tmp_path / "1hel.cif"
    structure = gemmi.read_structure(str(LYSOZYME))
    structure.setup_entities()
    structure.make_mmcif_document().write_file(str(path))
    first = read_structure(LYSOZYME, SETTINGS, "1hel")
    second = read_structure(path, SETTINGS, "1hel")
    assert first.sequence == second.sequence
    assert first.atom_names == second.atom_names
    np.testing.assert_array_equal(first.residue_numbers, second.residue_numbers)
    # gemmi writes nine digits of what it read as decimal text.
    np.testing.assert_allclose(first.coordinates, second.coordinates, atol=1e-5)


def test_waters_ligands_ions_and_hydrogens_are_dropped(tmp_path: Path) -> None:
    extra = [
        atom_line("HA", "SER", "3", (8.9, 1.0, 0.0)),
        atom_line("O", "HOH", "101", (20.0, 0.0, 0.0), record="HETATM"),
        atom_line("NA", "NA", "102", (25.0, 0.0, 0.0), record="HETATM", element="NA"),
        *residue_lines("GLU", "103", 40.0, record="HETATM"),
    ]
    model = read_lines(tmp_path, TRIPEPTIDE + extra)
    assert model.sequence == "GAS"
    assert model.atom_names == ("N", "CA", "C") * 3


def test_selenomethionine_becomes_methionine(tmp_path: Path) -> None:
    modified = residue_lines("MSE", "4", 11.4, record="HETATM")
    selenium = atom_line(
        "SE", "MSE", "4", (12.7, 2.0, 0.0), record="HETATM", element="SE"
    )
    model = read_lines(tmp_path, [*TRIPEPTIDE, *modified, selenium])
    assert model.sequence == "GASM"
    assert model.atom_names[-1] == "SD"
    assert model.elements[-1] == "S"


def test_a_phosphoserine_loses_its_phosphate(tmp_path: Path) -> None:
    modified = [
        *residue_lines("SEP", "4", 11.4, record="HETATM"),
        atom_line("OG", "SEP", "4", (12.7, 2.0, 0.0), record="HETATM"),
        atom_line("P", "SEP", "4", (12.7, 3.5, 0.0), record="HETATM"),
    ]
    model = read_lines(tmp_path, TRIPEPTIDE + modified)
    assert model.sequence == "GASS"
    assert model.atom_names[9:] == ("N", "CA", "C", "OG")


def test_insertion_codes_are_kept_in_file_order(tmp_path: Path) -> None:
    lines = [
        *residue_lines("GLY", "52", 0.0),
        *residue_lines("ALA", "52A", 3.8),
        *residue_lines("SER", "53", 7.6),
    ]
    model = read_lines(tmp_path, lines)
    assert model.sequence == "GAS"
    assert model.residue_numbers.tolist() == [52, 52, 53]
    assert model.insertion_codes == ("", "A", "")


def side_chain_alternatives(first: float, second: float) -> list[str]:
    return [
        *TRIPEPTIDE,
        atom_line("CB", "SER", "3", (8.9, 1.5, 0.0), altloc="A", occupancy=first),
        atom_line("CB", "SER", "3", (8.9, -1.5, 0.0), altloc="B", occupancy=second),
    ]


@pytest.mark.parametrize(
    ("altloc", "occupancies", "expected"),
    [
        ("highest", (0.4, 0.6), -1.5),
        ("highest", (0.6, 0.4), 1.5),
        ("highest", (0.5, 0.5), 1.5),
        ("A", (0.4, 0.6), 1.5),
        ("B", (0.6, 0.4), -1.5),
    ],
)
def test_alternatives_are_chosen_explicitly(
    tmp_path: Path, altloc: str, occupancies: tuple, expected: float
) -> None:
    settings = replace(SETTINGS, altloc=altloc)
    model = read_lines(tmp_path, side_chain_alternatives(*occupancies), settings)
    assert model.atom_names[-1] == "CB"
    assert len(model) == 10
    assert model.coordinates[-1, 1] == expected


def test_two_residues_at_one_number_give_the_likelier_one(tmp_path: Path) -> None:
    lines = [
        *TRIPEPTIDE,
        *residue_lines("THR", "4", 11.4, altloc="A", occupancy=0.3),
        *residue_lines("VAL", "4", 11.5, altloc="B", occupancy=0.7),
    ]
    model = read_lines(tmp_path, lines)
    assert model.sequence == "GASV"
    assert model.coordinates[-3, 0] == pytest.approx(11.5)


def test_the_model_asked_for_is_read(tmp_path: Path) -> None:
    shifted = [f"{line[:38]}   1.000{line[46:]}" for line in TRIPEPTIDE]
    lines = ["MODEL        1", *TRIPEPTIDE, "ENDMDL"]
    lines += ["MODEL        2", *shifted, "ENDMDL"]
    model = read_lines(tmp_path, lines, replace(SETTINGS, model=2))
    assert set(model.coordinates[:, 1]) == {1.0}


def test_a_chain_break_is_read_and_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    model = read_lines(tmp_path, TRIPEPTIDE + residue_lines("LEU", "9", 30.0))
    assert model.sequence == "GASL"
    assert "A/S3 to A/L9 (22.4 Å)" in caplog.text


BAD_INPUT = {
    "no such chain": (TRIPEPTIDE, {"chain": "Q"}, "no chain 'Q'.* it has A"),
    "no such model": (TRIPEPTIDE, {"model": 2}, "no model 2: it has models 1 to 1"),
    "no such altloc": (
        side_chain_alternatives(0.5, 0.5),
        {"altloc": "C"},
        "no alternative 'C', only A, B",
    ),
    "no atoms": (["REMARK nothing"], {}, "no atoms in it"),
    "not a PDB file": (["<html>"], {}, "no atoms in it"),
    "missing Cα": (
        [*TRIPEPTIDE, *residue_lines("LEU", "4", 11.4)[::2]],
        {},
        "LEU 4 has no Cα",
    ),
    "nucleic acid": (
        [atom_line("P", "DA", "1", (0.0, 0.0, 0.0))],
        {},
        "no amino acids in the chain",
    ),
    "unknown residue in the chain": (
        TRIPEPTIDE + residue_lines("UNK", "4", 11.4),
        {},
        "UNK 4 is bonded into the chain but has no standard parent",
    ),
    "not a number": (
        [*TRIPEPTIDE, TRIPEPTIDE[-1].replace("10.100", "   nan").replace(" C ", " O ")],
        {},
        "atom O of A/S3 is at",
    ),
    "unreadable number": (
        [TRIPEPTIDE[0].replace("0.000", "0.0x0", 1)],
        {},
        "not a readable .pdb file",
    ),
    "absurd coordinate": (
        [*TRIPEPTIDE, atom_line("O", "SER", "3", (9999.9, 0.0, 0.0))],
        {},
        "atom O of A/S3 is at",
    ),
    "all atoms in one place": (
        [line.replace(line[30:54], "   0.000" * 3) for line in TRIPEPTIDE],
        {},
        "A/G1 and A/A2 are closer than",
    ),
    "unknown element": (
        [*TRIPEPTIDE, atom_line("Q1", "SER", "3", (9.0, 1.0, 0.0), element="ZZ")],
        {},
        "atom Q1 of SER 3 has the unknown element",
    ),
}


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_ends_in_one_clear_message(tmp_path: Path, case: str) -> None:
    lines, changes, message = BAD_INPUT[case]
    with pytest.raises(InputError, match=message) as caught:
        read_lines(tmp_path, lines, replace(SETTINGS, **changes))
    assert "\n" not in str(caught.value)
    assert "chain.pdb" in str(caught.value)


@pytest.mark.parametrize(
    "content", ["", "data_x\n", "data_x\nloop_\n_a.b\n'", "\0\xff"]
)
def test_a_damaged_mmcif_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "damaged.cif"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(InputError, match=r"damaged\.cif: (not a readable|no atoms)"):
        read_structure(path, SETTINGS, "test")


def test_an_unknown_suffix_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.txt"
    path.touch()
    with pytest.raises(InputError, match=r"suffix is none of \.pdb"):
        read_structure(path, SETTINGS, "test")


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "huge.pdb"
    with path.open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    with pytest.raises(InputError, match="more than 200 MB"):
        read_structure(path, SETTINGS, "test")


def test_a_local_file_is_found_and_checked(tmp_path: Path) -> None:
    path = tmp_path / "mine.pdb"
    path.write_text("END\n")
    settings = replace(SETTINGS, file=str(path))
    assert locate_structure(settings, NO_DOWNLOAD) == path
    right = replace(settings, sha256=file_sha256(path))
    assert locate_structure(right, NO_DOWNLOAD) == path
    with pytest.raises(InputError, match=r"sha256 is .*, the config says 00"):
        locate_structure(replace(settings, sha256="0" * 64), NO_DOWNLOAD)
    with pytest.raises(InputError, match="no file"):
        locate_structure(replace(settings, file="absent.pdb"), NO_DOWNLOAD)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": "web"}, "embedded, file or rcsb"),
        ({"altloc": "first"}, "highest or one letter"),
        ({"source": "embedded"}, "give its sha256"),
    ],
)
def test_settings_that_contradict_are_refused(changes: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(SETTINGS, **changes)


def test_a_chain_out_of_a_set_has_the_positions_of_the_file_it_came_from() -> None:
    settings = replace(SETTINGS, chain="1HEL_A")
    chain = alpha_carbons(read_structure(TARGETS, settings, "1hel"))
    whole = alpha_carbons(read_structure(LYSOZYME, SETTINGS, "1hel"))
    assert (chain.name, chain.chain_id) == ("1hel", "A")
    assert chain.sequence == whole.sequence
    centred = whole.coordinates - whole.coordinates.mean(0)
    found = chain.coordinates - chain.coordinates.mean(0)
    np.testing.assert_allclose(found, centred, atol=0.01)


def test_a_chain_that_a_set_lacks_is_refused() -> None:
    with pytest.raises(InputError, match=r"no chain '9XYZ_A'.* such as 1HEL_A"):
        read_structure(TARGETS, replace(SETTINGS, chain="9XYZ_A"), "test")


HEAVY_ATOMS = dict(
    zip(
        RESIDUES,
        (5, 6, 8, 9, 11, 4, 10, 8, 9, 8, 8, 8, 7, 9, 11, 6, 7, 7, 14, 12),
        strict=True,
    )
)
"""Of a residue in a chain, without hydrogens."""


@pytest.mark.parametrize(("name", "residues"), [("1a6m", 151), ("adk_closed", 214)])
def test_shipped_targets_are_whole(
    name: str, residues: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    model = read_structure(LYSOZYME.with_name(f"{name}.pdb"), SETTINGS, name)
    assert not caplog.records
    assert chain_breaks(alpha_carbons(model)) == []
    expected = [HEAVY_ATOMS[letter] for letter in model.sequence]
    expected[-1] += 1  # OXT
    assert len(expected) == residues
    assert np.bincount(model.residue_index).tolist() == expected
    assert len(set(zip(model.residue_index, model.atom_names, strict=True))) == len(
        model
    )
    assert model.b_factors.min() > 0.0


def read_shipped(name: str, chain: str) -> tuple:
    """Read a shipped structure's Cα chain, and the like chain out of the set."""
    whole = read_structure(LYSOZYME.with_name(f"{name}.pdb"), SETTINGS, name)
    known = read_structure(TARGETS, replace(SETTINGS, chain=chain), name)
    return alpha_carbons(whole), alpha_carbons(known)


def test_myoglobin_keeps_the_deposited_backbone() -> None:
    chain, known = read_shipped("1a6m", "1A6M_A")
    assert chain.sequence == known.sequence
    centred = chain.coordinates - chain.coordinates.mean(0)
    expected = known.coordinates - known.coordinates.mean(0)
    np.testing.assert_allclose(centred, expected, atol=0.01)


def test_adenylate_kinase_is_closed() -> None:
    chain, closed = read_shipped("adk_closed", "ADK_closed")
    _, opened = read_shipped("adk_closed", "ADK_open")
    # The set lacks three residues of the chain.
    kept = np.flatnonzero(~np.isin(chain.residue_numbers, [9, 10, 148]))
    assert "".join(chain.sequence[i] for i in kept) == closed.sequence
    found = torch.from_numpy(chain.coordinates[kept])
    assert float(rmsd(found, torch.from_numpy(closed.coordinates))) < 0.15
    assert float(rmsd(found, torch.from_numpy(opened.coordinates))) > 6.0
