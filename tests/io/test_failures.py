import os
from pathlib import Path

from equicryo.io.failures import describe_failure

OOM = (
    "Error in rule train: (one or more commands returned non-zero)\n"
    "slurmstepd-n1: error: StepId=2.0 exceeded memory limit, being killed\n"
    "slurmstepd-n1: error: Exceeded job memory limit\n"
    "srun: error: vm: task 0: Killed\n"
)


def describe(folder: Path, **wildcards: str) -> str:
    return describe_failure("train", wildcards, [folder / "a.log"], folder / "slurm")


def test_the_rules_own_message_is_the_reason(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text(
        "2026-01-01 00:00:00,1 INFO error 0.3 Å\n"
        "2026-01-01 00:00:01,1 ERROR x.star: no column _rlnImageName: it is needed\n"
    )
    said = describe(tmp_path, prior="p", seed="3")
    assert said.splitlines() == [
        "rule:      train",
        "wildcards: prior=p, seed=3",
        "reason:    x.star: no column _rlnImageName: it is needed",
        f"log:       {log}",
    ]


def test_of_a_killed_job_slurms_newest_log_gives_the_reason(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("2026-01-01 00:00:00,1 INFO step 10 of 20\n")
    folder = tmp_path / "slurm" / "p"
    folder.mkdir(parents=True)
    for name, text, time in (("7.log", OOM, 2e9), ("6.log", "Error: other\n", 1e9)):
        (folder / name).write_text(text)
        os.utime(folder / name, (time, time))
    said = describe(tmp_path)
    assert "wildcards: none" in said
    assert "reason:    slurmstepd-n1: error: Exceeded job memory limit" in said
    assert said.endswith(f"log:       {folder / '7.log'}")


def test_without_any_word_it_says_so(tmp_path: Path) -> None:
    said = describe(tmp_path)
    assert "it ended without a word" in said
    assert said.endswith("none was written")


def test_a_failure_fits_a_screen(tmp_path: Path) -> None:
    line = f"2026-01-01 00:00:01,1 ERROR {'x' * 100_000}\n"
    (tmp_path / "a.log").write_text(line * 5)
    assert len(describe(tmp_path)) < 1000
