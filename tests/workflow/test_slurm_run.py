"""The whole tiny workflow through `snakemake --profile slurm`, on real daemons."""

import pytest

from .conftest import RESULTS, Checkout
from .slurm_cluster import Job, select_jobs

pytestmark = [pytest.mark.slurm, pytest.mark.slow]


@pytest.fixture
def submitted(submissions) -> Checkout:
    submissions.whole.run.finish()
    return submissions.whole.checkout


@pytest.fixture
def jobs(cluster, submissions, submitted) -> list[Job]:
    return cluster.jobs(run=submissions.whole.run.number())


# The local run first: it takes the time in which the other one waits.
def test_results_equal_those_of_a_local_run(finished, submitted) -> None:
    hashes = finished.hashes()
    assert len(hashes) == 1 + 7 + 1 + 4
    assert submitted.hashes() == hashes


def test_each_job_succeeds_at_its_first_try_within_what_it_asks_for(jobs) -> None:
    assert {job.state for job in jobs} == {"COMPLETED"}
    assert {job.requeues for job in jobs} == {0}


def test_training_alone_goes_to_the_gpu_partition_with_its_gpu(jobs) -> None:
    trainings = select_jobs(jobs, "train_prior")
    assert len(trainings) == 2
    assert {(job.partition, job.gres) for job in trainings} == {("gpu", "gres:gpu:1")}
    others = [job for job in jobs if job not in trainings]
    assert {(job.partition, job.gres) for job in others} == {("cpu", "")}


def test_small_rules_of_one_group_are_one_job(jobs, finished) -> None:
    (structure,) = select_jobs(jobs, "structure")
    assert "make_ensemble" in structure.comment
    assert "prepare_points" in structure.comment
    assert select_jobs(jobs, "prepare_points") == []
    steps = sum(finished.planned("--forceall").values())
    assert len(jobs) < 0.7 * steps


def test_each_step_leaves_a_log_and_its_measured_cost(submitted) -> None:
    folder = submitted.folder / RESULTS
    logs, costs = (
        {str(path.relative_to(folder / kind).with_suffix("")) for path in found}
        for kind, found in (
            ("logs", (folder / "logs").rglob("*.log")),
            ("benchmarks", (folder / "benchmarks").rglob("*.tsv")),
        )
    )
    assert costs == logs
    assert len(costs) == sum(submitted.planned("--forceall").values())
