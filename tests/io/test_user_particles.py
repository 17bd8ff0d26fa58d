from dataclasses import replace

import numpy as np
import pytest
import torch

from equicryo.errors import InputError
from equicryo.io.particles import read_batches, read_particles
from equicryo.io.sequences import read_molecule
from equicryo.io.user_particles import (
    ParticlesConfig,
    expected_diameter,
    particles_support,
    plan_chunks,
    read_user_particles,
)

COUNT, BOX, PIXEL_SIZE = 7, 16, 1.5  # of the fixtures


@pytest.fixture
def settings(star) -> ParticlesConfig:
    return ParticlesConfig(
        star=str(star.path),
        root="",
        pixel_size=PIXEL_SIZE,
        invert=False,
        sequence="",
        truth="",
    )


@pytest.fixture
def short(tmp_path):
    path = tmp_path / "short.fasta"
    path.write_text(">a peptide\nGAS\n")
    return read_molecule(path)


def test_the_configs_pixel_size_is_checked(settings) -> None:
    read_user_particles(replace(settings, pixel_size=1.501))
    with pytest.raises(InputError, match=r"1\.5 Å per pixel, .* 1\.2 Å"):
        read_user_particles(replace(settings, pixel_size=1.2))


def test_inversion_turns_images_over(settings, images) -> None:
    particles = read_user_particles(replace(settings, invert=True))
    ((found, _),) = read_batches(particles, 0, COUNT)
    assert torch.equal(found, -images.double())


def test_chunks_hold_every_particle_once_and_one_group_each(star) -> None:
    particles = read_particles(star.path)
    mixed = replace(
        particles, groups=particles.groups * 3, group=np.array([2, 0, 2, 0, 2, 2, 2])
    )
    chunks = plan_chunks(mixed, 3)
    assert [chunk.group for chunk in chunks] == [0, 2, 2]
    assert [chunk.rows.tolist() for chunk in chunks] == [[1, 3], [0, 2, 4], [5, 6]]


def test_a_molecule_larger_than_its_images_is_refused(settings, short) -> None:
    particles = read_user_particles(settings)
    assert particles_support(particles, short) == BOX  # all of it
    long = replace(
        short,
        coordinates=np.array([[0.0, 0.0, 0.0], [60.0, 0.0, 0.0], [1.0, 1.0, 1.0]]),
    )
    assert expected_diameter(long) == 60.0
    with pytest.raises(InputError, match=r"60 Å does not fit into .* 16 pixels"):
        particles_support(particles, long)
