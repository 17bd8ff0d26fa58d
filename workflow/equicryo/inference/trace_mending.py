"""Mending a trace by moves that no refinement makes.

A search that has put one residue too few in one loop and one too many in another leaves
what is between them off by one: the whole stretch has to move along the chain by a
residue. A residue that stands out on the wrong side has to turn about the line of its
neighbours, and an end of the chain that has gone astray, into a neighbour's density or
into none, about the last residue that is right. The likelihood tells at once which of
such moves are worth refining.

Source: register errors of protein models; Kleywegt & Jones 1997,
    doi:10.1016/S0076-6879(97)77013-7.
"""

import logging
from functools import partial

import numpy as np
import torch
from jaxtyping import Float, Float64
from scipy.spatial.transform import Rotation
from torch import Tensor

from equicryo.inference.likelihood import ResidueLikelihood
from equicryo.inference.traces import RefinedTrace
from equicryo.inference.tracing_refinement import refine_trace, take_better
from equicryo.structure.restraints import log_restraints

logger = logging.getLogger(__name__)

SPACING = 4
"""Residues between the ends of stretches that are tried."""

RAMP = 4
"""Residues over which a shift begins, and ends."""

SWINGING = (1, 2, 3, 4, 6, 8)
"""Residues of an end that swing together."""

KEPT = 1000
"""Cranks, and swings, that are scored."""

CRANKED, CRANKS = (1, 2, 3), 6
"""Residues that are cranked together, and turns to a full one."""

LEAST_MOVE = 1.0
"""Å: refinement makes smaller moves by itself."""

BETWEEN = np.deg2rad(30.0)
"""How far the turns between those of an icosahedron are from them."""

HELIX_RADIUS, HELIX_RISE, HELIX_TURN = 2.3, 1.5, np.deg2rad(100.0)
STRAND_RADIUS, STRAND_RISE, STRAND_TURN = 0.9, 3.3, np.pi
"""Å and radians: where Cα lie about the axes of an α helix and of a β strand; Barlow &
Thornton 1988, doi:10.1016/0022-2836(88)90641-9, and Arnott et al. 1967,
doi:10.1016/0022-2836(67)90326-0."""

TRIED = 8
"""Moves of a kind that are refined, of all that are scored."""

BATCH = 8
"""Chains whose likelihood is computed together."""


def mend_trace(
    trace: RefinedTrace, likelihood: ResidueLikelihood, iterations: int
) -> RefinedTrace:
    """Move stretches, residues and ends while likelihood and restraints gain.

    Args:
        trace: at a maximum of them.
        likelihood: of the images.
        iterations: of each refinement, at most.
    """
    refine = partial(refine_trace, likelihood=likelihood, iterations=iterations)
    while True:
        before = trace
        for move in (shift_stretches, crank_residues, swing_ends):
            moved = move(trace.coordinates)
            scores = torch.cat(
                [likelihood.log_likelihood(some, 0.0) for some in moved.split(BATCH)]
            )
            best = scores.argsort(descending=True)[:TRIED]
            better = take_better(trace, moved[best], refine)
            if better is not trace:
                gain = better.log_posterior - trace.log_posterior
                logger.info("%s: gain of %.1f nats", move.__name__, gain)
                trace = better
        if trace is before:
            return trace


def shift_stretches(
    coordinates: Float[Tensor, "residue 3"],
) -> Float64[Tensor, "move residue 3"]:
    """Return a chain with each of its stretches moved by a residue either way.

    Args:
        coordinates: Å.
    """
    chain = coordinates.double().numpy()
    index = np.arange(len(chain))
    ends = np.arange(0, len(chain) + SPACING, SPACING)
    first, last = (ends[part] for part in np.triu_indices(len(ends), k=1))
    shares = [
        np.interp(index, (i - RAMP, i, j, j + RAMP), (0.0, 1.0, 1.0, 0.0))
        for i, j in zip(first, last, strict=True)
    ]
    places = np.array([index + sign * share for share in shares for sign in (1, -1)])
    return torch.from_numpy(_follow(chain, places))


def swing_ends(
    coordinates: Float[Tensor, "residue 3"],
) -> Float64[Tensor, "move residue 3"]:
    """Return a chain with its ends turned about the residue before them.

    They are of several lengths, as they are, helices and strands, and each turns to
    every side. Of all these the `KEPT` are returned that strain the chain least.

    Args:
        coordinates: Å.
    """
    chain = coordinates.double().numpy()
    turns = _turns()
    moves = []
    for way in (1, -1):
        line = chain[::way]
        for length in (some for some in SWINGING if some < len(chain)):
            joint, end = line[-length - 1], line[-length:]
            helix = _spiral(length, HELIX_RADIUS, HELIX_RISE, HELIX_TURN)
            strand = _spiral(length, STRAND_RADIUS, STRAND_RISE, STRAND_TURN)
            for shape in (end - joint, helix, strand):
                swung = np.repeat(line[None], len(turns), axis=0)
                swung[:, -length:] = joint + shape @ turns.mT
                moves.append(swung[:, ::way])
    return _least_strained(chain, np.concatenate(moves))


def crank_residues(
    coordinates: Float[Tensor, "residue 3"],
) -> Float64[Tensor, "move residue 3"]:
    """Return a chain with few residues turned about the line between their neighbours.

    Bonds keep their lengths. Of all turns the `KEPT` are returned that strain the chain
    least.

    Args:
        coordinates: Å.

    Source: crankshaft moves of polymers; Betancourt 2005, doi:10.1063/1.1924602.
    """
    chain = coordinates.double().numpy()
    angles = 2.0 * np.pi * np.arange(1, CRANKS) / CRANKS
    moves = []
    for length in CRANKED:
        for first in range(1, len(chain) - length):
            before, inner = chain[first - 1], slice(first, first + length)
            axis = chain[first + length] - before
            axis /= np.linalg.norm(axis)
            turns = Rotation.from_rotvec(angles[:, None] * axis).as_matrix()
            cranked = np.repeat(chain[None], len(turns), axis=0)
            cranked[:, inner] = before + (chain[inner] - before) @ turns.mT
            moves.append(cranked)
    return _least_strained(chain, np.concatenate(moves))


def _least_strained(
    chain: Float64[np.ndarray, "residue 3"],
    moves: Float64[np.ndarray, "move residue 3"],
) -> Float64[Tensor, "kept residue 3"]:
    """Keep moves that change a chain, those that strain it least."""
    moved = torch.from_numpy(moves)
    far = (moved - torch.from_numpy(chain)).norm(dim=-1).amax(-1)
    moved = moved[far > LEAST_MOVE]
    strain = torch.cat([log_restraints(some) for some in moved.split(BATCH)])
    return moved[strain.argsort(descending=True)[:KEPT]]


def _turns() -> Float64[np.ndarray, "turn 3 3"]:
    """Return the sixty rotations of an icosahedron, as they are and between them."""
    even = Rotation.create_group("I")
    between = Rotation.from_rotvec(BETWEEN * np.eye(4, 3))
    return np.concatenate([(even * one).as_matrix() for one in between])


def _spiral(
    length: int, radius: float, rise: float, turn: float
) -> Float64[np.ndarray, "step 3"]:
    """Return the next places on a right-handed spiral, from the one before them, Å."""
    step = np.arange(length + 1)
    places = np.stack(
        (radius * np.cos(turn * step), radius * np.sin(turn * step), rise * step), -1
    )
    return places[1:] - places[0]


def _follow(
    chain: Float64[np.ndarray, "residue 3"],
    places: Float64[np.ndarray, "shift residue"],
) -> Float64[np.ndarray, "shift residue 3"]:
    """Return points of the line through a chain, and beyond its ends straight on."""
    before = np.floor(places).astype(int).clip(0, len(chain) - 2)
    share = (places - before)[..., None]
    return (1.0 - share) * chain[before] + share * chain[before + 1]
