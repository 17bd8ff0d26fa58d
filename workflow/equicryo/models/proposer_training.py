"""Training of a proposer, with Lightning."""

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import lightning
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from equicryo.models.proposer import Marks, Proposer
from equicryo.models.proposer_examples import CropExamples, Crops
from equicryo.seeds import derive_generator

logger = logging.getLogger(__name__)

WEIGHT_DECAY = 0.01
ADAM_DECAYS = (0.9, 0.98)

HELD_OUT_SNR = (10.0, 30.0, 100.0)
"""Total SNR of the test on held-out chains."""

HELD_OUT_MOLECULES = 20
"""Maps of held-out chains in the test at each of them."""

PARTS = ("alpha", "midpoint", "types")

CURVE_COLUMNS = (
    "step",
    "loss",
    *(f"{part}_{snr:g}" for snr in HELD_OUT_SNR for part in PARTS),
)


@dataclass(frozen=True, kw_only=True)
class ProposerTrainingConfig:
    """How a proposer is trained.

    Attributes:
        steps: optimiser steps.
        molecules: simulated maps a step.
        crops: of each map.
        learning_rate: of Adam, at its highest.
        warm_up: steps until the learning rate is at its highest.
        cool_down: steps at the end over which it falls to zero.
        average_decay: decay a step of the averaged weights, which are the ones kept.
        gradient_clip: largest gradient norm.
        checkpoint_interval: steps between checkpoints.
        validation_interval: steps between tests on held-out chains.
    """

    steps: int
    molecules: int
    crops: int
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


def marking_losses(marks: Marks, crops: Crops) -> dict[str, Float[Tensor, ""]]:
    """Return the negative log probability of the truth, nats a Cα.

    Args:
        marks: of the crops' fields.
        crops: the truth.

    Returns:
        One term for each of `PARTS`.
    """
    present = crops.types >= 0
    residues = present.sum().clamp(min=1)
    losses = {
        name: functional.binary_cross_entropy_with_logits(
            getattr(marks, name), getattr(crops, name).float(), reduction="sum"
        )
        for name in ("alpha", "midpoint")
    }
    losses["types"] = functional.cross_entropy(
        marks.types, crops.types, ignore_index=-1, reduction="sum"
    )
    return {name: loss / residues for name, loss in losses.items()}


class ProposerTraining(lightning.LightningModule):
    """One step of training a proposer, all its randomness a function of the step."""

    def __init__(
        self,
        proposer: Proposer,
        config: ProposerTrainingConfig,
        examples: CropExamples,
        held_out: Mapping[float, CropExamples],
        seed: int,
    ) -> None:
        """Wrap a proposer with its averaged copy and its data.

        Args:
            proposer: the network to train, in place.
            config: how.
            examples: training data.
            held_out: chains for the test, by total SNR.
            seed: of every random number of the training.
        """
        super().__init__()
        # Convolutions are a tenth to a fifth faster with the features innermost.
        self.proposer = proposer.to(memory_format=torch.channels_last_3d)
        self.average = AveragedModel(
            proposer, multi_avg_fn=get_ema_multi_avg_fn(config.average_decay)
        )
        self.config = config
        self.examples = examples
        self.held_out = dict(held_out)
        self.seed = seed
        self.curve: list[dict[str, float]] = []
        self.latest_loss = math.nan
        self.latest_norm = math.nan

    def training_step(self, batch: int, batch_index: int) -> Tensor:
        """Return the loss of freshly simulated maps, nats a Cα."""
        config, step = self.config, self.global_step
        generator = self._generator("train", step, self.global_rank)
        crops = self.examples.draw(config.molecules, config.crops, generator)
        loss = sum(self._losses(self.proposer, crops).values())
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
        self.average.update_parameters(self.proposer)
        step, config = self.global_step + 1, self.config
        if step % config.validation_interval == 0 or step == config.steps:
            self.curve.append(
                {"step": step, "loss": self.latest_loss, **self._held_out_losses()}
            )
            logger.info("step %d of %d: %s", step, config.steps, self.curve[-1])

    def configure_gradient_clipping(self, *_: Any, **__: Any) -> None:
        """Clip the gradient's norm, and stop where it is no number."""
        norm = torch.nn.utils.clip_grad_norm_(
            self.proposer.parameters(), self.config.gradient_clip
        )
        if not torch.isfinite(norm):
            raise FloatingPointError(
                f"gradient is {norm.item()} at step {self.global_step}: stopped"
            )
        self.latest_norm = float(norm)

    def configure_optimizers(self) -> dict:
        """Return the optimiser, warmed up, held, and cooled down along a line."""
        config = self.config
        optimizer = torch.optim.AdamW(
            self.proposer.parameters(),
            lr=config.learning_rate,
            weight_decay=WEIGHT_DECAY,
            betas=ADAM_DECAYS,
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
    def _held_out_losses(self) -> dict[str, float]:
        """Return the averaged weights' losses on fixed maps, nats a Cα."""
        row = {}
        for snr, examples in self.held_out.items():
            generator = self._generator("held out", 0, 0)
            totals = dict.fromkeys(PARTS, 0.0)
            for _ in range(HELD_OUT_MOLECULES):
                crops = examples.draw(1, 1, generator)
                for part, loss in self._losses(self.average.module, crops).items():
                    totals[part] += float(loss) / HELD_OUT_MOLECULES
            row |= {f"{part}_{snr:g}": total for part, total in totals.items()}
        return row

    def _losses(self, proposer: Proposer, crops: Crops) -> dict[str, Tensor]:
        crops = Crops(**{name: v.to(self.device) for name, v in vars(crops).items()})
        layout = torch.channels_last_3d
        field = crops.field.contiguous(memory_format=layout)
        return marking_losses(proposer(field, crops.resolution), crops)

    def _generator(self, purpose: str, step: int, rank: int) -> torch.Generator:
        return derive_generator(self.seed, purpose, str(step), str(rank))
