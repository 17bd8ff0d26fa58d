"""Training state as safetensors with a JSON header: no pickle, exact resume."""

import json
import logging
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import lightning
import torch
from lightning.fabric.plugins.environments import LightningEnvironment
from lightning.fabric.plugins.io.checkpoint_io import CheckpointIO
from lightning.pytorch.callbacks import ModelCheckpoint, TQDMProgressBar
from matplotlib.figure import Figure
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from equicryo.errors import InputError
from equicryo.io.arrays import arrays_sha256
from equicryo.io.files import file_sha256, replace_atomically
from equicryo.io.pictures import save_figure
from equicryo.models.averaged_training import AveragedTraining
from equicryo.models.precision import bfloat16_is_fast

logger = logging.getLogger(__name__)

LINE_INTERVAL = 100
"""Steps between lines in the log."""


def checkpoint_path(weights: str, files: Iterable[str], *rest: object) -> Path:
    """Return where a training keeps its state, named by what it depends on.

    So a training of changed data, config or code never resumes from it.

    Args:
        weights: what the training makes.
        files: all that it reads.
        rest: what else it depends on.
    """
    state = arrays_sha256(*map(file_sha256, files), str(rest))
    return Path(weights).parent / "checkpoints" / f"{state[:16]}.safetensors"


def train_with_checkpoints(
    training: AveragedTraining,
    checkpoint: Path,
    watchers: Sequence[lightning.Callback],
) -> None:
    """Train to the last step, from `checkpoint` if it exists.

    On all GPUs that the job has, each with batches of its own; or, on a CPU, in as many
    processes as were started with LOCAL_RANK and WORLD_SIZE set.

    Args:
        training: the denoiser, its data and its settings; trained in place.
        checkpoint: where the state is kept from time to time.
        watchers: look on, and change nothing.
    """
    config = training.config
    devices = torch.cuda.device_count() or int(os.environ.get("WORLD_SIZE", "1"))
    trainer = lightning.Trainer(
        max_steps=config.steps,
        precision="bf16-mixed" if bfloat16_is_fast() else "32-true",
        callbacks=[
            _LatestCheckpoint(checkpoint, config.checkpoint_interval),
            _ProgressLines(),
            *watchers,
            *([TQDMProgressBar()] if sys.stderr.isatty() else []),
        ],
        # Not Slurm's: a job's one step is one process, whatever its GPUs, and it is
        # Slurm that puts a preempted job back into the queue.
        plugins=[SafetensorsCheckpointIO(), LightningEnvironment()],
        enable_progress_bar=sys.stderr.isatty(),
        enable_model_summary=False,
        logger=False,
        deterministic=True,
        devices=devices,
        strategy="ddp" if devices > 1 else "auto",
        default_root_dir=checkpoint.parent,
    )
    trainer.fit(training, ckpt_path=checkpoint if checkpoint.exists() else None)


class _LatestCheckpoint(ModelCheckpoint):
    """Keep the one latest state, under a name that does not change."""

    def __init__(self, path: Path, interval: int) -> None:
        self.FILE_EXTENSION = path.suffix
        super().__init__(
            dirpath=path.parent,
            filename=path.stem,
            every_n_train_steps=interval,
            save_on_train_epoch_end=False,
            enable_version_counter=False,
        )


class _ProgressLines(lightning.Callback):
    """Log the step, the loss, the gradient and the time that is left."""

    def on_train_start(self, trainer: lightning.Trainer, *_: Any) -> None:
        self.start, self.first = perf_counter(), trainer.global_step

    def on_train_batch_end(
        self, trainer: lightning.Trainer, module: AveragedTraining, *_: Any
    ) -> None:
        step, steps = trainer.global_step, module.config.steps
        if step % LINE_INTERVAL == 0 or step == steps:
            pace = (perf_counter() - self.start) / (step - self.first)
            logger.info(
                "step %d of %d: loss %.3f, gradient %.2f, %.2f s a step, %.1f min left",
                *(step, steps, module.latest_loss, module.latest_norm),
                *(pace, pace * (steps - step) / 60.0),
            )


class TrainingPicture(lightning.Callback):
    """Show how far a training has come."""

    def __init__(self, draw: Callable[[AveragedTraining], Figure], path: str) -> None:
        """Watch a training.

        Args:
            draw: makes a figure of the training under way.
            path: where the latest one is, redrawn after each test on held-out chains.
        """
        self.draw = draw
        self.path = path

    def on_train_batch_end(
        self, trainer: lightning.Trainer, module: AveragedTraining, *_: Any
    ) -> None:
        """Draw what the averaged weights have learnt, once they are tested."""
        tested = module.curve and module.curve[-1]["step"] == trainer.global_step
        if tested and trainer.is_global_zero:
            save_figure(self.draw(module), self.path)


class SafetensorsCheckpointIO(CheckpointIO):
    """Keep Lightning's checkpoints as safetensors, written atomically.

    The nested state becomes a flat table of tensors and a JSON text that says where
    each belongs. Only tensors, numbers, strings, None, lists and dicts are allowed.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Write a checkpoint; an interrupted write leaves the previous one."""
        tensors: dict[str, torch.Tensor] = {}
        tree = _to_json(checkpoint, tensors)
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with replace_atomically(Path(path)) as temporary:
            save_file(tensors, temporary, metadata={"tree": json.dumps(tree)})

    def load_checkpoint(
        self,
        path: str | Path,
        map_location: Any = None,
        weights_only: bool | None = None,  # noqa: FBT001  Lightning's signature
    ) -> dict[str, Any]:
        """Read a checkpoint onto the CPU.

        Raises:
            InputError: the file is no checkpoint of ours.
        """
        try:
            with safe_open(path, "pt") as file:
                tensors = {key: file.get_tensor(key) for key in file.keys()}
                tree = json.loads((file.metadata() or {})["tree"])
            return _from_json(tree, tensors)
        except (SafetensorError, KeyError, ValueError) as error:
            raise InputError(
                f"{path}: not a training checkpoint ({error}): delete it to start the "
                "training afresh"
            ) from error

    def remove_checkpoint(self, path: str | Path) -> None:
        """Delete a checkpoint."""
        Path(path).unlink(missing_ok=True)


def _to_json(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    """Replace tensors by keys, and dicts by pairs whose keys keep their types."""
    if isinstance(value, torch.Tensor):
        key = f"{len(tensors):05d}"
        tensors[key] = value.detach().cpu().clone().contiguous()
        return {"tensor": key}
    if isinstance(value, dict):
        return {
            "dict": [
                [_to_json(k, tensors), _to_json(v, tensors)] for k, v in value.items()
            ]
        }
    if isinstance(value, list | tuple):
        return {type(value).__name__: [_to_json(item, tensors) for item in value]}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(
        f"a checkpoint holds no {type(value).__name__}: keep it out of the state"
    )


def _from_json(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "dict":
        return {_from_json(k, tensors): _from_json(v, tensors) for k, v in content}
    items = [_from_json(item, tensors) for item in content]
    return tuple(items) if kind == "tuple" else items
