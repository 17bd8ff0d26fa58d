"""What every training of a network shares: schedule, averaging, clipping, restart."""

import logging
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import lightning
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader

from equicryo.seeds import derive_generator

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class StepsConfig:
    """How any network is trained.

    Attributes:
        steps: optimiser steps.
        learning_rate: of Adam, at its highest.
        warm_up: steps until the learning rates are at their highest.
        cool_down: steps at the end over which they fall to zero.
        average_decay: decay a step of the averaged weights, which are the ones kept.
        gradient_clip: largest gradient norm.
        checkpoint_interval: steps between checkpoints.
        validation_interval: steps between tests on held-out chains.
    """

    steps: int
    learning_rate: float
    warm_up: int
    cool_down: int
    average_decay: float
    gradient_clip: float
    checkpoint_interval: int
    validation_interval: int

    def __post_init__(self) -> None:
        """Refuse too short a training."""
        if self.warm_up + self.cool_down > self.steps:
            raise ValueError(
                f"warm_up {self.warm_up} and cool_down {self.cool_down} do not fit "
                f"into steps {self.steps}: shorten them"
            )


@dataclass(frozen=True, kw_only=True)
class OptimisationConfig(StepsConfig):
    """How any denoiser is trained.

    Attributes:
        smallest_noise, largest_noise: least and largest noise levels, in the unit of
            the data.
    """

    smallest_noise: float
    largest_noise: float

    def __post_init__(self) -> None:
        """Refuse a law of σ without extent, and too short a training."""
        if not self.smallest_noise < self.largest_noise:
            raise ValueError(
                f"smallest_noise {self.smallest_noise} is not below largest_noise "
                f"{self.largest_noise}: swap or change them"
            )
        super().__post_init__()


class AveragedTraining(lightning.LightningModule, ABC):
    """A training whose averaged weights are kept.

    Numbers are drawn from a generator seeded by (seed, step, rank), never from a state
    that has to be carried along: a resumed run repeats the steps that it lost.
    """

    def __init__(self, denoiser: nn.Module, config: StepsConfig, seed: int) -> None:
        """Wrap a denoiser with its averaged copy.

        Args:
            denoiser: the network to train, a denoiser or another, in place.
            config: how.
            seed: of every random number of the training.
        """
        super().__init__()
        self.denoiser = denoiser
        self.average = AveragedModel(
            denoiser, multi_avg_fn=get_ema_multi_avg_fn(config.average_decay)
        )
        # Between processes only weights that get gradients are exchanged.
        self.average.requires_grad_(requires_grad=False)
        self.config = config
        self.seed = seed
        self.curve: list[dict[str, float]] = []
        self.latest_loss = math.nan
        self.latest_norm = math.nan

    @abstractmethod
    def make_optimizer(self) -> torch.optim.Optimizer:
        """Return the optimiser, its rates at their highest."""

    @abstractmethod
    def _held_out_errors(self) -> dict[str, float]:
        """Return the averaged weights' errors on fixed noisy examples, by column."""

    def train_dataloader(self) -> DataLoader:
        """Return what each step is given: its number, as steps draw their own data."""
        return DataLoader(range(self.config.steps), batch_size=None)

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
        config, optimizer = self.config, self.make_optimizer()

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
        logger.info("going on from step %d", checkpoint["global_step"])

    def _keep_loss(self, loss: torch.Tensor) -> None:
        """Remember a step's loss, and stop where it is no number."""
        if not torch.isfinite(loss):
            raise FloatingPointError(
                f"loss is {loss.item()} at step {self.global_step}: stopped"
            )
        # Of all processes, so that the curve does not depend on who writes it.
        self.latest_loss = float(self.all_gather(loss).mean())
        self.log("loss", loss, prog_bar=True)

    def _generator(self, purpose: str, step: int, rank: int) -> torch.Generator:
        """Return the generator of one step on one device."""
        return derive_generator(self.seed, purpose, str(step), str(rank))
