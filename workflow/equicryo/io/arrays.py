"""Plain NumPy archives (.npz), never with Python objects inside."""

import hashlib
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from equicryo.errors import InputError
from equicryo.io.files import replace_atomically


def write_arrays(path: str | Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write named arrays; equal arrays give equal bytes.

    Args:
        path: a .npz file, replaced as a whole.
        arrays: numbers or fixed-width texts.

    Raises:
        TypeError: an array holds Python objects.
    """
    for name, array in arrays.items():
        if np.asarray(array).dtype.hasobject:
            raise TypeError(f"array {name!r} holds Python objects")
    with replace_atomically(path) as temporary:
        np.savez(temporary, **arrays)


def read_arrays(path: str | Path, names: Iterable[str]) -> dict[str, np.ndarray]:
    """Read named arrays.

    Args:
        path: a .npz file.
        names: the arrays that must be there; others are not read.

    Raises:
        InputError: the file is missing or damaged, or lacks an array.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            missing = sorted(set(names) - set(archive.files))
            if missing:
                found = ", ".join(archive.files)
                raise InputError(
                    f"{path}: no array {', '.join(missing)} among {found}: "
                    "delete the file to have it made anew"
                )
            return {name: archive[name] for name in names}
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{path}: not a readable .npz archive ({error}): delete it to have it "
            "made anew"
        ) from error


def arrays_sha256(*values: np.ndarray | str) -> str:
    """Return the SHA-256 of arrays' shapes, types and numbers, and of texts."""
    digest = hashlib.sha256()
    for value in values:
        array = np.ascontiguousarray(value)
        digest.update(f"{array.shape}{array.dtype.str}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
