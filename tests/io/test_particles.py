from dataclasses import replace
from pathlib import Path

import mrcfile
import numpy as np
import pandas as pd
import pytest
import starfile
import torch
from scipy.spatial.transform import Rotation

from equicryo.io.particle_table import select_views, warn_of_aliasing
from equicryo.io.particles import read_batches, read_particles
from equicryo.io.relion import write_particles
from equicryo.io.stacks import write_stack
from equicryo.physics.compression import compress_images
from equicryo.physics.noise import white_power

COUNT, BOX, PIXEL_SIZE = 7, 16, 1.5  # of the fixtures


def load(star, root: Path | None = None) -> torch.Tensor:
    particles = read_particles(star.path, root)
    batches = read_batches(particles, 0, len(particles))
    return torch.cat([images for images, _ in batches])


def test_views_and_images_return(star, views, images) -> None:
    particles = read_particles(star.path)
    ((found, again),) = read_batches(particles, 0, COUNT)
    assert torch.equal(found, images.double())
    assert again.optics == views.optics
    for part in ("defocus", "pose"):
        for name, value in vars(getattr(views, part)).items():
            # Twelve digits in the file, degrees, and sums U ± V of up to 1e4 Å.
            actual = getattr(getattr(again, part), name)
            torch.testing.assert_close(actual, value, atol=1e-7, rtol=1e-10)


def test_a_range_is_read_in_the_tables_order(star, images) -> None:
    particles = read_particles(star.path)
    ((found, _),) = read_batches(particles, 2, 5)
    assert torch.equal(found, images[2:5].double())


def test_file_means_what_relion_means(star, views) -> None:
    """From the labels' definitions: degrees, kV, mm, ZYZ angles, minus the shift."""
    tables = starfile.read(star.path)
    optics, table = tables["optics"].iloc[0], tables["particles"]
    assert optics["rlnVoltage"] == 200.0
    assert optics["rlnSphericalAberration"] == 2.7
    assert optics["rlnImagePixelSize"] == PIXEL_SIZE
    angles = table[["rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi"]].to_numpy()
    rotation = Rotation.from_euler("ZYZ", angles, degrees=True).inv().as_matrix()
    np.testing.assert_allclose(rotation, views.pose.rotation, atol=1e-9)
    origin = table[["rlnOriginXAngst", "rlnOriginYAngst"]].to_numpy()
    np.testing.assert_allclose(origin, -views.pose.shift.numpy(), atol=1e-9)
    spread = (table["rlnDefocusU"] - table["rlnDefocusV"]) / 2
    np.testing.assert_allclose(spread, views.defocus.astigmatism, atol=1e-7)
    names = table["rlnImageName"]
    assert names[0] == "000001@results/images/test/particles.mrcs"


def test_equal_content_gives_equal_bytes(star, views, images) -> None:
    again = star.path.parent / "again.mrcs"
    write_stack(again, [images], COUNT, BOX, PIXEL_SIZE)
    assert again.read_bytes() == star.stack.read_bytes()
    write_particles("again.star", views, star.stack)
    assert Path("again.star").read_bytes() == star.path.read_bytes()


def test_a_shuffled_table_gives_the_same_normal_equations(star) -> None:
    power = white_power(1.0, BOX)

    def compress() -> tuple[torch.Tensor, str]:
        particles = read_particles(star.path)
        normal = compress_images(read_batches(particles, 0, COUNT), power, BOX)
        return normal.b, normal.input_sha256

    b, digest = compress()
    tables = starfile.read(star.path)
    tables["particles"] = tables["particles"].sample(frac=1, random_state=1)
    assert tables["particles"].index[0] != 0
    starfile.write(tables, star.path, float_format="%.12g")
    shuffled, shuffled_digest = compress()
    # finufft's accuracy of 1e-9.
    atol = 1e-8 * b.abs().max().item()
    torch.testing.assert_close(shuffled, b, atol=atol, rtol=0.0)
    assert shuffled_digest == digest


def test_several_stacks_are_honoured(star, images) -> None:
    second = star.path.parent / "second.mrcs"
    write_stack(second, [images[4:].flip(0)], 3, BOX, PIXEL_SIZE)

    def move(_: pd.DataFrame, table: pd.DataFrame) -> None:
        table["rlnImageName"] = [
            *table["rlnImageName"][:4],
            *(f"{3 - index}@{second}" for index in range(3)),
        ]

    star.edit(move)
    assert torch.equal(load(star), images.double())


def test_optics_groups_are_kept_apart(star, images) -> None:
    def split(optics: pd.DataFrame, table: pd.DataFrame) -> None:
        optics.loc[1] = optics.loc[0]
        optics.loc[1, ["rlnOpticsGroup", "rlnVoltage"]] = [5, 300.0]
        table["rlnOpticsGroup"] = [1, 5, 1, 5, 1, 5, 1]

    star.edit(split)
    batches = list(read_batches(read_particles(star.path), 0, COUNT))
    assert [views.optics.voltage for _, views in batches] == [2e5, 3e5]
    assert torch.equal(batches[0][0], images[::2].double())
    assert torch.equal(batches[1][0], images[1::2].double())


def test_relion_3_0_tables_are_read(star, views) -> None:
    """One table, origins in pixels, pixel size from detector and magnification."""
    table = starfile.read(star.path)["particles"].drop(columns="rlnOpticsGroup")
    for axis in "XY":
        angstrom = table.pop(f"rlnOrigin{axis}Angst")
        table[f"rlnOrigin{axis}"] = angstrom / PIXEL_SIZE
    table["rlnVoltage"], table["rlnSphericalAberration"] = 200.0, 2.7
    table["rlnAmplitudeContrast"] = 0.07
    table["rlnDetectorPixelSize"], table["rlnMagnification"] = 15.0, 1e5
    starfile.write({"": table}, star.path, float_format="%.12g")
    particles = read_particles(star.path)
    assert particles.groups == (views.optics,)
    torch.testing.assert_close(
        particles.pose.shift, views.pose.shift, atol=1e-9, rtol=0.0
    )


@pytest.mark.parametrize("version", ["40001", "50001"])
def test_later_versions_are_read(star, images, version: str) -> None:
    star.path.write_text(star.path.read_text().replace("30001", version))
    assert torch.equal(load(star), images.double())


@pytest.mark.parametrize("kind", [np.int8, np.int16, np.uint16, np.float16])
def test_other_pixel_types_are_read(star, kind: type) -> None:
    pixels = np.random.default_rng(0).integers(0, 100, (COUNT, BOX, BOX)).astype(kind)
    with mrcfile.new(star.stack, pixels, overwrite=True) as file:
        file.set_image_stack()
        file.voxel_size = PIXEL_SIZE
    np.testing.assert_array_equal(load(star), pixels)


def test_big_endian_stacks_are_read(star, images) -> None:
    with mrcfile.new(star.stack, overwrite=True) as file:
        file.set_data(images.numpy().astype(">f4"))
        file.voxel_size = PIXEL_SIZE
    assert torch.equal(load(star), images.double())


def test_images_are_found_from_root_or_beside_the_star(star, images, tmp_path) -> None:
    def shorten(_: pd.DataFrame, table: pd.DataFrame) -> None:
        names = table["rlnImageName"].str.replace("results/images/test/", "")
        table["rlnImageName"] = names

    assert torch.equal(load(star, tmp_path), images.double())
    star.edit(shorten)
    assert torch.equal(load(star), images.double())
    assert torch.equal(load(star, star.path.parent), images.double())


def test_an_aliased_stack_is_accepted_with_one_warning(star, caplog) -> None:
    """16 pixels of 1.5 Å hold no CTF of 0.5-1 µm; in a box of 10 µm it fits."""
    particles = read_particles(star.path)
    warn_of_aliasing(particles, 10.0)
    (record,) = caplog.records
    assert f"{COUNT} of {COUNT} particles" in record.getMessage()
    caplog.clear()
    roomy = replace(particles.groups[0], box_size=1000)
    warn_of_aliasing(replace(particles, groups=(roomy,)), 10.0)
    assert not caplog.records


def test_views_of_several_groups_are_refused(star) -> None:
    particles = read_particles(star.path)
    groups, group = particles.groups * 2, np.arange(COUNT) % 2
    mixed = replace(particles, groups=groups, group=group)
    with pytest.raises(ValueError, match="2 optics groups"):
        select_views(mixed, np.arange(COUNT))
