import math
from dataclasses import replace

import pytest
import torch

from equicryo.inference.likelihood import ResidueLikelihood, prepare_likelihood
from equicryo.io.residue_model import read_residue_model
from equicryo.physics.density import gaussian_volume
from equicryo.physics.gain import KnownGain, UnknownGain
from equicryo.physics.normal_operator import prepare_operator
from equicryo.physics.residue_density import residue_blobs


def test_unblurred_value_is_the_operator_s_in_float64(problem):
    likelihood = problem.likelihood
    chains = problem.truth + torch.tensor([0.0, 0.5]).double()[:, None, None]
    operator = prepare_operator(problem.normal)
    volume = gaussian_volume(
        chains,
        likelihood.density.weights,
        likelihood.density.width,
        operator.support_size,
        operator.pixel_size,
    )
    expected = operator.log_likelihood(volume)
    actual = likelihood.log_likelihood(chains, 0.0).double()
    # float32 sums of 3e4 voxels: 1e-6 of the two terms, which cancel in part.
    scale = float(expected.abs().max())
    torch.testing.assert_close(actual, expected, rtol=0.0, atol=2e-5 * scale)


def test_grids_grow_coarser_with_the_blur(problem):
    edges = [
        operator.support_size for operator in problem.likelihood.operators.values()
    ]
    assert edges == sorted(edges)
    assert edges[0] < edges[-1]


def test_blur_is_the_least_that_covers_the_spread(problem):
    likelihood = problem.likelihood
    assert likelihood.blur_for(0.0) == 0.0
    assert likelihood.blur_for(0.3) == 1.0
    assert likelihood.blur_for(2.0) == 2.0
    assert likelihood.blur_for(90.0) == 4.0


def test_low_resolution_leaves_the_maximum_at_the_truth(problem):
    """With b = K * V of the truth, every blur's gradient vanishes there."""
    operator = prepare_operator(problem.normal)
    likelihood = problem.likelihood
    volume = likelihood.density.volume(problem.truth, 32, 1.5, 0.0)
    noiseless = replace(problem.normal, b=operator.convolve(volume))
    clean = prepare_likelihood(noiseless, likelihood.density, KnownGain(), (3.0, 1.0))
    for blur in clean.operators:
        x = problem.truth[None].float().requires_grad_()
        clean.log_likelihood(x, blur).sum().backward()
        here = x.grad.norm()
        y = (problem.truth + 1.0)[None].float().requires_grad_()
        clean.log_likelihood(y, blur).sum().backward()
        # What is left comes from coarse grids and from the edges of the support.
        assert here < 0.03 * y.grad.norm(), blur


def test_information_is_minus_the_hessian_at_a_noiseless_truth(problem):
    operator = prepare_operator(problem.normal)

    def density(x):
        return problem.likelihood.density.volume(x, 32, 1.5, 0.0)

    noiseless = replace(problem.normal, b=operator.convolve(density(problem.truth)))
    clean = prepare_likelihood(noiseless, problem.likelihood.density, KnownGain(), ())
    generator = torch.Generator().manual_seed(0)
    moves = torch.randn(
        2, *problem.truth.shape, dtype=torch.float64, generator=generator
    )
    moves /= moves.flatten(1).norm(dim=1)[:, None, None]
    actual = clean.information(problem.truth, moves, 0.0).double()

    exact = prepare_operator(noiseless)

    def value(first, second):
        x = problem.truth + first * moves[0] + second * moves[1]
        return exact.log_likelihood(density(x))

    step = 1e-3
    second = (value(step, 0) + value(-step, 0) - 2.0 * value(0, 0)) / step**2
    mixed = (
        value(step, step)
        - value(step, -step)
        - value(-step, step)
        + value(-step, -step)
    ) / (4.0 * step**2)
    # Differences of O(step²) = 1e-6 relative, float32 information 1e-4.
    torch.testing.assert_close(actual[0, 0], -second, rtol=2e-3, atol=0.0)
    scale = float(actual[0, 0])
    torch.testing.assert_close(actual[0, 1], -mixed, rtol=0.0, atol=2e-3 * scale)


def test_single_blobs_give_the_numbers_of_the_plain_gaussian_density(problem):
    """Bit for bit, value and gradient: published results depend on it."""
    density = problem.likelihood.density
    chains = (problem.truth + torch.tensor([0.0, 0.5]).double()[:, None, None]).float()
    for blur, operator in problem.likelihood.operators.items():
        x, y = (chains.clone().requires_grad_() for _ in range(2))
        actual = problem.likelihood.log_likelihood(x, blur)
        volume = gaussian_volume(
            y,
            density.weights.float(),
            math.hypot(density.width, blur),
            operator.support_size,
            operator.pixel_size,
        )
        expected = operator.log_likelihood(volume)
        actual.sum().backward()
        expected.sum().backward()
        assert torch.equal(actual, expected)
        assert torch.equal(x.grad, y.grad)


@pytest.fixture
def residues():
    """The shipped model on a made-up sequence."""
    model = read_residue_model("resources/residue_model/constants.json")
    return residue_blobs("ACDEFGHIKLMNPQRSTVWYAGLK", model)


@pytest.mark.parametrize("gain", [KnownGain(), UnknownGain()], ids=["known", "unknown"])
def test_residue_model_s_likelihood_has_its_maximum_at_a_noiseless_truth(
    problem, residues, gain
):
    operator = prepare_operator(problem.normal)
    volume = residues.volume(problem.truth, 32, 1.5, 0.0)
    noiseless = replace(problem.normal, b=operator.convolve(volume))
    likelihood = prepare_likelihood(noiseless, residues, gain, (2.0,))
    for blur in likelihood.operators:
        slopes = []
        for move in (0.0, 0.5):
            x = (problem.truth + move)[None].float().requires_grad_()
            likelihood.log_likelihood(x, blur).sum().backward()
            slopes.append(float(x.grad.norm()))
        # What is left comes from coarse grids and from the edges of the support.
        assert slopes[0] < 0.05 * slopes[1], blur


def test_information_with_unknown_gain_is_minus_the_hessian(problem, residues):
    """Of the marginal likelihood, at a noiseless truth whose gain is 37."""
    gain = UnknownGain()
    operator = prepare_operator(problem.normal)
    volume = residues.volume(problem.truth, 32, 1.5, 0.0)
    noiseless = replace(problem.normal, b=37.0 * operator.convolve(volume))
    # Without what filtering leaves in b at the edges of the support.
    normal = residues.discount(noiseless, gain)
    normal = replace(normal, b=37.0 * prepare_operator(normal).convolve(volume))
    operators = {0.0: prepare_operator(normal, dtype=torch.float32)}
    clean = ResidueLikelihood(operators=operators, density=residues, gain=gain)
    outward = problem.truth / problem.truth.norm()
    actual = clean.information(problem.truth, outward[None], 0.0).double()
    exact = prepare_operator(normal)

    def value(step):
        moved = residues.volume(problem.truth + step * outward, 32, 1.5, 0.0)
        return gain.log_likelihood(exact, moved)

    step = 1e-3
    second = (value(step) + value(-step) - 2.0 * value(0.0)) / step**2
    # Differences of O(step²) = 1e-6 relative, float32 information 1e-4.
    torch.testing.assert_close(actual[0, 0], -second, rtol=2e-3, atol=0.0)
