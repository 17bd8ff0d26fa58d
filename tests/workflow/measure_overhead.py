"""Time the scheduling of jobs that sleep: `python -m tests.workflow.measure_overhead`.

Snakemake's own executor starts a hundred at a time, each asleep for a second: what goes
beyond that second for each hundred jobs is what the scheduler takes.
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from .conftest import copy_checkout
from .measure_scale import Cost, measure

SLEEPERS = """
rule all:
    input: expand("slept/{{number}}.txt", number=range({count}))

rule sleep:
    output: "slept/{{number}}.txt"
    shell: "sleep 1; touch {{output}}"
"""
AT_A_TIME = 100


def schedule(folder: Path, count: int) -> Cost:
    """Return what a run of some sleeping jobs takes."""
    checkout = copy_checkout(folder)
    (checkout.folder / "workflow/Snakefile").write_text(SLEEPERS.format(count=count))
    cost, _ = measure(checkout, "--cores", str(AT_A_TIME), "--quiet", "all")
    assert len(list((checkout.folder / "slept").iterdir())) == count
    return cost


def main() -> None:
    """Print a row of the cluster page's table for each number of jobs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, nargs="+", default=[100, 1000, 3000, 10000])
    for count in parser.parse_args().jobs:
        with TemporaryDirectory() as folder:
            cost = schedule(Path(folder) / "checkout", count)
        beyond = 1000.0 * (cost.wall - count / AT_A_TIME) / count
        print(
            f"| {count:,} | {cost.wall:.0f} s | {beyond:.0f} ms | {cost.cpu:.0f} s | "
            f"{cost.memory:.0f} MB |",
            flush=True,
        )


if __name__ == "__main__":
    main()
