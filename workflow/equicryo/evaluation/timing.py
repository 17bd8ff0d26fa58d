"""Times and memory of work done in turns.

Works that are compared with each other are timed one after the other in every round, so
that whatever else the machine does weighs on all: on a busy machine only their ratios
mean something.
"""

import resource
import statistics
import sys
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Measurement:
    """One number: its name, value, unit and the number of images or views behind it."""

    name: str
    value: float
    unit: str
    n: int


def time_call(work: Callable[[], object]) -> float:
    """Return how long a call takes, s."""
    start = perf_counter()
    work()
    return perf_counter() - start


def time_in_turns(
    works: Mapping[Key, Callable[[], object]], rounds: int
) -> dict[Key, list[float]]:
    """Time several works in turns, after one round that is not counted.

    Args:
        works: calls to be timed.
        rounds: how often each is.

    Returns:
        Seconds of each work in each round.
    """
    times: dict[Key, list[float]] = {key: [] for key in works}
    for counted in [False] + [True] * rounds:
        for key, work in works.items():
            seconds = time_call(work)
            if counted:
                times[key].append(seconds)
    return times


def median_ratio(times: Sequence[float], reference: Sequence[float]) -> float:
    """Return the median over rounds of one work's time over another's."""
    return statistics.median(
        one / other for one, other in zip(times, reference, strict=True)
    )


def peak_memory() -> float:
    """Return the largest memory that this process ever held, GB."""
    unit = 1.0 if sys.platform == "darwin" else 1024.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9
