import json
import math
from pathlib import Path

import pytest

from equicryo.errors import InputError
from equicryo.io.documents import read_document, write_document


def test_document_returns_what_was_written_and_is_plain_json(tmp_path: Path) -> None:
    path = tmp_path / "document.json"
    content = {"b": [0.1 + 0.2, None], "a": {"unit": "Å", "count": 3}}
    write_document(path, content)
    assert read_document(path) == json.loads(path.read_bytes()) == content


def test_equal_content_gives_equal_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    write_document(first, {"a": 1, "b": 2})
    write_document(second, {"b": 2, "a": 1})
    assert first.read_bytes() == second.read_bytes()


def test_infinity_is_refused_and_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_document(tmp_path / "document.json", {"bound": math.inf})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", '{"a": 1', "[1, 2]", None])
def test_a_bad_document_is_an_input_error(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "document.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=r"document\.json"):
        read_document(path)
