import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import mrcfile
import numpy as np
import pandas as pd
import pytest
import starfile
import torch
from scipy.spatial.transform import Rotation

from equicryo.errors import InputError
from equicryo.io.particles import (
    read_batches,
    read_particles,
    select_views,
    warn_of_aliasing,
    write_particles,
)
from equicryo.io.stacks import LABEL, write_stack
from equicryo.physics.compression import compress_images
from equicryo.physics.noise import white_power
from equicryo.physics.optics import Defocus, Optics
from equicryo.physics.pose import Pose, Views
from equicryo.physics.rotations import draw_rotations

COUNT = 7
BOX = 16
PIXEL_SIZE = 1.5


@pytest.fixture
def views() -> Views:
    generator = torch.Generator().manual_seed(0)

    def uniform(low: float, high: float) -> torch.Tensor:
        unit = torch.rand(COUNT, dtype=torch.float64, generator=generator)
        return low + (high - low) * unit

    return Views(
        optics=Optics(
            voltage=2e5,
            spherical_aberration=2.7e7,
            amplitude_contrast=0.07,
            pixel_size=PIXEL_SIZE,
            box_size=BOX,
        ),
        defocus=Defocus(
            mean=uniform(5e3, 1e4),
            astigmatism=uniform(0, 300),
            angle=uniform(0, 3),
            phase_shift=uniform(0, 1),
            b_factor=uniform(0, 40),
        ),
        pose=Pose(
            rotation=draw_rotations(COUNT, generator=generator),
            shift=torch.stack([uniform(-3, 3), uniform(-3, 3)], dim=-1),
        ),
    )


@pytest.fixture
def images() -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(COUNT, BOX, BOX, generator=generator)


@pytest.fixture
def star(tmp_path, monkeypatch, views, images) -> Path:
    """A stack and its STAR file, written as from a repository's root."""
    monkeypatch.chdir(tmp_path)
    folder = Path("results/images/test")
    grid = (COUNT, BOX, PIXEL_SIZE)
    write_stack(folder / "particles.mrcs", images.split(3), *grid)
    write_particles(folder / "particles.star", views, folder / "particles.mrcs")
    return folder / "particles.star"


def edit(star: Path, change: Callable[[pd.DataFrame, pd.DataFrame], None]) -> None:
    """Change the optics and particles tables of a STAR file in place."""
    blocks = starfile.read(star)
    change(blocks["optics"], blocks["particles"])
    starfile.write(blocks, star, float_format="%.12g")


def load(star: Path, root: Path | None = None) -> torch.Tensor:
    particles = read_particles(star, root)
    batches = read_batches(particles, 0, len(particles))
    return torch.cat([images for images, _ in batches])


def test_views_and_images_return(star, views, images) -> None:
    particles = read_particles(star)
    ((found, again),) = read_batches(particles, 0, COUNT)
    assert torch.equal(found, images.double())
    assert again.optics == views.optics
    for part in ("defocus", "pose"):
        for name, value in vars(getattr(views, part)).items():
            # Twelve digits in the file, degrees, and sums U ± V of up to 1e4 Å.
            actual = getattr(getattr(again, part), name)
            torch.testing.assert_close(actual, value, atol=1e-7, rtol=1e-10)


def test_a_range_is_read_in_the_tables_order(star, images) -> None:
    particles = read_particles(star)
    ((found, _),) = read_batches(particles, 2, 5)
    assert torch.equal(found, images[2:5].double())


def test_file_means_what_relion_means(star, views) -> None:
    """From the labels' definitions: degrees, kV, mm, ZYZ angles, minus the shift."""
    tables = starfile.read(star)
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


def test_stack_is_one_for_mrcfile(star, images) -> None:
    path = star.with_suffix(".mrcs")
    assert mrcfile.validate(path)
    with mrcfile.open(path) as file:
        assert file.is_image_stack()
        assert file.data.dtype == np.float32
        np.testing.assert_array_equal(file.data, images)
        assert file.voxel_size.x == pytest.approx(PIXEL_SIZE)
        assert file.get_labels() == [LABEL]  # and no date
        assert file.header.dmean == pytest.approx(images.mean().item(), abs=1e-6)


def test_equal_content_gives_equal_bytes(star, views, images) -> None:
    again = star.parent / "again.mrcs"
    write_stack(again, [images], COUNT, BOX, PIXEL_SIZE)
    assert again.read_bytes() == star.with_suffix(".mrcs").read_bytes()
    write_particles("again.star", views, star.with_suffix(".mrcs"))
    assert Path("again.star").read_bytes() == star.read_bytes()


def test_a_shuffled_table_gives_the_same_normal_equations(star) -> None:
    power = white_power(1.0, BOX)

    def compress() -> tuple[torch.Tensor, str]:
        particles = read_particles(star)
        normal = compress_images(read_batches(particles, 0, COUNT), power, BOX)
        return normal.b, normal.input_sha256

    b, digest = compress()
    tables = starfile.read(star)
    tables["particles"] = tables["particles"].sample(frac=1, random_state=1)
    assert tables["particles"].index[0] != 0
    starfile.write(tables, star, float_format="%.12g")
    shuffled, shuffled_digest = compress()
    # finufft's accuracy of 1e-9.
    atol = 1e-8 * b.abs().max().item()
    torch.testing.assert_close(shuffled, b, atol=atol, rtol=0.0)
    assert shuffled_digest == digest


def test_several_stacks_are_honoured(star, images) -> None:
    second = star.parent / "second.mrcs"
    write_stack(second, [images[4:].flip(0)], 3, BOX, PIXEL_SIZE)

    def move(_: pd.DataFrame, table: pd.DataFrame) -> None:
        table["rlnImageName"] = [
            *table["rlnImageName"][:4],
            *(f"{3 - index}@{second}" for index in range(3)),
        ]

    edit(star, move)
    assert torch.equal(load(star), images.double())


def test_optics_groups_are_kept_apart(star, images) -> None:
    def split(optics: pd.DataFrame, table: pd.DataFrame) -> None:
        optics.loc[1] = optics.loc[0]
        optics.loc[1, ["rlnOpticsGroup", "rlnVoltage"]] = [5, 300.0]
        table["rlnOpticsGroup"] = [1, 5, 1, 5, 1, 5, 1]

    edit(star, split)
    batches = list(read_batches(read_particles(star), 0, COUNT))
    assert [views.optics.voltage for _, views in batches] == [2e5, 3e5]
    assert torch.equal(batches[0][0], images[::2].double())
    assert torch.equal(batches[1][0], images[1::2].double())


def test_relion_3_0_tables_are_read(star, views) -> None:
    """One table, origins in pixels, pixel size from detector and magnification."""
    table = starfile.read(star)["particles"].drop(columns="rlnOpticsGroup")
    for axis in "XY":
        angstrom = table.pop(f"rlnOrigin{axis}Angst")
        table[f"rlnOrigin{axis}"] = angstrom / PIXEL_SIZE
    table["rlnVoltage"], table["rlnSphericalAberration"] = 200.0, 2.7
    table["rlnAmplitudeContrast"] = 0.07
    table["rlnDetectorPixelSize"], table["rlnMagnification"] = 15.0, 1e5
    starfile.write({"": table}, star, float_format="%.12g")
    particles = read_particles(star)
    assert particles.groups == (views.optics,)
    torch.testing.assert_close(
        particles.pose.shift, views.pose.shift, atol=1e-9, rtol=0.0
    )


@pytest.mark.parametrize("version", ["40001", "50001"])
def test_later_versions_are_read(star, images, version: str) -> None:
    star.write_text(star.read_text().replace("30001", version))
    assert torch.equal(load(star), images.double())


@pytest.mark.parametrize("kind", [np.int8, np.int16, np.uint16, np.float16])
def test_other_pixel_types_are_read(star, kind: type) -> None:
    pixels = np.random.default_rng(0).integers(0, 100, (COUNT, BOX, BOX)).astype(kind)
    with mrcfile.new(star.with_suffix(".mrcs"), pixels, overwrite=True) as file:
        file.set_image_stack()
        file.voxel_size = PIXEL_SIZE
    np.testing.assert_array_equal(load(star), pixels)


def test_big_endian_stacks_are_read(star, images) -> None:
    with mrcfile.new(star.with_suffix(".mrcs"), overwrite=True) as file:
        file.set_data(images.numpy().astype(">f4"))
        file.voxel_size = PIXEL_SIZE
    assert torch.equal(load(star), images.double())


def test_images_are_found_from_root_or_beside_the_star(star, images, tmp_path) -> None:
    def shorten(_: pd.DataFrame, table: pd.DataFrame) -> None:
        names = table["rlnImageName"].str.replace("results/images/test/", "")
        table["rlnImageName"] = names

    assert torch.equal(load(star, tmp_path), images.double())
    edit(star, shorten)
    assert torch.equal(load(star), images.double())
    assert torch.equal(load(star, star.parent), images.double())


def test_an_aliased_stack_is_accepted_with_one_warning(star, caplog) -> None:
    """16 pixels of 1.5 Å hold no CTF of 0.5-1 µm; in a box of 10 µm it fits."""
    particles = read_particles(star)
    warn_of_aliasing(particles, 10.0)
    (record,) = caplog.records
    assert f"{COUNT} of {COUNT} particles" in record.getMessage()
    caplog.clear()
    roomy = replace(particles.groups[0], box_size=1000)
    warn_of_aliasing(replace(particles, groups=(roomy,)), 10.0)
    assert not caplog.records


def test_views_of_several_groups_are_refused(star) -> None:
    particles = read_particles(star)
    groups, group = particles.groups * 2, np.arange(COUNT) % 2
    mixed = replace(particles, groups=groups, group=group)
    with pytest.raises(ValueError, match="2 optics groups"):
        select_views(mixed, np.arange(COUNT))


def remove_stack(star: Path) -> None:
    star.with_suffix(".mrcs").unlink()


def truncate_stack(star: Path) -> None:
    stack = star.with_suffix(".mrcs")
    stack.write_bytes(stack.read_bytes()[:-100])


def cut_header(star: Path) -> None:
    star.with_suffix(".mrcs").write_bytes(b"MRC")


def ask_for_too_many(star: Path) -> None:
    edit(star, lambda _, table: _rename(table, 3, "000008@"))


def _rename(table: pd.DataFrame, row: int, number: str) -> None:
    table.loc[row, "rlnImageName"] = number + table["rlnImageName"][row].split("@")[1]


def spoil_pixels(value: float) -> Callable[[Path], None]:
    def spoil(star: Path) -> None:
        with mrcfile.open(star.with_suffix(".mrcs"), mode="r+") as file:
            if math.isnan(value):
                file.data[4, 3, 2] = value
            else:
                file.data[4] = value

    return spoil


def disagree_on_pixel_size(star: Path) -> None:
    edit(star, lambda optics, _: optics.update({"rlnImagePixelSize": [1.2]}))


def disagree_on_box(star: Path) -> None:
    edit(star, lambda optics, _: optics.update({"rlnImageSize": [18]}))


def drop_angles(star: Path) -> None:
    edit(star, lambda _, table: table.pop("rlnAngleTilt"))


def drop_voltage(star: Path) -> None:
    edit(star, lambda optics, _: optics.pop("rlnVoltage"))


def write_text_for_number(star: Path) -> None:
    def write_text(_: pd.DataFrame, table: pd.DataFrame) -> None:
        table["rlnDefocusU"] = "deep"

    edit(star, write_text)


def empty_file(star: Path) -> None:
    star.write_text("")


def empty_table(star: Path) -> None:
    text = star.read_text()
    star.write_text(text[: text.index("000001@")])


def remove_star(star: Path) -> None:
    star.unlink()


def escape_root(star: Path) -> None:
    def escape(_: pd.DataFrame, table: pd.DataFrame) -> None:
        table["rlnImageName"] = "1@../../../../secret.mrcs"

    edit(star, escape)


def use_absolute_path(star: Path) -> None:
    def escape(_: pd.DataFrame, table: pd.DataFrame) -> None:
        table["rlnImageName"] = "1@/etc/hosts"

    edit(star, escape)


def make_ambiguous(star: Path) -> None:
    copy = star.parent / "results/images/test/particles.mrcs"
    copy.parent.mkdir(parents=True)
    copy.write_bytes(star.with_suffix(".mrcs").read_bytes())


def unknown_version(star: Path) -> None:
    star.write_text(star.read_text().replace("30001", "99999"))


def other_tables(star: Path) -> None:
    star.write_text("data_model\n\nloop_\n_rlnFoo #1\n1\n")


def binary_star(star: Path) -> None:
    star.write_bytes(b"\xff\xfe\x00\x80" * 100)


def bad_name(star: Path) -> None:
    edit(star, lambda _, table: _rename(table, 2, "zero@"))


def unknown_group(star: Path) -> None:
    edit(star, lambda _, table: table.update({"rlnOpticsGroup": [9] * COUNT}))


def negative_voltage(star: Path) -> None:
    edit(star, lambda optics, _: optics.update({"rlnVoltage": [-300.0]}))


def complex_stack(star: Path) -> None:
    pixels = np.zeros((COUNT, BOX, BOX), dtype=np.complex64)
    mrcfile.write(star.with_suffix(".mrcs"), pixels, overwrite=True)


def oblong_stack(star: Path) -> None:
    pixels = np.zeros((COUNT, BOX, BOX + 2), dtype=np.float32)
    mrcfile.write(star.with_suffix(".mrcs"), pixels, overwrite=True)


BAD_INPUT = {
    remove_stack: "no such image stack",
    truncate_stack: "truncated",
    cut_header: "not an MRC image stack",
    ask_for_too_many: "image 8 .* the stack holds 7",
    spoil_pixels(math.nan): "image 5 has pixels that are NaN",
    spoil_pixels(3.0): "image 5 is blank",
    disagree_on_pixel_size: "header says 1.5 Å per pixel, .* 1.2 Å",
    disagree_on_box: "rlnImageSize is 18, .* 16 pixels",
    drop_angles: "no column _rlnAngleTilt",
    drop_voltage: "no column _rlnVoltage",
    write_text_for_number: "expected a finite number",
    empty_file: "the STAR file is empty",
    empty_table: "table is empty|no tables|tables with",
    remove_star: "no such STAR file",
    escape_root: "leads outside",
    use_absolute_path: "leads outside",
    make_ambiguous: "exists in .* and ",
    unknown_version: "version 99999 is not known",
    other_tables: "tables with _rlnImageName",
    binary_star: "not a readable STAR file",
    bad_name: "row 3; expected an image number",
    unknown_group: "optics group 9",
    negative_voltage: "-300 kV",
    complex_stack: "MRC mode 4",
    oblong_stack: "18 × 16 pixels",
}


@pytest.mark.parametrize(
    ("spoil", "message"),
    BAD_INPUT.items(),
    ids=lambda item: getattr(item, "__name__", ""),
)
def test_bad_input_is_refused_in_one_line(star, spoil, message: str) -> None:
    spoil(star)
    with pytest.raises(InputError, match=message) as caught:
        load(star)
    assert "\n" not in str(caught.value)


def test_the_table_of_bad_input_is_not_vacuous(star, images) -> None:
    assert torch.equal(load(star), images.double())
    assert len(BAD_INPUT) >= 10


def test_a_stack_of_the_wrong_length_is_not_left_behind(tmp_path, images) -> None:
    for count in (COUNT - 1, COUNT + 1):
        with pytest.raises(ValueError, match="announced"):
            write_stack(tmp_path / "short.mrcs", [images], count, BOX, PIXEL_SIZE)
    assert not list(tmp_path.iterdir())
