import mrcfile
import numpy as np
import pytest

from equicryo.io.stacks import LABEL, map_stack, read_stack_header, write_stack

COUNT, BOX, PIXEL_SIZE = 7, 16, 1.5  # of the fixtures


def test_stack_is_one_for_mrcfile(star, images) -> None:
    path = star.stack
    assert mrcfile.validate(path)
    with mrcfile.open(path) as file:
        assert file.is_image_stack()
        assert file.data.dtype == np.float32
        np.testing.assert_array_equal(file.data, images)
        assert file.voxel_size.x == pytest.approx(PIXEL_SIZE)
        assert file.get_labels() == [LABEL]  # and no date
        assert file.header.dmean == pytest.approx(images.mean().item(), abs=1e-6)


def test_a_stack_of_the_wrong_length_is_not_left_behind(tmp_path, images) -> None:
    for count in (COUNT - 1, COUNT + 1):
        with pytest.raises(ValueError, match="announced"):
            write_stack(tmp_path / "short.mrcs", [images], count, BOX, PIXEL_SIZE)
    assert not list(tmp_path.iterdir())


def test_images_stay_on_the_disk_until_they_are_asked_for(tmp_path) -> None:
    """Ten gigabytes of holes: to read them all would not fit in memory."""
    count = 40_000
    path = tmp_path / "huge.mrcs"
    with mrcfile.new(path) as file:
        file.set_data(np.zeros((1, 512, 512), dtype=np.int8))
        file.set_image_stack()
        file.header.nz = file.header.mz = count
    with path.open("r+b") as file:
        file.truncate(1024 + count * 512 * 512)
        file.seek(1024 + (count - 1) * 512 * 512)
        file.write(b"\x03\xfd")
    pixels = map_stack(read_stack_header(path))
    assert pixels.shape == (count, 512, 512)
    assert pixels[count - 1, 0, :2].tolist() == [3, -3]
    assert not pixels[0].any()
