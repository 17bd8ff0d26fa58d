"""Hopping on a small chain whose images have no noise."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from equicryo.inference.blob_refinement import BlobRefiner
from equicryo.inference.likelihood import prepare_likelihood
from equicryo.inference.trace_hopping import Hopper, HoppingConfig
from equicryo.inference.tracing_refinement import RefinedTrace, refine_trace
from equicryo.physics.gain import KnownGain, UnknownGain
from equicryo.physics.pair_potential import prepare_potential
from equicryo.physics.residue_density import single_blobs
from equicryo.structure.residues import residue_electrons
from equicryo.structure.superposition import rmsd_unaligned
from equicryo.structure.turn_potential import TurnPotential, fit_potential

from .hairpin import (
    HOPPING,
    SEQUENCE,
    WIDTH,
    hairpin,
    noise_free,
    propose_among_decoys,
    spiral_geometry,
)


@pytest.fixture(scope="module")
def truth() -> np.ndarray:
    return hairpin()


@pytest.fixture(scope="module")
def refiner(truth) -> BlobRefiner:
    normal = noise_free(truth, 2.0)
    return BlobRefiner(
        potential=prepare_potential(normal, residue_electrons(SEQUENCE), WIDTH),
        gain=KnownGain(),
        turns=fit_potential(spiral_geometry()),
    )


def make_hopper(
    refiner: BlobRefiner, truth: np.ndarray, config: HoppingConfig
) -> Hopper:
    return Hopper(
        refiner=refiner,
        proposals=propose_among_decoys(torch.from_numpy(truth)),
        geometry=spiral_geometry(),
        config=config,
        generator=np.random.default_rng(0),
    )


def error(trace: RefinedTrace, truth: np.ndarray) -> float:
    return float(rmsd_unaligned(trace.coordinates, torch.from_numpy(truth)))


def without_turns(refiner: BlobRefiner) -> BlobRefiner:
    nothing = np.zeros_like(refiner.turns.coefficients)
    return replace(refiner, turns=TurnPotential(coefficients=nothing))


@pytest.mark.parametrize("gain", [KnownGain(), UnknownGain()])
def test_refinement_is_that_on_the_grid(refiner, truth, gain) -> None:
    """But for turns, which the grid's refinement knows nothing of."""
    density = single_blobs(SEQUENCE, WIDTH)
    likelihood = prepare_likelihood(noise_free(truth, 2.0), density, gain, ())
    start = truth + 0.3 * np.random.default_rng(0).normal(size=truth.shape)
    pairs = replace(without_turns(refiner), gain=gain).refine(start, 200)
    grid = refine_trace(torch.from_numpy(start), likelihood, 200)
    assert float(rmsd_unaligned(pairs.coordinates, grid.coordinates)) < 0.03
    assert pairs.log_likelihood == pytest.approx(grid.log_likelihood, rel=2e-3)
    assert pairs.log_restraint == pytest.approx(grid.log_restraint, abs=0.5)


def test_a_stretch_is_refined_and_the_rest_stays(refiner, truth) -> None:
    start = truth.copy()
    start[8:12] += 0.8
    part = refiner.refine_stretch(start, 8, 12, 60)
    moved = (part.coordinates.numpy() != start).any(1)
    assert moved.tolist() == [8 <= residue < 12 for residue in range(len(truth))]
    assert error(part, truth) < 0.2
    # The value is that of the whole chain.
    whole = refiner.refine(part.coordinates.numpy(), 0)
    assert part.log_posterior == pytest.approx(whole.log_posterior, rel=1e-5)


def test_wrong_links_are_mended(refiner, truth) -> None:
    """A helix that runs the wrong way."""
    wrong = np.concatenate((truth[:11], truth[11:][::-1]))
    stuck = refiner.refine(wrong, 60)
    assert error(stuck, truth) > 2.0
    found = make_hopper(refiner, truth, HOPPING).hop(stuck, 20.0)
    assert found.log_posterior > stuck.log_posterior + 10.0
    assert error(found, truth) < 0.3


def test_what_starts_is_improved_and_kept(refiner, truth) -> None:
    hopper = make_hopper(refiner, truth, HOPPING)
    starts = list(hopper.start())
    assert 0 < len(starts) <= HOPPING.starts
    best, *others = hopper.improve(starts)
    assert len(others) == len(starts) - 1
    assert best.log_posterior >= max(start.log_posterior for start in starts)
    assert error(best, truth) < 0.3


def test_the_same_seed_hops_the_same_way(refiner, truth) -> None:
    first, again = (
        next(make_hopper(refiner, truth, HOPPING).start()) for _ in range(2)
    )
    assert (first.coordinates == again.coordinates).all()


def test_threads_leave_what_they_do_not_thread(refiner, truth) -> None:
    hopper = make_hopper(refiner, truth, replace(HOPPING, rethreaded=1.0))
    lengths = set()
    for _ in range(20):
        for moved in hopper.rethread(truth):
            (changed,) = np.nonzero((moved != truth).any(1))
            lengths.add(len(changed))
            assert np.isfinite(moved).all()
    assert max(lengths) > 8
    assert min(lengths) < len(truth)
