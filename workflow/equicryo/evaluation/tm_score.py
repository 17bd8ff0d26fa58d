"""TM-score of equally long, index-matched chains."""

import torch
from jaxtyping import Float
from torch import Tensor

from equicryo.structure.superposition import superpose

SHORTEST_FRAGMENT = 4
"""Residues of the shortest fragment whose superposition starts a search."""

ASCENT_STEPS = 20
"""Reweighted superpositions a start; 200 raised no score by 1e-4, folded or random."""


def tm_score(
    samples: Float[Tensor, "sample residue 3"], truth: Float[Tensor, "residue 3"]
) -> Float[Tensor, " sample"]:
    """Measure the TM-score of each sample, residue i paired with residue i.

    The score is maximised over proper superpositions, from starts on fragments of
    all, half, a quarter … of the chain as in the TM-score program. Where the program
    then repeats least squares over close pairs, each step here maximises a lower
    bound: 1 / (1 + u) is convex in u = d² / d0², so its tangent lies below it, and
    the best superposition under the tangent is a weighted one. The score never falls.

    Args:
        samples: Å.
        truth: Å; its length normalises the score.

    Returns:
        In (0, 1]; above about 0.5 the folds agree.

    Source: Zhang & Skolnick 2004, doi:10.1002/prot.20264, equations 3 and 5.
    """
    starts = torch.stack(
        [
            superpose(samples[:, part], truth[part]).apply(samples)
            for part in _fragments(truth.shape[-2])
        ]
    )
    return _climb(starts, truth).amax(0)


def tm_distance(length: int) -> float:
    """Return d0, the distance at which a pair counts half, Å.

    Source: Zhang & Skolnick 2004, equation 5; at least 0.5 Å, as in their program.
    """
    if length <= 15:
        return 0.5
    return max(1.24 * (length - 15) ** (1 / 3) - 1.8, 0.5)


def _fragments(length: int) -> list[slice]:
    """Cut the chain into half-overlapping fragments of all, half, a quarter …."""
    size, fragments = length, []
    while True:
        step = max(size // 2, 1)
        fragments += [slice(i, i + size) for i in range(0, length - size + 1, step)]
        if size // 2 < SHORTEST_FRAGMENT:
            return fragments
        size //= 2


def _climb(
    moved: Float[Tensor, "start sample residue 3"], truth: Float[Tensor, "residue 3"]
) -> Float[Tensor, "start sample"]:
    """Raise the scores of superposed samples to their local maxima."""
    for _ in range(ASCENT_STEPS):
        weights = _closeness(moved, truth) ** 2
        moved = _superpose_weighted(moved, truth, weights)
    return _closeness(moved, truth).mean(-1)


def _closeness(
    moved: Float[Tensor, "*batch residue 3"], truth: Float[Tensor, "residue 3"]
) -> Float[Tensor, "*batch residue"]:
    scale = tm_distance(truth.shape[-2])
    return 1 / (1 + (moved - truth).square().sum(-1) / scale**2)


def _superpose_weighted(
    moved: Float[Tensor, "*batch residue 3"],
    truth: Float[Tensor, "residue 3"],
    weights: Float[Tensor, "*batch residue"],
) -> Float[Tensor, "*batch residue 3"]:
    share = (weights / weights.sum(-1, keepdim=True)).unsqueeze(-1)
    moved = moved - (share * moved).sum(-2, keepdim=True)
    centre = (share * truth).sum(-2, keepdim=True)
    left, _, right = torch.linalg.svd((truth - centre).mT @ (share * moved))
    signs = torch.ones_like(left[..., 0])
    signs[..., 2] = torch.linalg.det(left @ right).sign()
    return moved @ ((left * signs.unsqueeze(-2)) @ right).mT + centre
