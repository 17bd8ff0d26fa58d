"""How the Cα atoms of proteins follow one another: bonds, angles and dihedrals.

A step of a trace is scored against a point placed at random: the density of the next
Cα given the three before it, as histograms of chains whose atoms are displaced a
little, as the candidates are that a trace goes through.

Source: Oldfield & Hubbard 1990, doi:10.1002/prot.340080406, for Cα angles and dihedrals
    as a description of the backbone.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float64, Int64

from equicryo.structure.chain_set import ChainSet

DISTANCE_EDGES = np.linspace(2.0, 5.6, 37)
"""Å."""

ANGLE_BINS = 12
"""Of the cosine of the angle at a Cα, from −1 to 1."""

DIHEDRAL_BINS = 24
"""From −180° to 180°."""

PSEUDO_COUNT = 1.0
"""Steps of a chain seen in each bin beforehand."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TraceGeometry:
    """Log densities of a step's length and direction.

    Attributes:
        distance: log density of the next Cα per volume, without its direction, by bin
            of its distance, log Å⁻³.
        start: log density of the angle at the second of three Cα over an even one, by
            bin of its cosine.
        turn: log density of an angle and the dihedral before it over even ones, by the
            bins of the previous angle, of the angle and of the dihedral.
    """

    distance: Float64[np.ndarray, " distance_bin"]
    start: Float64[np.ndarray, " angle_bin"]
    turn: Float64[np.ndarray, "angle_bin angle_bin dihedral_bin"]

    def without_dihedrals(self) -> "TraceGeometry":
        """Return the same of chains whose turns have nothing to do with each other."""
        turn = np.broadcast_to(self.start[:, None], self.turn.shape)
        return replace(self, turn=turn.copy())


def measure_geometry(
    chains: ChainSet, displacement: float, *, generator: torch.Generator
) -> TraceGeometry:
    """Count the steps of chains.

    Args:
        chains: unbroken.
        displacement: standard deviation of each coordinate of the atoms, Å.
        generator: of the displacements.
    """
    distance = np.zeros(len(DISTANCE_EDGES) - 1)
    start = np.full(ANGLE_BINS, PSEUDO_COUNT)
    turn = np.full((ANGLE_BINS, ANGLE_BINS, DIHEDRAL_BINS), PSEUDO_COUNT)
    for index in range(len(chains)):
        chain = chains.coordinates_of(index)
        noise = torch.randn(chain.shape, dtype=torch.float64, generator=generator)
        chain = chain + displacement * noise.numpy()
        lengths = np.linalg.norm(np.diff(chain, axis=0), axis=-1)
        distance += np.histogram(lengths, DISTANCE_EDGES)[0]
        angles = angle_bins(chain[:-2], chain[1:-1], chain[2:])
        np.add.at(start, angles, 1.0)
        torsions = dihedral_bins(chain[:-3], chain[1:-2], chain[2:-1], chain[3:])
        np.add.at(turn, (angles[:-1], angles[1:], torsions), 1.0)
    middle = 0.5 * (DISTANCE_EDGES[1:] + DISTANCE_EDGES[:-1])
    width = np.diff(DISTANCE_EDGES)
    share = (distance + PSEUDO_COUNT) / (distance + PSEUDO_COUNT).sum()
    rows = turn.sum((1, 2), keepdims=True)
    return TraceGeometry(
        distance=np.log(share / (4.0 * np.pi * middle**2 * width)),
        start=np.log(start / start.mean()),
        turn=np.log(turn / rows * (ANGLE_BINS * DIHEDRAL_BINS)),
    )


def angle_bins(
    first: Float64[np.ndarray, "*grid 3"],
    second: Float64[np.ndarray, "*grid 3"],
    third: Float64[np.ndarray, "*grid 3"],
) -> Int64[np.ndarray, "*grid"]:
    """Return the bin of the cosine of the angle at the second of three Cα, Å."""
    back, ahead = first - second, third - second
    cosine = (back * ahead).sum(-1)
    cosine = cosine / (np.linalg.norm(back, axis=-1) * np.linalg.norm(ahead, axis=-1))
    place = (0.5 * ANGLE_BINS * (cosine + 1.0)).astype(np.int64)
    return place.clip(0, ANGLE_BINS - 1)


def dihedral_bins(
    first: Float64[np.ndarray, "*grid 3"],
    second: Float64[np.ndarray, "*grid 3"],
    third: Float64[np.ndarray, "*grid 3"],
    fourth: Float64[np.ndarray, "*grid 3"],
) -> Int64[np.ndarray, "*grid"]:
    """Return the bin of the dihedral of four Cα, Å; positive is right-handed."""
    axis = third - second
    left = np.cross(second - first, axis)
    right = np.cross(axis, fourth - third)
    length = np.linalg.norm(axis, axis=-1)
    sine = (np.cross(left, right) * axis).sum(-1)
    cosine = length * (left * right).sum(-1)
    turn = np.arctan2(sine, cosine) / (2.0 * np.pi) + 0.5
    return (DIHEDRAL_BINS * turn).astype(np.int64).clip(0, DIHEDRAL_BINS - 1)
