"""The smooth potential of turns against the counts that it is fitted to."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import check_grad

from equicryo.structure.trace_geometry import (
    ANGLE_BINS,
    DIHEDRAL_BINS,
    DISTANCE_EDGES,
    TraceGeometry,
)
from equicryo.structure.turn_potential import RAREST, TurnPotential, fit_potential

SHAPE = (ANGLE_BINS, ANGLE_BINS, DIHEDRAL_BINS)


@pytest.fixture(scope="module")
def geometry() -> TraceGeometry:
    """Right-handed turns are more frequent, and wide angles too."""
    angle = np.arange(ANGLE_BINS) / ANGLE_BINS
    dihedral = 2.0 * np.pi * (np.arange(DIHEDRAL_BINS) + 0.5) / DIHEDRAL_BINS - np.pi
    turn = np.sin(dihedral) - angle[:, None, None] - 2.0 * angle[:, None]
    return TraceGeometry(
        distance=np.zeros(len(DISTANCE_EDGES) - 1),
        start=np.zeros(ANGLE_BINS),
        turn=np.broadcast_to(turn, SHAPE).copy(),
    )


@pytest.fixture(scope="module")
def potential(geometry) -> TurnPotential:
    return fit_potential(geometry)


def turn(first: float, second: float, dihedral: float) -> np.ndarray:
    """Four Cα of two angles and a dihedral, degrees; bonds of 3.8 Å."""
    first, second, dihedral = np.deg2rad((first, second, dihedral))
    chain = np.zeros((4, 3))
    chain[0] = [np.cos(first), np.sin(first), 0.0]
    chain[2] = [1.0, 0.0, 0.0]
    back = np.array([-np.cos(second), np.sin(second), 0.0])
    back[1:] = back[1] * np.array([np.cos(dihedral), np.sin(dihedral)])
    chain[3] = chain[2] + back
    return 3.8 * chain


@pytest.mark.parametrize("dihedral", [-150.0, -60.0, 0.0, 50.0, 170.0])
def test_turns_score_as_they_are_counted(potential, dihedral) -> None:
    first, second = 100.0, 120.0
    place = [0.5 * (np.cos(np.deg2rad(a)) + 1.0) for a in (first, second)]
    # Bins' middles are half a bin up.
    expected = (
        np.sin(np.deg2rad(dihedral))
        - (place[0] - 0.5 / ANGLE_BINS)
        - 2.0 * (place[1] - 0.5 / ANGLE_BINS)
    )
    value, _ = potential.score(turn(first, second, dihedral))
    # The density is smoothed, not its logarithm.
    assert value == pytest.approx(expected, abs=0.03)


def test_the_slope_is_that_of_the_score(potential) -> None:
    chain = np.cumsum(np.random.default_rng(0).normal(size=(12, 3)), 0).ravel()
    error = check_grad(
        lambda flat: potential.score(flat.reshape(-1, 3))[0],
        lambda flat: potential.score(flat.reshape(-1, 3))[1].ravel(),
        chain,
    )
    assert error < 1e-4


def test_what_was_never_counted_is_not_impossible(geometry) -> None:
    never = replace(geometry, turn=np.full(SHAPE, -50.0))
    value, slope = fit_potential(never).score(turn(100.0, 120.0, 50.0))
    assert value == pytest.approx(np.log(RAREST))
    assert np.abs(slope).max() < 1e-6


def test_a_straight_chain_has_no_turn(potential) -> None:
    line = 3.8 * np.arange(6.0)[:, None] * np.array([1.0, 0.0, 0.0])
    assert potential.score(line)[0] == 0.0
