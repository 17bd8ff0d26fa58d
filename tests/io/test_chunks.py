"""Chunks of a stack, gathered, are that stack: same table, same images."""

import starfile
import torch

from equicryo.io.chunks import gather_tables, join_tables, read_first_images
from equicryo.io.particles import read_batches, read_particles
from equicryo.io.relion import write_particles
from equicryo.io.stacks import write_stack
from equicryo.physics.optics import Optics

BOX = 8
OPTICS = Optics(
    voltage=3e5,
    spherical_aberration=2.7e7,
    amplitude_contrast=0.1,
    pixel_size=1.5,
    box_size=BOX,
)


def write_chunks(folder, make_views):
    """Three chunks of four images."""
    generator = torch.Generator().manual_seed(1)
    stars = []
    for chunk in range(3):
        images = torch.randn(4, BOX, BOX, dtype=torch.float64, generator=generator)
        stack = folder / f"{chunk}.mrcs"
        write_stack(stack, [images], 4, BOX, 1.5)
        views = make_views(
            4, OPTICS, seed=chunk, defocus=(3e3, 6e3), shift=2.0, b_factor=10.0
        )
        stars.append(folder / f"{chunk}.star")
        write_particles(stars[-1], views, stack)
    return stars


def read_all(star):
    particles = read_particles(star)
    return next(iter(read_batches(particles, 0, len(particles))))


def test_first_images_are_those_of_the_chunks_bit_for_bit(tmp_path, make_views):
    stars = write_chunks(tmp_path, make_views)
    star, stack = tmp_path / "few.star", tmp_path / "few.mrcs"
    write_stack(stack, read_first_images(stars, 6), 6, BOX, 1.5)
    gather_tables(star, stars, 6, stack)
    images, views = read_all(star)
    parts = [read_all(chunk) for chunk in stars]
    expected = torch.cat([part[0] for part in parts])[:6]
    assert torch.equal(images, expected)
    rotation = torch.cat([part[1].pose.rotation for part in parts])[:6]
    shift = torch.cat([part[1].pose.shift for part in parts])[:6]
    assert torch.equal(views.pose.rotation, rotation)
    assert torch.equal(views.pose.shift, shift)


def test_a_part_of_the_first_chunk_needs_no_other(tmp_path, make_views):
    stars = write_chunks(tmp_path, make_views)
    (images,) = read_first_images(stars[:1], 3)
    assert torch.equal(images, read_all(stars[0])[0][:3])


def test_joined_table_points_to_the_chunks(tmp_path, make_views):
    stars = write_chunks(tmp_path, make_views)
    every = torch.cat([read_all(chunk)[0] for chunk in stars])
    join_tables(tmp_path / "most.star", stars, len(every) - 1)
    images, _ = read_all(tmp_path / "most.star")
    assert torch.equal(images, every[:-1])
    names = starfile.read(tmp_path / "most.star")["particles"]["rlnImageName"]
    assert names.iloc[4] == f"000001@{tmp_path / '1.mrcs'}"
