"""Random seeds derived from the one seed of the config."""

import hashlib

import numpy as np
import torch


def derive_generator(seed: int, *labels: str) -> torch.Generator:
    """Make the generator of one step of one dataset or replicate.

    Args:
        seed: the configured seed.
        labels: what the numbers are for, e.g. the step and its wildcards. Different
            labels give independent streams, whatever else the config holds.

    Returns:
        A CPU generator seeded with the first 63 bits of a SHA-256 digest.
    """
    text = "\x1f".join((str(seed), *labels))
    digest = hashlib.sha256(text.encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8]) >> 1)


def numpy_generator(generator: torch.Generator) -> np.random.Generator:
    """Make a generator of NumPy's from what one of torch draws next."""
    seed = int(torch.randint(2**62, (), generator=generator))
    return np.random.default_rng(seed)
