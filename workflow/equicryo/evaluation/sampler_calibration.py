"""How sure of themselves samplers are, on problems whose posterior is known."""

import logging
from collections.abc import Mapping
from types import MappingProxyType

import torch
from jaxtyping import Float
from torch import Tensor

from equicryo.evaluation.coverage import EXACT, expected_coverage, region_ranks
from equicryo.evaluation.gaussian_problems import GaussianProblem
from equicryo.inference.diffusion import ScheduleConfig
from equicryo.inference.dps import DpsConfig
from equicryo.inference.mmps import MmpsConfig
from equicryo.inference.orientation import OrientationConfig
from equicryo.inference.pnp_dm import PnpDmConfig
from equicryo.inference.samplers import SAMPLERS
from equicryo.inference.sampling import Guidance, SamplerConfig, Step
from equicryo.inference.tds import TdsConfig

logger = logging.getLogger(__name__)

CALIBRATION_COLUMNS = ("problem", "method", "level", "coverage", "n")
LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)

PASSES = 240
"""Through the denoiser, a sample: what every sampler may spend."""

_COMMON = MappingProxyType(
    {
        "samples": 1,
        "blur_per_noise": 1.0,
        "blurs": (0.0,),
        # Proposals are drawn from the prior: nothing is searched.
        "orientation": OrientationConfig(rotations=1, kept=1, rounds=1, blurs=(0.0,)),
    }
)


def _schedule(
    steps: int, largest_noise: float, smallest_noise: float
) -> ScheduleConfig:
    return ScheduleConfig(
        steps=steps, largest_noise=largest_noise, smallest_noise=smallest_noise
    )


SETTINGS: Mapping[str, SamplerConfig] = MappingProxyType(
    {
        "dps": DpsConfig(**_COMMON, schedule=_schedule(120, 20.0, 0.01)),
        "mmps": MmpsConfig(**_COMMON, schedule=_schedule(40, 20.0, 0.01), iterations=2),
        "pnp_dm": PnpDmConfig(
            **_COMMON, schedule=_schedule(80, 4.0, 0.03), prior_steps=2
        ),
        "tds": TdsConfig(**_COMMON, schedule=_schedule(120, 20.0, 0.01)),
    }
)
"""Of each sampler, such that it spends `PASSES`; chosen on these problems."""


def sample_posterior(
    problem: GaussianProblem,
    observed: Float[Tensor, "#sample observation"],
    method: str,
    settings: SamplerConfig,
    count: int,
    *,
    generator: torch.Generator,
) -> tuple[Float[Tensor, "sample parameter"], list[Step]]:
    """Run a sampler from draws of the prior.

    Args:
        problem: prior and design.
        observed: data, of all samples or one row each.
        method: name of the sampler.
        settings: of it.
        count: samples.
        generator: source of the randomness.
    """
    draws = problem.mixture.sample(count, generator=generator)
    samples, steps = SAMPLERS[method].sample(
        problem.prior(),
        problem.likelihood(observed),
        draws.unflatten(1, (-1, 3)),
        Guidance(alpha=1.0, scale=1.0),
        settings,
        generator=generator,
    )
    return samples.flatten(1).double(), steps


def calibrate(
    problem: GaussianProblem,
    method: str,
    n_problems: int,
    n_samples: int,
    *,
    generator: torch.Generator,
) -> list[dict[str, str | int | float]]:
    """Measure how often credible regions about the posterior mean hold the truth.

    Truths come from the prior; the region's centre is the mean of a third as many
    samples more.

    Args:
        problem: prior and design; its truths and data are drawn here.
        method: a sampler, or `EXACT`.
        n_problems: truths.
        n_samples: of each; one less than a multiple of 10 makes every level exact.
        generator: source of the randomness.

    Returns:
        Rows under `CALIBRATION_COLUMNS`, but for `problem`.
    """
    truths = problem.mixture.sample(n_problems, generator=generator)
    observed = problem.simulate(truths, generator=generator)
    count = n_samples + (n_samples + 1) // 3
    samples = _sample_all(problem, observed, method, count, generator=generator)
    centre = samples[:, n_samples:].mean(1)
    ranks = region_ranks(samples[:, :n_samples], truths, centre)
    coverage = expected_coverage(ranks, n_samples, LEVELS)
    logger.info("%s: coverage %s at %s", method, coverage, LEVELS)
    return [
        {"method": method, "level": level, "coverage": covered, "n": n_problems}
        for level, covered in zip(LEVELS, coverage, strict=True)
    ]


def _sample_all(
    problem: GaussianProblem,
    observed: Float[Tensor, "problem observation"],
    method: str,
    count: int,
    *,
    generator: torch.Generator,
) -> Float[Tensor, "problem sample parameter"]:
    if method == EXACT:
        posteriors = [problem.posterior(one) for one in observed]
        return torch.stack([p.sample(count, generator=generator) for p in posteriors])
    if SAMPLERS[method].population:
        populations = [
            sample_posterior(
                problem, one, method, SETTINGS[method], count, generator=generator
            )[0]
            for one in observed.split(1)
        ]
        # Particles that were drawn anew lie side by side.
        order = torch.randperm(count, generator=generator)
        return torch.stack(populations)[:, order]
    samples, _ = sample_posterior(
        problem,
        observed.repeat_interleave(count, 0),
        method,
        SETTINGS[method],
        count * len(observed),
        generator=generator,
    )
    return samples.unflatten(0, (len(observed), count))
