"""With a Gaussian prior the posterior is known: the Wiener map, and its covariance."""

from dataclasses import dataclass

import pytest
import torch

from equicryo.inference.diffusion import ScheduleConfig
from equicryo.inference.volume_samplers import (
    VOLUME_SAMPLERS,
    VolumePnpDmConfig,
    read_volume_sampler,
)
from equicryo.inference.volume_sampling import (
    VolumeSamplerConfig,
    draw_clean_volumes,
    prepare_volume_likelihood,
)
from equicryo.physics.gaussian_posterior import filter_volume
from equicryo.physics.normal_equations import coarsen
from equicryo.physics.normal_operator import NormalOperator, prepare_operator
from equicryo.physics.spectra import shells_to_grid

EDGE, SAMPLES = 8, 400
SCHEDULE = ScheduleConfig(steps=8, largest_noise=3.0, smallest_noise=0.1)


@dataclass(frozen=True, kw_only=True)
class GaussianPrior:
    """A stationary random field of zero mean."""

    variance: torch.Tensor

    def error_amplitude(
        self, denoised: torch.Tensor, noise_level: float
    ) -> torch.Tensor:
        return torch.ones(())

    def denoise(self, noisy: torch.Tensor, noise_level: float) -> torch.Tensor:
        gain = self.variance / (self.variance + noise_level**2)
        return filter_volume(noisy, gain)

    def remaining_variance(self, noise_level: float) -> torch.Tensor:
        noise = noise_level**2
        return self.variance * noise / (self.variance + noise)


@pytest.fixture(scope="module")
def prior() -> GaussianPrior:
    spectrum = 3.0 * torch.exp(-0.5 * torch.arange(8, dtype=torch.float64)) + 0.05
    return GaussianPrior(variance=shells_to_grid(spectrum, EDGE))


@pytest.fixture(scope="module")
def operator(problem) -> NormalOperator:
    """What 60 images say of a coarse volume, made about as telling as the prior."""
    fine = prepare_operator(coarsen(problem.normal, EDGE))
    size = float(fine.transfer.mean())
    return NormalOperator(
        b=fine.b / size, transfer=fine.transfer / size, pixel_size=fine.pixel_size
    )


@pytest.fixture(scope="module")
def exact(prior, operator) -> tuple[torch.Tensor, torch.Tensor]:
    """Dense mean and covariance of the posterior."""
    units = torch.eye(EDGE**3, dtype=torch.float64).reshape(-1, *(EDGE,) * 3)
    kernel = operator.convolve(units).reshape(EDGE**3, -1)
    before = filter_volume(units, 1.0 / prior.variance).reshape(EDGE**3, -1)
    covariance = torch.linalg.inv(kernel + before)
    return covariance @ operator.b.flatten(), covariance


def run(name, prior, operator, **changes):
    settings = {"samples": SAMPLES, "schedule": SCHEDULE, **changes}
    kind = VOLUME_SAMPLERS[name].settings
    generator = torch.Generator().manual_seed(5)
    samples, steps = VOLUME_SAMPLERS[name].sample(
        prior,
        prepare_volume_likelihood(operator),
        kind(**settings),
        generator=generator,
    )
    return samples.flatten(1), steps


def normalised(samples, exact):
    """Return errors of the mean in standard errors, and ratios of variances."""
    mean, covariance = exact
    variance = covariance.diagonal()
    error = (samples.mean(0) - mean) / (variance / SAMPLES).sqrt()
    return error, samples.var(0) / variance


@pytest.mark.slow
def test_samples_have_the_mean_and_the_spread_of_the_wiener_map(prior, operator, exact):
    samples, steps = run("pigdm", prior, operator)
    error, ratio = normalised(samples, exact)
    # Opposite samples leave nothing of their noise.
    assert float(error.square().mean()) < 0.1
    # The mean of about 100 independent variances of 200 pairs each: 1 %.
    assert float(ratio.mean()) == pytest.approx(1.0, abs=0.04)
    whitened = torch.linalg.cholesky(torch.linalg.inv(exact[1])).T
    spectrum = torch.cov((samples @ whitened.T).T).diagonal()
    # 512 variances of standard error 0.1.
    assert float(spectrum.min()) > 0.6
    assert float(spectrum.max()) < 1.5
    assert [step.nfe for step in steps] == list(range(1, 9))


def test_two_pairs_of_samples_give_the_mean_of_many(prior, operator, exact):
    samples, _ = run("pigdm", prior, operator, samples=4)
    mean, covariance = exact
    away = (samples.mean(0) - mean) / covariance.diagonal().sqrt()
    # Independent ones would err by half a standard deviation.
    assert float(away.square().mean().sqrt()) < 0.02


def test_samples_come_in_pairs():
    with pytest.raises(ValueError, match="samples is 3, but they come in pairs"):
        VolumeSamplerConfig(samples=3, schedule=SCHEDULE)


@pytest.mark.slow
def test_split_gibbs_sampling_comes_as_near_as_its_last_width_lets_it(
    prior, operator, exact
):
    """ρ ends at 0.1, small against the posterior's spread of 0.3 to 1."""
    samples, _ = run("pnp_dm", prior, operator, prior_steps=2)
    error, ratio = normalised(samples, exact)
    # In standard errors of 0.07 spreads: a bias of as much again.
    assert float(error.square().mean()) < 3.0
    # Tied by ρ to a copy that sees the images, samples spread more, never less.
    assert 0.97 < float(ratio.mean()) < 1.15


@pytest.mark.slow
def test_dps_finds_the_mean_and_is_over_confident(prior, operator, exact):
    """It takes the estimate for certain: the images then say too much."""
    fine = ScheduleConfig(steps=40, largest_noise=3.0, smallest_noise=0.05)
    samples, steps = run("dps", prior, operator, schedule=fine)
    mean, covariance = exact
    away = (samples.mean(0) - mean).norm() / mean.norm()
    assert float(away) < 0.35
    assert float(samples.var(0).mean() / covariance.diagonal().mean()) < 0.9
    assert steps[-1].nfe == 80


def test_draws_without_images_have_the_spectrum_of_the_prior(prior):
    generator = torch.Generator().manual_seed(6)
    clean = filter_volume(
        torch.randn(200, *(EDGE,) * 3, dtype=torch.float64, generator=generator),
        prior.variance.sqrt(),
    )
    noise = torch.randn(clean.shape, dtype=torch.float64, generator=generator)
    drawn = draw_clean_volumes(prior, clean + 2.0 * noise, (2.0, 0.5), generator)
    power = torch.fft.rfftn(drawn, dim=(1, 2, 3)).abs().square().mean(0) / EDGE**3
    ratio = power / prior.variance
    # 320 frequencies of 200 complex (or real) draws: standard error about 0.5 %.
    assert float(ratio.mean()) == pytest.approx(1.0, abs=0.02)
    assert float(ratio.std()) < 0.12


def test_settings_are_read_from_the_config():
    block = {
        "samples": 4,
        "schedule": {"steps": 4, "largest_noise": 2.0, "smallest_noise": 0.1},
        "prior_steps": 2,
    }
    settings = read_volume_sampler("pnp_dm", block)
    assert settings == VolumePnpDmConfig(
        samples=4,
        schedule=ScheduleConfig(steps=4, largest_noise=2.0, smallest_noise=0.1),
        prior_steps=2,
    )
    del block["prior_steps"]
    assert isinstance(read_volume_sampler("pigdm", block), VolumeSamplerConfig)
