"""Writing files so that a reader never sees half of one."""

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from equicryo.errors import InputError

FULL_DISK = tuple(map(os.strerror, (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)))
"""What the system says where there is no room left; libraries quote it in any error."""


@contextmanager
def replace_atomically(path: str | Path) -> Iterator[Path]:
    """Write a file whole or not at all.

    Args:
        path: where the file shall be; its folder is made if missing.

    Yields:
        A new path in the same folder with the same suffix, to be written and closed.
        When the block ends it is flushed to disk and takes the place of `path`; when
        the block raises, or wrote nothing, it is removed and `path` stays as it was.

    Raises:
        InputError: the disk is full.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Unlike a fixed name, a unique one keeps two writers of one cached file apart.
    temporary = path.with_name(f".{path.stem}.{uuid4().hex[:8]}{path.suffix}")
    try:
        yield temporary
        _flush(temporary)
        os.replace(temporary, path)
        _flush(path.parent)
    except Exception as error:
        if any(said in str(error) for said in FULL_DISK):
            raise InputError(
                f"{path}: no room left to write it ({error}): free some space on that "
                "disk, or raise the quota, and start again: nothing of it was kept"
            ) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def reserve_space(path: str | Path, size: int) -> None:
    """Take room for a file that will be written through a memory map.

    On a disk that fills up later, a map's writer is killed without a word (SIGBUS).

    Args:
        path: an existing file.
        size: bytes.
    """
    with Path(path).open("r+b") as file:
        os.posix_fallocate(file.fileno(), 0, size)


def copy_file(source: str | Path, destination: str | Path) -> None:
    """Copy a file's bytes."""
    with replace_atomically(destination) as temporary:
        shutil.copyfile(source, temporary)


def file_sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file's bytes, 64 hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush(path: Path) -> None:
    """Ask the system to put a file's bytes, or a folder's entries, on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
