"""On a full disk every writer says so in one line and leaves no half of a file."""

import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from equicryo.errors import InputError
from equicryo.io.arrays import write_arrays
from equicryo.io.checkpoints import SafetensorsCheckpointIO
from equicryo.io.documents import write_document
from equicryo.io.files import copy_file
from equicryo.io.maps import DensityMap, write_map
from equicryo.io.models import write_ensemble
from equicryo.io.pictures import save_figure
from equicryo.io.stacks import write_stack
from equicryo.io.tables import write_table
from equicryo.structure.chain import Chain

DISK_BYTES = 1 << 16
NUMBERS = np.random.default_rng(0).normal(size=(64, 64, 64))


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 kB, or, where none can be mounted, a limit of that for each file."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    if shutil.which("mount") and not subprocess.run(mount, check=False).returncode:
        yield folder
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        return
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (DISK_BYTES, before[1]))
    yield folder
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def save_large_figure(path: Path) -> None:
    figure = Figure(figsize=(10, 10))
    figure.subplots().imshow(NUMBERS.reshape(512, 512))
    save_figure(figure, path)


def write_large_ensemble(path: Path) -> None:
    count = 1000
    chain = Chain(
        name="large",
        chain_id="A",
        sequence="A" * count,
        residue_numbers=np.arange(count),
        insertion_codes=("",) * count,
        coordinates=np.zeros((count, 3)),
        b_factors=np.zeros(count),
    )
    write_ensemble(path, chain, np.zeros((2, count, 3)), np.zeros(count))


def copy_large_file(path: Path) -> None:
    source = path.parents[1] / "source"
    source.write_bytes(bytes(2 * DISK_BYTES))
    copy_file(source, path)


WRITERS: dict[str, Callable[[Path], None]] = {
    "table.csv": lambda path: write_table(
        path, ["x"], [{"x": x} for x in NUMBERS[0].flat for _ in range(3)]
    ),
    "arrays.npz": lambda path: write_arrays(path, {"x": NUMBERS}),
    "document.json": lambda path: write_document(
        path, {"x": NUMBERS.flat[:9999].tolist()}
    ),
    "map.mrc": lambda path: write_map(
        path, DensityMap(volume=NUMBERS.astype(np.float32), pixel_size=1.0)
    ),
    "stack.mrcs": lambda path: write_stack(
        path, torch.from_numpy(NUMBERS).split(16), 64, 64, 1.0
    ),
    "ensemble.cif": write_large_ensemble,
    "figure.png": save_large_figure,
    "copy": copy_large_file,
    "state.safetensors": lambda path: SafetensorsCheckpointIO().save_checkpoint(
        {"x": torch.from_numpy(NUMBERS)}, path
    ),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_is_one_message_and_no_file(full_disk: Path, name: str) -> None:
    path = full_disk / name
    with pytest.raises(InputError, match=rf"{name}: no room left to write it .*free"):
        WRITERS[name](path)
    assert list(full_disk.iterdir()) == []


@pytest.mark.parametrize("name", WRITERS)
def test_there_is_no_message_where_there_is_room(tmp_path: Path, name: str) -> None:
    (tmp_path / "disk").mkdir()
    WRITERS[name](tmp_path / "disk" / name)
    assert (tmp_path / "disk" / name).stat().st_size > DISK_BYTES // 4


def test_a_full_disk_leaves_the_file_that_was_there(full_disk: Path) -> None:
    path = full_disk / "table.csv"
    path.write_text("whole")
    with pytest.raises(InputError):
        WRITERS["table.csv"](path)
    assert path.read_text() == "whole"
