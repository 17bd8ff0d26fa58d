import pytest
import torch

from equicryo.evaluation.uncertainty import (
    BINS,
    COVERAGE_COLUMNS,
    LEVELS,
    RANK_COLUMNS,
    REGION_COLUMNS,
    SKILL_COLUMNS,
    coverage_rows,
    rank_rows,
    region_rows,
    skill_rows,
)

RESIDUES, SAMPLES = 400, 30


def ensembles(width: float):
    """Truths are further draws, of residues of 0.1 to 1 Å; samples `width` wide."""
    generator = torch.Generator().manual_seed(0)
    spread = torch.logspace(-1.0, 0.0, RESIDUES).double()[:, None]
    made = []
    for _ in range(6):
        noise = torch.randn(SAMPLES + 1, RESIDUES, 3, generator=generator).double()
        made.append((width * spread * noise[1:], spread * noise[0]))
    return made


def test_honest_samples_cover_as_often_as_they_say():
    rows = coverage_rows("images", ensembles(1.0))
    assert [tuple(row) for row in rows] == [COVERAGE_COLUMNS] * len(LEVELS)
    for row in rows:
        # 7,200 coordinates.
        assert row["coverage"] == pytest.approx(row["level"], abs=0.02)
        assert row["least"] <= row["coverage"] <= row["largest"]
        assert row["reconstructions"] == 6


def test_narrow_samples_cover_too_little():
    for row in coverage_rows("images", ensembles(0.5)):
        assert row["coverage"] < row["level"] - 0.03 or row["level"] > 0.9


def test_regions_of_honest_samples_hold_as_many_residues_as_they_say():
    rows = region_rows("images", ensembles(1.0))
    assert [tuple(row) for row in rows] == [REGION_COLUMNS] * (SAMPLES // 2)
    for row in rows:
        # 2,400 residues.
        assert row["residues"] == pytest.approx(row["level"], abs=0.035)


def test_regions_of_narrow_samples_hold_too_few_residues():
    for row in region_rows("images", ensembles(0.5)):
        assert row["residues"] < row["level"]


def test_ranks_among_honest_samples_are_even():
    rows = rank_rows("images", ensembles(1.0))
    assert [tuple(row) for row in rows] == [RANK_COLUMNS] * (SAMPLES + 1)
    assert sum(row["density"] for row in rows) == pytest.approx(len(rows))
    for row in rows:
        # 232 coordinates a rank: five standard errors.
        assert row["density"] == pytest.approx(1.0, abs=0.33)


def test_ranks_among_narrow_samples_are_hollow_and_biased_ones_slope():
    density = [row["density"] for row in rank_rows("images", ensembles(0.5))]
    assert density[0] > 3.0
    assert density[-1] > 3.0
    assert density[SAMPLES // 2] < 0.8
    moved = [(samples + 1.0, truth) for samples, truth in ensembles(1.0)]
    density = [row["density"] for row in rank_rows("images", moved)]
    assert density[0] > 3.0
    assert density[-1] < 0.3


@pytest.mark.parametrize("width", [1.0, 0.5])
def test_residues_err_by_what_their_spread_predicts_over_its_width(width):
    rows = skill_rows("images", ensembles(width))
    assert [tuple(row) for row in rows] == [SKILL_COLUMNS] * BINS
    predicted = [row["predicted"] for row in rows]
    assert predicted == sorted(predicted)
    # From 0.1 Å to 1 Å in eight bins, √3 for three axes.
    assert predicted[-1] / predicted[0] == pytest.approx(10 ** (7 / 8), rel=0.1)
    for row in rows:
        assert row["actual"] == pytest.approx(row["predicted"] / width, rel=0.15)
