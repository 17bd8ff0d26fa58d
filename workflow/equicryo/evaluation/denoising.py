"""How well a prior denoises chains that it has not seen, beside simple baselines."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from equicryo.models.denoiser import Denoiser
from equicryo.models.examples import collate
from equicryo.models.transformer import ABSENT_TYPE
from equicryo.structure.bonds import project_bonds
from equicryo.structure.chain import VIRTUAL_BOND
from equicryo.structure.chain_set import ChainSet
from equicryo.structure.residues import UNKNOWN_TYPE

DENOISING_COLUMNS = (
    *("noise_level", "method", "rmsd", "rmsd_error"),
    *("rg_ratio", "rg_ratio_expected", "mirror_change", "n"),
)
"""Lengths in Å. `rg_ratio`: radius of gyration of the estimates over that of the
truths, both root mean squares; `rg_ratio_expected`: what it is for a posterior mean
that errs as much, √(1 − RMSD²/Rg²), since its error is orthogonal to it;
`mirror_change`: by how much a reflection changes the score, over its size; `n`: chains.
"""

SEQUENCE, NO_SEQUENCE = "sequence", "no_sequence"
IDENTITY, LINEAR, BONDS = "identity", "linear_gaussian", "bond_projection"
BASELINES = (IDENTITY, LINEAR, BONDS)

MIRROR = (1.0, 1.0, -1.0)

Estimate = Callable[
    [Float[Tensor, "batch residue 3"], Float[Tensor, " batch"]],
    Float[Tensor, "batch residue 3"],
]


@dataclass(frozen=True, kw_only=True)
class _Errors:
    """Sums over residues of the copies of one chain, per copy and residue, Å²."""

    estimate: Float64[np.ndarray, " copy"]
    truth: Float64[np.ndarray, " copy"]
    error: Float64[np.ndarray, " copy"]
    score: Float64[np.ndarray, " copy"]
    mirror: Float64[np.ndarray, " copy"]


@torch.no_grad()
def measure_denoising(
    denoiser: Denoiser,
    chains: ChainSet,
    noise_levels: tuple[float, ...],
    copies: int,
    *,
    generator: torch.Generator,
) -> list[dict[str, str | float | int | None]]:
    """Denoise noisy copies of chains, by a network and by what it has to beat.

    All methods see the same noise. They are the network with the residue types and
    without, the noisy chain itself, the posterior mean under the polymer's Gaussian
    (linear, and the network's own start), and a chain near that mean whose bonds are
    right.

    Args:
        denoiser: of chains of any kind.
        chains: none like the training data.
        noise_levels: σ, Å.
        copies: of each chain at each level, each with its own noise.
        generator: source of the noise.

    Returns:
        Rows of `DENOISING_COLUMNS`. `rmsd` is the mean over chains and copies of the
        error of an estimate as it lies, `rmsd_error` its standard error over chains.
    """
    rows = []
    for level in noise_levels:
        found: dict[str, list[_Errors]] = {}
        for index in range(len(chains)):
            batch = collate(chains, [index] * copies)
            clean = batch.coordinates.double()
            noise = torch.randn(clean.shape, generator=generator, dtype=torch.float64)
            noisy = clean + level * (noise - noise.mean(1, keepdim=True))
            sigma = torch.full((copies,), level, dtype=torch.float64)
            for name, estimate in _methods(denoiser, batch.residue_types).items():
                errors = _measure(estimate, clean, noisy, sigma)
                found.setdefault(name, []).append(errors)
        rows += [_summarise(level, name, errors) for name, errors in found.items()]
    return rows


def _methods(denoiser: Denoiser, residue_types: Tensor) -> dict[str, Estimate]:
    """Return each method as a function of noisy chains and σ."""
    present = residue_types != ABSENT_TYPE
    unknown = torch.full_like(residue_types, UNKNOWN_TYPE)

    def linear(noisy: Tensor, level: Tensor) -> Tensor:
        return denoiser.whitening(noisy, level, present)

    def bonds(noisy: Tensor, level: Tensor) -> Tensor:
        mean = linear(noisy, level).numpy()
        return torch.from_numpy(project_bonds(mean, VIRTUAL_BOND))

    def network(types: Tensor) -> Estimate:
        return lambda noisy, level: denoiser(
            noisy.float(), level.float(), types
        ).double()

    return {
        SEQUENCE: network(residue_types),
        NO_SEQUENCE: network(unknown),
        IDENTITY: lambda noisy, level: noisy,
        LINEAR: linear,
        BONDS: bonds,
    }


def _measure(
    estimate: Estimate, clean: Tensor, noisy: Tensor, level: Tensor
) -> _Errors:
    mirror = torch.tensor(MIRROR, dtype=noisy.dtype)
    denoised = estimate(noisy, level)
    mirrored = estimate(noisy * mirror, level) * mirror

    def spread(x: Tensor) -> Float64[np.ndarray, " copy"]:
        return x.square().sum(-1).mean(-1).numpy()

    return _Errors(
        estimate=spread(denoised - denoised.mean(1, keepdim=True)),
        truth=spread(clean),
        error=spread(denoised - clean),
        score=spread(denoised - noisy),
        mirror=spread(denoised - mirrored),
    )


def _summarise(
    level: float, name: str, errors: list[_Errors]
) -> dict[str, str | float | int | None]:
    each = np.array([np.sqrt(one.error).mean() for one in errors])
    truth = np.sum([one.truth for one in errors])
    ratio = np.sum([one.estimate for one in errors]) / truth
    lost = np.sum([one.error for one in errors]) / truth
    score = np.sum([one.score for one in errors])
    mirror = np.sum([one.mirror for one in errors])
    return {
        "noise_level": level,
        "method": name,
        "rmsd": float(each.mean()),
        "rmsd_error": float(each.std(ddof=1) / len(each) ** 0.5),
        "rg_ratio": float(ratio**0.5),
        "rg_ratio_expected": float(max(0.0, 1.0 - lost) ** 0.5),
        "mirror_change": float((mirror / score) ** 0.5) if score else None,
        "n": len(each),
    }
