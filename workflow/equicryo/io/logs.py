"""Logging of a script: plain lines in the rule's log, warnings on the terminal."""

import logging
import os
import sys
from pathlib import Path
from types import TracebackType

from equicryo.errors import InputError

logger = logging.getLogger("equicryo")


def log_to(path: str | Path) -> None:
    """Log a script's work to `path` and let a user's mistake end in one line.

    Everything from INFO goes to the file, our warnings to the terminal too. An
    `InputError` leaves only its message on the terminal; any other exception is a
    defect of ours and shows its traceback. Both end the script with status 1.
    """
    # A log that cannot be written, on a full disk, must not bury the error itself.
    logging.raiseExceptions = False
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    # The processes of one job that start after the first add to its log.
    mode = "a" if os.environ.get("LOCAL_RANK", "0") != "0" else "w"
    file = logging.FileHandler(path, mode=mode)
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[file], force=True)
    terminal = logging.StreamHandler()
    terminal.setLevel(logging.WARNING)
    terminal.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    logger.addHandler(terminal)
    # Lightning brings a handler of its own: the log is the place for what it says.
    logging.getLogger("lightning.pytorch").handlers.clear()
    logging.captureWarnings(capture=True)

    def report(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        if issubclass(kind, InputError):
            logger.error("%s (log: %s)", error, path)
        else:
            logger.critical(
                "%s: %s", kind.__name__, error, exc_info=(kind, error, trace)
            )

    sys.excepthook = report
