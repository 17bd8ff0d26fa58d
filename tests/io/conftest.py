"""A small stack with its tables, as RELION and as cryoSPARC would write them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import starfile
import torch
from scipy.spatial.transform import Rotation

from equicryo.io.relion import write_particles
from equicryo.io.stacks import write_stack
from equicryo.physics.optics import Defocus, Optics
from equicryo.physics.pose import Pose, Views
from equicryo.physics.rotations import draw_rotations

COUNT = 7
BOX = 16
PIXEL_SIZE = 1.5


@pytest.fixture(scope="session")
def make_views() -> Callable[..., Views]:
    """Return a function that draws views off centre, astigmatic, with phase plates."""

    def make(
        count: int,
        optics: Optics,
        *,
        seed: int,
        defocus: tuple[float, float],
        shift: float,
        b_factor: float,
    ) -> Views:
        generator = torch.Generator().manual_seed(seed)

        def uniform(low: float, high: float) -> torch.Tensor:
            unit = torch.rand(count, dtype=torch.float64, generator=generator)
            return low + (high - low) * unit

        return Views(
            optics=optics,
            defocus=Defocus(
                mean=uniform(*defocus),
                astigmatism=uniform(0, 300),
                angle=uniform(0, 3),
                phase_shift=uniform(0, 1),
                b_factor=uniform(0, b_factor),
            ),
            pose=Pose(
                rotation=draw_rotations(count, generator=generator),
                shift=torch.stack(
                    [uniform(-shift, shift), uniform(-shift, shift)], dim=-1
                ),
            ),
        )

    return make


@pytest.fixture
def views(make_views) -> Views:
    optics = Optics(
        voltage=2e5,
        spherical_aberration=2.7e7,
        amplitude_contrast=0.07,
        pixel_size=PIXEL_SIZE,
        box_size=BOX,
    )
    return make_views(COUNT, optics, seed=0, defocus=(5e3, 1e4), shift=3, b_factor=40)


@pytest.fixture
def images() -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(COUNT, BOX, BOX, generator=generator)


@dataclass(frozen=True)
class StarFile:
    path: Path

    @property
    def stack(self) -> Path:
        return self.path.with_suffix(".mrcs")

    def edit(self, change: Callable[[pd.DataFrame, pd.DataFrame], None]) -> None:
        """Change the optics and particles tables in place."""
        blocks = starfile.read(self.path)
        change(blocks["optics"], blocks["particles"])
        starfile.write(blocks, self.path, float_format="%.12g")


@pytest.fixture
def star(tmp_path, monkeypatch, views, images) -> StarFile:
    """A stack and its STAR file, written as from a repository's root."""
    monkeypatch.chdir(tmp_path)
    folder = Path("results/images/test")
    write_stack(folder / "particles.mrcs", images.split(3), COUNT, BOX, PIXEL_SIZE)
    write_particles(folder / "particles.star", views, folder / "particles.mrcs")
    return StarFile(folder / "particles.star")


@dataclass(frozen=True)
class CsFile:
    path: Path
    stack: Path

    def edit(self, change: Callable[[np.ndarray], np.ndarray]) -> None:
        """Replace the table by a change of it."""
        table = change(np.load(self.path))
        with self.path.open("wb") as file:
            np.save(file, table)


@pytest.fixture
def cs(star, views) -> CsFile:
    """The same particles as cryoSPARC's table, of 32-bit numbers."""
    fields = {
        "uid": np.arange(COUNT, dtype="<u8"),
        "blob/path": np.full(COUNT, str(star.stack).encode()),
        "blob/idx": np.arange(COUNT, dtype="<u4"),
        "blob/shape": np.full((COUNT, 2), BOX, dtype="<u4"),
        "blob/psize_A": np.full(COUNT, PIXEL_SIZE, dtype="<f4"),
        "blob/sign": np.full(COUNT, -1.0, dtype="<f4"),
        "ctf/exp_group_id": np.full(COUNT, 3, dtype="<u4"),
        "ctf/accel_kv": np.full(COUNT, 200.0, dtype="<f4"),
        "ctf/cs_mm": np.full(COUNT, 2.7, dtype="<f4"),
        "ctf/amp_contrast": np.full(COUNT, 0.07, dtype="<f4"),
        "ctf/df1_A": (views.defocus.mean + views.defocus.astigmatism).numpy(),
        "ctf/df2_A": (views.defocus.mean - views.defocus.astigmatism).numpy(),
        "ctf/df_angle_rad": views.defocus.angle.numpy(),
        "ctf/phase_shift_rad": views.defocus.phase_shift.numpy(),
        "ctf/bfactor": views.defocus.b_factor.numpy(),
        # RELION's matrix transposed, and RELION's origin in pixels of 3 Å.
        "alignments3D/pose": Rotation.from_matrix(
            views.pose.rotation.transpose(-1, -2).numpy()
        ).as_rotvec(),
        "alignments3D/shift": -views.pose.shift.numpy() / 3.0,
        "alignments3D/psize_A": np.full(COUNT, 3.0, dtype="<f4"),
    }
    kinds = {
        name: value.dtype if value.dtype.kind != "f" else np.dtype("<f4")
        for name, value in fields.items()
    }
    table = np.empty(
        COUNT, dtype=[(name, kinds[name], fields[name].shape[1:]) for name in fields]
    )
    for name, value in fields.items():
        table[name] = value
    path = star.path.with_suffix(".cs")
    with path.open("wb") as file:
        np.save(file, table)
    return CsFile(path, star.stack)
