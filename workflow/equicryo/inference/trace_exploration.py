"""Exploring about a trace with a prior that knows what chains look like.

Where images are few, a trace errs in places where they say little, and its likelihood
alone does not tell how to go on. Posterior samples that start from the trace with more
noise than its errors find their way back along what proteins do; refined, some are at a
better maximum of the likelihood.

Source: annealed importance moves of Markov chains; Neal 2001, arXiv:physics/9803008,
    with a diffusion prior's noise for the temperature.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from equicryo.inference.likelihood import ResidueLikelihood
from equicryo.inference.mmps import MmpsConfig, sample_mmps
from equicryo.inference.sampling import Guidance
from equicryo.inference.traces import RefinedTrace
from equicryo.inference.tracing_refinement import take_better
from equicryo.models.prior import DiffusionPrior

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, eq=False)
class Explorer:
    """What explores about traces.

    Attributes:
        prior: of chains of the traces' sequence, in Å.
        config: how many samples, and the noise that they start with.
        generator: source of the randomness.
    """

    prior: DiffusionPrior
    config: MmpsConfig
    generator: torch.Generator

    def explore(
        self,
        trace: RefinedTrace,
        likelihood: ResidueLikelihood,
        refine: Callable[[Tensor], RefinedTrace],
    ) -> RefinedTrace:
        """Refine posterior samples about a trace while likelihood and restraints gain.

        What they come to from a confirmed trace counts as confirmed.

        Args:
            trace: at a maximum of them.
            likelihood: of the images.
            refine: climbs to such a maximum.
        """
        while True:
            place = trace.coordinates.float()
            samples, _ = sample_mmps(
                self.prior,
                likelihood,
                place.expand(self.config.samples, -1, -1),
                Guidance(alpha=1.0, scale=1.0),
                self.config,
                generator=self.generator,
            )
            better = take_better(trace, samples, refine)
            if better is trace:
                return trace
            gain = better.log_posterior - trace.log_posterior
            logger.info("explore: gain of %.1f nats", gain)
            trace = replace(better, confirmed=trace.confirmed)
