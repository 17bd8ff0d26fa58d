import math

import torch

from equicryo.inference.modes import allot_samples, start_from_traces, weigh_traces
from equicryo.inference.traces import RefinedTrace


def trace(
    place: float, log_likelihood: float, log_restraint: float = 0.0
) -> RefinedTrace:
    return RefinedTrace(
        coordinates=torch.full((4, 3), place, dtype=torch.float64),
        log_likelihood=log_likelihood,
        log_restraint=log_restraint,
    )


def test_weights_are_likelihood_times_restraints() -> None:
    traces = [trace(0.0, 1e5, math.log(2.0)), trace(1.0, 1e5 + math.log(3.0))]
    weights = weigh_traces(traces)
    torch.testing.assert_close(weights, torch.tensor([0.4, 0.6], dtype=torch.float64))


def test_samples_are_allotted_in_proportion() -> None:
    weights = torch.tensor([0.5, 0.31, 0.19])
    counts = torch.zeros(3)
    for seed in range(400):
        generator = torch.Generator().manual_seed(seed)
        drawn = allot_samples(weights, 10, generator=generator).bincount(minlength=3)
        assert (drawn - 10 * weights).abs().max() < 1.0 + 1e-6
        counts += drawn
    # Rounding up or down has a standard deviation of at most 0.5: 0.025 of the mean.
    assert (counts / 400 - 10 * weights).abs().max() < 0.1


def test_samples_start_from_every_trace_that_the_images_allow() -> None:
    generator = torch.Generator().manual_seed(0)
    traces = [trace(0.0, 0.0), trace(7.0, 0.0)]
    weights = torch.tensor([0.75, 0.25])
    starts = start_from_traces(traces, weights, 8, generator=generator)
    assert starts.mean((1, 2)).tolist() == [0.0] * 6 + [7.0] * 2
