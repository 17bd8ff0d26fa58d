from pathlib import Path

import numpy as np
import pytest

from equicryo.errors import InputError
from equicryo.io.arrays import read_arrays, write_arrays

ARRAYS = {"numbers": np.arange(6.0).reshape(2, 3), "text": np.array("GAS")}


def test_arrays_come_back_as_they_were(tmp_path: Path) -> None:
    write_arrays(tmp_path / "a.npz", ARRAYS)
    found = read_arrays(tmp_path / "a.npz", ["numbers", "text"])
    np.testing.assert_array_equal(found["numbers"], ARRAYS["numbers"])
    assert found["numbers"].dtype == np.float64
    assert str(found["text"]) == "GAS"


def test_python_objects_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="'names' holds Python objects"):
        write_arrays(tmp_path / "a.npz", {"names": np.array(["a", None])})
    assert list(tmp_path.iterdir()) == []


def test_python_objects_are_not_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", names=np.array(["a", None]))
    with pytest.raises(InputError, match="not a readable"):
        read_arrays(tmp_path / "a.npz", ["names"])


def test_a_missing_array_is_named(tmp_path: Path) -> None:
    write_arrays(tmp_path / "a.npz", ARRAYS)
    with pytest.raises(InputError, match="no array extra among numbers, text"):
        read_arrays(tmp_path / "a.npz", ["text", "extra"])


def test_a_missing_or_truncated_file_is_one_message(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with pytest.raises(InputError, match="no such file"):
        read_arrays(path, ["text"])
    write_arrays(path, ARRAYS)
    whole = path.read_bytes()
    for size in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(InputError, match="not a readable"):
            read_arrays(path, ["text"])
