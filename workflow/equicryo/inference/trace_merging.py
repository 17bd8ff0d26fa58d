"""Search for traces by annealing, each time among the places of earlier ones.

Where images are few, an annealing connects most places rightly, but never all; a
handful of traces together have all the right links. So the places of some of the best
traces, refined, are those of the next annealing, which prefers the links of any of
them. Such a search ends in one trace, not always the right one: it is begun anew until
two agree.

Source: Cook & Seymour 2003, doi:10.1287/ijoc.15.3.233.16078, for merging tours.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64, Int64
from scipy.spatial.distance import cdist

from equicryo.errors import InputError
from equicryo.inference.blob_refinement import BlobRefiner
from equicryo.inference.evidence import noise_limit
from equicryo.inference.order_annealing import anneal_order, visit_greedily
from equicryo.inference.order_landscape import Landscape, lay_out, score_steps
from equicryo.inference.trace_threads import keep_distinct
from equicryo.inference.traces import RefinedTrace
from equicryo.inference.tracing_refinement import GAIN
from equicryo.structure.chain import VIRTUAL_BOND
from equicryo.structure.superposition import rmsd_unaligned
from equicryo.structure.trace_geometry import TraceGeometry

logger = logging.getLogger(__name__)

APART = 0.7
"""Å: places nearer to a better one are left out."""

AGREEING, CONFIRMED = 2, 2.0
"""So many searches that end nearer than this, Å, to a trace came to it."""


@dataclass(frozen=True, kw_only=True)
class AnnealingConfig:
    """How long traces are searched.

    Attributes:
        places: that are proposed, a residue.
        moves: of an annealing, a residue.
        hottest, coldest: temperature when it begins, and when it ends, nats.
        refinement_steps: of a trace, at most.
        merged: traces whose places an annealing has too.
        familiar: what a link of these is worth more than others, nats.
        kept: best traces that these are drawn from.
        patience: annealings in a row that find nothing better before a search ends.
        searches: that know nothing of each other, at most.
    """

    places: float
    moves: int
    hottest: float
    coldest: float
    refinement_steps: int
    merged: int
    familiar: float
    kept: int
    patience: int
    searches: int

    def __post_init__(self) -> None:
        """Refuse to merge more traces than are kept.

        Raises:
            InputError: that is what the settings say.
        """
        if self.merged > self.kept:
            raise InputError(
                f"tracing.annealing: {self.merged} traces cannot be merged where "
                f"{self.kept} are kept: raise kept, or lower merged"
            )


@dataclass(frozen=True, kw_only=True, eq=False)
class Merger:
    """What searches for traces.

    Attributes:
        refiner: of traces of the images.
        places: that are proposed, in the order of trust, Å.
        score_links: score of any two places being bonded but for their distance, nats.
        improve: what a search ends in, before it is compared with others.
        geometry: of chains, through places.
        config: how long.
        generator: source of the randomness.
    """

    refiner: BlobRefiner
    places: Float64[np.ndarray, "place 3"]
    score_links: Callable[
        [Float64[np.ndarray, "place 3"]], Float64[np.ndarray, "place place"]
    ]
    improve: Callable[[RefinedTrace], RefinedTrace]
    geometry: TraceGeometry
    config: AnnealingConfig
    generator: np.random.Generator

    def search(self, known: Sequence[RefinedTrace]) -> list[RefinedTrace]:
        """Search until two searches agree, or once more from all that they end in.

        Args:
            known: traces that another search has found, refined by the refiner.

        Returns:
            Distinct traces, best first; none where all tell no more than noise. The
            best is `confirmed` if two searches came to it.
        """
        traces = keep_distinct(list(known))
        ends = traces[:1]
        for number in range(1, self.config.searches + 1):
            # What one search knew of another's end would not be found twice.
            found = self._search_once([])
            if not found:
                break
            ends.append(found[0])
            traces = keep_distinct([*traces, *found])
            logger.info("search %d ends at %.1f", number, found[0].log_posterior)
            if _count_near(ends, traces[0]) >= AGREEING:
                break
        else:
            traces = keep_distinct([*self._search_once(ends), *traces])
            logger.info("merged, they end at %.1f", traces[0].log_posterior)
        if not traces:
            return []
        confirmed = _count_near(ends, traces[0]) >= AGREEING
        return [replace(traces[0], confirmed=confirmed), *traces[1:]]

    def _search_once(self, traces: Sequence[RefinedTrace]) -> list[RefinedTrace]:
        """Merge, and put before what is found the best of it, improved."""
        found = self.merge(traces)
        return [self.improve(found[0]), *found] if found else []

    def merge(self, traces: Sequence[RefinedTrace]) -> list[RefinedTrace]:
        """Anneal among the places of the best traces until they get no better.

        Args:
            traces: to begin with, refined by the refiner.

        Returns:
            The best of them and of all that were found, distinct, best first.
        """
        kept = keep_distinct(list(traces))[: self.config.kept]
        stale = 0
        while stale < self.config.patience:
            found = self.keep_telling([self._anneal(self._draw_parents(kept))])
            # Were there a chain, one of so many annealings would have told of it.
            if not kept and not found and stale == self.config.merged:
                return []
            before = kept[0].log_posterior if kept else -np.inf
            kept = keep_distinct([*kept, *found])[: self.config.kept]
            gains = kept and kept[0].log_posterior > before + GAIN
            stale = 0 if gains else stale + 1
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

    def _draw_parents(self, kept: Sequence[RefinedTrace]) -> list[RefinedTrace]:
        """Draw whose places are merged, best first; none until there are enough."""
        count = self.config.merged
        if len(kept) < count:
            return []
        drawn = self.generator.choice(len(kept), count, replace=False)
        return [kept[index] for index in np.sort(drawn)]

    def _anneal(self, parents: Sequence[RefinedTrace]) -> RefinedTrace:
        landscape = self._lay_out([each.coordinates.numpy() for each in parents])
        _, order = anneal_order(
            landscape,
            self._start(landscape.positions),
            (self.config.hottest, self.config.coldest),
            self.config.moves * len(landscape.weights),
            self.generator,
        )
        chain = landscape.positions[order]
        return self.refiner.refine(chain, self.config.refinement_steps)

    def _lay_out(self, chains: Sequence[Float64[np.ndarray, "residue 3"]]) -> Landscape:
        """Place the residues of chains, and what is proposed beside them."""
        residues = len(self.refiner.potential.weights)
        proposed = self.places[: round(self.config.places * residues)]
        positions = _thin(np.concatenate([*chains, proposed]))
        first = chains[0] if chains else positions[self._start(positions)]
        linear, quadratic, _, _ = self.refiner.potential.terms(first)
        _, gain, square = self.refiner.gain.weigh(linear, quadratic)
        steps = score_steps(positions, self.geometry.distance)
        steps += self.score_links(positions)
        steps += self.config.familiar * _find_links(chains, positions)
        return lay_out(
            positions,
            self.refiner.potential,
            (gain, square),
            steps,
            self.geometry.turn,
        )

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


def _find_links(
    chains: Sequence[Float64[np.ndarray, "residue 3"]],
    positions: Float64[np.ndarray, "place 3"],
) -> Bool[np.ndarray, "place place"]:
    """Tell which places follow each other in any of some chains, either way."""
    linked = np.zeros((len(positions), len(positions)), dtype=bool)
    for chain in chains:
        visited = cdist(chain, positions).argmin(1)
        linked[visited[:-1], visited[1:]] = True
    return linked | linked.T


def _count_near(traces: Sequence[RefinedTrace], best: RefinedTrace) -> int:
    gaps = [
        float(rmsd_unaligned(trace.coordinates, best.coordinates)) for trace in traces
    ]
    return sum(gap < CONFIRMED for gap in gaps)
