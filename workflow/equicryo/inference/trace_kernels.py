"""Compiled loops of the search for traces."""

from typing import no_type_check

import numba
import numpy as np
from jaxtyping import Float32, Int32

from equicryo.inference.trace_graph import TraceGraph

SAME = 8
"""Partial traces that end alike and exclude the same candidates but for this many are
variants of one, of which the best is enough."""

LOWEST = np.float32(-1e30)
"""Score of what cannot be."""


def score_ahead(
    graph: TraceGraph, scores: Float32[np.ndarray, "residue candidate"]
) -> Float32[np.ndarray, "residue triple"]:
    """Return the best score of what may follow a triple that ends at each residue.

    Places may be visited again: this is an upper bound, by dynamic programming.

    Args:
        graph: of the candidates.
        scores: of each residue being at each candidate, nats.
    """
    ahead = _score_ahead(*_arrays(graph), scores)
    return np.where(ahead > 0.5 * LOWEST, ahead, np.float32(-np.inf))


def follow_best(
    graph: TraceGraph, scores: Float32[np.ndarray, "residue candidate"]
) -> tuple[float, Int32[np.ndarray, " residue"]]:
    """Return the best trace that may visit places again, and its score, nats.

    Args:
        graph: of the candidates.
        scores: of each residue being at each candidate, nats.
    """
    ahead = _score_ahead(*_arrays(graph), scores)
    a, b, c = graph.triples.T
    total = graph.start_score + scores[0, a] + scores[1, b] + scores[2, c] + ahead[2]
    first = int(total.argmax())
    tail = _follow(*_arrays(graph), scores, ahead, first)
    return float(total[first]), np.concatenate((graph.triples[first], tail))


def advance_beam(graph, beam, masks, scores, ahead, config):
    """Add a residue to each partial trace, and keep the best prospects.

    Args:
        graph: of the candidates.
        beam: last triple, score (nats) and excluded candidates (bits) of each trace.
        masks: candidates that each candidate excludes, bits.
        scores: of the residue being at each candidate, nats.
        ahead: best score of what may follow each triple, nats.
        config: beam and variants.

    Returns:
        The new beam's arrays, and the old place of each of its traces.
    """
    triples, values, visited = beam
    count = graph.first_transition[triples + 1] - graph.first_transition[triples]
    reach = int(count.sum())
    arrays = _arrays(graph)
    prospects, parents, targets, reached = _expand(
        *arrays, triples, values, visited, scores, ahead, reach
    )
    order = np.argsort(-prospects, kind="stable")
    kept = _select(
        order,
        parents,
        targets,
        visited,
        len(graph.triples),
        config.beam,
        config.variants,
    )
    parent, target = parents[kept], targets[kept]
    last = graph.triples[target, 2]
    return target, reached[kept], visited[parent] | masks[last], parent


def _arrays(graph: TraceGraph) -> tuple[np.ndarray, ...]:
    return (
        np.ascontiguousarray(graph.triples[:, 2]),
        graph.step_score,
        graph.first_transition,
        graph.target,
        graph.transition_score,
    )


@numba.njit(cache=True)
@no_type_check
def _score_ahead(last, step, first, target, turn, scores):
    residues, triples = len(scores), len(last)
    ahead = np.full((residues, triples), LOWEST)
    ahead[residues - 1] = 0.0
    entry = np.empty(triples, np.float32)
    for residue in range(residues - 2, 1, -1):
        for triple in range(triples):
            entry[triple] = (
                ahead[residue + 1, triple]
                + step[triple]
                + scores[residue + 1, last[triple]]
            )
        for triple in range(triples):
            best = LOWEST
            for q in range(first[triple], first[triple + 1]):
                value = turn[q] + entry[target[q]]
                if value > best:
                    best = value
            ahead[residue, triple] = best
    return ahead


@numba.njit(cache=True)
@no_type_check
def _follow(last, step, first, target, turn, scores, ahead, start):
    residues = len(scores)
    path = np.empty(residues - 3, np.int32)
    triple = start
    for residue in range(3, residues):
        best, chosen = np.float32(-np.inf), -1
        for q in range(first[triple], first[triple + 1]):
            following = target[q]
            value = (
                turn[q]
                + ahead[residue, following]
                + step[following]
                + scores[residue, last[following]]
            )
            if value > best:
                best, chosen = value, following
        triple = chosen
        path[residue - 3] = last[triple]
    return path


@numba.njit(cache=True)
@no_type_check
def _expand(
    last, step, first, target, turn, triples, values, visited, scores, ahead, reach
):
    prospects = np.empty(reach, np.float32)
    reached = np.empty(reach, np.float32)
    parents, targets = np.empty(reach, np.int32), np.empty(reach, np.int32)
    count = 0
    for state in range(len(triples)):
        for q in range(first[triples[state]], first[triples[state] + 1]):
            following = target[q]
            node = last[following]
            word = visited[state, node >> 6]
            if (word >> np.uint64(node & 63)) & np.uint64(1):
                continue
            value = values[state] + turn[q] + step[following] + scores[node]
            prospect = value + ahead[following]
            if prospect == -np.inf:
                continue
            prospects[count], reached[count] = prospect, value
            parents[count], targets[count] = state, following
            count += 1
    return prospects[:count], parents[:count], targets[:count], reached[:count]


@numba.njit(cache=True)
@no_type_check
def _select(order, parents, targets, visited, triples, beam, variants):
    kept = np.empty(min(beam, len(order)), np.int64)
    # The traces kept so far that end in each triple, as linked lists.
    newest, older = np.full(triples, -1), np.full(len(kept), -1)
    ends = np.zeros(triples, np.int64)
    count = 0
    for candidate in order:
        triple = targets[candidate]
        if ends[triple] >= variants:
            continue
        known, other = False, newest[triple]
        while other >= 0 and not known:
            first, second = parents[candidate], parents[kept[other]]
            known = _distance(visited[first], visited[second]) <= SAME
            other = older[other]
        if known:
            continue
        kept[count], older[count] = candidate, newest[triple]
        newest[triple] = count
        ends[triple] += 1
        count += 1
        if count == len(kept):
            break
    return kept[:count]


@numba.njit(cache=True)
@no_type_check
def _distance(first, second):
    """Count the bits in which two masks differ (Hamming distance)."""
    total = 0
    for word in range(len(first)):
        bits = first[word] ^ second[word]
        while bits:
            bits &= bits - np.uint64(1)
            total += 1
    return total
