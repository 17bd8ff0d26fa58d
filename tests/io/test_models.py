from dataclasses import replace
from pathlib import Path

import gemmi
import numpy as np
import pytest
from Bio.PDB import MMCIFParser

from equicryo.errors import InputError
from equicryo.io.models import (
    read_atoms,
    read_chain,
    read_ensemble,
    write_atoms,
    write_chain,
    write_ensemble,
)
from equicryo.structure.atoms import AtomicModel
from equicryo.structure.chain import Chain

# Files hold four decimals.
ROUNDING = 0.5e-4 + 1e-9
# gemmi keeps B-factors as float32: 100 Å² × 2⁻²⁴ on top of the rounding.
B_ROUNDING = 0.5e-4 + 6e-6

SEQUENCE = "ACDEFGHIKLMNPQRSTVWY"
CHAIN = Chain(
    name="1abc",
    chain_id="B",
    sequence=SEQUENCE,
    residue_numbers=np.array([-3, 7, 7, *range(8, 25)]),
    insertion_codes=("", "", "A", *[""] * 17),
    coordinates=np.random.default_rng(0).normal(0.0, 100.0, (20, 3)),
    b_factors=np.random.default_rng(1).uniform(0.0, 100.0, 20),
)
SAMPLES = np.random.default_rng(2).normal(0.0, 20.0, (3, 20, 3))
ATOMS = AtomicModel(
    name="1abc",
    chain_id="A",
    sequence="GM",
    residue_numbers=np.array([1, 2]),
    insertion_codes=("", ""),
    atom_names=("N", "CA", "C", "CA", "SD"),
    elements=("N", "C", "C", "C", "S"),
    residue_index=np.array([0, 0, 0, 1, 1]),
    coordinates=np.random.default_rng(3).normal(0.0, 10.0, (5, 3)),
    b_factors=np.array([5.0, 6.0, 7.0, 8.0, 9.5]),
    occupancies=np.array([1.0, 1.0, 1.0, 0.5, 0.25]),
)


def assert_same_labels(found: Chain, expected: Chain) -> None:
    assert found.name == expected.name
    assert found.chain_id == expected.chain_id
    assert found.sequence == expected.sequence
    assert found.insertion_codes == expected.insertion_codes
    np.testing.assert_array_equal(found.residue_numbers, expected.residue_numbers)


def test_a_chain_comes_back(tmp_path: Path) -> None:
    write_chain(tmp_path / "truth.cif", CHAIN)
    found = read_chain(tmp_path / "truth.cif")
    assert_same_labels(found, CHAIN)
    np.testing.assert_allclose(found.coordinates, CHAIN.coordinates, atol=ROUNDING)
    np.testing.assert_allclose(found.b_factors, CHAIN.b_factors, atol=B_ROUNDING)


def test_an_ensemble_comes_back(tmp_path: Path) -> None:
    write_ensemble(tmp_path / "ensemble.cif", CHAIN, SAMPLES, CHAIN.b_factors)
    chain, samples = read_ensemble(tmp_path / "ensemble.cif")
    assert_same_labels(chain, CHAIN)
    np.testing.assert_allclose(samples, SAMPLES, atol=ROUNDING)
    np.testing.assert_allclose(chain.b_factors, CHAIN.b_factors, atol=B_ROUNDING)


def test_biopython_reads_the_ensemble_alike(tmp_path: Path) -> None:
    path = tmp_path / "ensemble.cif"
    write_ensemble(path, CHAIN, SAMPLES, CHAIN.b_factors)
    models = list(MMCIFParser(QUIET=True).get_structure("x", path))
    assert len(models) == 3
    for model, sample in zip(models, SAMPLES, strict=True):
        residues = list(model["B"])
        assert [r.id[1] for r in residues] == CHAIN.residue_numbers.tolist()
        assert tuple(r.id[2].strip() for r in residues) == CHAIN.insertion_codes
        found = np.array([residue["CA"].coord for residue in residues])
        # Biopython keeps float32: 80 Å × 2⁻²⁴ on top of the rounding.
        np.testing.assert_allclose(found, sample, atol=ROUNDING + 5e-6)


def test_gemmi_sees_one_polymer_with_its_sequence(tmp_path: Path) -> None:
    path = tmp_path / "ensemble.cif"
    write_ensemble(path, CHAIN, SAMPLES, CHAIN.b_factors)
    structure = gemmi.read_structure(str(path))
    (entity,) = structure.entities
    assert entity.polymer_type == gemmi.PolymerType.PeptideL
    assert gemmi.one_letter_code(entity.full_sequence) == SEQUENCE
    assert [model.num for model in structure] == [1, 2, 3]


def test_equal_models_give_equal_bytes(tmp_path: Path) -> None:
    paths = [tmp_path / "a.cif", tmp_path / "elsewhere" / "b.cif"]
    for path in paths:
        write_ensemble(path, CHAIN, SAMPLES, CHAIN.b_factors)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_all_atoms_come_back(tmp_path: Path) -> None:
    write_atoms(tmp_path / "structure.cif", ATOMS)
    found = read_atoms(tmp_path / "structure.cif")
    assert found.sequence == ATOMS.sequence
    assert found.atom_names == ATOMS.atom_names
    assert found.elements == ATOMS.elements
    np.testing.assert_array_equal(found.residue_index, ATOMS.residue_index)
    np.testing.assert_allclose(found.coordinates, ATOMS.coordinates, atol=ROUNDING)
    np.testing.assert_array_equal(found.b_factors, ATOMS.b_factors)
    np.testing.assert_array_equal(found.occupancies, ATOMS.occupancies)


def test_wrong_contents_are_named(tmp_path: Path) -> None:
    path = tmp_path / "model.cif"
    with pytest.raises(InputError, match="no such file"):
        read_chain(path)
    path.write_text("not mmCIF")
    with pytest.raises(InputError, match="not a readable mmCIF file"):
        read_chain(path)
    path.write_text("data_empty\n")
    with pytest.raises(InputError, match="no atoms in it"):
        read_chain(path)
    write_ensemble(path, CHAIN, SAMPLES, CHAIN.b_factors)
    with pytest.raises(InputError, match="3 models where one was expected"):
        read_chain(path)
    write_atoms(path, ATOMS)
    with pytest.raises(InputError, match="expected one Cα a residue"):
        read_ensemble(path)


def test_models_of_different_residues_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "mixed.cif"
    write_ensemble(path, CHAIN, SAMPLES, CHAIN.b_factors)
    write_chain(tmp_path / "other.cif", replace(CHAIN, sequence=SEQUENCE[::-1]))
    mixed = gemmi.read_structure(str(path))
    other = gemmi.read_structure(str(tmp_path / "other.cif"))[0]
    other.num = 4
    mixed.add_model(other)
    mixed.make_mmcif_document().write_file(str(path))
    with pytest.raises(InputError, match="model 4 has other residues"):
        read_ensemble(path)
