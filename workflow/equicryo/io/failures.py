"""Why a job failed, on a few lines."""

from collections.abc import Iterable, Mapping
from pathlib import Path

OWN_MARKS = (" ERROR ", " CRITICAL ")
"""What comes before the error in a rule's log."""

SCHEDULER_MARKS = ("slurmstepd", "rror")
"""Words in the line of Slurm's log that says why a job ended, the surest first."""

LONGEST_REASON = 600
"""Characters of a reason that are shown: the log has the rest."""

TAIL_BYTES = 1 << 16


def describe_failure(
    rule: str,
    wildcards: Mapping[str, str],
    logs: Iterable[str | Path],
    scheduler_logs: str | Path,
) -> str:
    """Say what failed, for what, why, and where to read on.

    Args:
        rule: of the job.
        wildcards: of the job.
        logs: the rule's own.
        scheduler_logs: folder of what Slurm said of the jobs of this rule or its
            group; it need not exist. Its newest log counts where the rule's says
            nothing, as of a job that was killed.
    """
    own = [Path(log) for log in logs if Path(log).is_file()]
    newest = sorted(Path(scheduler_logs).rglob("*.log"), key=_changed)[-1:]
    sources = [(log, OWN_MARKS) for log in own]
    sources += [(log, SCHEDULER_MARKS) for log in newest]
    found = [(log, _reason(log, marks)) for log, marks in sources]
    log, reason = next((pair for pair in found if pair[1]), (None, ""))
    shown = [str(path) for path in ([log] if log else [*own, *newest])]
    named = ", ".join(f"{key}={value}" for key, value in wildcards.items())
    return (
        f"rule:      {rule}\n"
        f"wildcards: {named or 'none'}\n"
        f"reason:    {reason or 'it ended without a word: was it killed?'}\n"
        f"log:       {', '.join(shown) or 'none was written'}"
    )


def _reason(log: Path, marks: Iterable[str]) -> str:
    """Return what follows the first mark that a log has, where it has it last."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - TAIL_BYTES))
        lines = file.read().decode("utf-8", errors="replace").splitlines()
    for mark in marks:
        for line in reversed(lines):
            if mark in line:
                said = line.split(mark, 1)[1] if mark in OWN_MARKS else line
                return said.strip()[:LONGEST_REASON]
    return ""


def _changed(path: Path) -> float:
    return path.stat().st_mtime
