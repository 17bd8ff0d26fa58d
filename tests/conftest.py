"""Runtime shape checks and settings shared by every test."""

import hypothesis
import torch
from jaxtyping import install_import_hook

install_import_hook("equicryo", "beartype.beartype")
hypothesis.settings.register_profile("ci", derandomize=True, deadline=None)
hypothesis.settings.load_profile("ci")
torch.use_deterministic_algorithms(mode=True)
# Runs of other tests keep the cores busy; threads that wait for each other crawl then.
torch.set_num_threads(1)
