"""Scores of an ensemble that are best, on average, when it is the true posterior."""

import torch
from jaxtyping import Float
from torch import Tensor


def energy_score(
    samples: Float[Tensor, "sample *batch axis"], truth: Float[Tensor, "*batch axis"]
) -> Float[Tensor, "*batch"]:
    """Return E|X − y| − ½ E|X − X'|, estimated without bias by the samples.

    Args:
        samples: two or more, Å; the last axis is one vector, e.g. a residue's place.
        truth: y, Å.

    Returns:
        Å; the continuous ranked probability score (CRPS) if vectors have one component.

    Source: Gneiting & Raftery 2007, doi:10.1198/016214506000001437; the estimate with
        n (n − 1) pairs is that of Ferro 2014, doi:10.1002/qj.2270.
    """
    count = len(samples)
    if count < 2:
        raise ValueError(f"{count} sample has no spread: draw two or more")
    error = (samples - truth).norm(dim=-1).mean(0)
    pairs = (samples[:, None] - samples[None]).norm(dim=-1).sum((0, 1))
    return error - 0.5 * pairs / (count * (count - 1))


def crps(
    samples: Float[Tensor, "sample ..."], truth: Float[Tensor, "..."]
) -> Float[Tensor, "..."]:
    """Return the continuous ranked probability score of single numbers.

    Args:
        samples: two or more.
        truth: of the same unit, which is the score's too.

    Source: as `energy_score`.
    """
    return energy_score(samples[..., None], truth[..., None])


def spread_skill(
    spread: Float[Tensor, " case"],
    error: Float[Tensor, " case"],
    n_samples: int,
    bins: int,
) -> tuple[Float[Tensor, " bin"], Float[Tensor, " bin"]]:
    """Compare predicted with actual errors, in bins of equal count.

    For samples of the true posterior the two are equal: over all cases, and in every
    bin as long as samples are many enough not to sort cases by the spread's own noise.

    Args:
        spread: standard deviation of the samples, unbiased (n − 1), Å.
        error: of their mean, Å.
        n_samples: samples of each case; their mean errs by √(1 + 1/n) spreads.
        bins: from the smallest spreads to the largest.

    Returns:
        Root mean square predicted and actual error in each bin, Å.

    Source: Fortin et al. 2014, doi:10.1175/JHM-D-14-0008.1.
    """
    order = spread.argsort()
    predicted = [
        part.square().mean().sqrt() for part in spread[order].tensor_split(bins)
    ]
    actual = [part.square().mean().sqrt() for part in error[order].tensor_split(bins)]
    return (1.0 + 1.0 / n_samples) ** 0.5 * torch.stack(predicted), torch.stack(actual)
