from pathlib import Path

import pytest
import torch

from equicryo.evaluation.units_audit import audit_published, molecule_radius
from equicryo.io.structures import StructureConfig, read_structure
from equicryo.io.tables import read_table
from equicryo.structure.atoms import alpha_carbons
from equicryo.structure.superposition import radius_of_gyration

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def lysozyme() -> torch.Tensor:
    path = ROOT / "resources/structures/1hel.pdb"
    settings = StructureConfig(
        source="file",
        file=str(path),
        sha256="",
        model=1,
        chain="A",
        altloc="highest",
    )
    atoms = read_structure(path, settings, "1hel")
    return torch.from_numpy(alpha_carbons(atoms).coordinates)


@pytest.fixture(scope="module")
def audit(lysozyme) -> dict:
    published = read_table(ROOT / "resources/published/earlier_work.csv")
    generator = torch.Generator().manual_seed(0)
    rows = audit_published(published, lysozyme, generator=generator)
    return {(row["quantity"], row["alpha"], row["read_as"]): row for row in rows}


def test_unit_is_the_one_in_which_the_printed_size_of_the_truth_is_right(lysozyme):
    """22.626 Å and 0.607 units are stated in the audit; 0.61 was printed."""
    unit = molecule_radius(lysozyme)
    assert unit == pytest.approx(22.626, abs=5e-4)
    size = float(radius_of_gyration(lysozyme))
    assert size == pytest.approx(13.74, abs=5e-3)
    assert round(size / unit, 2) == 0.61


def test_best_published_error_is_chance_in_its_own_unit(audit):
    row = audit["rmsd", "1", "radius"]
    assert row["value"] == pytest.approx(0.78 * 22.626, abs=1e-3)
    assert row["verdict"] == "chance"
    # Uncorrelated clouds: √(A² + B²), less what the best rotation gains.
    unaligned = (13.74**2 + (0.58 * 22.626) ** 2) ** 0.5
    assert 0.9 * unaligned < row["chance"] < unaligned
    assert audit["rmsd", "1", "Å"]["verdict"] == "better than chance"


def test_worst_published_error_is_impossible_in_either_unit(audit):
    for reading in ("Å", "radius"):
        row = audit["rmsd", "0.01", reading]
        assert row["largest"] == pytest.approx(15.86, abs=0.05)
        assert row["value"] > row["largest"]
        assert row["verdict"] == "impossible"


def test_shrinkage_of_the_prior_is_real(audit):
    assert audit["rg_prior", "", "radius"]["verdict"] == "too small"
    assert audit["rg_prior", "", "radius"]["value"] == pytest.approx(8.15, abs=0.01)
    assert audit["rg_truth", "", "radius"]["verdict"] == "right size"


def test_mirror_image_is_another_molecule(audit):
    assert audit["mirror_rmsd", "", "Å"]["value"] == pytest.approx(11.7, abs=0.05)


def test_a_true_reconstruction_would_not_be_called_chance(lysozyme):
    published = [
        {"quantity": "rg", "alpha": "1", "value": "0.607"},
        {"quantity": "rmsd", "alpha": "1", "value": "0.03"},
    ]
    generator = torch.Generator().manual_seed(0)
    rows = audit_published(published, lysozyme, generator=generator)
    verdicts = {row["read_as"]: row["verdict"] for row in rows}
    assert verdicts["radius"] == "better than chance"
