"""Two processes train as one with both their batches would."""

import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from equicryo.io.checkpoints import train_with_checkpoints
from equicryo.io.documents import read_document
from equicryo.models.training import DenoiserTraining

from .test_training import make_training

PROCESS = """
import sys
from pathlib import Path
from safetensors.torch import load_file, save_file
from equicryo.io.checkpoints import train_with_checkpoints
from equicryo.io.documents import write_document
from tests.models.test_distributed import make_exact_training

folder, rank = Path(sys.argv[1]), sys.argv[2]
ensemble = load_file(folder / "ensemble.safetensors")["ensemble"]
training = make_exact_training(ensemble)
train_with_checkpoints(training, folder / "state.safetensors", [])
write_document(folder / f"curve{rank}.json", {"curve": training.curve})
save_file(training.denoiser.state_dict(), folder / f"weights{rank}.safetensors")
"""


class BothBatches(DenoiserTraining):
    """One process whose batch is those of the two."""

    def training_step(self, batch, batch_index):
        losses = [self._loss(self.global_step, rank) for rank in (0, 1)]
        self.latest_loss = float(sum(last for _, last in losses) / 2.0)
        return sum(loss for loss, _ in losses) / 2.0


def make_exact_training(ensemble, kind=DenoiserTraining):
    """Make a training in float64.

    Muon and Adam lengthen gradients that are mere rounding to full steps, so in float32
    the order in which gradients are added shows in single weights.
    """
    training = make_training(ensemble, kind=kind).double()
    examples = training.examples
    training.examples = replace(examples, conformers=examples.conformers.double())
    return training


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def train_in_two_processes(folder: Path) -> None:
    shared = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([*sys.path, str(Path.cwd())]),
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
        "OMP_NUM_THREADS": "1",
    }
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, str(folder), str(rank)],
            env={**shared, "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in (0, 1)
    ]
    for process in processes:
        said, _ = process.communicate(timeout=300)
        assert process.returncode == 0, said[-3000:]


@pytest.mark.slow
def test_two_processes_equal_one_with_the_doubled_batch(ensemble, tmp_path) -> None:
    save_file({"ensemble": ensemble.contiguous()}, tmp_path / "ensemble.safetensors")
    train_in_two_processes(tmp_path)
    both = make_exact_training(ensemble, kind=BothBatches)
    train_with_checkpoints(both, tmp_path / "one.safetensors", [])

    curves = [read_document(tmp_path / f"curve{rank}.json")["curve"] for rank in (0, 1)]
    assert curves[0] == curves[1]
    assert len(both.curve) == len(curves[0])
    for found, expected in zip(curves[0], both.curve, strict=True):
        assert found == pytest.approx(expected, rel=1e-9)
    weights = [load_file(tmp_path / f"weights{rank}.safetensors") for rank in (0, 1)]
    for name, value in both.denoiser.state_dict().items():
        assert torch.equal(weights[0][name], weights[1][name]), name
        torch.testing.assert_close(weights[0][name], value, rtol=1e-9, atol=1e-12)


def test_the_doubled_batch_is_not_the_single_one(ensemble, tmp_path) -> None:
    """Else the comparison above would compare nothing."""
    single, both = (
        make_training(ensemble, kind=kind) for kind in (DenoiserTraining, BothBatches)
    )
    for training in (single, both):
        train_with_checkpoints(training, tmp_path / f"{id(training)}.safetensors", [])
    first, second = single.curve[-1]["loss"], both.curve[-1]["loss"]
    assert first != pytest.approx(second, rel=1e-2)
