import math

import pytest
import torch

from equicryo.evaluation.rotated_mixture import RotatedMixture, log_normaliser
from equicryo.physics.rotations import draw_rotations
from equicryo.structure.superposition import rmsd


@pytest.fixture(scope="module")
def mixture() -> RotatedMixture:
    """Two folds of eight residues, one of them with its mirror image."""
    generator = torch.Generator().manual_seed(0)
    folds = 3.0 * torch.randn(2, 8, 3, generator=generator, dtype=torch.float64)
    folds -= folds.mean(1, keepdim=True)
    mirror = torch.tensor([1.0, 1.0, -1.0], dtype=torch.float64)
    return RotatedMixture(
        means=torch.stack((folds[0], folds[0] * mirror, folds[1])),
        weights=torch.tensor([0.5, 0.2, 0.3], dtype=torch.float64),
        spread=0.5,
        residue_types=torch.arange(8),
    )


@pytest.fixture(scope="module")
def rotations() -> torch.Tensor:
    return draw_rotations(200_000, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    "singular", [(0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (2.0, 1.5, -1.0), (3.0, 0.5, 0.2)]
)
def test_normaliser_is_the_average_over_rotations(rotations, singular):
    values = torch.tensor(singular, dtype=torch.float64)
    exponent = (rotations.diagonal(dim1=1, dim2=2) * values).sum(-1)
    drawn = exponent.exp()
    error = float(drawn.std() / drawn.mean()) / len(drawn) ** 0.5
    assert float(log_normaliser(values)) == pytest.approx(
        float(drawn.mean().log()), abs=4.0 * error + 1e-9
    )


@pytest.mark.parametrize("size", [1e2, 1e4, 1e6])
def test_normaliser_of_a_sharp_law_is_laplaces(size):
    """About the best rotation three angles are normal: Π √(2π/(s_i + s_j)) / 8π²."""
    values = size * torch.tensor([1.0, 0.7, 0.2], dtype=torch.float64)
    a, b, c = values.tolist()
    volume = 1.0
    for pair in (a + b, a + c, b + c):
        volume *= math.sqrt(2.0 * math.pi / pair)
    laplace = a + b + c + math.log(volume / (8.0 * math.pi**2))
    # The next term is of the order 1/size.
    assert float(log_normaliser(values)) == pytest.approx(laplace, abs=1.0 / size)


@pytest.mark.parametrize("sigma", [3.0, 8.0])
def test_posterior_mean_is_that_of_brute_force(mixture, rotations, sigma):
    generator = torch.Generator().manual_seed(2)
    clean, _ = mixture.draw_chains(1, generator=generator)
    noise = torch.randn(clean.shape, generator=generator, dtype=torch.float64)
    noisy = clean + sigma * (noise - noise.mean(1, keepdim=True))
    variance = mixture.spread**2 + sigma**2
    turned = torch.einsum("rab,kib->rkia", rotations, mixture.means)
    exponent = -0.5 * (noisy - turned).square().sum((2, 3)) / variance
    weight = (exponent + mixture.weights.log()).flatten().softmax(0)
    mean = torch.einsum("m,mia->ia", weight, turned.flatten(0, 1))
    brute = (mixture.spread**2 * noisy[0] + sigma**2 * mean) / variance
    # As many draws as count, and the folds' size of 5 Å: about 0.02 Å.
    effective = 1.0 / float(weight.square().sum())
    found = mixture.posterior_mean(noisy, sigma)[0]
    error = float((found - brute).square().sum(-1).mean().sqrt())
    assert error < 4.0 * 5.0 / effective**0.5


@pytest.mark.parametrize("sigma", [0.3, 2.0, 20.0])
def test_posterior_mean_is_tweedies(mixture, sigma):
    """E[x₀ | x] = x + σ² ∇ log p(x), by finite differences of the closed density."""
    generator = torch.Generator().manual_seed(3)
    clean, _ = mixture.draw_chains(4, generator=generator)
    noise = torch.randn(clean.shape, generator=generator, dtype=torch.float64)
    noisy = clean + sigma * (noise - noise.mean(1, keepdim=True))
    direction = torch.randn(clean.shape, generator=generator, dtype=torch.float64)
    direction -= direction.mean(1, keepdim=True)
    step = 1e-4

    def density(x):
        return mixture.log_density(x, sigma).logsumexp(-1)

    slope = (density(noisy + step * direction) - density(noisy - step * direction)) / (
        2.0 * step
    )
    mean = mixture.posterior_mean(noisy, sigma)
    expected = ((mean - noisy) / sigma**2 * direction).sum((1, 2))
    torch.testing.assert_close(slope, expected, rtol=1e-5, atol=1e-5)


def test_posterior_mean_turns_with_the_chain_and_sees_hands(mixture, rotations):
    generator = torch.Generator().manual_seed(4)
    chains, _ = mixture.draw_chains(3, generator=generator)
    mean = mixture.posterior_mean(chains, 4.0)
    turned = mixture.posterior_mean(chains @ rotations[0].T, 4.0)
    torch.testing.assert_close(turned, mean @ rotations[0].T, rtol=0.0, atol=1e-9)
    mirror = torch.tensor([1.0, 1.0, -1.0], dtype=torch.float64)
    image = mixture.posterior_mean(chains * mirror, 4.0) * mirror
    assert float((image - mean).abs().max()) > 0.1


def test_drawn_chains_have_the_weights_and_the_spread_asked_for(mixture):
    generator = torch.Generator().manual_seed(5)
    chains, component = mixture.draw_chains(2000, generator=generator)
    share = torch.bincount(component) / 2000.0
    # Three binomials of 2,000: 0.011 each.
    torch.testing.assert_close(share.double(), mixture.weights, rtol=0.0, atol=0.04)
    off = rmsd(chains, mixture.means[component])
    # Superposition takes three directions of 21: s² (3N − 6) / N, to 1 % of 2,000.
    assert float(off.square().mean()) == pytest.approx(0.25 * 18 / 8, rel=0.05)
    share = mixture.log_density(chains, 0.0).argmax(-1)
    assert float((share == component).double().mean()) > 0.99
