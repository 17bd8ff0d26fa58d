"""Annealing of the order in which a chain visits places.

Which residue of a chain lies at which of many places is a travelling salesman's
problem, but for the residues' weights, of which the likelihood knows exactly: with the
places held fixed it is a quadratic form in the weights there. So a move costs a
microsecond, and millions of them find the best orders from any start.

Source: Kirkpatrick, Gelatt & Vecchi 1983, doi:10.1126/science.220.4598.671, for
    annealing; Lin 1965, doi:10.1002/j.1538-7305.1965.tb04146.x, and Or 1976 (thesis,
    Northwestern University) for the moves.
"""

import math
from typing import no_type_check

import numba
import numpy as np
from jaxtyping import Float64, Int64

from equicryo.inference.order_landscape import Landscape
from equicryo.structure.trace_geometry import ANGLE_BINS, DIHEDRAL_BINS

LONGEST, SHORTEST, SHORT_SHARE = 40, 4, 0.3
"""Residues that are put elsewhere together: at most, at most where few, how often few.
"""

SHIFTED = 40
"""Residues that are shifted along the chain together, at most."""

HOPELESS = 20.0
"""Nats by which a move's steps and turns may miss what its weights then win."""

NOTHING = 1e-9
"""Å⁴: places in a row that lie on one line have no dihedral."""


def visit_greedily(
    positions: Float64[np.ndarray, "place 3"],
    residues: int,
    bond: float,
    generator: np.random.Generator,
) -> Int64[np.ndarray, " residue"]:
    """Return an order to start from: always on to a place about a bond away.

    Args:
        positions: of the places, Å; more than there are residues.
        residues: of the chain.
        bond: Å.
        generator: of the first place.
    """
    gaps = np.linalg.norm(positions[:, None] - positions, axis=-1)
    misfit = np.abs(gaps - bond)
    order = [int(generator.integers(len(positions)))]
    while len(order) < residues:
        misfit[:, order[-1]] = np.inf
        order.append(int(misfit[order[-1]].argmin()))
    return np.array(order)


@numba.njit(cache=True)
@no_type_check
def anneal_order(
    landscape: Landscape,
    order: Int64[np.ndarray, " residue"],
    temperatures: tuple[float, float],
    moves: int,
    generator: np.random.Generator,
) -> tuple[float, Int64[np.ndarray, " residue"]]:
    """Move through orders by the rule of Metropolis, ever colder.

    Args:
        landscape: of the places.
        order: place of each residue, none twice.
        temperatures: the first and the last, nats.
        moves: that are tried.
        generator: source of the randomness.

    Returns:
        The best value, nats, and the place of each residue then.
    """
    positions, field, kernel, crowding, steps, turns, neighbours, counts, weights = (
        landscape
    )
    hottest, coldest = temperatures
    residues, size = len(order), len(positions)
    order, moved = order.copy(), order.copy()
    residue_at = np.full(size, -1)
    # What of the field the residues leave, and sums along the chain.
    left = field.copy()
    value = 0.0
    for i in range(residues):
        residue_at[order[i]] = i
        left -= weights[i] * kernel[:, order[i]]
        for j in range(i):
            value -= crowding[order[i], order[j]]
    for i in range(residues):
        value += 0.5 * weights[i] * (field[order[i]] + left[order[i]])
    links = np.zeros(residues + 1)
    ahead, back = np.zeros(residues + 1), np.zeros(residues + 1)
    _sum_along(positions, steps, turns, order, links, ahead, back)
    value += links[residues - 1] + ahead[max(residues - 3, 0)]
    best, best_order = value, order.copy()
    places, changes = np.empty(residues + 1, np.int64), np.empty(residues + 1)
    for number in range(moves):
        move = _draw_move(order, residue_at, neighbours, counts, generator)
        low, middle, high, first, second, backward, new, dropped = move
        if low < 0:
            continue
        _fill(order, moved, low, middle, first, backward == 1, new)
        _fill(order, moved, middle, high, second, backward == 2, new)
        change = _change_geometry(
            positions, steps, turns, moved, links, ahead, back, move
        )
        temperature = hottest * (coldest / hottest) ** (number / moves)
        needed = temperature * math.log(1.0 - generator.random())
        if change < needed - HOPELESS:
            moved[low:high] = order[low:high]
            continue
        count = high - low
        for x in range(count):
            places[x], changes[x] = order[low + x], -weights[low + x]
        if new >= 0:
            places[count], changes[count] = new, 0.0
            count += 1
            gone = order[dropped]
            change += crowding[new, gone]
            for i in range(residues):
                change += crowding[gone, order[i]] - crowding[new, order[i]]
        for i in range(low, high):
            slot = count - 1 if moved[i] == new else residue_at[moved[i]] - low
            changes[slot] += weights[i]
        for x in range(count):
            change += changes[x] * left[places[x]]
        if change > needed:
            for x in range(count):
                pull = 0.5 * changes[x] * kernel[places[x], places[x]]
                for y in range(x):
                    pull += changes[y] * kernel[places[x], places[y]]
                change -= changes[x] * pull
        if change <= needed:
            moved[low:high] = order[low:high]
            continue
        value += change
        for x in range(count):
            for place in range(size):
                left[place] -= changes[x] * kernel[places[x], place]
        if new >= 0:
            residue_at[order[dropped]] = -1
        for i in range(low, high):
            order[i] = moved[i]
            residue_at[order[i]] = i
        _sum_along(positions, steps, turns, order, links, ahead, back)
        if value > best:
            best = value
            best_order[:] = order
    return best, best_order


@numba.njit(cache=True)
@no_type_check
def _draw_move(order, residue_at, neighbours, counts, generator):
    """Draw a move that puts a place next to one that is near.

    Returns:
        The residues that move, in two blocks: low, middle, high; the residues that the
        blocks come from, first and second, or −1 for a new place; which block runs
        backward (0: none); the new place, and the residue whose place is given up (−1:
        none). A low of −1: no move.
    """
    none = (-1, 0, 0, 0, 0, 0, -1, -1)
    residues = len(order)
    i = int(generator.random() * residues)
    here = order[i]
    if counts[here] == 0:
        return none
    near = neighbours[here, int(generator.random() * counts[here])]
    j = residue_at[near]
    kind, after = generator.random(), generator.random() < 0.5
    if j < 0:
        if kind < 0.4:
            # Replace the place of this residue, or of one beside it.
            k = i + int(generator.random() * 3.0) - 1
            if k < 0 or k >= residues:
                return none
            return k, k + 1, k + 1, -1, 0, 0, near, k
        # Insert a place, and give up one along the chain.
        k = i + int(generator.random() * (2 * SHIFTED + 1)) - SHIFTED
        k = min(max(k, 0), residues - 1)
        if k > i:
            begin = i + 1 if after else i
            return begin, begin + 1, k + 1, -1, begin, 0, near, k
        end = i + 1 if after else i
        if end <= k:
            return none
        return k, end - 1, end, k + 1, -1, 0, near, k
    if abs(i - j) <= 1:
        return none
    if kind < 0.5:
        # Reverse a stretch between the two, with one of them.
        low, high = min(i, j), max(i, j)
        if after:
            return low + 1, high + 1, high + 1, low + 1, 0, 1, -1, -1
        return low, high, high, low, 0, 1, -1, -1
    # Put a stretch that begins or ends at j beside i.
    length = SHORTEST if generator.random() < SHORT_SHARE else LONGEST
    length = 1 + int(generator.random() * min(length, residues // 2))
    forward = generator.random() < 0.5
    start = j if forward else max(j - length + 1, 0)
    stop = min(j + length, residues) if forward else j + 1
    if start <= i < stop:
        return none
    reverse = after != forward
    place = i + 1 if after else i
    if place >= stop:
        backward = 2 if reverse else 0
        return start, start + place - stop, place, stop, start, backward, -1, -1
    backward = 1 if reverse else 0
    return place, place + stop - start, stop, start, place, backward, -1, -1


@numba.njit(cache=True)
@no_type_check
def _fill(order, moved, low, high, source, reverse, new):
    for k in range(high - low):
        if source < 0:
            moved[low + k] = new
        elif reverse:
            moved[low + k] = order[source + high - low - 1 - k]
        else:
            moved[low + k] = order[source + k]


@numba.njit(cache=True)
@no_type_check
def _sum_along(positions, steps, turns, order, links, ahead, back):
    """Sum steps, and turns in either direction, up to each residue."""
    residues = len(order)
    for i in range(residues - 1):
        links[i + 1] = links[i] + steps[order[i], order[i + 1]]
    for i in range(residues - 3):
        a, b, c, d = order[i], order[i + 1], order[i + 2], order[i + 3]
        ahead[i + 1] = ahead[i] + _turn(positions, turns, a, b, c, d)
        back[i + 1] = back[i] + _turn(positions, turns, d, c, b, a)


@numba.njit(cache=True)
@no_type_check
def _change_geometry(positions, steps, turns, moved, links, ahead, back, move):
    """Return what a move changes of steps and turns, nats."""
    low, middle, high, first, second, backward, _, _ = move
    residues = len(moved)
    # All that the old order had there; what stays within blocks is added again.
    begin, end = max(low - 1, 0), min(high, residues - 1)
    change = links[begin] - links[end]
    begin, end = max(low - 3, 0), max(min(high, residues - 3), 0)
    change += ahead[begin] - ahead[max(end, begin)]
    blocks = (
        (middle - low, first, backward == 1),
        (high - middle, second, backward == 2),
    )
    for length, source, reverse in blocks:
        if source >= 0 and length >= 2:
            change += links[source + length - 1] - links[source]
        if source >= 0 and length >= 4:
            sums = back if reverse else ahead
            change += sums[source + length - 3] - sums[source]
    previous = 0
    for cut in (low, middle, high):
        if cut == previous and cut > 0:
            continue
        if 0 < cut < residues:
            change += steps[moved[cut - 1], moved[cut]]
        for i in range(max(cut - 3, previous), min(cut, residues - 3)):
            change += _turn(
                positions, turns, moved[i], moved[i + 1], moved[i + 2], moved[i + 3]
            )
        previous = cut
    return change


@numba.njit(cache=True)
@no_type_check
def _turn(positions, turns, i, j, k, m):
    """Return the score of four places in a row, nats."""
    ax = positions[j, 0] - positions[i, 0]
    ay = positions[j, 1] - positions[i, 1]
    az = positions[j, 2] - positions[i, 2]
    bx = positions[k, 0] - positions[j, 0]
    by = positions[k, 1] - positions[j, 1]
    bz = positions[k, 2] - positions[j, 2]
    cx = positions[m, 0] - positions[k, 0]
    cy = positions[m, 1] - positions[k, 1]
    cz = positions[m, 2] - positions[k, 2]
    aa, bb = ax * ax + ay * ay + az * az, bx * bx + by * by + bz * bz
    cc = cx * cx + cy * cy + cz * cz
    ab, bc = ax * bx + ay * by + az * bz, bx * cx + by * cy + bz * cz
    lx, ly, lz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
    rx, ry, rz = by * cz - bz * cy, bz * cx - bx * cz, bx * cy - by * cx
    sine = math.sqrt(bb) * (ax * rx + ay * ry + az * rz)
    dihedral = math.atan2(sine, lx * rx + ly * ry + lz * rz)
    before = 1.0 - ab / math.sqrt(aa * bb + NOTHING)
    following = 1.0 - bc / math.sqrt(bb * cc + NOTHING)
    return turns[
        min(int(0.5 * ANGLE_BINS * before), ANGLE_BINS - 1),
        min(int(0.5 * ANGLE_BINS * following), ANGLE_BINS - 1),
        min(int(DIHEDRAL_BINS * (dihedral / (2.0 * math.pi) + 0.5)), DIHEDRAL_BINS - 1),
    ]
