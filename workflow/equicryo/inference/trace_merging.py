"""Search for traces by annealing, each time among the places of the best so far.

Where images are few, an annealing connects most places rightly, but never all; a
handful of traces together have all the right links. So the places of the best traces,
refined, are those of the next annealings, which take the links of any of them.

Source: Cook & Seymour 2003, doi:10.1287/ijoc.15.3.233.16078, for merging tours.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
from jaxtyping import Float64, Int64

from equicryo.inference.blob_refinement import BlobRefiner
from equicryo.inference.evidence import noise_limit
from equicryo.inference.order_annealing import (
    Landscape,
    anneal_order,
    lay_out,
    score_steps,
    visit_greedily,
)
from equicryo.inference.trace_threads import DISTINCT, keep_distinct
from equicryo.inference.tracing_refinement import RefinedTrace
from equicryo.structure.chain import VIRTUAL_BOND
from equicryo.structure.superposition import rmsd_unaligned
from equicryo.structure.trace_geometry import TraceGeometry

logger = logging.getLogger(__name__)

APART = 0.7
"""Å: places nearer to a better one are left out."""

SETTLED = 0.5
"""Share of a round's traces that come back to the best: then the search ends."""

CONFIRMED = 2.0
"""Å: a search that ends this near to another came to the same trace."""


@dataclass(frozen=True, kw_only=True)
class AnnealingConfig:
    """How long traces are searched.

    Attributes:
        places: that are proposed, a residue.
        searches: that know nothing of each other.
        rounds: of each search, at most.
        runs: annealings of a round.
        moves: of an annealing, a residue.
        hottest, coldest: temperature when it begins, and when it ends, nats.
        merged: best traces whose places the next round has too.
        refinement_steps: of a trace, at most.
    """

    places: float
    searches: int
    rounds: int
    runs: int
    moves: int
    hottest: float
    coldest: float
    merged: int
    refinement_steps: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Merger:
    """What searches for traces.

    Attributes:
        refiner: of traces of the images.
        places: that are proposed, in the order of trust, Å.
        score_links: score of any two places being bonded but for their distance, nats.
        geometry: of chains, through places.
        config: how long.
        generator: source of the randomness.
    """

    refiner: BlobRefiner
    places: Float64[np.ndarray, "place 3"]
    score_links: Callable[
        [Float64[np.ndarray, "place 3"]], Float64[np.ndarray, "place place"]
    ]
    geometry: TraceGeometry
    config: AnnealingConfig
    generator: np.random.Generator

    def search(self, known: Sequence[RefinedTrace]) -> list[RefinedTrace]:
        """Search more than once, and once more from all that was found if need be.

        Args:
            known: traces found otherwise, refined by the refiner.

        Returns:
            Distinct traces, best first; none where all tell no more than noise. The
            best is `sole` if one search alone came to it.
        """
        found = [self.merge(known) for _ in range(self.config.searches)]
        traces = keep_distinct([*chain.from_iterable(found)])
        if not traces:
            return []
        if self._count_searches(found, traces[0]) < len(found):
            logger.info("the searches disagree: once more from all of their traces")
            traces = self.merge(traces)
        sole = self._count_searches(found, traces[0]) < min(len(found), 2)
        return [replace(traces[0], sole=sole), *traces[1:]]

    def merge(self, traces: Sequence[RefinedTrace]) -> list[RefinedTrace]:
        """Anneal among the places of the best traces, round by round.

        Args:
            traces: to begin with, refined by the refiner.

        Returns:
            They and all that were found, distinct, best first.
        """
        kept = keep_distinct(list(traces))
        for number in range(1, self.config.rounds + 1):
            landscape = self._lay_out(kept)
            runs = (self._run(landscape) for _ in range(self.config.runs))
            found = self.keep_telling(runs)
            kept = keep_distinct([*kept, *found])
            if not kept:
                # Nor will there be any in noise.
                return []
            values = [round(trace.log_posterior, 1) for trace in kept[:4]]
            logger.info(
                "round %d, %d places: log posterior %s",
                number,
                len(landscape.positions),
                values,
            )
            near = [_is_near(trace, kept[0], DISTINCT) for trace in found]
            if sum(near) >= max(SETTLED * self.config.runs, 2):
                break
        return kept

    def keep_telling(self, traces: Iterable[RefinedTrace]) -> list[RefinedTrace]:
        """Leave out what explains no more of the images than a chain does of noise."""
        potential, kept = self.refiner.potential, []
        for trace in traces:
            linear, quadratic, _, _ = potential.terms(trace.coordinates.numpy())
            explained = max(linear, 0.0) ** 2 / quadratic
            if explained > noise_limit(len(trace.coordinates)):
                kept.append(trace)
        return kept

    def _count_searches(
        self, found: Sequence[list[RefinedTrace]], best: RefinedTrace
    ) -> int:
        return sum(_is_near(traces[0], best, CONFIRMED) for traces in found if traces)

    def _lay_out(self, traces: Sequence[RefinedTrace]) -> Landscape:
        """Place the best traces' residues, and what is proposed beside them."""
        residues = len(self.refiner.potential.weights)
        proposed = self.places[: round(self.config.places * residues)]
        best = [trace.coordinates.numpy() for trace in traces[: self.config.merged]]
        positions = _thin(np.concatenate([*best, proposed]))
        first = best[0] if best else positions[self._start(positions)]
        linear, quadratic, _, _ = self.refiner.potential.terms(first)
        _, gain, square = self.refiner.gain.weigh(linear, quadratic)
        steps = score_steps(positions, self.geometry.distance)
        return lay_out(
            positions,
            self.refiner.potential,
            (gain, square),
            steps + self.score_links(positions),
            self.geometry.turn,
        )

    def _run(self, landscape: Landscape) -> RefinedTrace:
        _, order = anneal_order(
            landscape,
            self._start(landscape.positions),
            (self.config.hottest, self.config.coldest),
            self.config.moves * len(landscape.weights),
            self.generator,
        )
        visited = landscape.positions[order]
        return self.refiner.refine(visited, self.config.refinement_steps)

    def _start(
        self, positions: Float64[np.ndarray, "place 3"]
    ) -> Int64[np.ndarray, " residue"]:
        residues = len(self.refiner.potential.weights)
        return visit_greedily(positions, residues, VIRTUAL_BOND, self.generator)


def _thin(positions: Float64[np.ndarray, "place 3"]) -> Float64[np.ndarray, "far 3"]:
    """Leave out what is near to a place before it."""
    gaps = np.linalg.norm(positions[:, None] - positions, axis=-1)
    kept: list[int] = []
    for place, near in enumerate(gaps < APART):
        if not near[kept].any():
            kept.append(place)
    return positions[kept]


def _is_near(trace: RefinedTrace, other: RefinedTrace, distance: float) -> bool:
    return bool(rmsd_unaligned(trace.coordinates, other.coordinates) < distance)
