"""What a denoiser costs to call and to train, at each precision."""

import copy
import statistics
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial

import torch

from equicryo.evaluation.timing import Measurement, time_in_turns
from equicryo.models.denoiser import Denoiser
from equicryo.models.examples import Batch, Examples
from equicryo.models.training import denoising_errors
from equicryo.seeds import derive_generator

NOISE_LEVEL = 2.0
"""Å; the cost does not depend on it."""


@dataclass(frozen=True, kw_only=True)
class PriorCostConfig:
    """How much work is timed.

    Attributes:
        lengths: residues of the single chains that are denoised.
        batch_residues: of a training step.
        rounds: repetitions, of which the median counts.
    """

    lengths: Sequence[int]
    batch_residues: int
    rounds: int


def measure_prior(
    denoiser: Denoiser, examples: Examples, config: PriorCostConfig
) -> list[Measurement]:
    """Time denoiser calls and training steps in turns, at each precision.

    Geometry is in float64 but in training, and matrices are in bfloat16 in training
    where hardware has it. A training step is the loss and its gradient.

    Args:
        denoiser: in evaluation mode, its whitening in float64.
        examples: training data.
        config: how much.

    Returns:
        Milliseconds of a call by precision and length; residues a second of training.
    """
    single = _ways(denoiser)
    calls = {
        (way, length): partial(_call, model, precision, length)
        for way, (model, precision) in single.items()
        for length in config.lengths
    }
    batch = examples.draw(config.batch_residues, derive_generator(0, "measure_prior"))
    residues = int((batch.coordinates.square().sum(-1) > 0.0).sum())
    steps = {
        (way, 0): partial(_step, model, precision, batch)
        for way, (model, precision) in single.items()
        if way != "float64_geometry"
    }
    times = time_in_turns({**calls, **steps}, config.rounds)
    return [
        Measurement(f"train_{way}", residues / statistics.median(taken), "residue/s", 1)
        if not length
        else Measurement(
            f"denoise_{way}_{length}", 1e3 * statistics.median(taken), "ms", 1
        )
        for (way, length), taken in times.items()
    ]


Precision = Callable[[], AbstractContextManager]


def _ways(denoiser: Denoiser) -> dict[str, tuple[Denoiser, Precision]]:
    single = copy.deepcopy(denoiser)
    single.whitening.float()
    half = partial(torch.autocast, "cpu", dtype=torch.bfloat16)
    return {
        "float64_geometry": (denoiser, nullcontext),
        "float32_geometry": (single, nullcontext),
        "bfloat16": (single, half),
    }


@torch.no_grad()
def _call(model: Denoiser, precision: Precision, length: int) -> None:
    chain = torch.randn(1, length, 3, generator=torch.Generator().manual_seed(length))
    types = torch.zeros(1, length, dtype=torch.int64)
    with precision():
        model(10.0 * chain, torch.tensor([NOISE_LEVEL]), types)


def _step(model: Denoiser, precision: Precision, batch: Batch) -> None:
    noise = torch.randn(
        batch.coordinates.shape, generator=torch.Generator().manual_seed(0)
    )
    level = torch.full((len(noise),), NOISE_LEVEL)
    with precision():
        loss = denoising_errors(model, batch, noise, level)[-1].mean()
    loss.backward()
