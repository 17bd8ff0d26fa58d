"""Each fault is planted alone, and named alone."""

import pytest
import torch

from equicryo.evaluation.collapse import (
    Diagnosis,
    denoised_slope,
    likelihood_excess,
)
from equicryo.evaluation.gaussian_problems import shaped_gaussian
from equicryo.evaluation.sampler_calibration import SETTINGS
from equicryo.inference.samplers import SAMPLERS
from equicryo.inference.sampling import Guidance
from equicryo.models.prior import DiffusionPrior

LEVELS = (0.1, 0.5, 2.0)
SAMPLES = 60


class Spoilt(DiffusionPrior):
    """A prior in another unit of length, or one that shrinks its estimates."""

    def __init__(self, prior, unit=1.0, shrinkage=1.0):
        self.prior, self.unit, self.shrinkage = prior, unit, shrinkage

    @property
    def residues(self):
        return self.prior.residues

    def denoise(self, noisy, noise_level):
        estimate = self.prior.denoise(noisy / self.unit, noise_level / self.unit)
        return self.shrinkage * self.unit * estimate

    def directions(self, chain):
        basis, variance = self.prior.directions(chain / self.unit)
        return basis, self.unit**2 * variance


def diagnose(unit=1.0, shrinkage=1.0, alpha=1.0) -> Diagnosis:
    """Run all three diagnostics on a Gaussian problem with faults planted."""
    generator = torch.Generator().manual_seed(4)
    problem = shaped_gaussian(generator=generator)
    prior = Spoilt(problem.prior(), unit, shrinkage)
    chains = problem.mixture.sample(400, generator=generator).unflatten(1, (-1, 3))
    slopes = [
        denoised_slope(prior, unit * chains, unit * level, generator=generator)
        for level in LEVELS
    ]
    truth = problem.mixture.sample(1, generator=generator)
    observed = problem.simulate(truth, generator=generator)
    likelihood = problem.likelihood(observed)
    scale, deviation = infer_scale(problem, unit, observed[0])
    samples, _ = SAMPLERS["mmps"].sample(
        prior,
        likelihood,
        scale * unit * chains[:SAMPLES],
        Guidance(alpha=alpha, scale=scale),
        SETTINGS["mmps"],
        generator=generator,
    )
    return Diagnosis(
        slope=max(slopes),
        scale=scale,
        scale_sd=deviation,
        excess=likelihood_excess(samples, truth.view(-1, 3), likelihood),
    )


def infer_scale(problem, unit, observed):
    """Maximise the evidence N(y; λ A μ, λ² A C Aᵀ + noise²), which is closed here."""
    scales = torch.linspace(0.5, 2.5, 4001).double()
    design, (mean,), (covariance,) = (
        problem.design,
        unit * problem.mixture.means,
        unit**2 * problem.mixture.covariances,
    )
    seen = scales[:, None, None] ** 2 * (design @ covariance @ design.T)
    seen = seen + problem.noise**2 * torch.eye(len(design)).double()
    evidence = torch.distributions.MultivariateNormal(
        scales[:, None] * (design @ mean), covariance_matrix=seen
    ).log_prob(observed)
    weight = evidence.softmax(0)
    best = (weight * scales).sum()
    return float(best), float((weight * (scales - best) ** 2).sum().sqrt())


def test_a_sound_reconstruction_has_no_fault():
    found = diagnose()
    assert found.verdict() == "none"
    # 400 chains: the slope of the least noisy level is known to 0.1 %.
    assert found.slope == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("unit", [1 / 1.59, 1.4])
def test_a_wrong_unit_is_named_and_leaves_the_other_two(unit):
    found = diagnose(unit=unit)
    assert found.verdict() == "unit"
    assert found.scale == pytest.approx(1.0 / unit, rel=0.1)
    assert found.slope == pytest.approx(1.0, abs=0.02)
    assert abs(found.excess) < 3.0


def test_shrinkage_is_named_and_leaves_the_unit():
    found = diagnose(shrinkage=0.9)
    assert found.verdict() == "shrinkage"
    assert found.slope == pytest.approx(1.0 / 0.9, abs=0.02)
    assert abs(found.scale - 1.0) < 3.0 * found.scale_sd


@pytest.mark.parametrize(("alpha", "fault"), [(1e-3, "weak"), (1e3, "strong")])
def test_weak_and_strong_guidance_are_named_and_leave_the_other_two(alpha, fault):
    found = diagnose(alpha=alpha)
    assert found.verdict() == fault
    assert found.slope == pytest.approx(1.0, abs=0.02)
    assert abs(found.scale - 1.0) < 3.0 * found.scale_sd
