"""Plain NumPy archives (.npz), never with Python objects inside."""

import hashlib
import math
import sys
import zipfile
from collections.abc import Iterable, Mapping
from io import BufferedIOBase
from pathlib import Path

import numpy as np

from equicryo.errors import InputError
from equicryo.io.files import replace_atomically

LARGEST_RATIO = 100
"""Of an array to its bytes in a compressed archive: real numbers stay far below."""


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
    path, names = Path(path), list(names)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        with zipfile.ZipFile(path) as archive:
            found = [name.removesuffix(".npy") for name in archive.namelist()]
            missing = sorted(set(names) - set(found))
            if not missing:
                return {name: _read_member(archive, f"{name}.npy") for name in names}
    # NumPy and zipfile fail on damaged files with whatever their code runs into.
    except Exception as error:
        raise InputError(
            f"{path}: not a readable .npz archive ({error}): delete it to have it "
            "made anew"
        ) from error
    raise InputError(
        f"{path}: no array {', '.join(missing)} among {', '.join(found)}: delete the "
        "file to have it made anew"
    )


def check_forms(
    path: str | Path,
    arrays: Mapping[str, np.ndarray],
    forms: Mapping[str, tuple[type, int]],
) -> None:
    """Refuse arrays of other types or dimensions than were written.

    Args:
        path: of the archive, for the message.
        arrays: as read.
        forms: scalar type and number of dimensions of each; `np.str_` for any length.

    Raises:
        InputError: an array has another form.
    """
    for name, (kind, dimensions) in forms.items():
        array = arrays[name]
        if array.dtype.type is not kind or array.ndim != dimensions:
            raise InputError(
                f"{path}: {name} is {array.dtype} of {array.ndim} dimensions, expected "
                f"{kind.__name__} of {dimensions}: delete the file to have it made anew"
            )


def check_declared_size(file: BufferedIOBase, size: int) -> None:
    """Refuse a .npy header before memory is taken for what it promises.

    Args:
        file: at the start of the header; left after it.
        size: of header and numbers, bytes.

    Raises:
        ValueError: the header promises more or fewer numbers than there are.
    """
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    else:
        shape, _, dtype = np.lib.format.read_array_header_2_0(file)
    declared = file.tell() + math.prod(shape) * dtype.itemsize
    if declared != size:
        raise ValueError(f"{size} bytes, but its header declares {declared}")


def _read_member(archive: zipfile.ZipFile, member: str) -> np.ndarray:
    """Read one array of an archive, its size checked first."""
    entry = archive.getinfo(member)
    if entry.file_size > LARGEST_RATIO * max(entry.compress_size, 1):
        raise ValueError(f"{member} unpacks to {entry.file_size} bytes")
    with archive.open(member) as file:
        check_declared_size(file, entry.file_size)
    with archive.open(member) as file:
        array = np.lib.format.read_array(file, allow_pickle=False)
    if not array.dtype.isnative:
        raise ValueError(f"{member} is of another machine's byte order")
    if array.dtype.kind == "U" and array.size:
        letters = np.ascontiguousarray(array).reshape(-1).view(np.uint32)
        if letters.max(initial=0) > sys.maxunicode:
            raise ValueError(f"{member} is not text")
    return array


def arrays_sha256(*values: np.ndarray | str) -> str:
    """Return the SHA-256 of arrays' shapes, types and numbers, and of texts."""
    digest = hashlib.sha256()
    for value in values:
        array = np.ascontiguousarray(value)
        digest.update(f"{array.shape}{array.dtype.str}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
