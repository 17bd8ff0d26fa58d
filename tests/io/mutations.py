"""Damaged files, and the bounds within which a reader has to refuse them."""

import os
import resource
import signal
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from hypothesis import strategies as st

from equicryo.errors import InputError

MEMORY_BYTES = 1 << 30
SECONDS = 10.0

TOKENS = (
    *(b"", b"\0", b"\n", b" ", b"\t", b"'", b'"', b"#", b"_", b"@", b"nan", b"-inf"),
    *(b"-1", b"0", b"1e999", b"9" * 40, b"../../../../etc/passwd", b"/etc/passwd"),
    *(b"loop_\n", b"data_\n", b"[" * 5000, b'{"a":' * 5000, b"None", b"\xc3\x28"),
    *(b"\xff\xff\xff\x7f", b"\x00\x00\x00\x80", b"\xff" * 8, b"\x00" * 64),
)
"""What parsers trip over: bounds, signs, quotes, nesting, escapes, 32-bit limits."""

PLACES = 1 << 16

Edit = tuple[str, int, int, bytes]


@st.composite
def edits(draw: st.DrawFn) -> list[Edit]:
    """Draw a few edits of a file whose length need not be known."""
    place = st.integers(0, PLACES - 1)
    token = st.one_of(st.sampled_from(TOKENS), st.binary(max_size=8))
    kinds = st.sampled_from(["overwrite", "insert", "cut", "double", "truncate"])
    return draw(st.lists(st.tuples(kinds, place, place, token), min_size=1, max_size=4))


def mutate(content: bytes, changes: list[Edit]) -> bytes:
    """Damage a file's content."""
    for kind, where, extent, token in changes:
        start = where * len(content) // PLACES
        # Short stretches mostly, so that the rest stays sound and is read.
        length = (extent**3 * (len(content) - start)) // PLACES**3
        if kind == "overwrite":
            content = content[:start] + token + content[start + len(token) :]
        elif kind == "insert":
            content = content[:start] + token + content[start:]
        elif kind == "cut":
            content = content[:start] + content[start + length :]
        elif kind == "double":
            part = content[start : start + length]
            content = content[:start] + part + content[start:]
        else:
            content = content[:start]
    return content


def mutate_archive(content: bytes, changes: list[Edit]) -> bytes:
    """Damage one array of a .npz archive and pack it anew, with sound checksums."""
    with zipfile.ZipFile(BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    _, where, extent, _ = changes[0]
    chosen = sorted(members)[where % len(members)]
    if extent % 2:  # Else hardly any header would fit its numbers any more.
        changes = [("overwrite", *rest) for _, *rest in changes]
    members[chosen] = mutate(members[chosen], changes)
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    return packed.getvalue()


def refuse_or_read(read: Callable[[], object], root: Path) -> bool:
    """Read, and tell whether it succeeded.

    Anything but an `InputError` of one line, a second of reading or a gigabyte too
    many, and a file opened outside of `root` fail the test.
    """
    with limited_memory(), limited_time(), opened_files() as opened:
        try:
            read()
            message = ""
        except InputError as error:
            message = str(error)
    # A screen of 200 lines is not one message.
    assert len(message) < 20_000
    libraries = tuple({sys.prefix, sys.base_prefix, "/usr", "/proc", "/dev", "/sys"})
    outside = [
        path
        for path in opened
        if not Path(path).resolve().is_relative_to(root.resolve())
        and not os.path.abspath(path).startswith(libraries)
    ]
    assert outside == []
    return not message


@contextmanager
def limited_memory() -> Iterator[None]:
    """Let a block take a gigabyte of memory beyond what is taken."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    taken = pages * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY_BYTES, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@contextmanager
def limited_time() -> Iterator[None]:
    """Interrupt a block that hangs."""

    def stop(*_: object) -> None:
        raise AssertionError(f"still reading after {SECONDS:.0f} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


_watchers: list[list[str]] = []


def _note_opening(event: str, arguments: tuple) -> None:
    if event == "open" and _watchers and isinstance(arguments[0], str | bytes | Path):
        _watchers[-1].append(os.fsdecode(arguments[0]))


# Audit hooks cannot be taken back, so there is one, which mostly does nothing.
sys.addaudithook(_note_opening)


@contextmanager
def opened_files() -> Iterator[list[str]]:
    """Collect the path of each file that Python opens in a block."""
    _watchers.append([])
    try:
        yield _watchers[-1]
    finally:
        _watchers.pop()
