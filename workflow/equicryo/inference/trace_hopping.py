"""Search for traces by hopping from one maximum of the posterior to another.

Where images are few, the places that a network proposes are right for the most part,
but what it says of residues and bonds is not enough to connect them: the exact
likelihood is, once a trace is refined. So many traces are started from perturbed
scores, and each hops to others by a random move and a refinement, up as down by the
rule of Metropolis. The best hop on, fewer in each round.

Source: Monte Carlo minimisation; Li & Scheraga 1987, doi:10.1073/pnas.84.19.6611.
    Jamieson & Talwalkar 2016, arXiv:1502.07943, for halving.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from equicryo.inference.blob_refinement import BlobRefiner
from equicryo.inference.proposals import Proposals
from equicryo.inference.trace_graph import TraceGraph, build_graph
from equicryo.inference.trace_kernels import follow_best
from equicryo.inference.trace_moves import MOVES, Chain
from equicryo.inference.trace_search import SearchConfig, search_traces
from equicryo.inference.trace_threads import UNLIKELY, far_from
from equicryo.inference.tracing_refinement import RefinedTrace
from equicryo.structure.trace_geometry import TraceGeometry

logger = logging.getLogger(__name__)

PERTURBATIONS = (0.0, 0.5, 1.0, 2.0)
"""Standard deviations of what is added to the scores of places, nats."""

FORBIDDEN = -1e5
"""Score of a residue where it may not be, nats."""

SHORTEST, LONGEST = 12, 60
"""Residues of a stretch that is threaded anew."""

WHOLE = 0.1
"""How often the whole chain is."""

APART = 0.5
"""Å: residues that a thread puts in one place are moved this far at random."""

RETURNING = 2.0 / 3.0
"""How often a stretch may come back to where it was."""

TAKEN, DOUBLE = 2.0, 1.0
"""Å: places this near to residues that stay, or to those that move, are left out."""

FLANK = 3
"""Residues before and after a stretch that join it to the rest."""

FIRST_STEPS, NEIGHBOURS = 12, 4
"""Steps of a refinement of what moved, and its neighbours, that tell whether to go on
with all."""

HOPELESS = 25.0
"""Nats below the present trace: not worth going on with."""


@dataclass(frozen=True, kw_only=True)
class HoppingConfig:
    """How long traces hop.

    Attributes:
        places: numbers of them that a thread may visit, a residue; a stretch is
            threaded anew through the first.
        starts: of them.
        kept: of the best traces, for each round.
        hops: of each of them, a residue.
        warmest, coldest: temperature when a round begins, and when it ends, nats.
        rethreaded: share of the hops that thread a stretch anew.
        refinement_steps: of a trace, at most.
        search: of threads.
    """

    places: tuple[float, ...]
    starts: int
    kept: tuple[int, ...]
    hops: tuple[float, ...]
    warmest: float
    coldest: float
    rethreaded: float
    refinement_steps: int
    search: SearchConfig


@dataclass(frozen=True, kw_only=True, eq=False)
class Hopper:
    """What hops.

    Attributes:
        refiner: of traces of the images.
        proposals: places, and what a network says of residues and bonds there.
        geometry: of chains.
        config: how long.
        generator: source of the randomness.
    """

    refiner: BlobRefiner
    proposals: Proposals
    geometry: TraceGeometry
    config: HoppingConfig
    generator: np.random.Generator

    def improve(self, traces: list[RefinedTrace]) -> list[RefinedTrace]:
        """Let the best traces hop, fewer in each round.

        Args:
            traces: refined by the refiner.

        Returns:
            All traces, those that went on longest better than they were, best first.
        """
        traces = _best_first(traces)
        logger.info("hopping starts from %s", _values(traces))
        rounds = zip(self.config.kept, self.config.hops, strict=True)
        for number, (kept, hops) in enumerate(rounds, start=1):
            others = traces[kept:]
            traces = _best_first([self.hop(trace, hops) for trace in traces[:kept]])
            logger.info("hopping, round %d: log posterior %s", number, _values(traces))
            traces = _best_first([*traces, *others])
        return traces

    def hop(self, trace: RefinedTrace, hops: float) -> RefinedTrace:
        """Return the best trace of a walk from one.

        Args:
            trace: refined by the refiner.
            hops: a residue.
        """
        best = trace
        count = round(hops * len(trace.coordinates))
        warmest, coldest = self.config.warmest, self.config.coldest
        for temperature in np.geomspace(warmest, coldest, count):
            chain = trace.coordinates.numpy()
            refined = [self._refine(moved, trace) for moved in self._move(chain)]
            if not refined:
                continue
            other = max(refined, key=lambda each: each.log_posterior)
            gain = other.log_posterior - trace.log_posterior
            if gain > temperature * np.log(self.generator.random()):
                trace = other
                best = max(best, trace, key=lambda each: each.log_posterior)
        return best

    def start(self) -> Iterator[RefinedTrace]:
        """Thread the whole chain through the first places, its scores perturbed.

        Yields:
            The best of each start, refined.
        """
        residues = len(self.proposals.sequence_types)
        ways = [
            self._thread_through(self.proposals.places[: round(share * residues)])
            for share in self.config.places
        ]
        for number in range(self.config.starts):
            graph, scores = ways[number % len(ways)]
            noise = 1.0 if number >= len(ways) else 0.0
            threads = self._search(graph, scores, noise)
            if not threads:
                threads = self._cross(graph, scores)
            refined = [
                self.refiner.refine(thread, self.config.refinement_steps)
                for thread in threads
            ]
            yield from _best_first(refined)[:1]

    def _cross(
        self, graph: TraceGraph, scores: Float64[np.ndarray, "residue position"]
    ) -> list[Chain]:
        """Return the best thread that may visit places again, drawn apart there."""
        if not len(graph.target):
            return []
        value, nodes = follow_best(graph, scores.astype(np.float32))
        chain = graph.positions[nodes]
        moved = chain + APART * self.generator.normal(size=chain.shape)
        return [moved] if value > FORBIDDEN else []

    def _move(self, chain: Chain) -> Iterator[Chain]:
        if self.generator.random() < self.config.rethreaded:
            yield from self.rethread(chain)
            return
        moves = list(MOVES)
        move = moves[self.generator.choice(len(moves), p=list(MOVES.values()))]
        yield move(chain, self.generator)

    def _refine(self, moved: Chain, trace: RefinedTrace) -> RefinedTrace:
        """Refine what moved, and the whole if that is promising."""
        before = trace.coordinates.numpy()
        (changed,) = np.nonzero((moved != before).any(-1))
        if not len(changed):
            return trace
        first = max(int(changed[0]) - NEIGHBOURS, 0)
        last = min(int(changed[-1]) + NEIGHBOURS + 1, len(moved))
        part = self.refiner.refine_stretch(moved, first, last, FIRST_STEPS)
        if part.log_posterior < trace.log_posterior - HOPELESS:
            return part
        return self.refiner.refine(
            part.coordinates.numpy(), self.config.refinement_steps
        )

    def rethread(self, chain: Chain) -> list[Chain]:
        """Thread a stretch anew, through places that the rest does not take.

        Args:
            chain: Cα coordinates, Å.

        Returns:
            The chain with each of the best threads in the stretch's place.
        """
        residues = len(chain)
        first, last = self._draw_stretch(residues)
        begin, end = max(first - FLANK, 0), min(last + FLANK, residues)
        staying = np.concatenate((chain[:first], chain[last:]))
        flanks = np.concatenate((chain[begin:first], chain[last:end]))
        places = far_from(self.proposals.places, staying, TAKEN)
        if self.generator.random() < RETURNING:
            own = chain[first:last]
            places = np.concatenate((own, far_from(places, own, DOUBLE)))
        count = round(self.config.places[0] * (last - first))
        positions = np.concatenate((flanks, places[: max(count, SHORTEST)]))
        graph, scores = self._thread_through(positions)
        scores = scores[begin:end]
        scores[:, : len(flanks)] = FORBIDDEN
        fixed = np.r_[begin:first, last:end] - begin
        scores[fixed] = FORBIDDEN
        scores[fixed, np.arange(len(flanks))] = 0.0
        noise = self.generator.choice(PERTURBATIONS)
        threads = self._search(graph, scores, noise)
        rethreaded = []
        for thread in threads:
            moved = chain.copy()
            moved[first:last] = thread[first - begin : last - begin]
            rethreaded.append(moved)
        return rethreaded

    def _draw_stretch(self, residues: int) -> tuple[int, int]:
        longest = min(LONGEST, residues - 1)
        if self.generator.random() < WHOLE or longest < SHORTEST:
            return 0, residues
        length = int(self.generator.integers(SHORTEST, longest + 1))
        first = int(self.generator.integers(-length // 2, residues - length // 2))
        return max(first, 0), min(first + length, residues)

    def _thread_through(
        self, places: Float64[np.ndarray, "place 3"]
    ) -> tuple[TraceGraph, Float64[np.ndarray, "residue position"]]:
        """Return the steps between places, and the scores of all residues there."""
        bonds = self.proposals.score_bonds(places)
        graph = build_graph(places, bonds, len(places), self.geometry)
        seen = self.proposals.score_residues(places)
        scores = np.full((len(seen), len(graph.positions)), UNLIKELY)
        scores[:, : len(places)] = seen
        return graph, scores

    def _search(
        self,
        graph: TraceGraph,
        scores: Float64[np.ndarray, "residue position"],
        noise: float,
    ) -> list[Chain]:
        """Return the best threads, of which none goes where it may not."""
        if not len(graph.target):
            return []
        places = len(graph.positions) - graph.bridges
        perturbed = scores.copy()
        shape = perturbed[:, :places].shape
        perturbed[:, :places] += noise * self.generator.normal(size=shape)
        found = search_traces(graph, perturbed.astype(np.float32), self.config.search)
        allowed = found.score > 0.5 * FORBIDDEN
        return [graph.positions[nodes] for nodes in found.nodes[allowed]]


def _values(traces: list[RefinedTrace]) -> list[float]:
    return [round(trace.log_posterior, 1) for trace in traces]


def _best_first(traces: list[RefinedTrace]) -> list[RefinedTrace]:
    return sorted(traces, key=lambda trace: -trace.log_posterior)
