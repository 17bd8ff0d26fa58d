import hashlib
from pathlib import Path

import pytest

from equicryo.io.files import file_sha256, replace_atomically


def test_a_written_file_takes_its_place(tmp_path: Path) -> None:
    path = tmp_path / "new" / "table.csv"
    with replace_atomically(path) as temporary:
        assert temporary.parent == path.parent
        assert temporary.suffix == ".csv"
        temporary.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("old")

    def fail_halfway() -> None:
        with replace_atomically(path) as temporary:
            temporary.write_text("ha")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail_halfway()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_writing_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), replace_atomically(tmp_path / "table.csv"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_sha256_equals_that_of_the_bytes(tmp_path: Path) -> None:
    content = bytes(range(256)) * 5000
    (tmp_path / "data").write_bytes(content)
    expected = hashlib.sha256(content).hexdigest()
    assert file_sha256(tmp_path / "data") == expected
