"""Every sampler against posteriors in closed form."""

from dataclasses import replace

import pytest
import torch

from equicryo.evaluation.coverage import EXACT
from equicryo.evaluation.gaussian_problems import PROBLEMS, MixturePrior
from equicryo.evaluation.sampler_calibration import (
    PASSES,
    SETTINGS,
    calibrate,
    sample_posterior,
)
from equicryo.inference.diffusion import ScheduleConfig, draw_clean
from equicryo.inference.samplers import SAMPLERS
from equicryo.inference.sampling import Guidance
from equicryo.models.prior import DiffusionPrior

COUNT = 600


def moments(name: str, method: str, settings=None):
    """Sample one problem, in units where its posterior has mean 0 and covariance 1."""
    generator = torch.Generator().manual_seed(1)
    problem = PROBLEMS[name](generator=generator)
    truth = problem.mixture.sample(1, generator=generator)
    observed = problem.simulate(truth, generator=generator)
    posterior = problem.posterior(observed[0])
    settings = settings or SETTINGS[method]
    samples, _ = sample_posterior(
        problem, observed, method, settings, COUNT, generator=generator
    )
    root = torch.linalg.cholesky(posterior.covariance())
    away = (samples - posterior.mean()).T
    return torch.linalg.solve_triangular(root, away, upper=False)


class CountingPrior(DiffusionPrior):
    """A prior that counts what is asked of it."""

    def __init__(self, prior: MixturePrior):
        self.prior, self.passes = prior, 0

    @property
    def residues(self):
        return self.prior.residues

    def denoise(self, noisy, noise_level):
        self.passes += 1
        denoised = self.prior.denoise(noisy, noise_level)
        if denoised.requires_grad:
            denoised.register_hook(self._count_product)
        return denoised

    def _count_product(self, _):
        self.passes += 1

    def directions(self, chain):
        return self.prior.directions(chain)


@pytest.mark.parametrize("method", SAMPLERS)
def test_every_sampler_spends_the_same_and_says_so(method):
    generator = torch.Generator().manual_seed(1)
    problem = PROBLEMS["linear_gaussian"](generator=generator)
    prior = CountingPrior(problem.prior())
    _, steps = SAMPLERS[method].sample(
        prior,
        problem.likelihood(torch.zeros(1, len(problem.design)).double()),
        torch.zeros(3, 4, 3),
        Guidance(alpha=1.0, scale=1.0),
        SETTINGS[method],
        generator=generator,
    )
    assert PASSES - 3 <= steps[-1].nfe <= PASSES
    # MMPS denoises one chain more where the resolution is a new one.
    assert 0 <= prior.passes - steps[-1].nfe <= 1


@pytest.mark.parametrize(
    ("method", "mean", "variance"),
    [
        # What 240 passes leave, and the noise of 600 samples: 0.04 a mean, 1.7 % the
        # mean of twelve variances; four of them.
        ("mmps", 0.05 + 0.16, 0.02 + 0.07),
        ("pnp_dm", 0.05 + 0.16, 0.03 + 0.07),
        # Particles that were drawn anew count as fewer than 600.
        ("tds", 0.05 + 0.25, 0.06 + 0.10),
    ],
)
def test_moments_of_a_gaussian_posterior_are_found(method, mean, variance):
    unit = moments("linear_gaussian", method)
    assert float(unit.mean(1).abs().max()) < mean
    assert float(unit.var(1).mean()) == pytest.approx(1.0, abs=variance)
    spectrum = torch.linalg.eigvalsh(unit.cov())
    # Twelve directions of 600 samples: 1 ± 2 √(12 / 600) at the ends, and as above.
    assert 0.6 < float(spectrum[0])
    assert float(spectrum[-1]) < 1.5


@pytest.mark.parametrize("steps", [60, 240])
def test_dps_is_too_sure_of_itself_however_many_steps(steps):
    schedule = ScheduleConfig(steps=steps, largest_noise=20.0, smallest_noise=0.01)
    unit = moments(
        "linear_gaussian", "dps", replace(SETTINGS["dps"], schedule=schedule)
    )
    # A variance of two thirds; that of 600 samples is known to 2 %.
    assert float(unit.var(1).mean()) < 0.78


def test_particles_find_the_weights_of_the_modes():
    unit = moments("mixture", "tds")
    assert float(unit.mean(1).abs().max()) < 0.3
    assert float(unit.var(1).mean()) == pytest.approx(1.0, abs=0.16)


def test_chains_drawn_given_noisy_ones_have_the_posterior_s_moments():
    generator = torch.Generator().manual_seed(2)
    problem = PROBLEMS["linear_gaussian"](generator=generator)
    noisy = problem.mixture.sample(1, generator=generator)
    exact = problem.mixture.observe(torch.eye(12).double(), 0.5, noisy[0])
    many = noisy.expand(4000, -1).unflatten(1, (-1, 3))
    drawn = draw_clean(problem.prior(), many, 0.5, 6, generator=generator).flatten(1)
    root = torch.linalg.cholesky(exact.covariance())
    unit = torch.linalg.solve_triangular(root, (drawn - exact.mean()).T, upper=False)
    # 4,000 samples: 0.016 a mean, 0.7 % the mean of twelve variances; four of them,
    # and 5 % that six levels leave.
    assert float(unit.mean(1).abs().max()) < 0.07
    assert float(unit.var(1).mean()) == pytest.approx(1.0, abs=0.08)


@pytest.mark.slow
def test_coverage_shows_who_is_calibrated():
    generator = torch.Generator().manual_seed(3)
    problem = PROBLEMS["linear_gaussian"](generator=generator)

    def coverage(method):
        rows = calibrate(problem, method, 300, 19, generator=generator)
        return {row["level"]: row["coverage"] for row in rows}

    for method in (EXACT, "mmps", "pnp_dm"):
        for level, covered in coverage(method).items():
            # Four standard deviations of a fraction of 300.
            assert covered == pytest.approx(level, abs=0.115), (method, level)
    assert coverage("dps")[0.8] < 0.65
