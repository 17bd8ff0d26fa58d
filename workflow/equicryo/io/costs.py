"""What a run cost: the measurements of its jobs, gathered by rule."""

import csv
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

COST_COLUMNS = (
    "rule",
    "jobs",
    "wall_hours",
    "cpu_hours",
    "longest_minutes",
    "peak_memory_mb",
)


@dataclass(frozen=True, kw_only=True)
class JobCost:
    """What Snakemake measured of one job.

    Attributes:
        rule: that it belongs to.
        seconds: from start to end.
        cpu_seconds: of all its processes, 0 where it was too short to be seen.
        memory: largest resident memory, MB; 0 where it was too short to be seen.
    """

    rule: str
    seconds: float
    cpu_seconds: float
    memory: float


def read_costs(folder: str | Path) -> list[JobCost]:
    """Read the measurements of all jobs.

    Args:
        folder: with one folder or one file a rule, ``<rule>/**/*.tsv`` or
            ``<rule>.tsv``.
    """
    folder = Path(folder)
    return [
        JobCost(
            rule=path.relative_to(folder).with_suffix("").parts[0],
            seconds=_number(row["s"]),
            cpu_seconds=_number(row["cpu_time"]),
            memory=_number(row["max_rss"]),
        )
        for path in sorted(folder.rglob("*.tsv"))
        for row in csv.DictReader(path.open(encoding="utf-8"), delimiter="\t")
    ]


def tabulate_costs(costs: Iterable[JobCost]) -> list[dict[str, str | int | float]]:
    """Sum costs by rule, the dearest first; the last row is of all rules."""
    by_rule: dict[str, list[JobCost]] = {}
    for cost in costs:
        by_rule.setdefault(cost.rule, []).append(cost)
    rows = [_cost_row(rule, jobs) for rule, jobs in by_rule.items()]
    rows.sort(key=lambda row: (-row["cpu_hours"], row["rule"]))
    return [*rows, _cost_row("all", [job for jobs in by_rule.values() for job in jobs])]


def _cost_row(rule: str, jobs: list[JobCost]) -> dict[str, str | int | float]:
    return {
        "rule": rule,
        "jobs": len(jobs),
        "wall_hours": sum(job.seconds for job in jobs) / 3600.0,
        "cpu_hours": sum(job.cpu_seconds for job in jobs) / 3600.0,
        "longest_minutes": max((job.seconds for job in jobs), default=0.0) / 60.0,
        "peak_memory_mb": max((job.memory for job in jobs), default=0.0),
    }


def _number(text: str) -> float:
    return 0.0 if text in ("", "-", "NA") else float(text)


def describe_costs(row: dict[str, str | int | float]) -> str:
    """Say in one line what a row of costs adds up to."""
    return (
        f"{row['jobs']} jobs: {row['wall_hours']:.2f} hours one after the other, "
        f"{row['cpu_hours']:.2f} CPU-hours, at most {row['peak_memory_mb']:.0f} MB, "
        f"the longest {row['longest_minutes']:.1f} minutes"
    )


def price_jobs(rules: Iterable[str], known: Iterable[Mapping[str, str]]) -> str:
    """Say what jobs will cost if each takes what its rule took on average before.

    In CPU-hours, which other work on the same machine does not add to.

    Args:
        rules: of the jobs, one each.
        known: rows under `COST_COLUMNS`, as read from a file.
    """
    hours = {
        row["rule"]: float(row["cpu_hours"]) / int(row["jobs"])
        for row in known
        if int(row["jobs"])
    }
    counts = Counter(rules)
    total = sum(hours.get(rule, 0.0) * count for rule, count in counts.items())
    text = f"{counts.total()} jobs, about {total:.1f} hours of one core"
    unknown = sorted(set(counts) - set(hours))
    return f"{text}, without {', '.join(unknown)}" if unknown else text
