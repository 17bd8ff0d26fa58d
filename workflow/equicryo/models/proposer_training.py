"""Training of a proposer, with Lightning."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from equicryo.models.averaged_training import AveragedTraining, StepsConfig
from equicryo.models.proposer import Marks, Proposer
from equicryo.models.proposer_examples import CropExamples, Crops

WEIGHT_DECAY = 0.01
ADAM_DECAYS = (0.9, 0.98)

HELD_OUT_SNR = (3.0, 10.0, 30.0, 100.0)
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
class ProposerTrainingConfig(StepsConfig):
    """How a proposer is trained.

    Attributes:
        molecules: simulated maps a step.
        crops: of each map.
    """

    molecules: int
    crops: int


class _Drawn(IterableDataset):
    """What is drawn for each step, by several processes in turn."""

    def __init__(self, draw: Callable[[int], Crops], steps: range) -> None:
        self.draw = draw
        self.steps = steps

    def __iter__(self) -> Iterator[Crops]:
        worker = get_worker_info()
        return map(self.draw, self.steps[worker.id :: worker.num_workers])


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
    # Of cells with a Cα alone: the sum over whole grids rounds differently each time
    # on a GPU.
    kinds = marks.types.movedim(1, -1)[present]
    losses["types"] = functional.cross_entropy(
        kinds, crops.types[present], reduction="sum"
    )
    return {name: loss / residues for name, loss in losses.items()}


class ProposerTraining(AveragedTraining):
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
        # Convolutions are a tenth to a fifth faster with the features innermost.
        super().__init__(
            proposer.to(memory_format=torch.channels_last_3d), config, seed
        )
        self.examples = examples
        self.held_out = dict(held_out)

    def train_dataloader(self) -> DataLoader:
        """Return freshly simulated maps, drawn while the network learns."""
        remaining = range(self.global_step, self.config.steps)
        workers = max(1, torch.get_num_threads() - 1)
        return DataLoader(
            _Drawn(self.draw, remaining), batch_size=None, num_workers=workers
        )

    def draw(self, step: int) -> Crops:
        """Draw the maps of one step."""
        generator = self._generator("train", step, self.global_rank)
        return self.examples.draw(self.config.molecules, self.config.crops, generator)

    def transfer_batch_to_device(self, batch: Crops, *_: object) -> Crops:
        """Leave crops where they are until their losses are computed."""
        return batch

    def training_step(self, batch: Crops, batch_index: int) -> Tensor:
        """Return the loss of a step's maps, nats a Cα."""
        loss = sum(self._losses(self.denoiser, batch).values())
        self._keep_loss(loss.detach())
        return loss

    def make_optimizer(self) -> torch.optim.Optimizer:
        """Return Adam."""
        return torch.optim.AdamW(
            self.denoiser.parameters(),
            lr=self.config.learning_rate,
            weight_decay=WEIGHT_DECAY,
            betas=ADAM_DECAYS,
        )

    @torch.no_grad()
    def _held_out_errors(self) -> dict[str, float]:
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
