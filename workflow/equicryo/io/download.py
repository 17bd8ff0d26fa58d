"""Downloading entries of the Protein Data Bank."""

import hashlib
import http.client
import logging
import re
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from equicryo.errors import InputError
from equicryo.io.files import file_sha256, replace_atomically

logger = logging.getLogger(__name__)

RCSB_URL = "https://files.rcsb.org/download"
ENTRY_ID = re.compile(r"[0-9][A-Za-z0-9]{3}")
CHUNK_BYTES = 1 << 16
OFFLINE_HINT = "or give a local file with source: file"


@dataclass(frozen=True, kw_only=True)
class Download:
    """How to download and where to keep the files.

    Attributes:
        url: folder of the server; an entry is ``<url>/<ID>.cif``.
        cache: folder of the files already downloaded.
        attempts: tries at a server that fails or falls silent.
        backoff: pause before the second try, doubled before each further one, s.
        timeout: longest silence of the server, and a tenth of the longest whole
            transfer, s.
        max_bytes: size of the largest file accepted.
    """

    url: str
    cache: Path
    attempts: int
    backoff: float
    timeout: float
    max_bytes: int


class _TransferError(Exception):
    """A transfer failed in a way that another try may mend."""


def download_entry(entry: str, sha256: str, settings: Download) -> Path:
    """Fetch a PDB entry as mmCIF, from the cache if it is there.

    Args:
        entry: four-character id, in either case.
        sha256: of the file; empty if it is not to be checked.
        settings: how and where.

    Returns:
        Path of the whole file in the cache.

    Raises:
        InputError: the id is malformed or unknown, the server cannot be reached, or
            the file is not the one asked for.
    """
    if not ENTRY_ID.fullmatch(entry):
        raise InputError(
            f"structures: {entry!r} is no PDB id: use a digit and three letters or "
            "digits, such as 1hel"
        )
    url = f"{settings.url}/{entry.upper()}.cif"
    path = settings.cache / f"{entry.lower()}.cif"
    if path.is_file() and sha256 in ("", file_sha256(path)):
        logger.info("%s: taken from the cache %s", url, path)
    else:
        with replace_atomically(path) as temporary:
            found = _fetch_patiently(url, temporary, settings)
            if sha256 and found != sha256:
                raise InputError(
                    f"{url}: sha256 is {found}, the config says {sha256}: RCSB revised "
                    "the entry, or correct structures.*.sha256"
                )
    if not sha256:
        logger.info("%s is not checked; its sha256 is %s", path, file_sha256(path))
    return path


def download_file(url: str, path: Path, sha256: str, settings: Download) -> None:
    """Fetch a file of known content.

    Args:
        url: of the file.
        path: where it shall be; nothing is fetched if it is there already.
        sha256: of the file.
        settings: how; its `url` and `cache` are not used.

    Raises:
        InputError: the server cannot be reached, or the file is not the one asked for.
    """
    if path.is_file() and sha256 == file_sha256(path):
        logger.info("%s: taken from %s", url, path)
        return
    with replace_atomically(path) as temporary:
        found = _fetch_patiently(url, temporary, settings)
        if found != sha256:
            raise InputError(
                f"{url}: sha256 is {found}, the config says {sha256}: correct the url, "
                f"{OFFLINE_HINT}"
            )


def _fetch_patiently(url: str, path: Path, settings: Download) -> str:
    """Fetch a file with retries; return its SHA-256."""
    for attempt in range(1, settings.attempts + 1):
        try:
            return _fetch(url, path, settings)
        except _TransferError as error:
            logger.info("%s: try %d failed: %s", url, attempt, error)
            failure = error
        if attempt < settings.attempts:
            time.sleep(settings.backoff * 2 ** (attempt - 1))
    raise InputError(
        f"{url}: no download in {settings.attempts} tries ({failure}): try later, "
        f"{OFFLINE_HINT}"
    )


def _fetch(url: str, path: Path, settings: Download) -> str:
    try:
        with (
            urllib.request.urlopen(url, timeout=settings.timeout) as response,
            path.open("wb") as file,
        ):
            return _copy(response, file, url, settings)
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.NOT_FOUND:
            raise InputError(
                f"{url}: no such entry: correct the id, {OFFLINE_HINT}"
            ) from error
        said = " ".join(str(error.reason).split())
        raise _TransferError(f"the server says {error.code} {said}") from error
    except urllib.error.URLError as error:
        raise _TransferError(error.reason) from error
    except (http.client.HTTPException, TimeoutError, ConnectionError) as error:
        raise _TransferError(error or type(error).__name__) from error


def _copy(
    response: http.client.HTTPResponse, file: BinaryIO, url: str, settings: Download
) -> str:
    """Copy a response to a file within limits; return its SHA-256."""
    digest, size = hashlib.sha256(), 0
    deadline = time.monotonic() + 10.0 * settings.timeout
    while chunk := response.read1(CHUNK_BYTES):
        size += len(chunk)
        if size > settings.max_bytes:
            raise InputError(
                f"{url}: larger than {settings.max_bytes / 1e6:.0f} MB: cut out the "
                "chain and use source: file"
            )
        if time.monotonic() > deadline:
            raise _TransferError(f"not done after {10.0 * settings.timeout:.0f} s")
        digest.update(chunk)
        file.write(chunk)
    expected = response.headers["Content-Length"]
    if expected is not None and size != int(expected):
        raise _TransferError(f"{size} bytes came instead of {expected}")
    return digest.hexdigest()
