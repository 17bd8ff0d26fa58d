"""Random moves that lead from one trace to another that no refinement reaches.

A search through noisy images finds most of the places where a chain runs, but connects
them wrongly. Links are mended by moves of the travelling salesman's problem: a stretch
is reversed, or put between two other residues. Registers, turns and ends are mended by
moves of polymers.

Source: Lin 1965, doi:10.1002/j.1538-7305.1965.tb04146.x, and Or 1976 (thesis,
    Northwestern University) for links; Betancourt 2005, doi:10.1063/1.1924602, for
    crankshafts.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float64
from scipy.spatial.transform import Rotation

LINK = 6.5
"""Å: longest distance of residues that are linked anew; refinement draws them in."""

MOST_RELOCATED = 40
"""Residues that are put elsewhere together, at most."""

TRIES = 50
"""Stretches that are drawn until one may be put elsewhere."""

RAMP = 4
"""Residues over which a shift begins, and ends."""

MOST_CRANKED, MOST_SWUNG = 4, 10
"""Residues that turn together, at most."""

Chain = Float64[np.ndarray, "residue 3"]
Move = Callable[[Chain, np.random.Generator], Chain]


def reverse_stretch(chain: Chain, generator: np.random.Generator) -> Chain:
    """Run through a stretch, or the whole chain, the other way round.

    Args:
        chain: Cα coordinates, Å.
        generator: source of the randomness.
    """
    count = len(chain)
    gaps = np.linalg.norm(chain[:, None] - chain, axis=-1)
    # The ends may be linked to nothing.
    before = np.concatenate((np.zeros((1, count)), gaps[:-1]))
    after = np.concatenate((gaps[:, 1:], np.zeros((count, 1))), axis=1)
    first, last = np.nonzero(np.triu((before < LINK) & (after < LINK), k=1))
    chosen = generator.integers(len(first))
    stretch = slice(first[chosen], last[chosen] + 1)
    moved = chain.copy()
    moved[stretch] = chain[stretch][::-1]
    return moved


def relocate_stretch(chain: Chain, generator: np.random.Generator) -> Chain:
    """Put a stretch, either way round, between two other residues or at an end.

    Args:
        chain: Cα coordinates, Å.
        generator: source of the randomness.

    Returns:
        The chain as it is where no stretch that is drawn fits elsewhere.
    """
    for _ in range(TRIES):
        longest = min(MOST_RELOCATED, len(chain) - 1)
        length = int(generator.integers(1, longest + 1))
        first = int(generator.integers(len(chain) - length + 1))
        stretch = chain[first : first + length]
        rest = np.concatenate((chain[:first], chain[first + length :]))
        if generator.random() < 0.5:
            stretch = stretch[::-1]
        inside = 0 < first < len(rest)
        if inside and np.linalg.norm(rest[first] - rest[first - 1]) >= LINK:
            continue
        before = np.linalg.norm(rest - stretch[0], axis=-1)
        after = np.linalg.norm(rest - stretch[-1], axis=-1)
        fits = np.append(0.0, before) < LINK
        fits &= np.append(after, 0.0) < LINK
        fits[first] = False
        (places,) = np.nonzero(fits)
        if len(places):
            place = generator.choice(places)
            return np.concatenate((rest[:place], stretch, rest[place:]))
    return chain


def shift_stretch(chain: Chain, generator: np.random.Generator) -> Chain:
    """Move a stretch along the chain by a residue.

    Args:
        chain: Cα coordinates, Å.
        generator: source of the randomness.
    """
    index = np.arange(len(chain))
    first, last = np.sort(generator.integers(-RAMP, len(chain) + RAMP, 2))
    ends = (first - RAMP, first, last, last + RAMP)
    share = np.interp(index, ends, (0.0, 1.0, 1.0, 0.0))
    places = index + generator.choice((-1.0, 1.0)) * share
    before = np.floor(places).astype(int).clip(0, len(chain) - 2)
    share = (places - before)[:, None]
    return (1.0 - share) * chain[before] + share * chain[before + 1]


def crank_residues(chain: Chain, generator: np.random.Generator) -> Chain:
    """Turn few residues about the line between their neighbours.

    Args:
        chain: Cα coordinates, Å.
        generator: source of the randomness.
    """
    length = int(generator.integers(1, min(MOST_CRANKED, len(chain) - 2) + 1))
    first = int(generator.integers(1, len(chain) - length))
    before, after = chain[first - 1], chain[first + length]
    axis = (after - before) / np.linalg.norm(after - before)
    turn = Rotation.from_rotvec(generator.uniform(-np.pi, np.pi) * axis)
    moved = chain.copy()
    moved[first : first + length] = before + turn.apply(
        chain[first : first + length] - before
    )
    return moved


def swing_end(chain: Chain, generator: np.random.Generator) -> Chain:
    """Turn an end about the residue before it, to any side.

    Args:
        chain: Cα coordinates, Å.
        generator: source of the randomness.
    """
    way = int(generator.choice((-1, 1)))
    moved = chain[::way].copy()
    length = int(generator.integers(1, min(MOST_SWUNG, len(chain) - 1) + 1))
    joint = moved[-length - 1]
    turn = Rotation.from_quat(generator.normal(size=4))
    moved[-length:] = joint + turn.apply(moved[-length:] - joint)
    return moved[::way].copy()


MOVES: dict[Move, float] = {
    reverse_stretch: 0.3,
    relocate_stretch: 0.3,
    shift_stretch: 0.2,
    crank_residues: 0.1,
    swing_end: 0.1,
}
"""How often each is drawn."""
