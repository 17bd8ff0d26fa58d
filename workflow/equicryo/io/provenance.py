"""What a run was made from: config, versions, commit, inputs and code."""

import platform
import re
import subprocess
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

from equicryo.fingerprint import fingerprint
from equicryo.io.files import file_sha256


def collect_provenance(
    config: dict[str, Any], inputs: Iterable[str], scripts: Iterable[str | Path]
) -> dict[str, Any]:
    """Gather all that is needed to repeat a run.

    Args:
        config: as validated; a file with it replays the run.
        inputs: files that were not made by the workflow.
        scripts: of the rules.
    """
    return {
        "commit": current_commit(),
        "python": platform.python_version(),
        "versions": package_versions(),
        "config": config,
        "inputs": {path: file_sha256(path) for path in sorted(set(inputs))},
        "code": {Path(path).stem: fingerprint(path) for path in sorted(scripts)},
    }


def package_versions() -> dict[str, str]:
    """Return the installed version of each package that ours requires at run time."""
    names = [
        re.split(r"[^A-Za-z0-9._-]", requirement)[0]
        for requirement in metadata.requires("equicryo") or []
        if "extra ==" not in requirement
    ]
    return {name: metadata.version(name) for name in sorted(names)}


def current_commit() -> str:
    """Return the commit of the checkout we run in, or ``unknown`` outside of one."""
    command = ["git", "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()
