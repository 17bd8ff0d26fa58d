import gemmi
import numpy as np
import pytest
import torch

from equicryo.evaluation.mixture_check import compare_draws, compare_estimates
from equicryo.evaluation.rotated_mixture import (
    SPREAD,
    WEIGHTS,
    RotatedMixture,
    fold_mixture,
)
from equicryo.models.denoiser import Denoiser
from equicryo.models.polymer import fit_polymer
from equicryo.models.transformer import NetworkConfig, initialise
from equicryo.structure.chain import Chain

COUNT = 300


@pytest.fixture(scope="module")
def mixture() -> RotatedMixture:
    polymer = gemmi.read_structure("resources/structures/1hel.pdb")[0][0].get_polymer()
    positions = np.array([list(residue["CA"][0].pos) for residue in polymer])
    chain = Chain(
        name="1hel",
        chain_id="A",
        sequence=gemmi.one_letter_code([residue.name for residue in polymer]),
        residue_numbers=np.arange(1, len(positions) + 1),
        insertion_codes=("",) * len(positions),
        coordinates=positions,
        b_factors=np.zeros(len(positions)),
    )
    return fold_mixture(chain)


def test_exact_draws_have_exact_weights_and_spreads(mixture):
    generator = torch.Generator().manual_seed(0)
    chains, _ = mixture.draw_chains(COUNT, generator=generator)
    rows = compare_draws(chains, mixture)
    assert [row["exact"] for row in rows if row["quantity"] == "weight"] == [*WEIGHTS]
    for row in rows:
        assert abs(row["value"] - row["exact"]) < 4.0 * row["error"]
    # Of these, a fold's share and its spread are known to 5 and 2 %.
    assert max(row["error"] for row in rows) < 0.05


def test_draws_of_one_hand_only_are_told(mixture):
    generator = torch.Generator().manual_seed(1)
    chains, component = mixture.draw_chains(COUNT, generator=generator)
    rows = compare_draws(chains[component != 1], mixture)
    (lost,) = [r for r in rows if (r["quantity"], r["at"]) == ("weight", 1)]
    assert lost["value"] == 0.0
    assert lost["exact"] > 5.0 * lost["error"]


def test_error_of_any_estimate_is_the_exact_one_and_the_excess(mixture):
    """Pythagoras: the posterior mean's error is orthogonal to every estimate."""
    generator = torch.Generator().manual_seed(2)
    some, _ = mixture.draw_chains(500, generator=generator)
    denoiser = Denoiser(
        NetworkConfig(width=8, rounds=1, layers=1, heads=1),
        fit_polymer(list(some.numpy())),
    )
    initialise(denoiser.network, generator)
    rows = compare_estimates(denoiser, mixture, (4.0,), COUNT, generator=generator)
    for level in (4.0,):
        rmsd, excess = (row for row in rows if row["at"] == level)
        assert (rmsd["quantity"], excess["quantity"]) == ("rmsd", "excess")
        assert rmsd["value"] > rmsd["exact"]
        expected = (rmsd["exact"] ** 2 + excess["value"] ** 2) ** 0.5
        # Each of the three is known to 1 %.
        assert rmsd["value"] == pytest.approx(expected, rel=0.03)


def test_exact_estimate_without_noise_left_is_within_the_spread(mixture):
    generator = torch.Generator().manual_seed(3)
    chains, _ = mixture.draw_chains(50, generator=generator)
    mean = mixture.posterior_mean(chains, 1e-3)
    assert float((mean - chains).abs().max()) < 1e-4 * SPREAD
