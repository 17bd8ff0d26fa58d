import pytest
import torch

from equicryo.evaluation.uncertainty import (
    BINS,
    COVERAGE_COLUMNS,
    LEVELS,
    SKILL_COLUMNS,
    coverage_rows,
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
