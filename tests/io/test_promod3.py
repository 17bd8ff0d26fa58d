import io
import lzma
import struct
import tarfile

import numpy as np
import pytest

from equicryo.errors import InputError
from equicryo.io.chain_sets import read_chain_set, write_chain_set
from equicryo.io.promod3 import HEADER_BYTES, read_database

HEADER = struct.pack("<II", 1234, 2).ljust(HEADER_BYTES, b"\0")
RESIDUES = 9


def name(text: str) -> bytes:
    return struct.pack("<I", len(text)) + text.encode()


def record(entry: str, chain: str, first: int, residues: int) -> bytes:
    place = struct.pack("<IHH3f", first, residues, 7, 1.5, -2.0, 3.0)
    return name(entry) + name(chain) + place


RECORDS = record("1ABC", "A", 0, 4) + record("2XYZ", "B", 4, 5)
ATOMS = np.random.default_rng(0).integers(0, 5000, (RESIDUES, 4, 3)).astype("<u2")


def database(
    *, header=HEADER, count=2, records=RECORDS, letters=RESIDUES, atoms=RESIDUES
) -> bytes:
    """Pack the format by hand; each argument can be made wrong."""
    return (
        header
        + struct.pack("<Q", count)
        + records
        + struct.pack("<Q", letters)
        + b"ACDEFGHIK"
        + struct.pack("<Q", atoms)
        + ATOMS.tobytes()
        + b"surface and profiles"
    )


def ar_member(title: bytes, content: bytes) -> bytes:
    header = title.ljust(48) + str(len(content)).encode().ljust(10) + b"`\n"
    return header + content + b"\n" * (len(content) % 2)


def package(content: bytes, member: str = "structure_db.dat") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for title, data in (("other.dat", b"else"), (member, content)):
            info = tarfile.TarInfo(f"./usr/share/promod3/loop_data/{title}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return b"!<arch>\n" + b"".join(
        [
            ar_member(b"debian-binary", b"2.0"),
            ar_member(b"control.tar.xz", lzma.compress(b"control")),
            ar_member(b"data.tar.xz", lzma.compress(buffer.getvalue())),
        ]
    )


@pytest.mark.parametrize("content", [database(), package(database())])
def test_chains_are_read_from_the_package_and_the_bare_file(tmp_path, content):
    path = tmp_path / "input"
    path.write_bytes(content)
    chains = read_database(path)
    assert chains.ids == ("1ABC_A", "2XYZ_B")
    assert chains.sequence_of(1) == "FGHIK"
    expected = ATOMS[4:, 1] * 0.01
    moved = chains.coordinates_of(1) + (expected - chains.coordinates_of(1)).mean(0)
    np.testing.assert_allclose(moved, expected, atol=1e-9)
    assert np.abs(chains.coordinates_of(1).mean(0)).max() <= 0.005 + 1e-9


def test_chains_survive_writing_and_reading(tmp_path):
    (tmp_path / "input").write_bytes(database())
    chains = read_database(tmp_path / "input")
    write_chain_set(tmp_path / "chains.npz", chains)
    again = read_chain_set(tmp_path / "chains.npz")
    assert (again.ids, again.sequence) == (chains.ids, chains.sequence)
    np.testing.assert_array_equal(again.steps, chains.steps)


HUGE = 1 << 60
WRONG = {
    "empty": (b"", "77 bytes are announced, 0 are left"),
    "garbage": (bytes(range(256)) * 8, "begins with 00 01"),
    "other format": (database(header=b"\1" * HEADER_BYTES), "begins with 01 01"),
    "chains": (database(count=HUGE), f"{28 * HUGE} bytes are announced"),
    "letters": (database(letters=HUGE), f"{HUGE} bytes are announced"),
    "atoms": (database(atoms=RESIDUES + 1), "differ in number"),
    "name": (database(records=b"\0\0\0\x10" + RECORDS), "a name of 268435456"),
    "far": (database(records=record("1ABC", "A", 5, 5), count=1), "ends behind"),
    "overlap": (database(records=record("1ABC", "A", 0, 8) * 2), "chains overlap"),
    "twice": (database(records=record("1ABC", "A", 0, 4) * 2), "1 different of 2 ids"),
    "no chains": (database(records=b"", count=0), "it has no chains"),
    "other package": (package(database(), member="x.dat"), "no structure_db.dat"),
    "empty package": (b"!<arch>\n", "no data archive"),
    "package": (b"!<arch>\n" + ar_member(b"data.tar.xz", b"\7" * 999), "damaged"),
}


@pytest.mark.parametrize(("content", "reason"), WRONG.values(), ids=WRONG)
def test_wrong_database_is_refused_with_advice(tmp_path, content, reason):
    path = tmp_path / "wrong"
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"wrong: .*{reason}.*promod3-data 3\.2\.1"):
        read_database(path)


@pytest.mark.parametrize(
    ("whole", "unread"),
    # Behind the coordinates lies the rest of the file, in a package also xz's index.
    [(database(), len(b"surface and profiles")), (package(database()), 120)],
)
def test_truncated_database_is_refused(tmp_path, whole, unread):
    path = tmp_path / "short"
    for size in np.linspace(1, len(whole) - unread - 1, 60, dtype=int):
        path.write_bytes(whole[:size])
        with pytest.raises(InputError, match="short: "):
            read_database(path)


def test_missing_database_is_named(tmp_path):
    with pytest.raises(InputError, match="nowhere"):
        read_database(tmp_path / "nowhere")
