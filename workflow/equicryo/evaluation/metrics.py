"""Distances between posterior samples and the truth, in Å.

Residue i is always compared with residue i (index metrics); only `assignment_rmsd`
forgets the labels, and it is never a headline.
"""

import torch
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from equicryo.structure.superposition import superpose

ASSIGNMENT_ROUNDS = 50
"""Most rounds of matching and superposition; each lowers the RMSD, about five do."""


def posterior_mean(
    samples: Float[Tensor, "sample residue 3"],
) -> Float[Tensor, "residue 3"]:
    """Average the samples in the frame of the poses, without superposing them.

    The images fix that frame, so the mean is the estimator of least squared error,
    and the one that a Cramér-Rao bound speaks of.
    """
    return samples.mean(0)


def assignment_rmsd(
    samples: Float[Tensor, "sample residue 3"], truth: Float[Tensor, "residue 3"]
) -> Float[Tensor, " sample"]:
    """Measure the RMSD when any residue may stand for any other.

    Starts from the index superposition, then matches residues optimally and
    superposes the matched pairs in turn until the matching stays. A local optimum:
    an upper limit of the best such RMSD, and never above the index RMSD.

    Args:
        samples: Å.
        truth: Å.

    Returns:
        Å, one a sample.

    Source: iterated closest points with one-to-one matching; Besl & McKay 1992,
    doi:10.1109/34.121791.
    """
    return torch.stack([_match_and_superpose(sample, truth) for sample in samples])


def _match_and_superpose(
    sample: Float[Tensor, "residue 3"], truth: Float[Tensor, "residue 3"]
) -> Float[Tensor, ""]:
    matched = truth
    order = None
    for _ in range(ASSIGNMENT_ROUNDS):
        moved = superpose(sample, matched).apply(sample)
        previous, order = order, _best_order(moved, truth)
        matched = truth[order]
        if previous is not None and torch.equal(previous, order):
            break
    moved = superpose(sample, matched).apply(sample)
    return (moved - matched).square().sum(-1).mean().sqrt()


def _best_order(
    moved: Float[Tensor, "residue 3"], truth: Float[Tensor, "residue 3"]
) -> Tensor:
    """Return for each moved residue the index of its partner in the truth."""
    _, columns = linear_sum_assignment(torch.cdist(moved, truth).square().numpy())
    return torch.from_numpy(columns)


def pair_distance_discrepancy(
    samples: Float[Tensor, "sample residue 3"], truth: Float[Tensor, "residue 3"]
) -> Float[Tensor, " sample"]:
    """Measure the Wasserstein-1 distance between the distributions of pair distances.

    Needs no superposition and cannot see a mirror image.

    Args:
        samples: Å.
        truth: Å.

    Returns:
        Å, one a sample. With equally many distances on both sides it is the mean
        absolute difference of the sorted lists.
    """
    return (_sorted_distances(samples) - _sorted_distances(truth)).abs().mean(-1)


def _sorted_distances(
    coordinates: Float[Tensor, "*batch residue 3"],
) -> Float[Tensor, "*batch pair"]:
    first, second = torch.triu_indices(*(2 * coordinates.shape[-2:-1]), offset=1)
    gaps = coordinates[..., first, :] - coordinates[..., second, :]
    return gaps.norm(dim=-1).sort(dim=-1).values


def residue_spread(
    samples: Float[Tensor, "sample residue 3"],
) -> Float[Tensor, " residue"]:
    """Return the root mean square distance of each residue from its mean, Å.

    The samples stay as they lie: the frame is that of the poses.
    """
    deviation = samples - samples.mean(0)
    return deviation.square().sum(-1).mean(0).sqrt()


def residue_error(
    samples: Float[Tensor, "sample residue 3"], truth: Float[Tensor, "residue 3"]
) -> Float[Tensor, " residue"]:
    """Return the root mean square distance of each residue from the truth, Å.

    Both are compared as they lie; superpose first to leave the frame out.
    """
    return (samples - truth).square().sum(-1).mean(0).sqrt()
