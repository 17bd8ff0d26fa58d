"""Training of a denoiser on an ensemble of conformers, with Lightning."""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import lightning
import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from equicryo.models.denoiser import Denoiser
from equicryo.seeds import derive_generator

logger = logging.getLogger(__name__)

CURVE_COLUMNS = ("step", "loss", "held_out_loss")


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How a denoiser is trained.

    Attributes:
        steps: optimiser steps.
        batch_size: noisy conformers a step.
        learning_rate: of Adam, at its highest.
        warm_up: steps until the learning rate is at its highest; it then falls to zero
            along a cosine.
        average_decay: decay a step of the averaged weights, which are the ones kept.
        smallest_noise, largest_noise: ends of the log-uniform law of σ, Å.
        gradient_clip: largest gradient norm.
        checkpoint_interval: steps between checkpoints.
        validation_interval: steps between denoising tests on held-out conformers.
    """

    steps: int
    batch_size: int
    learning_rate: float
    warm_up: int
    average_decay: float
    smallest_noise: float
    largest_noise: float
    gradient_clip: float
    checkpoint_interval: int
    validation_interval: int

    def __post_init__(self) -> None:
        """Refuse a law of σ without extent and a warm-up without an end."""
        if not self.smallest_noise < self.largest_noise:
            raise ValueError(
                f"smallest_noise {self.smallest_noise} Å is not below largest_noise "
                f"{self.largest_noise} Å: swap or change them"
            )
        if self.warm_up >= self.steps:
            raise ValueError(
                f"warm_up {self.warm_up} is not below steps {self.steps}: shorten it"
            )


def denoising_loss(
    denoiser: Callable[[Tensor, Tensor], Tensor],
    clean: Float[Tensor, "batch residue 3"],
    noise: Float[Tensor, "batch residue 3"],
    noise_level: Float[Tensor, " batch"],
    deviation: Float[Tensor, " batch"],
) -> Float[Tensor, ""]:
    """Return the mean squared denoising error in units of c_out².

    1 is what the Gaussian posterior mean attains on Gaussian chains.

    Args:
        denoiser: maps (noisy, σ) to an estimate of the clean coordinates.
        clean: centred conformers, Å.
        noise: standard normal numbers.
        noise_level: σ, Å.
        deviation: c_out at σ, Å.

    Source: Karras et al. 2022, arXiv:2206.00364, equation 8 with λ(σ) = 1/c_out².
    """
    noise = noise - noise.mean(1, keepdim=True)
    denoised = denoiser(clean + noise_level[:, None, None] * noise, noise_level)
    return ((denoised - clean) / deviation[:, None, None]).square().mean()


class DenoiserTraining(lightning.LightningModule):
    """One step of training a denoiser, all its randomness a function of the step.

    Numbers are drawn from a generator seeded by (seed, step, rank), never from a state
    that has to be carried along: a resumed run repeats the steps that it lost.
    """

    def __init__(
        self,
        denoiser: Denoiser,
        config: TrainingConfig,
        conformers: Float[Tensor, "conformer residue 3"],
        held_out: Float[Tensor, "other residue 3"],
        seed: int,
    ) -> None:
        """Wrap a denoiser with its averaged copy and its data.

        Args:
            denoiser: the network to train, in place.
            config: how.
            conformers: training data, centred, Å.
            held_out: conformers for the denoising test, centred, Å.
            seed: of every random number of the training.
        """
        super().__init__()
        self.denoiser = denoiser
        self.average = AveragedModel(
            denoiser, multi_avg_fn=get_ema_multi_avg_fn(config.average_decay)
        )
        self.config = config
        self.seed = seed
        self.register_buffer("conformers", conformers.float(), persistent=False)
        self.register_buffer("held_out", held_out.float(), persistent=False)
        self.curve: list[dict[str, float]] = []
        self.latest_loss = math.nan

    def training_step(self, batch: int, batch_index: int) -> Tensor:
        """Return the loss of one freshly drawn batch."""
        config, step = self.config, self.global_step
        generator = self._generator("train", step, self.global_rank)
        chosen = torch.randint(
            len(self.conformers), (config.batch_size,), generator=generator
        )
        low, high = math.log(config.smallest_noise), math.log(config.largest_noise)
        uniform = torch.rand(config.batch_size, generator=generator)
        loss = self._loss(
            self.denoiser,
            self.conformers[chosen],
            (low + (high - low) * uniform).exp(),
            generator,
        )
        if not torch.isfinite(loss):
            raise FloatingPointError(f"loss is {loss.item()} at step {step}: stopped")
        self.latest_loss = float(loss.detach())
        self.log("loss", loss, prog_bar=True)
        return loss

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Step, average the weights, and test the average from time to time.

        Here rather than at the batch's end, so that a checkpoint holds all three.
        """
        super().optimizer_step(*args, **kwargs)
        self.average.update_parameters(self.denoiser)
        step, config = self.global_step + 1, self.config
        if step % config.validation_interval == 0 or step == config.steps:
            row = {"loss": self.latest_loss, "held_out_loss": self._held_out_loss()}
            self.curve.append({"step": step, **row})
            logger.info("step %d of %d: %s", step, config.steps, row)

    def configure_optimizers(self) -> dict:
        """Return Adam with a warm-up and a cosine decay."""
        config = self.config
        optimizer = torch.optim.AdamW(
            self.denoiser.parameters(), lr=config.learning_rate, weight_decay=0.0
        )

        def rate(step: int) -> float:
            warm = min(1.0, (step + 1) / max(1, config.warm_up))
            done = max(0.0, (step - config.warm_up) / (config.steps - config.warm_up))
            return warm * 0.5 * (1.0 + math.cos(math.pi * min(1.0, done)))

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
    def _held_out_loss(self) -> float:
        """Return the averaged weights' loss on a fixed set of noisy conformers."""
        config = self.config
        generator = self._generator("held out", 0, 0)
        low, high = math.log(config.smallest_noise), math.log(config.largest_noise)
        noise_level = torch.linspace(low, high, len(self.held_out)).exp()
        return float(self._loss(self.average, self.held_out, noise_level, generator))

    def _loss(
        self,
        denoiser: torch.nn.Module,
        clean: Tensor,
        noise_level: Tensor,
        generator: torch.Generator,
    ) -> Tensor:
        noise = torch.randn(clean.shape, generator=generator).to(clean)
        noise_level = noise_level.to(clean)
        deviation = self.denoiser.whitening.deviation(noise_level)
        return denoising_loss(denoiser, clean, noise, noise_level, deviation)

    def _generator(self, purpose: str, step: int, rank: int) -> torch.Generator:
        return derive_generator(self.seed, purpose, str(step), str(rank))
