"""Small JSON documents with the same bytes for the same content."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from equicryo.errors import InputError
from equicryo.io.files import replace_atomically


def write_document(path: str | Path, content: Mapping[str, Any]) -> None:
    """Write a JSON object with sorted keys.

    Args:
        path: of the file, replaced as a whole.
        content: texts, finite numbers, None, and lists or mappings of them.

    Raises:
        ValueError: a number is infinite or not a number, which JSON cannot hold.
    """
    text = json.dumps(
        content, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False
    )
    with replace_atomically(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def read_document(path: str | Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        InputError: the file is missing, damaged or holds something else.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(
            f"{path}: not a readable JSON document ({error}): delete it to have it "
            "made anew"
        ) from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: holds a {type(content).__name__}, not an object")
    return content
