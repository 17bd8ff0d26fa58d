import numpy as np
import pytest
import starfile
import torch

from equicryo.errors import InputError
from equicryo.io.particles import read_batches, read_particles
from equicryo.io.selection import write_selection
from equicryo.physics.compression import compress_images
from equicryo.physics.noise import white_power
from equicryo.physics.normal_equations import NormalEquations

COUNT, BOX = 7, 16  # of the fixtures
ROWS = np.array([5, 0, 3])


def compress(path) -> NormalEquations:
    particles = read_particles(path)
    batches = read_batches(particles, 0, len(particles))
    return compress_images(batches, white_power(1.0, BOX), BOX)


@pytest.fixture
def table(request):
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("table", ["star", "cs"], indirect=True)
def test_a_selection_has_the_normal_equations_of_its_images(table) -> None:
    chosen = table.path.with_stem("chosen")
    write_selection(table.path, ROWS, chosen)
    particles = read_particles(table.path)[ROWS]
    batches = read_batches(particles, 0, len(ROWS))
    expected = compress_images(batches, white_power(1.0, BOX), BOX)
    actual = compress(chosen)
    assert torch.equal(actual.b, expected.b)
    assert torch.equal(actual.kernel, expected.kernel)
    assert actual.input_sha256 == expected.input_sha256


@pytest.mark.parametrize("table", ["star", "cs"], indirect=True)
def test_parts_of_a_table_add_up_to_it(table) -> None:
    """Every particle once, in an order of no meaning."""
    digests = []
    for part in np.split(np.random.default_rng(0).permutation(COUNT), [3]):
        write_selection(table.path, part, table.path.with_stem("part"))
        digests.append(int(compress(table.path.with_stem("part")).input_sha256, 16))
    whole = int(compress(table.path).input_sha256, 16)
    assert sum(digests) % (1 << 256) == whole


def test_a_stars_columns_optics_and_digits_are_kept(star) -> None:
    """Columns that are not ours, two optics groups, text with spaces at its end."""

    def enrich(optics, particles) -> None:
        optics.loc[1] = optics.loc[0]
        optics.loc[1, ["rlnOpticsGroup", "rlnOpticsGroupName"]] = [2, "second"]
        particles["rlnOpticsGroup"] = [1, 2] * 3 + [1]
        particles["rlnGroupName"] = [f"group_{row}" for row in range(COUNT)]
        particles["rlnNormCorrection"] = [0.1 + row for row in range(COUNT)]

    star.edit(enrich)
    chosen = star.path.with_stem("chosen")
    write_selection(star.path, ROWS, chosen)
    before, after = starfile.read(star.path), starfile.read(chosen)
    assert before["optics"].equals(after["optics"])
    kept = before["particles"].iloc[ROWS].reset_index(drop=True)
    assert kept.equals(after["particles"])
    lines = star.path.read_text().splitlines()
    assert set(chosen.read_text().splitlines()) < set(lines)


def test_relion_3_0_and_a_last_line_without_its_end(star) -> None:
    table = starfile.read(star.path)["particles"].drop(columns="rlnOpticsGroup")
    table["rlnVoltage"], table["rlnSphericalAberration"] = 200.0, 2.7
    table["rlnAmplitudeContrast"], table["rlnImagePixelSize"] = 0.07, 1.5
    starfile.write({"": table}, star.path, float_format="%.12g")
    star.path.write_text(star.path.read_text().rstrip())
    write_selection(star.path, np.array([COUNT - 1, 0]), star.path)
    names = starfile.read(star.path)["rlnImageName"]
    assert [name.split("@")[0] for name in names] == ["000007", "000001"]


@pytest.mark.parametrize("rows", [[], [COUNT], [-1]])
@pytest.mark.parametrize("table", ["star", "cs"], indirect=True)
def test_rows_that_are_not_there_are_refused(table, rows: list[int]) -> None:
    chosen = table.path.with_stem("chosen")
    with pytest.raises(InputError, match="of 7 particles"):
        write_selection(table.path, np.array(rows, dtype=np.int64), chosen)
    assert not chosen.exists()
