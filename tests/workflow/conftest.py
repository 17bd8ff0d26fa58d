"""A copy of the checkout in which the tiny workflow has run once."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from equicryo.io.files import file_sha256

from .slurm_cluster import SlurmCluster, job_processes, kill, run_slurm, wait_for

ROOT = Path(__file__).resolve().parents[2]
RESULTS = "results/test"
HASHED = ("metrics.csv", "**/ensemble.cif", "**/normal.npz", "**/*.safetensors")
# Literally; but the profile's pause is for a busy controller, and ours are idle.
PAUSE = "--slurm-init-seconds-before-status-checks"
SLURM = ("--profile", "slurm", PAUSE, "6")
PARTS = ("workflow", "config", "resources", "envs", "slurm")
# Of a whole run on a busy machine; met only by a run that hangs.
RUN_SECONDS = 1800.0


@dataclass(frozen=True)
class Run:
    """Snakemake at work, in a process group of its own, writing to a file."""

    process: subprocess.Popen
    output: Path

    def finish(self) -> str:
        """Wait until it succeeds and return all that it said."""
        code, said = self._end()
        if code != 0:
            pytest.fail(f"snakemake failed, exit code {code}:\n{said[-4000:]}")
        return said

    def fail(self) -> str:
        """Wait until it fails and return all that it said."""
        code, said = self._end()
        assert code not in (0, None), said[-4000:]
        return said

    def _end(self) -> tuple[int | None, str]:
        """Wait, and return its exit code, or None if it hangs, and what it said."""
        try:
            code = self.process.wait(timeout=RUN_SECONDS)
        except subprocess.TimeoutExpired:
            code = None
        return code, self.output.read_text()

    def number(self) -> str:
        """Return the id under which its jobs are known to Slurm."""
        found = re.search(r"SLURM run ID: (\S+)", self.output.read_text())
        return found.group(1) if found else ""

    def kill(self) -> None:
        """End it and all that it started, as a loss of its machine would."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@dataclass(frozen=True)
class Checkout:
    """A working copy of the sources, with the package imported from it."""

    folder: Path

    def snakemake(self, *arguments: str, check: bool = True) -> str:
        """Run Snakemake on the tiny config and return all that it says."""
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        said = done.stdout + done.stderr
        if check and done.returncode:
            pytest.fail(f"snakemake {' '.join(arguments)} failed:\n{said[-4000:]}")
        return said

    @contextmanager
    def running(self, *arguments: str) -> Iterator[Run]:
        """Let Snakemake run on the tiny config meanwhile; kill what is left of it."""
        # To a file: nobody reads a pipe meanwhile, and a full one would stop it.
        output = self.folder / f"said_{len(list(self.folder.glob('said_*')))}.txt"
        with output.open("w") as file:
            process = subprocess.Popen(
                self.command(*arguments),
                cwd=self.folder,
                env=self.environment(),
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        run = Run(process, output)
        try:
            yield run
        finally:
            run.kill()

    def command(self, *arguments: str) -> list[str]:
        tiny = ["--configfile", "config/test.yaml"]
        return [sys.executable, "-m", "snakemake", *arguments, *tiny]

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "PYTHONPATH": str(self.folder / "workflow"),
            "PYTHONDONTWRITEBYTECODE": "1",
            # Beside other tests, threads that spin while they wait take their cores.
            "OMP_WAIT_POLICY": "PASSIVE",
        }

    def planned(self, *arguments: str) -> dict[str, int]:
        """Return how many jobs of each rule a dry run plans."""
        lines = self.snakemake("--dry-run", *arguments).splitlines()
        if "Job stats:" not in lines:
            return {}
        table = lines[lines.index("Job stats:") + 3 :]
        rows = [line.split() for line in table[: table.index("")]]
        return {
            rule: int(count) for rule, count in rows if rule not in ("total", "all")
        }

    def hashes(self) -> dict[str, str]:
        """Return the SHA-256 of each result that two runs must agree on."""
        found = {
            str(path.relative_to(self.folder)): file_sha256(path)
            for pattern in HASHED
            for path in (self.folder / RESULTS).glob(pattern)
        }
        assert found
        return found


def copy_checkout(folder: Path) -> Checkout:
    folder.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        source = ROOT / part
        if source.is_symlink():
            (folder / part).symlink_to(source.readlink())
        else:
            ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
            shutil.copytree(source, folder / part, ignore=ignored)
    return Checkout(folder)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A copy in which nothing has run."""
    return copy_checkout(tmp_path / "checkout")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A copy in which the tiny workflow has run; tests leave it as it is."""
    made = copy_checkout(tmp_path_factory.mktemp("run") / "checkout")
    made.snakemake()
    return made


@pytest.fixture
def edited(finished: Checkout, tmp_path: Path) -> Checkout:
    """A copy of the finished run, file times kept, that a test may edit."""
    folder = tmp_path / "edited"
    shutil.copytree(finished.folder, folder, symlinks=True)
    return Checkout(folder)


WEIGHTS = f"{RESULTS}/priors/conformer_1hel/weights.safetensors"
POINTS = f"{RESULTS}/structures/1hel/points.npz"


@dataclass(frozen=True)
class Submission:
    """A run that goes to the cluster from its own copy, perhaps still at work."""

    checkout: Checkout
    run: Run


@dataclass(frozen=True)
class Submissions:
    """Runs that go to the cluster beside each other.

    Attributes:
        whole: the tiny workflow.
        outlasted: a training that hits its time limit after a checkpoint, and goes on.
        refused: a structure whose file is not the one that the config names.
    """

    whole: Submission
    outlasted: Submission
    refused: Submission


# At once, and beside other tests: each waits most of its time, for the scheduler or for
# a limit. Who asks for one's result waits for its end.
@pytest.fixture(scope="session")
def submissions(
    cluster: SlurmCluster,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Submissions]:
    whole, outlasted, refused = (
        copy_checkout(tmp_path_factory.mktemp(name) / "checkout")
        for name in ("whole", "outlasted", "refused")
    )
    lengthen_training(outlasted.folder)
    spoil_checksum(refused.folder)
    checkpoints = (outlasted.folder / WEIGHTS).parent / "checkpoints"
    with (
        # Snakemake looks after 30, 70 and 110 s: from 6 s on, first after 84 and 130.
        outlasted.running(WEIGHTS, *SLURM, PAUSE, "30") as longest,
        refused.running(POINTS, *SLURM, "--retries", "0") as failing,
        # After 12, 34 and 66 s; of its stages most take 20 to 60 s, from where on 6 s
        # would have it look after 48 and 84.
        whole.running(*SLURM, PAUSE, "12") as run,
    ):
        wait_for(lambda: any(checkpoints.glob("[!.]*")), "a checkpoint")
        (first,) = cluster.jobs("train_prior", run=longest.number())
        # Stopped, so that the limit is hit after this checkpoint on any machine.
        for process in job_processes(first.number):
            kill(process, signal.SIGSTOP)
        cluster.limit_time(first.number)
        yield Submissions(
            whole=Submission(whole, run),
            outlasted=Submission(outlasted, longest),
            refused=Submission(refused, failing),
        )


@pytest.fixture(scope="session")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A copy in which the training that hits its limit elsewhere ran without one."""
    made = copy_checkout(tmp_path_factory.mktemp("uninterrupted") / "checkout")
    lengthen_training(made.folder)
    made.snakemake(WEIGHTS)
    return made


def spoil_checksum(folder: Path) -> None:
    """Let the config name another file than the structure's."""
    path = folder / "config/test.yaml"
    text = path.read_text()
    start = text.index("sha256: ") + len("sha256: ")
    path.write_text(text[:start] + "f" * 64 + text[start + 64 :])


def lengthen_training(folder: Path) -> None:
    """Let a training last long enough to be caught in the middle."""
    path = folder / "config/test.yaml"
    config = yaml.safe_load(path.read_text())
    config["priors"]["conformer_1hel"]["training"].update(
        steps=150, checkpoint_interval=10, validation_interval=150
    )
    path.write_text(yaml.safe_dump(config))


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmCluster]:
    """Slurm's daemons on this machine."""
    with run_slurm(tmp_path_factory.mktemp("slurm")) as running:
        yield running
