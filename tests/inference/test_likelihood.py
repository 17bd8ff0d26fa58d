from dataclasses import replace

import torch

from equicryo.inference.likelihood import prepare_likelihood
from equicryo.physics.density import gaussian_volume
from equicryo.physics.normal_operator import prepare_operator


def test_unblurred_value_is_the_operator_s_in_float64(problem):
    likelihood = problem.likelihood
    chains = problem.truth + torch.tensor([0.0, 0.5]).double()[:, None, None]
    operator = prepare_operator(problem.normal)
    volume = gaussian_volume(
        chains,
        likelihood.weights.double(),
        likelihood.width,
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
    volume = gaussian_volume(
        problem.truth, likelihood.weights.double(), likelihood.width, 32, 1.5
    )
    noiseless = replace(problem.normal, b=operator.convolve(volume))
    clean = prepare_likelihood(
        noiseless, likelihood.weights.double(), likelihood.width, (3.0, 1.0)
    )
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
    weights = problem.likelihood.weights.double()
    width = problem.likelihood.width

    def density(x):
        return gaussian_volume(x, weights, width, 32, 1.5)

    noiseless = replace(problem.normal, b=operator.convolve(density(problem.truth)))
    clean = prepare_likelihood(noiseless, weights, width, ())
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
