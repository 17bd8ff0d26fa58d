import numpy as np
import pytest

from equicryo.structure.chain_set import COORDINATE_STEP, gather_chains


def test_gathered_chains_are_the_given_ones_about_their_centroids():
    generator = np.random.default_rng(0)
    chains = [30.0 + 10.0 * generator.normal(size=(n, 3)) for n in (5, 3)]
    found = gather_chains(("one", "other"), "ACDEFGHI", chains)
    assert found.lengths.tolist() == [5, 3]
    assert found.sequence_of(1) == "GHI"
    for index, chain in enumerate(chains):
        np.testing.assert_allclose(
            found.coordinates_of(index),
            chain - chain.mean(0),
            atol=0.5 * COORDINATE_STEP + 1e-9,
        )


def test_chain_too_large_to_be_stored_is_refused():
    chain = np.array([[0.0, 0.0, 0.0], [700.0, 0.0, 0.0]])
    with pytest.raises(ValueError, match="350 Å from the centroid"):
        gather_chains(("far",), "AC", [chain])
    with pytest.raises(ValueError, match="centroid"):
        gather_chains(("nowhere",), "AC", [chain * np.nan])
