import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from equicryo.errors import InputError
from equicryo.io.download import Download, download_entry, download_file

ENTRY = b"data_1HEL\n#\n" * 10_000
SHA256 = hashlib.sha256(ENTRY).hexdigest()
SLOW_SECONDS = 0.6


@dataclass
class Server:
    """A local stand-in for RCSB that misbehaves in turn as told."""

    url: str = ""
    behaviours: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.paths.append(self.path)
            behaviour = state.behaviours.pop(0) if state.behaviours else "good"
            if behaviour == "slow":
                time.sleep(SLOW_SECONDS)
            if behaviour == "loop":
                self.send_response(302)
                self.send_header("Location", self.path)
                self.end_headers()
                return
            if behaviour.isdigit():
                self.send_error(int(behaviour))
                return
            body = ENTRY[:100] if behaviour == "truncated" else ENTRY
            self.send_response(200)
            self.send_header("Content-Length", str(len(ENTRY)))
            self.end_headers()
            try:
                while behaviour == "drip":
                    self.wfile.write(b"d")
                    time.sleep(0.02)
                self.wfile.write(body)
            except ConnectionError:
                return

        def log_message(self, *_: object) -> None:
            """Keep the test's output quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        state.url = f"http://127.0.0.1:{http.server_port}"
        yield state
        http.shutdown()
        thread.join()


@pytest.fixture
def settings(server: Server, tmp_path: Path) -> Download:
    return Download(
        url=server.url,
        cache=tmp_path / "cache",
        attempts=3,
        backoff=0.0,
        timeout=5.0,
        max_bytes=10**6,
    )


def test_a_download_is_whole_and_cached(server: Server, settings: Download) -> None:
    path = download_entry("1hel", SHA256, settings)
    assert path.read_bytes() == ENTRY
    assert download_entry("1HEL", SHA256, settings) == path
    assert download_entry("1hel", "", settings) == path
    assert server.paths == ["/1HEL.cif"]


@pytest.mark.parametrize("trouble", ["truncated", "500", "503"])
def test_passing_trouble_is_retried(
    server: Server, settings: Download, trouble: str
) -> None:
    server.behaviours = [trouble, trouble]
    assert download_entry("1hel", SHA256, settings).read_bytes() == ENTRY
    assert len(server.paths) == 3


def test_a_slow_server_is_left_and_tried_again(
    server: Server, settings: Download
) -> None:
    server.behaviours = ["slow"]
    impatient = replace(settings, timeout=0.2)
    assert download_entry("1hel", "", impatient).read_bytes() == ENTRY
    assert len(server.paths) == 2


@pytest.mark.parametrize(
    ("behaviour", "tries", "message"),
    [
        ("404", 1, "no such entry: correct the id, or give a local file"),
        ("503", 3, "no download in 3 tries .*503"),
        ("truncated", 3, f"100 bytes came instead of {len(ENTRY)}"),
        # The first request and four repeats in each try: urllib gives up then.
        ("loop", 3 * 5, "no download in 3 tries .*302 .*infinite loop"),
    ],
)
def test_lasting_trouble_is_one_message_and_no_file(
    server: Server, settings: Download, behaviour: str, tries: int, message: str
) -> None:
    server.behaviours = [behaviour] * 99
    with pytest.raises(InputError, match=message) as caught:
        download_entry("1hel", "", settings)
    assert "\n" not in str(caught.value)
    assert len(server.paths) == tries
    assert list(settings.cache.iterdir()) == []


def test_a_server_that_drips_is_left_at_last(
    server: Server, settings: Download
) -> None:
    server.behaviours = ["drip", "drip"]
    impatient = replace(settings, timeout=0.05, attempts=2)
    with pytest.raises(InputError, match=r"no download in 2 tries \(not done after"):
        download_entry("1hel", "", impatient)
    assert len(server.paths) == 2
    assert list(settings.cache.iterdir()) == []


def test_a_wrong_checksum_is_refused(settings: Download) -> None:
    with pytest.raises(InputError, match=f"sha256 is {SHA256}, the config says 00"):
        download_entry("1hel", "0" * 64, settings)
    assert list(settings.cache.iterdir()) == []


def test_an_outdated_cache_is_replaced(server: Server, settings: Download) -> None:
    settings.cache.mkdir()
    (settings.cache / "1hel.cif").write_text("old")
    assert download_entry("1hel", SHA256, settings).read_bytes() == ENTRY
    assert len(server.paths) == 1


def test_a_file_beyond_the_limit_is_refused(settings: Download) -> None:
    with pytest.raises(InputError, match="larger than 0 MB"):
        download_entry("1hel", "", replace(settings, max_bytes=1000))
    assert list(settings.cache.iterdir()) == []


def test_no_server_is_one_message(settings: Download) -> None:
    # Port 9 (discard) has no listener, so the connection is refused at once.
    with pytest.raises(InputError, match="no download in 3 tries"):
        download_entry("1hel", "", replace(settings, url="http://127.0.0.1:9"))


@pytest.mark.parametrize("entry", ["", "hel", "xhel", "1hel2", "../1", "1h/l", "1hél"])
def test_a_malformed_id_never_reaches_the_server(
    server: Server, settings: Download, entry: str
) -> None:
    with pytest.raises(InputError, match="is no PDB id"):
        download_entry(entry, "", settings)
    assert server.paths == []


def test_a_file_of_known_content_is_fetched_once(
    server: Server, settings: Download, tmp_path: Path
) -> None:
    path, url = tmp_path / "downloads" / "package.deb", f"{server.url}/package.deb"
    for _ in range(2):
        download_file(url, path, SHA256, settings)
    assert path.read_bytes() == ENTRY
    assert server.paths == ["/package.deb"]


def test_a_file_of_other_content_is_refused_and_not_kept(
    server: Server, settings: Download, tmp_path: Path
) -> None:
    path, url = tmp_path / "package.deb", f"{server.url}/package.deb"
    with pytest.raises(InputError, match=rf"sha256 is {SHA256}, the config says 00"):
        download_file(url, path, "00", settings)
    assert list(tmp_path.glob("*.deb")) == []
