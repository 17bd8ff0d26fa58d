"""Runtime shape checks and settings shared by every test."""

import hypothesis
import pytest
import torch
from jaxtyping import install_import_hook
from xdist.scheduler import LoadFileScheduling

install_import_hook("equicryo", "beartype.beartype")
hypothesis.settings.register_profile("ci", derandomize=True, deadline=None)
hypothesis.settings.load_profile("ci")
torch.use_deterministic_algorithms(mode=True)
# Runs of other tests keep the cores busy; threads that wait for each other crawl then.
torch.set_num_threads(1)

SHARED_RUNS = tuple(
    f"tests/workflow/test_{name}.py"
    for name in ("failures", "rerun", "run", "slurm_faults", "slurm_run")
)
"""Files that share whole runs, minutes each."""


class FewRuns(LoadFileScheduling):
    """Give a file's tests to one process, and all that share whole runs to one too."""

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(SHARED_RUNS):
            return "shared runs"
        return super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log) -> FewRuns:
    return FewRuns(config, log)
