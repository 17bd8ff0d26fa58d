from pathlib import Path

import gemmi
import mrcfile
import numpy as np
import pytest

from equicryo.errors import InputError
from equicryo.io.maps import DensityMap, read_map, write_map

VOLUME = np.random.default_rng(0).normal(size=(6, 7, 8)).astype(np.float32)
PIXEL_SIZE = 1.25


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "map.mrc"
    write_map(path, DensityMap(volume=VOLUME, pixel_size=PIXEL_SIZE))
    return path


def test_a_map_comes_back_exactly(path: Path) -> None:
    found = read_map(path)
    np.testing.assert_array_equal(found.volume, VOLUME)
    assert found.pixel_size == PIXEL_SIZE


def test_mrcfile_finds_no_fault(path: Path) -> None:
    assert mrcfile.validate(path)


def test_the_origin_puts_coordinate_zero_on_the_middle_voxel(path: Path) -> None:
    with mrcfile.open(path) as file:
        origin = np.array([file.header.origin[axis] for axis in "zyx"], dtype=float)
        voxel = float(file.voxel_size.x)
    np.testing.assert_array_equal(-origin / voxel, [n // 2 for n in VOLUME.shape])


def test_gemmi_reads_x_as_the_fastest_axis(path: Path) -> None:
    grid = gemmi.read_ccp4_map(str(path)).grid
    np.testing.assert_array_equal(grid.array, VOLUME.transpose(2, 1, 0))
    edges = (grid.unit_cell.a, grid.unit_cell.b, grid.unit_cell.c)
    assert edges == (8 * PIXEL_SIZE, 7 * PIXEL_SIZE, 6 * PIXEL_SIZE)


def test_the_header_holds_no_date(path: Path) -> None:
    with mrcfile.open(path) as file:
        assert file.get_labels() == ["equicryo density map"]


def test_integer_maps_are_read_as_numbers(tmp_path: Path) -> None:
    path = tmp_path / "integers.mrc"
    data = np.arange(-60, 60, dtype=np.int16).reshape(4, 5, 6)
    with mrcfile.new(path, data) as file:
        file.voxel_size = 2.0
    np.testing.assert_array_equal(read_map(path).volume, data.astype(np.float32))


def edit_header(path: Path, **values: int) -> None:
    with mrcfile.open(path, mode="r+", permissive=True) as file:
        for name, value in values.items():
            file.header[name] = value


def test_a_truncated_map_is_refused(path: Path) -> None:
    whole = path.read_bytes()
    for size in (0, 500, 1024, len(whole) - 4):
        path.write_bytes(whole[:size])
        with pytest.raises(InputError, match="not a readable MRC map"):
            read_map(path)


def test_a_header_beyond_memory_is_refused_unread(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[0:12] = np.array([30000, 30000, 30000], dtype="<i4").tobytes()
    path.write_bytes(content)
    with pytest.raises(InputError, match="30000 × 30000 × 30000 voxels"):
        read_map(path)


def test_negative_sizes_are_refused(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[0:4] = np.array([-8], dtype="<i4").tobytes()
    path.write_bytes(content)
    with pytest.raises(InputError, match="6 × 7 × -8 voxels"):
        read_map(path)


def test_a_turned_map_is_refused(path: Path) -> None:
    edit_header(path, mapc=3, maps=1)
    with pytest.raises(InputError, match=r"axis order \(3, 2, 1\)"):
        read_map(path)


@pytest.mark.parametrize("size", [(1.0, 1.0, 1.2), (0.0, 0.0, 0.0)])
def test_voxels_that_are_no_cubes_are_refused(path: Path, size: tuple) -> None:
    with mrcfile.open(path, mode="r+") as file:
        file.voxel_size = size
    with pytest.raises(InputError, match="expected cubes"):
        read_map(path)


def test_a_missing_file_and_a_missing_number_are_named(tmp_path: Path) -> None:
    path = tmp_path / "map.mrc"
    with pytest.raises(InputError, match="no such file"):
        read_map(path)
    volume = VOLUME.copy()
    volume[1, 2, 3] = np.nan
    write_map(path, DensityMap(volume=volume, pixel_size=1.0))
    with pytest.raises(InputError, match=r"z, y, x = \(1, 2, 3\) is not finite"):
        read_map(path)
