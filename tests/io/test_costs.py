from pathlib import Path

import pytest

from equicryo.io.costs import (
    COST_COLUMNS,
    describe_costs,
    price_jobs,
    read_costs,
    tabulate_costs,
)
from equicryo.io.tables import read_table, write_table

HEADER = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\t"


@pytest.fixture
def benchmarks(tmp_path: Path) -> Path:
    """Measurements as Snakemake writes them: seconds, memory in MB, CPU seconds."""

    def measure(path: str, seconds: object, memory: object, cpu: object) -> None:
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        row = [seconds, "0:0:0", memory, 1, 1, 1, 1, 1, 1, cpu]
        cells = "\t".join(map(str, row))
        file.write_text(f"{HEADER}cpu_time\n{cells}\n")

    measure("train/a.tsv", 3600.0, 700.0, 7200.0)
    measure("train/deep/er/b.tsv", 1800.0, 900.0, 1800.0)
    measure("score.tsv", 36.0, 100.0, 36.0)
    measure("too_short/a.tsv", 0.5, "NA", "-")
    (tmp_path / "physics.csv").write_text("name,value\n")
    return tmp_path


def test_costs_add_up_by_rule_the_dearest_first(benchmarks: Path) -> None:
    rows = tabulate_costs(read_costs(benchmarks))
    assert [row["rule"] for row in rows] == ["train", "score", "too_short", "all"]
    assert rows[0] == {
        "rule": "train",
        "jobs": 2,
        "wall_hours": 1.5,
        "cpu_hours": 2.5,
        "longest_minutes": 60.0,
        "peak_memory_mb": 900.0,
    }
    assert rows[-1]["jobs"] == 4
    assert rows[-1]["cpu_hours"] == sum(row["cpu_hours"] for row in rows[:-1])
    assert rows[-1]["peak_memory_mb"] == 900.0
    assert describe_costs(rows[-1]).startswith("4 jobs: 1.51 hours")


def test_a_second_table_beside_the_first_counts_nothing_twice(benchmarks: Path) -> None:
    rows = tabulate_costs(read_costs(benchmarks))
    write_table(benchmarks / "costs.csv", COST_COLUMNS, rows)
    assert tabulate_costs(read_costs(benchmarks)) == rows
    assert len(read_table(benchmarks / "costs.csv")) == len(rows)


def test_nothing_measured_costs_nothing(tmp_path: Path) -> None:
    (row,) = tabulate_costs(read_costs(tmp_path))
    assert (row["rule"], row["jobs"], row["cpu_hours"]) == ("all", 0, 0)


def test_jobs_are_priced_at_the_mean_of_their_rule(
    benchmarks: Path, tmp_path: Path
) -> None:
    rows = tabulate_costs(read_costs(benchmarks))
    write_table(tmp_path / "known.csv", COST_COLUMNS, rows)
    known = read_table(tmp_path / "known.csv")
    # Two trainings took 2.5 CPU-hours, one score 36 s.
    assert price_jobs(["train"] * 4 + ["score"], known) == (
        "5 jobs, about 5.0 hours of one core"
    )
    assert price_jobs(["train", "draw"], known) == (
        "2 jobs, about 1.2 hours of one core, without draw"
    )
