"""A trained denoiser and its draws, held against a posterior known in closed form."""

import torch
from jaxtyping import Float64
from torch import Tensor

from equicryo.evaluation.bounds import checked_rmsd
from equicryo.evaluation.rotated_mixture import RotatedMixture
from equicryo.models.denoiser import Denoiser

MIXTURE_COLUMNS = ("quantity", "at", "value", "exact", "error", "n")
"""`at`: noise level, Å, or component from 0; `error`: one standard error of the value;
`n`: chains. Quantities: `rmsd`, from the truth, of the network's estimate and of the
exact one; `excess`, root mean square distance of the two estimates, which a perfect
network would bring to 0; `weight`, share of draws in a component; `spread`, root mean
square RMSD of these from its mean."""

Row = dict[str, str | float | int]


@torch.no_grad()
def compare_estimates(
    denoiser: Denoiser,
    mixture: RotatedMixture,
    noise_levels: tuple[float, ...],
    count: int,
    *,
    generator: torch.Generator,
) -> list[Row]:
    """Compare denoised estimates with the exact posterior mean.

    Args:
        denoiser: trained on the mixture.
        mixture: the law.
        noise_levels: σ, Å.
        count: noisy chains at each.
        generator: source of chains and noise.

    Returns:
        Rows `rmsd` and `excess`.
    """
    rows = []
    for level in noise_levels:
        clean, _ = mixture.draw_chains(count, generator=generator)
        noise = torch.randn(clean.shape, generator=generator, dtype=torch.float64)
        noisy = clean + level * (noise - noise.mean(1, keepdim=True))
        types = mixture.residue_types.expand(count, -1)
        sigma = torch.full((count,), level)
        estimate = denoiser(noisy.float(), sigma, types).double()
        exact = mixture.posterior_mean(noisy, level)
        best, _ = _root_mean(_square(exact - clean))
        value, error = _root_mean(_square(estimate - clean))
        rows.append(_row("rmsd", level, value, best, error, count))
        value, error = _root_mean(_square(estimate - exact))
        rows.append(_row("excess", level, value, 0.0, error, count))
    return rows


def compare_draws(
    chains: Float64[Tensor, "chain residue 3"], mixture: RotatedMixture
) -> list[Row]:
    """Compare draws with the components of the mixture.

    Args:
        chains: drawn without data, centred, Å.
        mixture: the law.

    Returns:
        Rows `weight` and `spread`; each draw counts for its most probable component.
        Superposition takes the three directions of rotation out of 3N − 3.
    """
    count, residues = chains.shape[:2]
    component = mixture.log_density(chains, 0.0).argmax(-1)
    due = mixture.spread * ((3 * residues - 6) / residues) ** 0.5
    rows = []
    for index, mean in enumerate(mixture.means):
        found = chains[component == index]
        share, exact = len(found) / count, float(mixture.weights[index])
        error = (exact * (1.0 - exact) / count) ** 0.5
        rows.append(_row("weight", float(index), share, exact, error, count))
        if len(found) > 1:
            value, error = _root_mean(checked_rmsd(found, mean).square())
            rows.append(_row("spread", float(index), value, due, error, len(found)))
    return rows


def _square(difference: Tensor) -> Tensor:
    return difference.square().sum(-1).mean(-1)


def _root_mean(squares: Tensor) -> tuple[float, float]:
    """Return the root of a mean, and its standard error."""
    root = float(squares.mean().sqrt())
    return root, float(squares.std() / len(squares) ** 0.5) / (2.0 * root)


def _row(
    quantity: str, at: float, value: float, exact: float, error: float, n: int
) -> Row:
    return {
        "quantity": quantity,
        "at": at,
        "value": value,
        "exact": exact,
        "error": error,
        "n": n,
    }
