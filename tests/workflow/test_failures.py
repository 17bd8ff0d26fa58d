"""What a user sees when something fails, and that no half of a result is accepted."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from equicryo.io.files import file_sha256

from .conftest import POINTS, RESULTS, Checkout, spoil_checksum

SCREEN = 24  # lines
STACK = f"{RESULTS}/images/1hel_40/particles.mrcs"


def last_screen(said: str) -> str:
    return "\n".join(said.rstrip().splitlines()[-SCREEN:])


def check_screen(said: str, folder: Path) -> None:
    """One screen names rule, wildcards, reason and log."""
    screen = last_screen(said)
    log = f"{RESULTS}/logs/get_structure/1hel.log"
    assert "rule:      get_structure" in screen
    assert "wildcards: target=1hel" in screen
    assert "reason:    resources/structures/1hel.pdb: sha256 is 137b" in screen
    assert f"log:       {log}" in screen
    assert (folder / log).is_file()
    assert "Traceback" not in screen


def test_a_failing_rule_is_told_on_one_screen(checkout) -> None:
    spoil_checksum(checkout.folder)
    check_screen(checkout.snakemake(POINTS, check=False), checkout.folder)


@pytest.mark.slurm
@pytest.mark.slow
def test_a_failing_rule_of_a_group_is_told_on_one_screen(cluster, submissions) -> None:
    refused = submissions.refused
    check_screen(refused.run.fail(), refused.checkout.folder)
    jobs = cluster.jobs(run=refused.run.number())
    assert [job.state for job in jobs] == ["FAILED"]


@pytest.fixture
def small_disk(checkout: Checkout) -> Iterator[Path]:
    """A disk of 700 kB for all results: room for the first half of the images."""
    folder = checkout.folder / RESULTS
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=700k", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.slow
def test_a_run_on_a_full_disk_goes_on_when_there_is_room(
    small_disk, checkout, finished
) -> None:
    said = checkout.snakemake(STACK, check=False)
    assert "no room left to write it" in last_screen(said)
    assert not (checkout.folder / STACK).exists()
    assert list(small_disk.rglob(".*.mrcs")) == []

    grow = ["mount", "-o", "remount,size=50m", str(small_disk)]
    subprocess.run(grow, check=True)
    checkout.snakemake(STACK)
    found, expected = (one.folder / STACK for one in (checkout, finished))
    assert file_sha256(found) == file_sha256(expected)
