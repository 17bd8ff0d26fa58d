"""Against brute force over every path of a small graph."""

from dataclasses import dataclass
from itertools import pairwise, permutations

import numpy as np
import pytest

from equicryo.inference.trace_graph import SHARPEST, TraceGraph, build_graph
from equicryo.inference.trace_kernels import follow_best
from equicryo.inference.trace_search import (
    CROWDED,
    EXCLUDED,
    SearchConfig,
    beam_search,
    find_charges,
    search_traces,
)
from equicryo.structure.trace_geometry import (
    ANGLE_BINS,
    DIHEDRAL_BINS,
    DISTANCE_EDGES,
    TraceGeometry,
    angle_bins,
    dihedral_bins,
)

CANDIDATES, RESIDUES = 8, 6
WIDE = SearchConfig(rounds=30, beam=100_000, variants=100_000, traces=3)


@pytest.fixture(scope="module")
def geometry() -> TraceGeometry:
    generator = np.random.default_rng(0)
    return TraceGeometry(
        distance=generator.normal(size=len(DISTANCE_EDGES) - 1),
        start=generator.normal(size=ANGLE_BINS),
        turn=generator.normal(size=(ANGLE_BINS, ANGLE_BINS, DIHEDRAL_BINS)),
    )


@pytest.fixture(scope="module")
def positions() -> np.ndarray:
    """A dense cloud, in which some pairs lie too close for one trace."""
    return 1.9 * np.random.default_rng(0).normal(size=(CANDIDATES, 3))


@pytest.fixture(scope="module")
def bonds() -> np.ndarray:
    return np.random.default_rng(4).normal(size=(CANDIDATES, CANDIDATES))


@pytest.fixture(scope="module")
def graph(positions, bonds, geometry) -> TraceGraph:
    return build_graph(positions, bonds, CANDIDATES, geometry)


@pytest.fixture(scope="module")
def scores(graph) -> np.ndarray:
    """Bridges are never worth while here."""
    drawn = np.random.default_rng(5).normal(size=(RESIDUES, len(graph.positions)))
    drawn[:, CANDIDATES:] = -50.0
    return drawn.astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class EveryPath:
    """Every path that visits no candidate twice, scored term by term.

    Attributes:
        nodes: candidate of each residue.
        score: −inf where a step is not allowed.
        permitted: whether no two candidates are too close.
    """

    nodes: np.ndarray
    score: np.ndarray
    permitted: np.ndarray

    @property
    def best(self) -> int:
        return int(np.where(self.permitted, self.score, -np.inf).argmax())


@pytest.fixture(scope="module")
def every_path(positions, bonds, geometry, scores) -> EveryPath:
    nodes = np.array(list(permutations(range(CANDIDATES), RESIDUES)))
    x = positions[nodes].swapaxes(0, 1)
    steps = np.linalg.norm(x[1:] - x[:-1], axis=-1)
    spans = np.linalg.norm(x[2:] - x[:-2], axis=-1)
    allowed = (steps > DISTANCE_EDGES[0]) & (steps < DISTANCE_EDGES[-1])
    allowed = allowed.all(0) & (spans > SHARPEST).all(0)
    place = np.digitize(steps, DISTANCE_EDGES[1:-1])
    angles = angle_bins(x[:-2], x[1:-1], x[2:])
    torsions = dihedral_bins(x[:-3], x[1:-2], x[2:-1], x[3:])
    score = (
        geometry.distance[place].sum(0)
        + bonds[nodes[:, :-1], nodes[:, 1:]].sum(1)
        + geometry.start[angles[0]]
        + geometry.turn[angles[:-1], angles[1:], torsions].sum(0)
        + scores[np.arange(RESIDUES), nodes].sum(1)
    )
    gaps = np.linalg.norm(x[:, None] - x, axis=-1)
    close = (gaps < EXCLUDED) & (
        np.arange(RESIDUES)[:, None, None] != np.arange(RESIDUES)[:, None]
    )
    return EveryPath(
        nodes=nodes,
        score=np.where(allowed, score, -np.inf),
        permitted=~close.any((0, 1)),
    )


def score_trace(graph: TraceGraph, scores: np.ndarray, nodes: np.ndarray) -> float:
    """The sum of its terms, nats; −inf if a step is not one of the graph's."""
    width = scores.shape[1]
    a, b, c = graph.triples.astype(np.int64).T
    keys = (a * width + b) * width + c
    order = np.argsort(keys)
    path = nodes.astype(np.int64)
    wanted = (path[:-2] * width + path[1:-1]) * width + path[2:]
    place = np.searchsorted(keys[order], wanted).clip(max=len(keys) - 1)
    triples = order[place]
    if (keys[triples] != wanted).any():
        return -np.inf
    total = float(graph.start_score[triples[0]] + graph.step_score[triples[1:]].sum())
    total += float(scores[np.arange(len(path)), path].sum())
    for source, target in pairwise(triples.tolist()):
        first, end = graph.first_transition[source : source + 2]
        (found,) = np.nonzero(graph.target[first:end] == target)
        total += float(graph.transition_score[first + found[0]])
    return total


def test_traces_score_as_the_sum_of_their_terms(graph, scores, every_path) -> None:
    allowed = np.flatnonzero(every_path.score > -np.inf)
    assert len(allowed) > 50
    for index in [*allowed[:20], *np.flatnonzero(every_path.score == -np.inf)[:20]]:
        path = every_path.nodes[index].astype(np.int32)
        # Sums of about 20 float32 terms of order 1.
        expected = pytest.approx(every_path.score[index], abs=1e-4)
        assert score_trace(graph, scores, path) == expected


def test_a_wide_beam_finds_the_best_permitted_trace(graph, scores, every_path) -> None:
    best = every_path.score[every_path.best]
    # The rule matters: without it another trace would win.
    assert every_path.score.max() > best + 0.1
    found = search_traces(graph, scores, WIDE)
    assert found.nodes[0].tolist() == every_path.nodes[every_path.best].tolist()
    assert found.score[0] == pytest.approx(best, abs=1e-4)
    assert (np.diff(found.score) <= 0.0).all()
    for nodes, score in zip(found.nodes, found.score, strict=True):
        assert score == pytest.approx(score_trace(graph, scores, nodes), abs=1e-4)


def test_a_narrow_beam_with_its_look_ahead_finds_it_too(
    graph, scores, every_path
) -> None:
    narrow = SearchConfig(rounds=30, beam=12, variants=2, traces=1)
    best = every_path.score[every_path.best]
    found = search_traces(graph, scores, narrow)
    assert found.score[0] == pytest.approx(best, abs=1e-4)


def test_dynamic_programming_bounds_and_attains(graph, scores, every_path) -> None:
    value, path = follow_best(graph, scores)
    assert value >= every_path.score.max() - 1e-4
    assert value == pytest.approx(score_trace(graph, scores, path), abs=1e-4)


def test_prices_bound_every_permitted_trace(graph, scores, every_path) -> None:
    gaps = np.linalg.norm(graph.positions[:, None] - graph.positions, axis=-1)
    first = len(gaps) - graph.bridges
    gaps[first:] = gaps[:, first:] = np.inf
    best = every_path.score[every_path.best]
    relaxed, path = follow_best(graph, scores)
    assert ((gaps < CROWDED)[:, path].sum(1) > 1).any()
    charges = find_charges(graph, gaps < CROWDED, scores, 60)
    assert (charges >= 0.0).all()
    priced = scores - (charges @ (gaps < CROWDED)).astype(np.float32)
    bound = follow_best(graph, priced)[0] + charges.sum()
    assert best - 1e-3 <= bound < relaxed


def test_a_missing_residue_is_bridged(geometry) -> None:
    chain = np.stack([3.3 * np.arange(6.0), (-1.0) ** np.arange(6), np.zeros(6)], -1)
    positions = np.delete(chain, 3, axis=0)
    graph = build_graph(positions, np.zeros((5, 5)), 5, geometry)
    scores = np.full((6, len(graph.positions)), -20.0, np.float32)
    for residue, candidate in ((0, 0), (1, 1), (2, 2), (4, 3), (5, 4)):
        scores[residue, candidate] = 0.0
    found = search_traces(graph, scores, WIDE)
    bridge = found.nodes[0][3]
    assert found.nodes[0].tolist() == [0, 1, 2, bridge, 3, 4]
    assert bridge >= 5
    np.testing.assert_allclose(graph.positions[bridge], 0.5 * (chain[2] + chain[4]))


def test_no_trace_is_found_where_none_fits(graph, geometry) -> None:
    scores = np.zeros((40, len(graph.positions)), np.float32)
    found = search_traces(graph, scores, WIDE)
    assert found.nodes.shape == (0, 40)
    nowhere = np.zeros(2 * (len(graph.positions),), bool)
    assert len(beam_search(graph, nowhere, scores[:RESIDUES], WIDE).nodes)
