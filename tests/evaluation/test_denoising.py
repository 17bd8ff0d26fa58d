import math

import numpy as np
import pytest
import torch

from equicryo.evaluation.denoising import (
    BONDS,
    DENOISING_COLUMNS,
    IDENTITY,
    LINEAR,
    NO_SEQUENCE,
    SEQUENCE,
    measure_denoising,
)
from equicryo.io.chain_sets import read_chain_set
from equicryo.models.denoiser import Denoiser
from equicryo.models.polymer import fit_polymer
from equicryo.models.transformer import NetworkConfig, initialise
from equicryo.structure.chain_set import ChainSet

NOISE = (0.3, 4.0)
COPIES = 4


@pytest.fixture(scope="module")
def chains() -> ChainSet:
    targets = read_chain_set("resources/chains/targets.npz")
    return targets.select(np.argsort(targets.lengths)[:4].tolist())


@pytest.fixture(scope="module")
def denoiser() -> Denoiser:
    subset = read_chain_set("resources/chains/subset.npz")
    some = [subset.coordinates_of(index) for index in range(0, len(subset), 20)]
    made = Denoiser(
        NetworkConfig(width=16, rounds=1, layers=1, heads=2), fit_polymer(some)
    )
    initialise(made.network, torch.Generator().manual_seed(0))
    return made.requires_grad_(requires_grad=False)


def measure(denoiser: Denoiser, chains: ChainSet) -> dict[tuple[float, str], dict]:
    generator = torch.Generator().manual_seed(1)
    rows = measure_denoising(denoiser, chains, NOISE, COPIES, generator=generator)
    assert all(tuple(row) == DENOISING_COLUMNS for row in rows)
    return {(row["noise_level"], row["method"]): row for row in rows}


@pytest.fixture(scope="module")
def rows(denoiser: Denoiser, chains: ChainSet) -> dict[tuple[float, str], dict]:
    return measure(denoiser, chains)


def test_noise_itself_is_off_by_its_own_size(rows, chains):
    for level in NOISE:
        row = rows[level, IDENTITY]
        # Three coordinates; the centroid, one residue in N, is free of noise.
        # 16 copies of 60 residues and more: 5 % each, 1.3 % in the mean.
        expected = level * math.sqrt(3.0 * (1.0 - np.mean(1.0 / chains.lengths)))
        assert row["rmsd"] == pytest.approx(expected, rel=0.04)
        assert row["mirror_change"] is None
        assert row["rg_ratio"] > 1.0
        assert row["n"] == 4


def test_untrained_network_is_the_linear_baseline_and_blind_to_hands(rows):
    for level in NOISE:
        linear = rows[level, LINEAR]
        for name in (SEQUENCE, NO_SEQUENCE):
            assert rows[level, name]["rmsd"] == pytest.approx(linear["rmsd"], rel=1e-5)
        assert linear["mirror_change"] < 1e-12
        assert rows[level, SEQUENCE]["mirror_change"] < 1e-5
        assert linear["rmsd"] < rows[level, IDENTITY]["rmsd"]


def test_posterior_mean_shrinks_by_what_it_errs(rows):
    linear = rows[4.0, LINEAR]
    # Orthogonality holds on average over the Gaussian; these are four chains of it.
    assert linear["rg_ratio"] == pytest.approx(linear["rg_ratio_expected"], abs=0.05)
    assert linear["rg_ratio_expected"] < 1.0
    # A chain with bonds put right is no average: it is larger than its error allows.
    bonds = rows[4.0, BONDS]
    assert bonds["rg_ratio"] > bonds["rg_ratio_expected"] + 0.01


def test_network_that_sees_hands_and_types_says_so(denoiser, chains):
    generator = torch.Generator().manual_seed(2)
    original = {key: value.clone() for key, value in denoiser.state_dict().items()}
    for weight in denoiser.network.parameters():
        weight += 0.3 * torch.randn(weight.shape, generator=generator)
    rows = measure(denoiser, chains)
    denoiser.load_state_dict(original)
    assert rows[4.0, SEQUENCE]["mirror_change"] > 0.01
    assert rows[4.0, SEQUENCE]["rmsd"] != rows[4.0, NO_SEQUENCE]["rmsd"]
