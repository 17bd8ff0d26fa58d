import os
import socket
from pathlib import Path

import pytest

from equicryo.io import machine


@pytest.fixture
def processor(tmp_path, monkeypatch) -> Path:
    path = tmp_path / "cpuinfo"
    path.write_text("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\nflags\t: fpu\n")
    monkeypatch.setattr(machine, "CPU_INFO", path)
    return path


def test_a_machine_is_its_processor_and_cores(processor) -> None:
    assert machine.describe_machine() == f"Some CPU @ 2 GHz, {os.cpu_count()} cores"


def test_a_machine_has_no_name(processor, monkeypatch) -> None:
    processor.unlink()
    assert socket.gethostname() not in machine.describe_machine()
    assert machine.describe_machine().endswith(" cores")
