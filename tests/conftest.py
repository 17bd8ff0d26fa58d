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


class FewRuns(LoadFileScheduling):
    """Give a file's tests to one process, and all that share whole runs to one too."""

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith("tests/workflow/"):
            return "whole runs"
        return super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log) -> FewRuns | None:
    return FewRuns(config, log) if config.getvalue("dist") == "load" else None
