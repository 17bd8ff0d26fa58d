import numpy as np
import pytest

from equicryo.io.chain_sets import read_chain_set
from equicryo.structure.chain_set import ChainSet, gather_chains

pytest.importorskip("tmtools")

from equicryo.evaluation.folds import mean_similarity, nearest_scores


@pytest.fixture(scope="module")
def short() -> ChainSet:
    subset = read_chain_set("resources/chains/subset.npz")
    return subset.select(np.argsort(subset.lengths, kind="stable")[:6].tolist())


def turned(chains: ChainSet, index: int) -> np.ndarray:
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))
    return chains.coordinates_of(index) @ (turn * np.linalg.det(turn)).T


def test_learnt_fold_is_found_wherever_it_lies(short):
    known = gather_chains(("known",), short.sequence_of(2), [turned(short, 2)])
    (score,) = nearest_scores(known, short)
    assert score == pytest.approx(1.0, abs=1e-3)
    others = short.select([0, 1, 3, 4, 5])
    assert nearest_scores(known, others)[0] < 0.9


def test_mirror_image_of_a_learnt_fold_is_new(short):
    mirrored = short.coordinates_of(2) * [1.0, 1.0, -1.0]
    image = gather_chains(("image",), short.sequence_of(2), [mirrored])
    assert nearest_scores(image, short)[0] < 0.9


def test_copies_of_one_fold_are_no_diversity(short):
    copies = gather_chains(
        ("one", "other"),
        2 * short.sequence_of(0),
        [short.coordinates_of(0), turned(short, 0)],
    )
    assert mean_similarity(copies) == pytest.approx(1.0, abs=1e-3)
    assert mean_similarity(short) < 0.6
