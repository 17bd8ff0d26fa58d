import pytest
import torch

from equicryo.evaluation.gaussian_problems import PROBLEMS, GaussianProblem


def make(name: str) -> tuple[GaussianProblem, torch.Generator]:
    generator = torch.Generator().manual_seed(1)
    return PROBLEMS[name](generator=generator), generator


@pytest.mark.parametrize("name", PROBLEMS)
def test_posterior_is_bayes_rule_point_by_point(name):
    """log p(x | y) − log p(x) − log p(y | x) is the same at every x."""
    problem, generator = make(name)
    chains = problem.mixture.sample(30, generator=generator)
    observed = problem.simulate(chains[:1], generator=generator)
    posterior = problem.posterior(observed[0])
    evidence = (
        log_density(problem.mixture, chains)
        + problem.likelihood(observed).log_likelihood(chains.unflatten(1, (-1, 3)), 0.0)
        - log_density(posterior, chains)
    )
    # Rounding of terms of 1e3 nats.
    assert float(evidence.std()) < 1e-8


def log_density(mixture, chains):
    parts = torch.distributions.MultivariateNormal(
        mixture.means, covariance_matrix=mixture.covariances
    )
    return (parts.log_prob(chains[:, None]) + mixture.weights.log()).logsumexp(-1)


@pytest.mark.parametrize("name", PROBLEMS)
def test_denoiser_follows_tweedie(name):
    """E[x₀ | x_σ] = x_σ + σ² ∇ log p_σ(x_σ), the density of chains plus noise."""
    problem, generator = make(name)
    level, mixture = 0.8, problem.mixture
    identity = torch.eye(mixture.means.shape[-1]).double()
    noisy = mixture.sample(20, generator=generator).requires_grad_()
    parts = torch.distributions.MultivariateNormal(
        mixture.means, covariance_matrix=mixture.covariances + level**2 * identity
    )
    density = (parts.log_prob(noisy[:, None]) + mixture.weights.log()).logsumexp(-1)
    (score,) = torch.autograd.grad(density.sum(), noisy)
    denoised = problem.prior().denoise(
        noisy.detach().unflatten(1, (-1, 3)), torch.full((20,), level)
    )
    # The level passes through float32.
    torch.testing.assert_close(
        denoised.flatten(1), (noisy + level**2 * score).detach(), rtol=1e-6, atol=1e-6
    )


@pytest.mark.parametrize("name", PROBLEMS)
def test_moments_are_those_of_draws(name):
    problem, generator = make(name)
    draws = problem.mixture.sample(40000, generator=generator)
    spread = float(problem.mixture.covariance().diagonal().max() ** 0.5)
    torch.testing.assert_close(
        draws.mean(0), problem.mixture.mean(), rtol=0.0, atol=5 * spread / 200
    )
    # √2 / 200 of the largest variance, five of them.
    torch.testing.assert_close(
        draws.T.cov(), problem.mixture.covariance(), rtol=0.0, atol=0.036 * spread**2
    )


@pytest.mark.parametrize("name", PROBLEMS)
def test_information_is_minus_the_hessian(name):
    problem, generator = make(name)
    observed = problem.simulate(
        problem.mixture.sample(1, generator=generator), generator=generator
    )
    likelihood = problem.likelihood(observed)
    shape = (problem.prior().residues, 3)
    every = torch.eye(shape[0] * 3).double()
    actual = likelihood.information(torch.zeros(shape), every.unflatten(1, shape), 0.0)
    hessian = torch.autograd.functional.hessian(
        lambda x: likelihood.log_likelihood(x.view(1, *shape), 0.0).sum(), every[0]
    )
    torch.testing.assert_close(actual, -hessian, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", PROBLEMS)
def test_long_chains_are_as_hard_as_short_ones(name):
    """Observations leave the same share of the variance within the modes."""

    def share_left(residues: int, seed: int) -> float:
        generator = torch.Generator().manual_seed(seed)
        problem = PROBLEMS[name](residues, generator=generator)
        before = problem.mixture.covariances
        after = problem.posterior(torch.zeros(len(problem.design)).double()).covariances
        traces = [one.diagonal(dim1=-2, dim2=-1).sum() for one in (after, before)]
        return float(traces[0] / traces[1])

    short, long = (
        torch.tensor([share_left(residues, seed) for seed in range(20)])
        for residues in (4, 32)
    )
    assert 0.2 < float(long.mean()) < 0.8
    assert float(long.mean()) == pytest.approx(float(short.mean()), abs=0.03)
