"""How far a long step is: lines in the rule's log, a bar on a terminal."""

import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from time import perf_counter
from typing import TypeVar

from rich.console import Console
from rich.progress import Progress

logger = logging.getLogger(__name__)

Batch = TypeVar("Batch")

PARTS = 10
"""Lines in the log of a long step."""


def announce(task: str, count: int, *, memory: float, seconds: float) -> None:
    """Log what a step is expected to take, before it starts.

    Args:
        task: what is done, e.g. ``compress``.
        count: number of images.
        memory: bytes.
        seconds: on one core of a present-day processor.
    """
    logger.info(
        "%s %d images: about %.1f GB of memory and %.1f minutes",
        *(task, count, memory / 1e9, seconds / 60.0),
    )


def track_images(
    batches: Iterable[Batch],
    task: str,
    count: int,
    size: Callable[[Batch], int] = len,
) -> Iterator[Batch]:
    """Pass batches of images on and report how many of them are done.

    The log gets a line after the first batch, with the time that is left at this rate,
    and one at each tenth; a terminal gets a bar.

    Args:
        batches: of images.
        task: what is done with them.
        count: number of images in all.
        size: number of images in a batch.
    """
    start, done, lines = perf_counter(), 0, 0
    console = Console(stderr=True)
    hidden = not sys.stderr.isatty()
    with Progress(console=console, disable=hidden, transient=True) as bar:
        shown = bar.add_task(task, total=count)
        for batch in batches:
            yield batch
            done += size(batch)
            bar.update(shown, completed=done)
            if done * PARTS >= lines * count:
                lines = 1 + done * PARTS // count
                rate = done / (perf_counter() - start)
                logger.info(
                    "%s: %d of %d images, %.0f a second, %.1f minutes left",
                    *(task, done, count, rate, (count - done) / rate / 60.0),
                )
