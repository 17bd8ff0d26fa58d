import pytest
import torch

from equicryo.evaluation.scores import (
    METRICS_COLUMNS,
    SAMPLE_COLUMNS,
    complete_row,
    coordinate_coverage,
    score_controls,
    score_samples,
    summarise,
)
from equicryo.structure.superposition import radius_of_gyration

COLUMNS = (
    "study target regime dataset density ctf pose_error_deg shift_error prior sampler "
    "alpha scale scale_source scale_true n_images snr seed n_samples rmsd_mean "
    "rmsd_sd rmsd_min rmsd_unaligned_mean rmsd_posterior_mean "
    "rmsd_posterior_mean_unaligned coverage50 coverage80 coverage90 crps "
    "assignment_rmsd_mean tm_score_mean "
    "rg_mean rg_truth pdd_distance chi2 evidence evidence_limit residues_seen "
    "residues_suspect verdict "
    "crlb_rmsd trace_rmsd beads_rmsd prior_rmsd chance_rmsd permuted_rmsd mirror_rmsd "
    "nfe reconstruction truth"
)


def chain() -> torch.Tensor:
    generator = torch.Generator().manual_seed(11)
    steps = torch.randn(30, 3, generator=generator, dtype=torch.float64)
    return 2.2 * steps.cumsum(0)


def noisy(truth: torch.Tensor, deviation: float, samples: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(12)
    shape = (samples, *truth.shape)
    return truth + deviation * torch.randn(
        shape, generator=generator, dtype=torch.float64
    )


def test_columns_are_the_file_contract() -> None:
    assert COLUMNS.split() == list(METRICS_COLUMNS)


def test_summary_of_isotropic_errors_has_their_closed_form() -> None:
    truth, deviation, samples = chain(), 0.2, 100
    summary = summarise(
        score_samples(noisy(truth, deviation, samples), truth),
        noisy(truth, deviation, samples),
        truth,
    )
    error = 3**0.5 * deviation
    # The mean of 100 RMSDs of 90 numbers: sampling error 1/√(2 × 9,000) = 0.75 %.
    assert summary["rmsd_unaligned_mean"] == pytest.approx(error, rel=0.03)
    # A superposition fits 6 of 3 N = 90 numbers: RMS √(84/90).
    assert summary["rmsd_mean"] == pytest.approx(error * (84 / 90) ** 0.5, rel=0.03)
    # The mean of n samples errs √n less; its one RMSD of 90 numbers, 4 × 7.5 %.
    assert summary["rmsd_posterior_mean_unaligned"] == pytest.approx(
        error / samples**0.5, rel=0.3
    )
    # Every sample errs from the truth; the mean of 100 hardly, and 90 of 90 lie within.
    assert summary["coverage90"] == 1.0
    assert summary["rg_truth"] == pytest.approx(radius_of_gyration(truth).item())
    assert summary["rmsd_min"] < summary["rmsd_mean"]


def test_a_turned_ensemble_shows_in_the_unaligned_columns_only() -> None:
    truth = chain()
    turn = torch.diag(torch.tensor([-1.0, -1.0, 1.0], dtype=torch.float64))
    samples = noisy(truth, 0.1, 4) @ turn
    summary = summarise(score_samples(samples, truth), samples, truth)
    assert summary["rmsd_mean"] < 0.3
    assert summary["rmsd_unaligned_mean"] > 5.0
    assert summary["rmsd_posterior_mean"] < 0.3
    assert summary["rmsd_posterior_mean_unaligned"] > 5.0


def test_a_single_sample_has_no_spread() -> None:
    truth = chain()
    samples = noisy(truth, 0.1, 1)
    assert summarise(score_samples(samples, truth), samples, truth)["rmsd_sd"] is None


@pytest.mark.parametrize("level", [0.5, 0.8, 0.9])
def test_intervals_cover_a_truth_that_is_one_of_the_draws(level) -> None:
    draws = noisy(chain(), 0.2, 4000)
    # 45,000 coordinates: a standard error of 0.24 % at most, were they independent.
    covered = [
        coordinate_coverage(draws[start + 1 : start + 8], draws[start], level)
        for start in range(0, 4000, 8)
    ]
    assert sum(covered) / len(covered) == pytest.approx(level, abs=0.012)


def test_controls_rank_a_good_reconstruction_below_all_of_them() -> None:
    truth = chain()
    samples = noisy(truth, 0.2, 8)
    controls = score_controls(
        samples,
        truth,
        noisy(truth, 2.0, 16),
        generator=torch.Generator().manual_seed(1),
    )
    best = score_samples(samples, truth).rmsd.mean().item()
    assert best < controls["prior_rmsd"] < controls["chance_rmsd"]
    # Draws with noise of 2 Å an axis err by 2 √3 √(84/90) = 3.35 Å; 16 × 84
    # numbers have 1.9 % error.
    assert controls["prior_rmsd"] == pytest.approx(3.35, rel=0.08)
    assert controls["mirror_rmsd"] > 1.0


def test_sample_rows_repeat_the_scores() -> None:
    truth = chain()
    scores = score_samples(noisy(truth, 0.2, 3), truth)
    rows = scores.rows()
    assert [tuple(row) for row in rows] == [SAMPLE_COLUMNS] * 3
    assert [row["rmsd"] for row in rows] == scores.rmsd.tolist()
    assert [row["sample"] for row in rows] == [0, 1, 2]


def test_a_row_is_ordered_filled_and_refuses_strangers() -> None:
    row = complete_row({"seed": 3, "study": "grid"})
    assert tuple(row) == METRICS_COLUMNS
    assert (row["study"], row["seed"], row["chi2"]) == ("grid", 3, None)
    with pytest.raises(ValueError, match="rmsd_best"):
        complete_row({"rmsd_best": 1.0})
