"""What clusters do to a run, done to one on purpose: nothing is lost."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from equicryo.io.arrays import read_arrays

from .conftest import RESULTS, SLURM, WEIGHTS, Checkout, copy_checkout
from .slurm_cluster import Job, SlurmCluster, job_processes, wait_for

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

VICTIMS = """
rule all:
    input: "killed.txt", "starved.txt", "stranded.txt", "preempted.txt"

rule killed:
    output: "killed.txt"
    resources:
        slurm_partition="faulty",
        slurm_extra="--nodelist=n3",
        seconds=lambda wildcards, attempt: 3600 if attempt == 1 else 0,
    shell: "sleep {resources.seconds}; echo whole > {output}"

rule starved:
    output: "starved.txt"
    resources:
        slurm_partition="faulty",
        slurm_extra="--nodelist=n3",
        mem_mb=lambda wildcards, attempt: 600 * attempt,
    shell:
        "python -c 'import time; taken = bytearray(600_000_000); time.sleep(8)'; "
        "echo whole > {output}"

rule stranded:
    output: "stranded.txt"
    resources:
        slurm_partition="faulty",
    shell:
        "echo $SLURMD_NODENAME >> stranded.nodes; "
        "[ $SLURMD_NODENAME = n3 ] || sleep 3600; echo whole > {output}"

rule preempted:
    output: "preempted.txt"
    resources:
        slurm_partition="faulty",
        gres="gpu:2",
    shell:
        "echo begun >> preempted.begun; "
        "[ $(wc -l < preempted.begun) = 2 ] || sleep 3600; echo whole > {output}"
"""

SHARED = """
rule all:
    input: "shared.npz"

rule write_shared:
    output: "shared.npz"
    shell:
        "echo begun >> shared.begun; until [ -e shared.go ]; do sleep 0.2; done; "
        "python write_shared.py {output}"
"""
WRITE_SHARED = """
import sys
import numpy
from equicryo.io.arrays import write_arrays

write_arrays(sys.argv[1], {"x": numpy.arange(3_000_000)})
"""


def replace_workflow(folder: Path, snakefile: str) -> Checkout:
    """Copy the checkout, with its profiles, and give it another workflow."""
    made = copy_checkout(folder)
    (folder / "workflow/Snakefile").write_text(snakefile)
    return made


def latest(cluster: SlurmCluster, rule: str) -> Job:
    return cluster.jobs(rule)[-1]


@dataclass(frozen=True)
class Aftermath:
    """What is left of a run: its jobs by rule, and what it said."""

    folder: Path
    jobs: dict[str, list[Job]]
    said: str


@pytest.fixture(scope="module")
def aftermath(
    cluster: SlurmCluster, tmp_path_factory: pytest.TempPathFactory
) -> Aftermath:
    """A run: a job killed, one short of memory, one preempted, one on a dying node."""
    made = replace_workflow(tmp_path_factory.mktemp("victims") / "checkout", VICTIMS)
    nodes = made.folder / "stranded.nodes"

    def sleeping() -> list[int]:
        job = latest(cluster, "killed")
        return [one for one in job_processes(job.number) if is_sleep(one)]

    with made.running(*SLURM) as run:
        wait_for(lambda: cluster.jobs("killed") and sleeping(), "the job to be killed")
        cluster.kill_job(latest(cluster, "killed").number)
        wait_for((made.folder / "preempted.begun").exists, "the job to be preempted")
        cluster.preempt_gpus()
        wait_for(nodes.exists, "the job to be stranded")
        cluster.kill_node("n4")
        said = run.finish()
    cluster.start_node("n4")
    rules = ("killed", "starved", "stranded", "preempted")
    return Aftermath(made.folder, {rule: cluster.jobs(rule) for rule in rules}, said)


def is_sleep(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().startswith(b"sleep")
    except OSError:
        return False


def test_a_killed_job_is_submitted_again(aftermath) -> None:
    first, second = aftermath.jobs["killed"]
    assert (first.state, second.state) == ("FAILED", "COMPLETED")
    assert (aftermath.folder / "killed.txt").read_text() == "whole\n"


def test_a_job_out_of_memory_is_submitted_again_with_more(aftermath) -> None:
    first, second = aftermath.jobs["starved"]
    assert (first.state, second.state) == ("FAILED", "COMPLETED")
    assert (first.memory, second.memory) == ("600M", "1200M")
    assert (aftermath.folder / "starved.txt").read_text() == "whole\n"
    folder = aftermath.folder / ".snakemake/slurm_logs/rule_starved"
    (log,) = folder.rglob(f"{first.number}.log")
    assert "Exceeded job memory limit" in log.read_text()


def test_a_job_on_a_dying_node_goes_on_elsewhere(aftermath) -> None:
    (job,) = aftermath.jobs["stranded"]
    assert (job.state, job.requeues) == ("COMPLETED", 1)
    nodes = (aftermath.folder / "stranded.nodes").read_text().split()
    assert nodes == ["n4", "n3"]
    assert (aftermath.folder / "stranded.txt").read_text() == "whole\n"


def test_a_preempted_job_goes_back_into_the_queue(aftermath) -> None:
    (job,) = aftermath.jobs["preempted"]
    assert (job.state, job.requeues) == ("COMPLETED", 1)
    assert (aftermath.folder / "preempted.begun").read_text() == "begun\n" * 2
    assert (aftermath.folder / "preempted.txt").read_text() == "whole\n"


def test_two_writers_after_a_kill_of_snakemake_leave_one_whole_file(
    cluster, tmp_path
) -> None:
    """The first run's job lives on beside the second's: both write the same bytes."""
    made = replace_workflow(tmp_path / "checkout", SHARED)
    (made.folder / "write_shared.py").write_text(WRITE_SHARED)
    begun = made.folder / "shared.begun"
    with made.running(*SLURM) as run:
        wait_for(begun.exists, "the first job")
        run.kill()

    made.snakemake("--unlock")
    with made.running(*SLURM) as again:
        wait_for(lambda: begun.read_text().count("begun") == 2, "the second job")
        orphan, second = cluster.jobs("write_shared")
        assert (orphan.state, second.state) == ("RUNNING", "RUNNING")
        assert orphan.run != second.run
        (made.folder / "shared.go").touch()
        again.finish()

    def states() -> list[str]:
        return [job.state for job in cluster.jobs("write_shared")]

    wait_for(lambda: states() == ["COMPLETED"] * 2, "both writers")
    assert [path.name for path in made.folder.glob("*.npz")] == ["shared.npz"]
    assert list(made.folder.glob(".shared*")) == []
    (values,) = read_arrays(made.folder / "shared.npz", ["x"]).values()
    np.testing.assert_array_equal(values, np.arange(3_000_000))
    assert "Nothing to be done" in made.snakemake("--dry-run")


def test_training_beyond_its_time_limit_goes_on_from_its_checkpoint(
    cluster, submissions, uninterrupted
) -> None:
    made, run = submissions.outlasted.checkout, submissions.outlasted.run
    run.finish()
    trainings = cluster.jobs("train_prior", run=run.number())
    assert [job.state for job in trainings] == ["TIMEOUT", "COMPLETED"]
    log = made.folder / f"{RESULTS}/logs/train_prior/conformer_1hel.log"
    assert "going on from step" in log.read_text()
    found, expected = (
        load_file(made.folder / WEIGHTS),
        load_file(uninterrupted.folder / WEIGHTS),
    )
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=0.0, atol=1e-6)
