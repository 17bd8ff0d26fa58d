import math
from collections.abc import Callable

import mrcfile
import numpy as np
import numpy.lib.recfunctions as rfn
import pandas as pd
import pytest
import torch

from equicryo.errors import InputError
from equicryo.io.particles import read_batches, read_particles

COUNT, BOX = 7, 16  # of the fixtures


def load(table) -> torch.Tensor:
    particles = read_particles(table.path)
    batches = read_batches(particles, 0, len(particles))
    return torch.cat([images for images, _ in batches])


def remove_stack(star) -> None:
    star.stack.unlink()


def truncate_stack(star) -> None:
    stack = star.stack
    stack.write_bytes(stack.read_bytes()[:-100])


def cut_header(star) -> None:
    star.stack.write_bytes(b"MRC")


def ask_for_too_many(star) -> None:
    star.edit(lambda _, table: _rename(table, 3, "000008@"))


def _rename(table: pd.DataFrame, row: int, number: str) -> None:
    table.loc[row, "rlnImageName"] = number + table["rlnImageName"][row].split("@")[1]


def spoil_pixels(value: float) -> Callable:
    def spoil(star) -> None:
        with mrcfile.open(star.stack, mode="r+") as file:
            if math.isnan(value):
                file.data[4, 3, 2] = value
            else:
                file.data[4] = value

    return spoil


def disagree_on_pixel_size(star) -> None:
    star.edit(lambda optics, _: optics.update({"rlnImagePixelSize": [1.2]}))


def disagree_on_box(star) -> None:
    star.edit(lambda optics, _: optics.update({"rlnImageSize": [18]}))


def drop_angles(star) -> None:
    star.edit(lambda _, table: table.pop("rlnAngleTilt"))


def drop_voltage(star) -> None:
    star.edit(lambda optics, _: optics.pop("rlnVoltage"))


def write_text_for_number(star) -> None:
    def write_text(_: pd.DataFrame, table: pd.DataFrame) -> None:
        table["rlnDefocusU"] = "deep"

    star.edit(write_text)


def empty_file(star) -> None:
    star.path.write_text("")


def empty_table(star) -> None:
    text = star.path.read_text()
    star.path.write_text(text[: text.index("000001@")])


def remove_star(star) -> None:
    star.path.unlink()


def escape_root(star) -> None:
    def escape(_: pd.DataFrame, table: pd.DataFrame) -> None:
        table["rlnImageName"] = "1@../../../../secret.mrcs"

    star.edit(escape)


def use_absolute_path(star) -> None:
    def escape(_: pd.DataFrame, table: pd.DataFrame) -> None:
        table["rlnImageName"] = "1@/etc/hosts"

    star.edit(escape)


def make_ambiguous(star) -> None:
    copy = star.path.parent / "results/images/test/particles.mrcs"
    copy.parent.mkdir(parents=True)
    copy.write_bytes(star.stack.read_bytes())


def unknown_version(star) -> None:
    star.path.write_text(star.path.read_text().replace("30001", "99999"))


def other_tables(star) -> None:
    star.path.write_text("data_model\n\nloop_\n_rlnFoo #1\n1\n")


def binary_star(star) -> None:
    star.path.write_bytes(b"\xff\xfe\x00\x80" * 100)


def bad_name(star) -> None:
    star.edit(lambda _, table: _rename(table, 2, "zero@"))


def unknown_group(star) -> None:
    star.edit(lambda _, table: table.update({"rlnOpticsGroup": [9] * COUNT}))


def negative_voltage(star) -> None:
    star.edit(lambda optics, _: optics.update({"rlnVoltage": [-300.0]}))


def complex_stack(star) -> None:
    pixels = np.zeros((COUNT, BOX, BOX), dtype=np.complex64)
    mrcfile.write(star.stack, pixels, overwrite=True)


def flip_phases(star) -> None:
    star.edit(lambda optics, _: optics.insert(0, "rlnCtfDataArePhaseFlipped", 1))


def multiply_by_ctf(star) -> None:
    star.edit(lambda _, table: table.insert(0, "rlnCtfDataAreCtfPremultiplied", 1))


def oblong_stack(star) -> None:
    pixels = np.zeros((COUNT, BOX, BOX + 2), dtype=np.float32)
    mrcfile.write(star.stack, pixels, overwrite=True)


BAD_STAR = {
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
    flip_phases: "PhaseFlipped is set, and the CTF would be applied a second time",
    multiply_by_ctf: "CtfPremultiplied is set",
    negative_voltage: "-300 kV",
    complex_stack: "MRC mode 4",
    oblong_stack: "18 × 16 pixels",
}


def set_field(name: str, value: object) -> Callable:
    def spoil(cs) -> None:
        def change(table: np.ndarray) -> np.ndarray:
            table[name][3] = value
            return table

        cs.edit(change)

    spoil.__name__ = f"set_{name}"
    return spoil


def drop_field(name: str) -> Callable:
    def spoil(cs) -> None:
        cs.edit(lambda table: rfn.repack_fields(rfn.drop_fields(table, name)))

    spoil.__name__ = f"drop_{name}"
    return spoil


def pickle_table(cs) -> None:
    """A header that announces objects: what follows is never looked at."""
    header = {"descr": "|O", "fortran_order": False, "shape": (1,)}
    with cs.path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        file.write(b"objects")


def choose_nothing(cs) -> None:
    cs.edit(lambda table: table[:0])


def plain_array(cs) -> None:
    cs.edit(lambda _: np.ones(3))


def number_for_path(cs) -> None:
    def change(table: np.ndarray) -> np.ndarray:
        rest = rfn.drop_fields(table, "blob/path")
        return rfn.append_fields(rest, "blob/path", np.ones(COUNT), usemask=False)

    cs.edit(change)


BAD_CS = {
    remove_stack: "no such image stack",
    truncate_stack: "truncated",
    cut_header: "not an MRC image stack",
    spoil_pixels(math.nan): "image 5 has pixels that are NaN",
    spoil_pixels(3.0): "image 5 is blank",
    remove_star: "no such .cs file",
    empty_file: "not a readable .cs file",
    binary_star: "not a readable .cs file",
    pickle_table: "not a readable .cs file",
    plain_array: "no table of particles",
    choose_nothing: "table is empty",
    set_field("blob/idx", 7): "image 8 .* the stack holds 7",
    set_field("blob/path", b"../../secret.mrcs"): "leads outside",
    set_field("blob/path", b"\xff"): "not plain text",
    number_for_path: "expected texts",
    set_field("blob/psize_A", 1.2): "pixel sizes from 1.2 to 1.5",
    set_field("blob/shape", 18): "blob/shape is 18, .* 16 pixels",
    set_field("blob/sign", 0.0): "blob/sign is 0 in row 4",
    set_field("ctf/accel_kv", -300.0): "-300 kV",
    set_field("ctf/df1_A", math.nan): "df1_A is nan in row 4",
    set_field("alignments3D/pose", math.inf): "pose is .* in row 4",
    drop_field("alignments3D/pose"): "no field alignments3D/pose",
    drop_field("ctf/df1_A"): "no field ctf/df1_A",
    drop_field("blob/sign"): "no field blob/sign",
}


def name_of(item: object) -> str:
    return getattr(item, "__name__", "")


@pytest.mark.parametrize(("spoil", "message"), BAD_STAR.items(), ids=name_of)
def test_bad_star_input_is_refused_in_one_line(star, spoil, message: str) -> None:
    spoil(star)
    with pytest.raises(InputError, match=message) as caught:
        load(star)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("spoil", "message"), BAD_CS.items(), ids=name_of)
def test_bad_cs_input_is_refused_in_one_line(cs, spoil, message: str) -> None:
    spoil(cs)
    with pytest.raises(InputError, match=message) as caught:
        load(cs)
    assert "\n" not in str(caught.value)


def test_the_tables_of_bad_input_are_not_vacuous(star, cs, images) -> None:
    assert torch.equal(load(star), images.double())
    assert torch.equal(load(cs), images.double())
    assert min(len(BAD_STAR), len(BAD_CS)) >= 20


def test_optics_that_the_model_lacks_are_named(star, cs, caplog) -> None:
    load(star)
    load(cs)
    assert caplog.text == ""

    def tilt(optics: pd.DataFrame, table: pd.DataFrame) -> None:
        optics[["rlnBeamTiltX", "rlnMagMat00"]] = 0.3, 1.0
        optics[["rlnOddZernike", "rlnEvenZernike"]] = "[0,0.01,0]", "[0,0,0]"
        table["rlnCtfScalefactor"] = 1.0

    star.edit(tilt)
    load(star)
    (message,) = caplog.messages
    assert message.endswith("B-factor alone: rlnBeamTiltX, rlnOddZernike")
    caplog.clear()

    anisotropic = np.full((COUNT, 4), 0.01)
    cs.edit(
        lambda table: rfn.merge_arrays(
            [table, anisotropic.view([("ctf/anisomag", "f8", (4,))])[:, 0]],
            flatten=True,
        )
    )
    load(cs)
    (message,) = caplog.messages
    assert message.endswith("B-factor alone: ctf/anisomag")
