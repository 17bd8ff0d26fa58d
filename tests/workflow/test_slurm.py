"""`snakemake --profile slurm`, literally, on real Slurm daemons."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import Checkout, copy_checkout
from .slurm_cluster import SlurmCluster, run_slurm

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

# The profile's pause is for a busy controller; these have an idle one.
SLURM = ("--profile", "slurm", "--slurm-init-seconds-before-status-checks", "6")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmCluster]:
    with run_slurm(tmp_path_factory.mktemp("slurm")) as running:
        yield running


@pytest.fixture(scope="module")
def submitted(
    cluster: SlurmCluster, tmp_path_factory: pytest.TempPathFactory
) -> Checkout:
    """A copy in which the tiny workflow has run on the cluster."""
    made = copy_checkout(tmp_path_factory.mktemp("submitted") / "checkout")
    made.snakemake(*SLURM)
    return made


def test_results_equal_those_of_a_local_run(submitted, finished) -> None:
    assert submitted.hashes() == finished.hashes()
