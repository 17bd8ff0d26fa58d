"""The row of one reconstruction in the table of metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from equicryo.evaluation.bounds import checked_rmsd
from equicryo.evaluation.controls import (
    chance_rmsd,
    mirror_rmsd,
    permuted_rmsd,
)
from equicryo.evaluation.coverage import interval_coverage
from equicryo.evaluation.metrics import (
    assignment_rmsd,
    pair_distance_discrepancy,
    posterior_mean,
)
from equicryo.evaluation.proper_scores import crps
from equicryo.evaluation.tm_score import tm_score
from equicryo.inference.traces import RefinedTrace
from equicryo.structure.superposition import radius_of_gyration, rmsd_unaligned

COVERAGES = {"coverage50": 0.5, "coverage80": 0.8, "coverage90": 0.9}
"""Columns of the share of true coordinates in intervals of a probability."""

LABEL_COLUMNS = (
    "study",
    "target",
    "regime",
    "dataset",
    "density",
    "ctf",
    "pose_error_deg",
    "shift_error",
    "prior",
    "sampler",
    "alpha",
    "scale",
    "scale_source",
    "scale_true",
    "n_images",
    "snr",
    "seed",
)
MEASURED_COLUMNS = (
    "n_samples",
    "rmsd_mean",
    "rmsd_sd",
    "rmsd_min",
    "rmsd_unaligned_mean",
    "rmsd_posterior_mean",
    "rmsd_posterior_mean_unaligned",
    *COVERAGES,
    "crps",
    "assignment_rmsd_mean",
    "tm_score_mean",
    "rg_mean",
    "rg_truth",
    "pdd_distance",
    "chi2",
    "evidence",
    "evidence_limit",
    "residues_seen",
    "residues_suspect",
    "verdict",
    "crlb_rmsd",
    "trace_rmsd",
    "beads_rmsd",
    "prior_rmsd",
    "chance_rmsd",
    "permuted_rmsd",
    "mirror_rmsd",
    "nfe",
)
FILE_COLUMNS = ("reconstruction", "truth")
METRICS_COLUMNS = LABEL_COLUMNS + MEASURED_COLUMNS + FILE_COLUMNS
ROW_ORDER = (
    "study",
    "dataset",
    "prior",
    "sampler",
    "alpha",
    "scale_source",
    "scale",
    "seed",
)
"""Columns that sort the table, most significant first."""
SAMPLE_COLUMNS = (
    "sample",
    "rmsd",
    "rmsd_unaligned",
    "assignment_rmsd",
    "tm_score",
    "rg",
    "pdd_distance",
)

Value = str | int | float | None
"""A cell: None where the column does not apply."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SampleScores:
    """Metrics of each posterior sample against the truth.

    Attributes:
        rmsd: index RMSD after proper superposition, Å.
        rmsd_unaligned: index RMSD in the frame of the poses, Å.
        assignment_rmsd: RMSD after optimal matching of residues, Å.
        tm_score: index TM-score.
        rg: radius of gyration, Å.
        pdd_distance: Wasserstein-1 distance of pair distances, Å.
    """

    rmsd: Float[Tensor, " sample"]
    rmsd_unaligned: Float[Tensor, " sample"]
    assignment_rmsd: Float[Tensor, " sample"]
    tm_score: Float[Tensor, " sample"]
    rg: Float[Tensor, " sample"]
    pdd_distance: Float[Tensor, " sample"]

    def rows(self) -> list[dict[str, Value]]:
        """Return one row a sample, columns `SAMPLE_COLUMNS`."""
        columns = [getattr(self, name).tolist() for name in SAMPLE_COLUMNS[1:]]
        return [
            dict(zip(SAMPLE_COLUMNS, (index, *values), strict=True))
            for index, values in enumerate(zip(*columns, strict=True))
        ]


def score_samples(
    samples: Float[Tensor, "sample residue 3"], truth: Float[Tensor, "residue 3"]
) -> SampleScores:
    """Score every posterior sample, both structures in the frame of the poses, Å.

    Raises:
        ArithmeticError: an aligned RMSD is outside what the radii of gyration allow.
    """
    return SampleScores(
        rmsd=checked_rmsd(samples, truth),
        rmsd_unaligned=rmsd_unaligned(samples, truth),
        assignment_rmsd=assignment_rmsd(samples, truth),
        tm_score=tm_score(samples, truth),
        rg=radius_of_gyration(samples),
        pdd_distance=pair_distance_discrepancy(samples, truth),
    )


def summarise(
    scores: SampleScores,
    samples: Float[Tensor, "sample residue 3"],
    truth: Float[Tensor, "residue 3"],
) -> dict[str, Value]:
    """Reduce the samples' scores to the columns of the table.

    Args:
        scores: of `samples`.
        samples: Å, in the frame of the poses.
        truth: Å, in the same frame.

    Returns:
        Means over samples, and the scores of the posterior mean. `rmsd_sd` is the
        unbiased standard deviation, `COVERAGES` the shares of coordinates in intervals
        and `crps` the mean of their ranked probability scores, Å; these are None for a
        single sample.
    """
    mean = posterior_mean(samples)
    several = len(samples) > 1
    spread = scores.rmsd.std().item() if several else None
    return {
        "n_samples": len(samples),
        "rmsd_mean": scores.rmsd.mean().item(),
        "rmsd_sd": spread,
        "rmsd_min": scores.rmsd.min().item(),
        "rmsd_unaligned_mean": scores.rmsd_unaligned.mean().item(),
        "rmsd_posterior_mean": checked_rmsd(mean, truth).item(),
        "rmsd_posterior_mean_unaligned": rmsd_unaligned(mean, truth).item(),
        **{
            name: coordinate_coverage(samples, truth, level) if several else None
            for name, level in COVERAGES.items()
        },
        "crps": crps(samples, truth).mean().item() if several else None,
        "assignment_rmsd_mean": scores.assignment_rmsd.mean().item(),
        "tm_score_mean": scores.tm_score.mean().item(),
        "rg_mean": scores.rg.mean().item(),
        "rg_truth": radius_of_gyration(truth).item(),
        "pdd_distance": scores.pdd_distance.mean().item(),
    }


def coordinate_coverage(
    samples: Float[Tensor, "sample residue 3"],
    truth: Float[Tensor, "residue 3"],
    level: float,
) -> float:
    """Return the share of the true coordinates that lie in intervals of a probability.

    Args:
        samples: at least 2, Å, in the frame of the poses.
        truth: Å, in the same frame.
        level: that probability.
    """
    everywhere = torch.ones_like(truth)
    count = len(samples)
    mean, spread = samples.mean(0), (1.0 + 1.0 / count) ** 0.5 * samples.std(0)
    return interval_coverage(mean, spread, truth, everywhere, count - 1, level)


def score_trace(
    traces: Sequence[RefinedTrace], truth: Float[Tensor, "residue 3"]
) -> float | None:
    """Return the error of the best trace.

    Args:
        traces: best first; none where nothing was traced.
        truth: in the frame of the poses, Å.

    Returns:
        Index RMSD without superposition, Å.
    """
    if not traces:
        return None
    return rmsd_unaligned(traces[0].coordinates, truth).item()


def score_controls(
    samples: Float[Tensor, "sample residue 3"],
    truth: Float[Tensor, "residue 3"],
    scaled_draws: Float[Tensor, "draw residue 3"],
    *,
    generator: torch.Generator,
) -> dict[str, Value]:
    """Measure the controls of one reconstruction.

    Args:
        samples: Å.
        truth: Å.
        scaled_draws: unconditional draws of the prior times λ, Å.
        generator: of the chance clouds and the shuffles.

    Returns:
        Mean index RMSD of each control after proper superposition, Å.
    """
    controls = {
        "prior_rmsd": checked_rmsd(scaled_draws, truth),
        "chance_rmsd": chance_rmsd(samples, truth, generator=generator),
        "permuted_rmsd": permuted_rmsd(samples, truth, generator=generator),
        "mirror_rmsd": mirror_rmsd(samples, truth),
    }
    return {name: distances.mean().item() for name, distances in controls.items()}


def complete_row(cells: Mapping[str, Value]) -> dict[str, Value]:
    """Order the cells of a row as the table wants them, None where there is none.

    Raises:
        ValueError: a cell belongs to no column.
    """
    unknown = sorted(set(cells) - set(METRICS_COLUMNS))
    if unknown:
        raise ValueError(f"no such columns of the metrics: {', '.join(unknown)}")
    return {name: cells.get(name) for name in METRICS_COLUMNS}
