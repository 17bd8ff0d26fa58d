"""Refinement of traces: the images' likelihood with bonds, angles and sterics.

Source: restrained real-space refinement, reduced to Cα; Diamond 1971,
    doi:10.1107/S0567739471000986.
"""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, Float64
from scipy.optimize import minimize
from torch import Tensor

from equicryo.inference.likelihood import ResidueLikelihood
from equicryo.inference.traces import RefinedTrace
from equicryo.structure.restraints import log_restraints

GAIN = 1.0
"""Nats: a trace that gains less takes no other's place."""

CORRECTIONS = 20
"""Steps that the quasi-Newton method remembers."""


def refine_trace(
    coordinates: Float[Tensor, "residue 3"],
    likelihood: ResidueLikelihood,
    iterations: int,
) -> RefinedTrace:
    """Climb to the nearest maximum of likelihood and restraints.

    Args:
        coordinates: in the frame of the poses, Å.
        likelihood: of the images.
        iterations: of the quasi-Newton method, at most.

    Source: Byrd, Lu, Nocedal & Zhu 1995, doi:10.1137/0916069 (L-BFGS-B).
    """

    def objective(flat: Float64[np.ndarray, " parameter"]) -> tuple[float, np.ndarray]:
        x = torch.from_numpy(flat).view(1, -1, 3).requires_grad_()
        value = log_posterior(x, likelihood)
        (gradient,) = torch.autograd.grad(value.sum(), x)
        return -float(value.detach()), -gradient.flatten().numpy()

    start = coordinates.double().flatten().numpy()
    options = {"maxiter": iterations, "maxcor": CORRECTIONS}
    found = minimize(objective, start, jac=True, method="L-BFGS-B", options=options)
    x = torch.from_numpy(found.x).view(1, -1, 3)
    return RefinedTrace(
        coordinates=x[0],
        log_likelihood=float(likelihood.log_likelihood(x, 0.0)),
        log_restraint=float(log_restraints(x)),
    )


def take_better(
    trace: RefinedTrace,
    others: Float[Tensor, "other residue 3"],
    refine: Callable[[Tensor], RefinedTrace],
) -> RefinedTrace:
    """Return the best of other chains, refined, or the trace itself unless it gains.

    Args:
        trace: at a maximum of likelihood and restraints.
        others: in the frame of the poses, Å.
        refine: climbs to such a maximum.
    """
    refined = [refine(other) for other in others]
    better = max(refined, key=lambda each: each.log_posterior)
    gain = better.log_posterior - trace.log_posterior
    return better if gain > GAIN else trace


def log_posterior(
    coordinates: Float[Tensor, "trace residue 3"], likelihood: ResidueLikelihood
) -> Float[Tensor, " trace"]:
    """Return the log-likelihood plus the restraints, nats, in float64.

    Args:
        coordinates: in the frame of the poses, Å.
        likelihood: of the images.
    """
    value = likelihood.log_likelihood(coordinates, 0.0).double()
    return value + log_restraints(coordinates).double()
