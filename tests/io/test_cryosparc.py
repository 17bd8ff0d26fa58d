import numpy as np
import pytest
import torch

from equicryo.io.particles import read_batches, read_particles
from equicryo.physics.compression import compress_images
from equicryo.physics.noise import white_power

COUNT, BOX, PIXEL_SIZE = 7, 16, 1.5  # of the fixtures


def set_rows(cs, values: dict[str, object]) -> None:
    def change(table: np.ndarray) -> np.ndarray:
        for name, value in values.items():
            table[name] = value
        return table

    cs.edit(change)


@pytest.mark.parametrize(
    ("pose", "angles"),
    [
        # Worked by hand from pyem's csparc2star, rot2euler(expmap(pose)), degrees.
        ((0.0, 0.0, np.pi / 6), (0.0, 0.0, 30.0)),
        ((0.0, np.pi / 3, 0.0), (0.0, 60.0, 0.0)),
        ((np.pi / 2, 0.0, 0.0), (-90.0, 90.0, 90.0)),
    ],
)
def test_poses_are_csparc2stars(cs, pose, angles) -> None:
    """RELION's matrix is Rz(psi) Ry(tilt) Rz(rot), each turning the axes."""
    set_rows(cs, {"alignments3D/pose": pose})

    def turn(axis: int, degrees: float) -> np.ndarray:
        c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
        about_z = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])
        about_y = np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]])
        return {1: about_y, 2: about_z}[axis]

    rot, tilt, psi = angles
    expected = turn(2, psi) @ turn(1, tilt) @ turn(2, rot)
    found = read_particles(cs.path).pose.rotation[0].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-7)  # float32 in the file


def test_a_refinement_reads_as_its_star_file(cs, star) -> None:
    power = white_power(1.0, BOX)

    def compress(path) -> torch.Tensor:
        particles = read_particles(path)
        return compress_images(read_batches(particles, 0, COUNT), power, BOX).b

    expected = compress(star.path)
    error = (compress(cs.path) - expected).norm() / expected.norm()
    # Angles and shifts of 32 bits: 1e-7 rad at phases of up to 50 rad.
    assert error < 1e-5


def test_optics_are_the_decimals_that_were_typed(cs, views) -> None:
    """2.7 mm of 32 bits is 2.7000000477; groups must compare equal to RELION's."""
    assert read_particles(cs.path).groups == (views.optics,)


def test_shifts_are_in_pixels_of_the_refinement(cs, views) -> None:
    set_rows(cs, {"alignments3D/shift": (2.0, -1.0), "alignments3D/psize_A": 3.0})
    shift = read_particles(cs.path).pose.shift
    torch.testing.assert_close(shift[0], torch.tensor([-6.0, 3.0]).double())


def test_dark_density_is_turned_white(cs, images) -> None:
    """A sign of −1 says that density is white already."""
    set_rows(cs, {"blob/sign": [-1, 1, -1, -1, 1, -1, -1]})
    ((found, _),) = read_batches(read_particles(cs.path), 0, COUNT)
    expected = images.double().clone()
    expected[[1, 4]] *= -1.0
    assert torch.equal(found, expected)


def test_image_indices_are_honoured(cs, images) -> None:
    order = [3, 0, 6, 1, 5, 2, 4]
    set_rows(cs, {"blob/idx": order})
    ((found, _),) = read_batches(read_particles(cs.path), 0, COUNT)
    assert torch.equal(found, images[order].double())


def test_exposure_groups_are_kept_apart(cs, images) -> None:
    set_rows(cs, {"ctf/exp_group_id": [1, 5, 1, 5, 1, 5, 1]})
    particles = read_particles(cs.path)
    assert particles.group.tolist() == [0, 1, 0, 1, 0, 1, 0]
    first, second = read_batches(particles, 0, COUNT)
    assert torch.equal(first[0], images[::2].double())
    assert torch.equal(second[0], images[1::2].double())


def test_a_project_mark_before_a_path_is_dropped(cs, star, images) -> None:
    short = star.stack.name.encode()
    set_rows(cs, {"blob/path": b">" + short})
    ((found, _),) = read_batches(read_particles(cs.path, star.path.parent), 0, COUNT)
    assert torch.equal(found, images.double())
