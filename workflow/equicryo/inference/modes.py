"""An ensemble around several traces that keeps every mode that the data allow.

Source: stratified importance sampling; systematic resampling is that of Kitagawa 1996,
    doi:10.1080/10618600.1996.10474692.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from equicryo.inference.traces import RefinedTrace


def weigh_traces(traces: Sequence[RefinedTrace]) -> Float[Tensor, " trace"]:
    """Return the share of each trace in the posterior, exact likelihood × restraints.

    Traces are weighed at their maxima, as if all modes were equally wide.

    Args:
        traces: distinct.
    """
    values = [trace.log_posterior for trace in traces]
    return torch.tensor(values, dtype=torch.float64).softmax(0)


def allot_samples(
    weights: Float[Tensor, " trace"], count: int, *, generator: torch.Generator
) -> Int[Tensor, " sample"]:
    """Return the trace of each sample, in proportion to the weights.

    A trace of weight w gets w · count samples, rounded up or down at random.

    Args:
        weights: of the traces, adding to 1.
        count: of samples.
        generator: draws one number.
    """
    offset = torch.rand((), dtype=torch.float64, generator=generator)
    marks = (torch.arange(count) + offset) / count
    return torch.searchsorted(weights.double().cumsum(0), marks).clamp(
        max=len(weights) - 1
    )


def start_from_traces(
    traces: Sequence[RefinedTrace],
    weights: Float[Tensor, " trace"],
    count: int,
    *,
    generator: torch.Generator,
) -> Float[Tensor, "sample residue 3"]:
    """Return where each posterior sample starts: a trace, in proportion to its weight.

    A diffusion sampler that starts there, at a noise level too low to leave a mode,
    keeps every mode that the data allow.

    Args:
        traces: distinct.
        weights: of the traces, adding to 1.
        count: of samples.
        generator: source of the randomness.

    Returns:
        In the frame of the poses, Å.
    """
    chosen = allot_samples(weights, count, generator=generator)
    return torch.stack([trace.coordinates.float() for trace in traces])[chosen]
