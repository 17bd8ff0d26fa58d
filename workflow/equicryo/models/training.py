"""Training of a denoiser, with Lightning."""

import logging
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import lightning
import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from equicryo.models.denoiser import Denoiser, centroid
from equicryo.models.examples import Batch, Examples
from equicryo.models.optimizer import MuonWithAdam
from equicryo.models.transformer import ABSENT_TYPE, split_weights
from equicryo.seeds import derive_generator

logger = logging.getLogger(__name__)

VALIDATION_NOISE = (0.3, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Noise levels of the denoising test, Å."""

CURVE_COLUMNS = ("step", "loss", *(f"rmsd_{level:g}" for level in VALIDATION_NOISE))

TYPICAL_NOISE, TYPICAL_SPREAD = 2.5, 1.0
"""Half of the training is at noise levels about this one, Å, log-normally spread."""

EARLY_WEIGHT = 0.25
"""Weight of the estimates before the last in the loss."""


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How a denoiser is trained.

    Attributes:
        steps: optimiser steps.
        batch_residues: residues of the chains of one step, about.
        learning_rate: of Adam, at its highest.
        matrix_rate: of Muon, at its highest.
        warm_up: steps until the learning rates are at their highest.
        cool_down: steps at the end over which they fall to zero.
        average_decay: decay a step of the averaged weights, which are the ones kept.
        smallest_noise, largest_noise: ends of the log-uniform law that half of the
            noise levels follow, Å.
        gradient_clip: largest gradient norm.
        checkpoint_interval: steps between checkpoints.
        validation_interval: steps between denoising tests on held-out chains.
    """

    steps: int
    batch_residues: int
    learning_rate: float
    matrix_rate: float
    warm_up: int
    cool_down: int
    average_decay: float
    smallest_noise: float
    largest_noise: float
    gradient_clip: float
    checkpoint_interval: int
    validation_interval: int

    def __post_init__(self) -> None:
        """Refuse a law of σ without extent, and too short a training."""
        if not self.smallest_noise < self.largest_noise:
            raise ValueError(
                f"smallest_noise {self.smallest_noise} Å is not below largest_noise "
                f"{self.largest_noise} Å: swap or change them"
            )
        if self.warm_up + self.cool_down > self.steps:
            raise ValueError(
                f"warm_up {self.warm_up} and cool_down {self.cool_down} do not fit "
                f"into steps {self.steps}: shorten them"
            )


def draw_noise_levels(
    count: int, config: TrainingConfig, generator: torch.Generator
) -> Float[Tensor, " count"]:
    """Draw noise levels, Å: half log-uniform, half log-normal about a typical one."""
    low, high = math.log(config.smallest_noise), math.log(config.largest_noise)
    wide = low + (high - low) * torch.rand(count, generator=generator)
    spread = TYPICAL_SPREAD * torch.randn(count, generator=generator)
    narrow = (math.log(TYPICAL_NOISE) + spread).clamp(low, high)
    return torch.where(torch.rand(count, generator=generator) < 0.5, wide, narrow).exp()


def denoising_errors(
    denoiser: Denoiser,
    batch: Batch,
    noise: Float[Tensor, "batch residue 3"],
    noise_level: Float[Tensor, " batch"],
) -> list[Float[Tensor, " batch"]]:
    """Return the mean square distance from the clean chain after each round, Å².

    Args:
        denoiser: to be tested.
        batch: clean chains.
        noise: standard normal numbers.
        noise_level: σ, Å.
    """
    present = batch.residue_types != ABSENT_TYPE
    noise = noise - centroid(noise, present)
    noisy = batch.coordinates + noise_level[:, None, None] * noise
    estimates = denoiser.estimates(noisy, noise_level, batch.residue_types)
    residues = present.sum(1)
    return [
        ((estimate - batch.coordinates).square().sum(-1) * present).sum(1) / residues
        for estimate in estimates
    ]


class DenoiserTraining(lightning.LightningModule):
    """One step of training a denoiser, all its randomness a function of the step.

    Numbers are drawn from a generator seeded by (seed, step, rank), never from a state
    that has to be carried along: a resumed run repeats the steps that it lost.
    """

    def __init__(
        self,
        denoiser: Denoiser,
        config: TrainingConfig,
        examples: Examples,
        held_out: Iterable[Batch],
        seed: int,
    ) -> None:
        """Wrap a denoiser with its averaged copy and its data.

        Args:
            denoiser: the network to train, in place; its geometry is in float32 from
                here on, which is half as dear.
            config: how.
            examples: training data.
            held_out: chains for the denoising test.
            seed: of every random number of the training.
        """
        super().__init__()
        denoiser.whitening.float()
        self.denoiser = denoiser
        self.average = AveragedModel(
            denoiser, multi_avg_fn=get_ema_multi_avg_fn(config.average_decay)
        )
        self.config = config
        self.examples = examples
        self.held_out = list(held_out)
        self.seed = seed
        self.curve: list[dict[str, float]] = []
        self.latest_loss = math.nan
        self.latest_norm = math.nan

    def training_step(self, batch: int, batch_index: int) -> Tensor:
        """Return the loss of one freshly drawn batch.

        It is the mean squared error in units of c_out²: 1 is what the Gaussian
        posterior mean attains on Gaussian chains. Estimates before the last count too,
        with less weight.

        Source: Karras et al. 2022, arXiv:2206.00364, equation 8 with λ(σ) = 1/c_out².
        """
        config, step = self.config, self.global_step
        generator = self._generator("train", step, self.global_rank)
        drawn = self.examples.draw(config.batch_residues, generator)
        level = draw_noise_levels(len(drawn.coordinates), config, generator)
        errors = self._errors(self.denoiser, drawn, level, generator)
        present = drawn.residue_types.to(self.device) != ABSENT_TYPE
        deviation = self.denoiser.whitening.deviation(level.to(self.device), present)
        *early, last = (error / (3.0 * deviation**2) for error in errors)
        loss = last.mean() + EARLY_WEIGHT * sum(error.mean() for error in early)
        if not torch.isfinite(loss):
            raise FloatingPointError(f"loss is {loss.item()} at step {step}: stopped")
        self.latest_loss = float(last.detach().mean())
        self.log("loss", last.mean(), prog_bar=True)
        return loss

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Step, average the weights, and test the average from time to time.

        Here rather than at the batch's end, so that a checkpoint holds all three.
        """
        super().optimizer_step(*args, **kwargs)
        self.average.update_parameters(self.denoiser)
        step, config = self.global_step + 1, self.config
        if step % config.validation_interval == 0 or step == config.steps:
            self.curve.append(
                {"step": step, "loss": self.latest_loss, **self._held_out_errors()}
            )
            logger.info("step %d of %d: %s", step, config.steps, self.curve[-1])

    def configure_gradient_clipping(self, *_: Any, **__: Any) -> None:
        """Clip the gradient's norm, and stop where it is no number."""
        norm = torch.nn.utils.clip_grad_norm_(
            self.denoiser.parameters(), self.config.gradient_clip
        )
        if not torch.isfinite(norm):
            raise FloatingPointError(
                f"gradient is {norm.item()} at step {self.global_step}: stopped"
            )
        self.latest_norm = float(norm)

    def configure_optimizers(self) -> dict:
        """Return the optimiser, warmed up, held, and cooled down along a line."""
        config = self.config
        matrices, others = split_weights(self.denoiser.network)
        optimizer = MuonWithAdam(
            matrices,
            others,
            matrix_rate=config.matrix_rate,
            other_rate=config.learning_rate,
        )

        def rate(step: int) -> float:
            warm = (step + 1) / max(1, config.warm_up)
            cool = (config.steps - step) / max(1, config.cool_down)
            return max(0.0, min(1.0, warm, cool))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        """Keep the loss curve with the state."""
        checkpoint["curve"] = self.curve

    def on_load_checkpoint(self, checkpoint: dict) -> None:
        """Take the loss curve up where it was left."""
        self.curve = checkpoint["curve"]

    @torch.no_grad()
    def _held_out_errors(self) -> dict[str, float]:
        """Return the averaged weights' denoising RMSD on fixed noisy chains, Å."""
        row = {}
        for noise in VALIDATION_NOISE:
            generator = self._generator("held out", 0, 0)
            errors = [
                self._errors(
                    self.average.module,
                    batch,
                    torch.full((len(batch.coordinates),), noise),
                    generator,
                )[-1]
                for batch in self.held_out
            ]
            row[f"rmsd_{noise:g}"] = float(torch.cat(errors).sqrt().mean())
        return row

    def _errors(
        self,
        denoiser: Denoiser,
        batch: Batch,
        noise_level: Tensor,
        generator: torch.Generator,
    ) -> list[Tensor]:
        noise = torch.randn(batch.coordinates.shape, generator=generator)
        moved = Batch(
            coordinates=batch.coordinates.to(self.device),
            residue_types=batch.residue_types.to(self.device),
        )
        noise, noise_level = noise.to(self.device), noise_level.to(self.device)
        return denoising_errors(denoiser, moved, noise, noise_level)

    def _generator(self, purpose: str, step: int, rank: int) -> torch.Generator:
        return derive_generator(self.seed, purpose, str(step), str(rank))
