"""Time the planning of a run of 10,000 jobs: `python -m tests.workflow.measure_scale`.

The tiny config with a study of thousands of seeds. All that it plans is then laid down
as empty files, so that nothing is left to be done, and planned again.
"""

import argparse
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from .conftest import Checkout, copy_checkout

JOBS_A_SEED = 3  # A reconstruction, its evidence and its score.


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one call of Snakemake took.

    Attributes:
        wall: seconds until it ended, which depend on what else the machine does.
        cpu: seconds of all its processes.
        memory: of the largest of them, in MB.
    """

    wall: float
    cpu: float
    memory: float


def measure(checkout: Checkout, *arguments: str) -> tuple[Cost, str]:
    """Run Snakemake; return what it took, and what it said."""
    said = checkout.folder / "said.txt"
    begun = time.perf_counter()
    with said.open("w") as file:
        process = subprocess.Popen(
            checkout.command(*arguments),
            cwd=checkout.folder,
            env=checkout.environment(),
            stdout=file,
            stderr=subprocess.STDOUT,
        )
        _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begun
    text = said.read_text()
    if status:
        sys.exit(text[-4000:])
    cpu = usage.ru_utime + usage.ru_stime
    return Cost(wall=wall, cpu=cpu, memory=usage.ru_maxrss / 1024), text


def ask_for_seeds(folder: Path, count: int) -> None:
    """Let the config's one study be of one reconstruction a seed."""
    path = folder / "config/test.yaml"
    config = yaml.safe_load(path.read_text())
    (headline,) = (one for one in config["studies"] if one["study"] == "headline")
    headline["prior"] = ["conformer_1hel"]
    headline["seed"] = list(range(1, count + 1))
    path.write_text(yaml.safe_dump(config))


def lay_down(folder: Path, said: str) -> int:
    """Make an empty file of each planned output; return how many jobs there were."""
    lines = [line.strip() for line in said.splitlines()]
    outputs = [line for line in lines if line.startswith("output: ")]
    now = time.time()
    for line in outputs:
        for name in line.removeprefix("output: ").split(", "):
            path = folder / name.removesuffix(" (update)")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            os.utime(path, (now, now))
    return len(outputs)


def main() -> None:
    """Print a row of the cluster page's table for each measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=10_000, help="about how many")
    jobs = parser.parse_args().jobs
    with TemporaryDirectory() as folder:
        checkout = copy_checkout(Path(folder))
        ask_for_seeds(checkout.folder, jobs // JOBS_A_SEED)
        planning, said = measure(checkout, "--dry-run")
        count = lay_down(checkout.folder, said)
        nothing, said = measure(checkout)
        if "Nothing to be done" not in said:
            sys.exit(f"something was left to be done:\n{said[-4000:]}")
    for what, cost in (("dry run", planning), ("nothing to be done", nothing)):
        print(
            f"| {what} | {count:,} | {cost.cpu:.0f} s | {cost.wall:.0f} s | "
            f"{cost.memory:.0f} MB |"
        )


if __name__ == "__main__":
    main()
