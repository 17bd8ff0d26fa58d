"""What a reconstruction's RMSD would be had it learnt less: the controls of a row.

Every one is an index RMSD to the truth after proper superposition.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from equicryo.evaluation.bounds import checked_rmsd
from equicryo.structure.superposition import radius_of_gyration

CHANCE_CLOUDS = 100


def chance_rmsd(
    samples: Float[Tensor, "sample residue 3"],
    truth: Float[Tensor, "residue 3"],
    *,
    generator: torch.Generator,
) -> Float[Tensor, " cloud"]:
    """Measure random clouds that know nothing but the samples' size.

    Args:
        samples: Å; only their mean radius of gyration is used.
        truth: Å.
        generator: of the Gaussian clouds.

    Returns:
        Å, one a cloud.
    """
    shape = (CHANCE_CLOUDS, *truth.shape)
    clouds = torch.randn(shape, generator=generator, dtype=truth.dtype)
    clouds = clouds - clouds.mean(-2, keepdim=True)
    size = radius_of_gyration(samples).mean() / radius_of_gyration(clouds)
    return checked_rmsd(clouds * size[:, None, None], truth)


def permuted_rmsd(
    samples: Float[Tensor, "sample residue 3"],
    truth: Float[Tensor, "residue 3"],
    *,
    generator: torch.Generator,
) -> Float[Tensor, " sample"]:
    """Measure the samples with their residues shuffled, each in its own order.

    Args:
        samples: Å.
        truth: Å.
        generator: of the orders.

    Returns:
        Å, one a sample.
    """
    shuffled = torch.stack(
        [sample[torch.randperm(len(sample), generator=generator)] for sample in samples]
    )
    return checked_rmsd(shuffled, truth)


def mirror_rmsd(
    samples: Float[Tensor, "sample residue 3"], truth: Float[Tensor, "residue 3"]
) -> Float[Tensor, " sample"]:
    """Measure the samples with z negated, which no proper rotation undoes, Å."""
    return checked_rmsd(samples * samples.new_tensor([1.0, 1.0, -1.0]), truth)
