"""Tracing through beads that explain the images, with no part that was learnt.

Where every residue is one blob, beads without an order explain the images. The best
thread through them is refined, and is where the beads of the next round start. What
longer search finds without a prior, as with few images, their annealed orders tell.
"""

import logging
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from equicryo.inference.blob_refinement import prepare_refiner
from equicryo.inference.evidence import judge_trace
from equicryo.inference.likelihood import ResidueLikelihood
from equicryo.inference.trace_graph import build_graph
from equicryo.inference.trace_merging import AnnealingConfig, Merger
from equicryo.inference.trace_search import SearchConfig
from equicryo.inference.trace_threads import (
    UNLIKELY,
    far_from,
    keep_distinct,
    refine_threads,
    tell_nothing_fits,
)
from equicryo.inference.traces import RefinedTrace
from equicryo.inference.tracing_beads import (
    BeadModel,
    Beads,
    cover_map,
    pool_beads,
    relax_beads,
    score_weights,
)
from equicryo.physics.normal_equations import NormalEquations
from equicryo.structure.residues import residue_electrons
from equicryo.structure.trace_geometry import TraceGeometry
from equicryo.structure.turn_potential import no_turns

logger = logging.getLogger(__name__)

WEIGHT_ERROR = 2.5
"""Error of a bead's weight over that of a bead that no other overlaps."""

LEAST_WEIGHT_ERROR = 4.0
"""Electrons."""

EMPTY = -4.0
"""Score of a residue at a place without a bead, nats."""

NEW_BEAD, NEW_PLACE, FREE_PLACE = 0.7, 1.0, 2.0
"""Å: beads of another pool, places without a bead, and places that a trace has left
free are at least this far from what there is."""

SETTLED = 1.0
"""Nats: rounds end when they gain less."""


@dataclass(frozen=True, kw_only=True)
class BeadTracingConfig:
    """How a chain of one blob a residue is traced.

    Attributes:
        bead_width: standard deviation of a bead's density, Å.
        places: proposed for the beads, a residue.
        beads: numbers of beads that are relaxed together, a residue.
        candidates: beads and places that a trace may visit, a residue.
        relaxation_steps: of the beads, at most.
        refinement_steps: of a trace, at most.
        refined: traces of each round that are refined.
        rounds: at most.
        search: how widely.
    """

    bead_width: float
    places: int
    beads: tuple[float, ...]
    candidates: float
    relaxation_steps: int
    refinement_steps: int
    refined: int
    rounds: int
    search: SearchConfig


def read_bead_config(block: dict) -> BeadTracingConfig:
    """Build the settings from a validated block of the config."""
    beads, search = tuple(block["beads"]), SearchConfig(**block["search"])
    return BeadTracingConfig(**{**block, "beads": beads, "search": search})


@dataclass(frozen=True, kw_only=True, eq=False)
class BeadProblem:
    """What is traced through beads.

    Attributes:
        likelihood: of the images.
        beads: what beads are fitted to.
        weights: of the residues, electrons.
        places: for the first beads, in the order of trust, Å.
        geometry: of chains.
        normal: of the images.
    """

    likelihood: ResidueLikelihood
    beads: BeadModel
    weights: Float64[np.ndarray, " residue"]
    places: Float64[np.ndarray, "place 3"]
    geometry: TraceGeometry
    normal: NormalEquations


def describe_bead_problem(
    likelihood: ResidueLikelihood,
    normal: NormalEquations,
    sequence: str,
    geometry: TraceGeometry,
    config: BeadTracingConfig,
) -> BeadProblem:
    """Gather what is traced.

    Args:
        likelihood: of the images.
        normal: of the images.
        sequence: one-letter codes.
        geometry: of chains.
        config: width and number of the beads.
    """
    weights = residue_electrons(sequence)
    beads = BeadModel(
        operator=likelihood.operators[0.0],
        gain=likelihood.gain,
        width=config.bead_width,
        mean_weight=float(weights.mean()),
        weight_spread=float(weights.std()),
    )
    count = config.places * len(sequence)
    return BeadProblem(
        likelihood=likelihood,
        beads=beads,
        weights=weights,
        places=cover_map(normal, sequence, config.bead_width, count),
        geometry=geometry,
        normal=normal,
    )


def trace_beads(problem: BeadProblem, config: BeadTracingConfig) -> list[RefinedTrace]:
    """String beads together, relax them again about the best string, and so on.

    Args:
        problem: images, sequence and geometry.
        config: how widely.

    Returns:
        Distinct traces at local maxima of likelihood and restraints, best first; none
        where no chain can be strung through what explains the images, as in images of
        noise alone.
    """
    traces: list[RefinedTrace] = []
    ranking, earlier = problem.places, []
    for number in range(1, config.rounds + 1):
        beads = _relax_pools(ranking, problem, config)
        pool = pool_beads([beads, *earlier], NEW_BEAD)
        found = _trace_once(pool, problem, config)
        before = traces[0].log_posterior if traces else -np.inf
        traces = keep_distinct([*traces, *found])
        if not traces:
            tell_nothing_fits(len(problem.weights))
            break
        gain = traces[0].log_posterior - before
        logger.info("round %d: log posterior %.1f", number, traces[0].log_posterior)
        if gain < SETTLED:
            break
        best = traces[0].coordinates.numpy()
        free = far_from(problem.places, best, FREE_PLACE)
        ranking, earlier = np.concatenate((best, free)), [beads]
    return traces


def anneal_beads(
    strung: list[RefinedTrace],
    problem: BeadProblem,
    config: BeadTracingConfig,
    annealing: AnnealingConfig,
    *,
    generator: np.random.Generator,
) -> list[RefinedTrace]:
    """Search the orders of beads too, unless the images show what is strung of them.

    Args:
        strung: of `trace_beads`.
        problem: images, sequence and geometry.
        config: of the beads.
        annealing: how long.
        generator: of annealing.

    Returns:
        As from `trace_beads`.
    """
    if strung and judge_trace(strung[0], problem.likelihood) == "found":
        return strung
    beads = _relax_pools(problem.places, problem, config)
    # Refined by bonds and contacts alone, as strings of them are.
    merger = Merger(
        refiner=prepare_refiner(
            problem.normal, problem.weights, problem.likelihood, no_turns()
        ),
        places=_list_places(beads, problem),
        score_links=lambda places: np.zeros((len(places), len(places))),
        improve=lambda trace: trace,
        geometry=problem.geometry,
        config=annealing,
        generator=generator,
    )
    return keep_distinct([*merger.search(merger.keep_telling(strung)), *strung])


def _relax_pools(
    ranking: Float64[np.ndarray, "place 3"],
    problem: BeadProblem,
    config: BeadTracingConfig,
) -> Beads:
    """Relax the first places of a ranking, each number of them by itself."""
    residues = len(problem.weights)
    pools = [
        relax_beads(
            ranking[: round(share * residues)],
            problem.beads,
            residues,
            config.relaxation_steps,
        )
        for share in config.beads
    ]
    return pool_beads(pools, NEW_BEAD)


def _list_places(beads: Beads, problem: BeadProblem) -> Float64[np.ndarray, "place 3"]:
    """Return the beads' places, and after them those where there is none."""
    others = far_from(problem.places, beads.positions, NEW_PLACE)
    return np.concatenate((beads.positions, others))


def _trace_once(
    beads: Beads,
    problem: BeadProblem,
    config: BeadTracingConfig,
) -> list[RefinedTrace]:
    """String beads together, and refine the best strings."""
    weights = problem.weights
    count = round(config.candidates * len(weights))
    positions = _list_places(beads, problem)[: max(count, len(beads.weights))]
    bonds = np.zeros((len(positions), len(positions)))
    graph = build_graph(positions, bonds, len(beads.weights), problem.geometry)
    error = max(WEIGHT_ERROR * problem.beads.weight_error(), LEAST_WEIGHT_ERROR)
    seen = score_weights(beads.weights, weights, error).clip(min=UNLIKELY)
    scores = np.full((len(weights), len(graph.positions)), EMPTY)
    scores[:, len(positions) :] = UNLIKELY
    scores[:, : len(beads.weights)] = seen
    return refine_threads(
        graph,
        scores,
        problem.likelihood,
        config.search,
        config.refined,
        config.refinement_steps,
    )
