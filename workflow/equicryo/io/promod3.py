"""The protein chains of ProMod3's structure database, read as a stream.

The Debian package promod3-data holds `structure_db.dat`: 21,119 chains of the PDB with
backbone coordinates, behind which come surface and profile data not read here. All
integers are little-endian: a header of 77 bytes; u64 chains; of each chain u32 and
PDB id, u32 and chain name, u32 first residue, u16 residues, u16 first residue number,
3 × f32 origin; u64 residues and one letter each; u64 residues and N, Cα, C, O of each
as 3 × u16 in 0.01 Å from the chain's origin.
"""

import lzma
import struct
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

import numpy as np
from jaxtyping import Int32

from equicryo.errors import InputError
from equicryo.structure.chain_set import ChainSet

MEMBER = "structure_db.dat"
HEADER_BYTES = 77
MAGIC, VERSION = 1234, 2
SMALLEST_RECORD = 28
"""Bytes of a chain's record with empty names."""
LONGEST_NAME = 16
BYTES_PER_RESIDUE = 4 * 3 * 2
ALPHA_CARBON = 1
"""Place of Cα among the four atoms."""
RESIDUES_AT_ONCE = 1 << 16
AR_MAGIC = b"!<arch>\n"
AR_HEADER_BYTES = 60
ADVICE = "take promod3-data 3.2.1 from Debian, or the file from inside it"


@dataclass(frozen=True)
class _Record:
    name: str
    first: int
    residues: int


def read_database(path: str | Path) -> ChainSet:
    """Read the chains of the database.

    Args:
        path: the Debian package (.deb), or `structure_db.dat` from inside it. Neither
            is unpacked on disk, and what lies behind the coordinates is not read.

    Returns:
        All chains in the order of the file, except empty ones and those wider than
        the ±327 Å of 16-bit positions.

    Raises:
        InputError: the file is missing, damaged or no such database. Counts in it are
            held against its size before memory is taken.
    """
    path = Path(path)
    try:
        with _open_database(path) as (file, size):
            return _parse(_Stream(file, size, path))
    except (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError) as error:
        raise InputError(
            f"{path}: damaged Debian package ({error}): {ADVICE}"
        ) from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error}): {ADVICE}") from error


class _Stream:
    """A file of known size that is read once, from front to end."""

    def __init__(self, file: BufferedReader, size: int, path: Path) -> None:
        self._file, self._left, self._path = file, size, path

    def take(self, count: int) -> bytes:
        """Read exactly so many bytes."""
        self.require(count)
        data = self._file.read(count)
        if len(data) != count:
            raise self.error("it ends too early")
        self._left -= count
        return data

    def unpack(self, layout: str) -> tuple:
        """Read numbers in a `struct` layout."""
        return struct.unpack(layout, self.take(struct.calcsize(layout)))

    def require(self, count: int) -> None:
        """Refuse a count of bytes that the rest of the file cannot hold."""
        if count > self._left:
            raise self.error(f"{count} bytes are announced, {self._left} are left")

    def error(self, reason: str) -> InputError:
        """Describe what is wrong with the file."""
        return InputError(
            f"{self._path}: no ProMod3 structure database ({reason}): {ADVICE}"
        )


@contextmanager
def _open_database(path: Path) -> Iterator[tuple[BufferedReader, int]]:
    """Open the database and tell its size, inside a package or by itself."""
    with path.open("rb") as file:
        packed = file.read(len(AR_MAGIC)) == AR_MAGIC
        file.seek(0)
        if not packed:
            yield file, path.stat().st_size
            return
        _seek_data(file, path)
        with tarfile.open(fileobj=file, mode="r|*") as archive:
            for member in archive:
                if member.isfile() and Path(member.name).name == MEMBER:
                    yield archive.extractfile(member), member.size
                    return
        raise InputError(f"{path}: no {MEMBER} in this Debian package: {ADVICE}")


def _seek_data(file: BufferedReader, path: Path) -> None:
    """Move to the data archive, the last member of a Debian package."""
    file.seek(len(AR_MAGIC))
    while len(header := file.read(AR_HEADER_BYTES)) == AR_HEADER_BYTES:
        if header.startswith(b"data.tar"):
            return
        size = header[48:58].strip()
        if not size.isdigit():
            break
        file.seek(int(size) + int(size) % 2, 1)
    raise InputError(f"{path}: no data archive in this Debian package: {ADVICE}")


def _parse(stream: _Stream) -> ChainSet:
    header = stream.take(HEADER_BYTES)
    if struct.unpack_from("<II", header) != (MAGIC, VERSION):
        raise stream.error(f"it begins with {header[:8].hex(' ')}")
    records = _read_records(stream)
    (residues,) = stream.unpack("<Q")
    letters = stream.take(residues).decode("latin-1")
    if stream.unpack("<Q") != (residues,):
        raise stream.error("letters and coordinates differ in number")
    if any(record.first + record.residues > residues for record in records):
        raise stream.error("a chain ends behind the last residue")
    if sum(record.residues for record in records) > residues:
        raise stream.error("its chains overlap")
    positions = _read_alpha_carbons(stream, residues)
    kept, steps = [], []
    for record in records:
        centred = _centre(positions[record.first : record.first + record.residues])
        if len(centred) and np.abs(centred).max() <= np.iinfo(np.int16).max:
            kept.append(record)
            steps.append(centred.astype(np.int16))
    if not kept:
        raise stream.error("it has no chains")
    spans = (slice(record.first, record.first + record.residues) for record in kept)
    try:
        return ChainSet(
            ids=tuple(record.name for record in kept),
            lengths=np.array([record.residues for record in kept], dtype=np.int64),
            sequence="".join(letters[span] for span in spans),
            steps=np.concatenate(steps),
        )
    except ValueError as error:
        raise stream.error(str(error)) from error


def _read_records(stream: _Stream) -> list[_Record]:
    (chains,) = stream.unpack("<Q")
    stream.require(chains * SMALLEST_RECORD)
    records = []
    for _ in range(chains):
        entry, chain = _read_name(stream), _read_name(stream)
        first, residues = stream.unpack("<IHH12x")[:2]
        records.append(_Record(f"{entry}_{chain}", first, residues))
    return records


def _read_name(stream: _Stream) -> str:
    (length,) = stream.unpack("<I")
    if length > LONGEST_NAME:
        raise stream.error(f"a name of {length} letters")
    return stream.take(length).decode("latin-1")


def _read_alpha_carbons(
    stream: _Stream, residues: int
) -> Int32[np.ndarray, "residue 3"]:
    stream.require(residues * BYTES_PER_RESIDUE)
    blocks = [np.empty((0, 3), np.int32)]
    for done in range(0, residues, RESIDUES_AT_ONCE):
        count = min(RESIDUES_AT_ONCE, residues - done)
        block = np.frombuffer(stream.take(count * BYTES_PER_RESIDUE), "<u2")
        blocks.append(block.reshape(count, 4, 3)[:, ALPHA_CARBON].astype(np.int32))
    return np.concatenate(blocks)


def _centre(
    positions: Int32[np.ndarray, "residue 3"],
) -> Int32[np.ndarray, "residue 3"]:
    if not len(positions):
        return positions
    return positions - np.rint(positions.mean(axis=0)).astype(np.int32)
