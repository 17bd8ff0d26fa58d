"""Annealing of the order of places against sums over the whole chain."""

import numpy as np
import pytest

from equicryo.inference.order_annealing import anneal_order, visit_greedily
from equicryo.inference.order_landscape import Landscape, lay_out, score_steps
from equicryo.physics.pair_potential import PairPotential
from equicryo.structure.trace_geometry import TraceGeometry, angle_bins, dihedral_bins

from .hairpin import SEQUENCE, hairpin, make_refiner, spiral_geometry

TEMPERATURES = (5.0, 0.5)
"""Nats."""


@pytest.fixture(scope="module")
def geometry() -> TraceGeometry:
    return spiral_geometry()


@pytest.fixture(scope="module")
def potential() -> PairPotential:
    return make_refiner(hairpin()).potential


@pytest.fixture(scope="module")
def landscape(geometry, potential) -> Landscape:
    """The chain's own places, and as many where there is nothing."""
    decoys = 6.0 * np.random.default_rng(3).normal(size=(20, 3))
    places = np.random.default_rng(4).permutation(np.concatenate((hairpin(), decoys)))
    steps = score_steps(places, geometry.distance)
    return lay_out(places, potential, (1.0, 1.0), steps, geometry.turn)


def start(landscape: Landscape, seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return visit_greedily(landscape.positions, len(SEQUENCE), 3.8, generator)


def value(
    landscape: Landscape,
    potential: PairPotential,
    geometry: TraceGeometry,
    order: np.ndarray,
) -> float:
    chain = landscape.positions[order]
    linear, quadratic, _, _ = potential.terms(chain)
    angles = angle_bins(chain[:-2], chain[1:-1], chain[2:])
    torsions = dihedral_bins(chain[:-3], chain[1:-2], chain[2:-1], chain[3:])
    return (
        linear
        - 0.5 * quadratic
        - 0.5 * landscape.crowding[np.ix_(order, order)].sum()
        + landscape.steps[order[:-1], order[1:]].sum()
        + geometry.turn[angles[:-1], angles[1:], torsions].sum()
    )


@pytest.mark.parametrize("moves", [0, 30, 1000, 20_000])
@pytest.mark.parametrize("seed", [0, 1])
def test_changes_add_up_to_the_value_of_the_whole(
    landscape, potential, geometry, moves, seed
) -> None:
    """Each move's change is worked out from what it changes alone."""
    generator = np.random.default_rng(seed)
    first = start(landscape, seed)
    best, order = anneal_order(landscape, first, TEMPERATURES, moves, generator)
    assert len(set(order.tolist())) == len(SEQUENCE)
    expected = value(landscape, potential, geometry, order)
    assert best == pytest.approx(expected, abs=1e-3 * abs(expected))
    assert best >= value(landscape, potential, geometry, first) - 0.1


def test_the_right_order_is_found_from_a_wrong_one(
    landscape, potential, geometry
) -> None:
    generator = np.random.default_rng(5)
    found = [
        anneal_order(landscape, start(landscape, 5), TEMPERATURES, 200_000, generator)
        for _ in range(4)
    ]
    _, order = max(found, key=lambda each: each[0])
    assert (landscape.positions[order] == hairpin()).all()


def test_the_same_seed_anneals_the_same_way(landscape) -> None:
    first, again = (
        anneal_order(
            landscape,
            start(landscape, 6),
            TEMPERATURES,
            5000,
            np.random.default_rng(7),
        )
        for _ in range(2)
    )
    assert first[0] == again[0]
    assert (first[1] == again[1]).all()


def test_a_greedy_start_visits_no_place_twice(landscape) -> None:
    order = start(landscape, 8)
    assert len(set(order.tolist())) == len(SEQUENCE)
    steps = np.linalg.norm(np.diff(landscape.positions[order], axis=0), axis=1)
    assert np.median(np.abs(steps - 3.8)) < 1.0


def test_steps_are_best_at_the_length_of_a_bond(geometry) -> None:
    row = np.zeros((60, 3))
    row[:, 0] = np.linspace(0.0, 8.0, 60)
    scores = score_steps(row, geometry.distance)[0]
    assert row[scores.argmax(), 0] == pytest.approx(3.8, abs=0.3)
    longer = scores[row[:, 0] > 5.3]
    assert (np.diff(longer) < 0.0).all()
