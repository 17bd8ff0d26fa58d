"""Annealing and merging on a small chain whose images have no noise."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from equicryo.errors import InputError
from equicryo.inference import trace_merging
from equicryo.inference.blob_refinement import BlobRefiner
from equicryo.inference.order_landscape import Landscape
from equicryo.inference.trace_merging import AnnealingConfig, Merger
from equicryo.inference.traces import RefinedTrace
from equicryo.physics.gain import KnownGain, UnknownGain
from equicryo.structure.superposition import rmsd_unaligned

from .hairpin import (
    ANNEALING,
    hairpin,
    make_refiner,
    propose_among_decoys,
    spiral_geometry,
)


@pytest.fixture(scope="module")
def truth() -> np.ndarray:
    return hairpin()


@pytest.fixture(scope="module")
def refiner(truth) -> BlobRefiner:
    return make_refiner(truth)


def make_merger(
    refiner: BlobRefiner, truth: np.ndarray, config: AnnealingConfig
) -> Merger:
    proposals = propose_among_decoys(torch.from_numpy(truth))
    return Merger(
        refiner=refiner,
        places=proposals.places,
        score_links=proposals.score_bonds,
        improve=lambda trace: trace,
        geometry=spiral_geometry(),
        config=config,
        generator=np.random.default_rng(0),
    )


def error(trace: RefinedTrace, truth: np.ndarray) -> float:
    return float(rmsd_unaligned(trace.coordinates, torch.from_numpy(truth)))


@pytest.mark.parametrize("gain", [KnownGain(), UnknownGain()])
def test_a_chain_is_found_among_decoys(refiner, truth, gain) -> None:
    merger = make_merger(replace(refiner, gain=gain), truth, ANNEALING)
    best, *others = merger.search([])
    assert error(best, truth) < 0.3
    assert best.confirmed
    assert all(other.log_posterior < best.log_posterior for other in others)


def test_searches_end_when_two_agree(refiner, truth, monkeypatch) -> None:
    right = refiner.refine(truth, 60)
    wrong = refiner.refine(truth[::-1].copy(), 60)
    assert wrong.log_posterior < right.log_posterior
    # Nearer to the right one than to each other.
    left, beyond = (
        replace(
            right,
            coordinates=right.coordinates + shift,
            log_likelihood=right.log_likelihood - 5.0,
        )
        for shift in (-1.0, 1.0)
    )
    merger = make_merger(refiner, truth, replace(ANNEALING, searches=3))
    for ends, confirmed, merged in (
        ([[right], [right, wrong]], True, False),
        ([[right], [wrong], [right]], True, False),
        ([[left], [beyond], [right]], True, False),
        # Two agree on what a third betters, and all are merged.
        ([[wrong], [wrong, right], [right], [right]], False, True),
        ([[wrong], [right], [wrong], [right, wrong]], False, True),
    ):
        calls = iter(ends)
        starts = []

        def merge(_: Merger, known: list, calls=calls, starts=starts) -> list:
            starts.append(known)
            return next(calls)

        monkeypatch.setattr(Merger, "merge", merge)
        best, *_ = merger.search([])
        assert best.coordinates is right.coordinates
        assert best.confirmed == confirmed
        assert bool(starts[-1]) == merged
        assert next(calls, None) is None


def test_a_search_that_ends_where_another_did_agrees_with_it(
    refiner, truth, monkeypatch
) -> None:
    right = refiner.refine(truth, 60)
    merger = make_merger(refiner, truth, ANNEALING)
    calls = iter([[right]])
    monkeypatch.setattr(Merger, "merge", lambda *_: next(calls))
    best, *_ = merger.search([right])
    assert best.confirmed


def test_what_searches_end_in_is_improved_before_it_is_compared(
    refiner, truth, monkeypatch
) -> None:
    right = refiner.refine(truth, 60)
    ends = [
        replace(right, coordinates=right.coordinates + shift, log_likelihood=-1e3)
        for shift in (-1.5, 1.5)
    ]
    merger = replace(make_merger(refiner, truth, ANNEALING), improve=lambda _: right)
    calls = iter([[end] for end in ends])
    monkeypatch.setattr(Merger, "merge", lambda *_: next(calls))
    best, *others = merger.search([])
    assert best.coordinates is right.coordinates
    assert best.confirmed
    assert others == ends


def test_known_traces_are_kept_unless_a_better_one_is_found(refiner, truth) -> None:
    known = refiner.refine(truth, 60)
    short = replace(ANNEALING, searches=1, patience=1, moves=1)
    best, *_ = make_merger(refiner, truth, short).search([known])
    assert best.coordinates is known.coordinates


def test_what_tells_no_more_than_noise_is_no_trace(refiner, truth) -> None:
    merger = make_merger(refiner, truth, ANNEALING)
    right = refiner.refine(truth, 10)
    away = replace(right, coordinates=right.coordinates + 12.0)
    assert merger.keep_telling([away, right]) == [right]
    field = np.zeros_like(refiner.potential.field)
    noise = replace(refiner.potential, field=field)
    blind = replace(merger, refiner=replace(refiner, potential=noise))
    assert blind.search([]) == []


def test_links_of_merged_traces_are_preferred(refiner, truth, monkeypatch) -> None:
    laid: list[np.ndarray] = []

    def anneal(landscape: Landscape, order: np.ndarray, *_: object) -> tuple:
        laid.append(landscape.steps)
        return 0.0, np.arange(len(order))

    monkeypatch.setattr(trace_merging, "anneal_order", anneal)
    known = [refiner.refine(truth, 20), refiner.refine(truth[::-1] + 1.0, 0)]
    for familiar in (0.0, 5.0):
        config = replace(ANNEALING, familiar=familiar, patience=1)
        make_merger(refiner, truth, config).merge(known)
    gain = laid[1] - laid[0]
    assert set(np.unique(gain.round(9))) == {0.0, 5.0}
    assert np.array_equal(gain, gain.T)
    # The better chain is whole; of the other, what is not left out for being near it.
    assert (np.diag(gain, 1)[: len(truth) - 1] == 5.0).all()


def test_the_same_seed_finds_the_same(refiner, truth) -> None:
    short = replace(ANNEALING, searches=1, patience=2, moves=100)
    first, again = (make_merger(refiner, truth, short).search([]) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        assert (one.coordinates == other.coordinates).all()


def test_no_more_traces_are_merged_than_are_kept() -> None:
    with pytest.raises(InputError, match="5 traces cannot be merged where 4"):
        replace(ANNEALING, merged=5)
