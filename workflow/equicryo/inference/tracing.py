"""Tracing: which residue of a chain lies where, from its images alone.

Guided diffusion from noise does not find the order of the residues. A trace is found by
a search instead, through places where Cα may lie, and refinement tells by the exact
likelihood how good it is. Where every residue is one blob, the places are beads that
explain the images without an order, and the best trace is where the beads of the next
round start. Where side chains have density of their own, or the images are too few for
beads to find the chain, a trained network proposes places.
"""

import logging
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from equicryo.inference.blob_refinement import BlobRefiner
from equicryo.inference.evidence import weigh_evidence
from equicryo.inference.likelihood import ResidueLikelihood
from equicryo.inference.proposals import Proposals, is_fine_enough, propose_candidates
from equicryo.inference.trace_exploration import Explorer
from equicryo.inference.trace_graph import TraceGraph, build_graph
from equicryo.inference.trace_hopping import Hopper, HoppingConfig
from equicryo.inference.trace_mending import mend_trace
from equicryo.inference.trace_search import SearchConfig, search_traces
from equicryo.inference.tracing_beads import (
    BeadModel,
    Beads,
    cover_map,
    pool_beads,
    relax_beads,
    score_weights,
)
from equicryo.inference.tracing_refinement import RefinedTrace, refine_trace
from equicryo.models.proposer import Proposer
from equicryo.physics.normal_equations import NormalEquations
from equicryo.physics.pair_potential import prepare_potential
from equicryo.structure.residues import residue_electrons
from equicryo.structure.superposition import rmsd_unaligned
from equicryo.structure.trace_geometry import TraceGeometry
from equicryo.structure.turn_potential import TurnPotential

logger = logging.getLogger(__name__)

TRACES_COLUMNS = ("trace", "log_likelihood", "log_restraint", "weight")

WEIGHT_ERROR = 2.5
"""Error of a bead's weight over that of a bead that no other overlaps."""

LEAST_WEIGHT_ERROR = 4.0
"""Electrons."""

EMPTY = -4.0
"""Score of a residue at a place without a bead, nats."""

WORST = -8.0
"""Score of a residue on a bridge, and the least for the weight of a bead, nats."""

NEW_BEAD, NEW_PLACE, FREE_PLACE = 0.7, 1.0, 2.0
"""Å: beads of another pool, places without a bead, and places that a trace has left
free are at least this far from what there is."""

SETTLED = 1.0
"""Nats: rounds end when they gain less."""

DISTINCT = 1.0
"""Å: traces of a smaller RMSD from a better one are not kept."""


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


@dataclass(frozen=True, kw_only=True)
class ProposalTracingConfig:
    """How a chain with side chains is traced.

    Attributes:
        places: numbers of them that a trace may visit, a residue; each is searched.
        refinement_steps: of a trace, at most.
        refined: traces of each search that are refined, and of all that are mended.
        search: how widely.
    """

    places: tuple[float, ...]
    refinement_steps: int
    refined: int
    search: SearchConfig


@dataclass(frozen=True, kw_only=True, eq=False)
class ProposalSearch:
    """What traces a chain through a network's proposals.

    Attributes:
        proposer: trained.
        geometry: of chains, through candidates.
        turns: of chains.
        explorer: of the best traces.
        config: how widely where side chains have density of their own.
        hopping: how long where they have none.
        generator: of the hops.
    """

    proposer: Proposer
    geometry: TraceGeometry
    turns: TurnPotential
    explorer: Explorer
    config: ProposalTracingConfig
    hopping: HoppingConfig
    generator: np.random.Generator


def read_bead_config(block: dict) -> BeadTracingConfig:
    """Build the settings from a validated block of the config."""
    search = SearchConfig(**block["search"])
    beads = tuple(block["beads"])
    return BeadTracingConfig(**{**block, "beads": beads, "search": search})


def read_proposal_config(block: dict) -> ProposalTracingConfig:
    """Build the settings from a validated block of the config."""
    search = SearchConfig(**block["search"])
    places = tuple(block["places"])
    return ProposalTracingConfig(**{**block, "places": places, "search": search})


def read_hopping_config(block: dict) -> HoppingConfig:
    """Build the settings from a validated block of the config."""
    search = SearchConfig(**block["search"])
    lists = {name: tuple(map(float, block[name])) for name in ("places", "hops")}
    lists["kept"] = tuple(block["kept"])
    return HoppingConfig(**{**block, **lists, "search": search})


@dataclass(frozen=True, kw_only=True, eq=False)
class BeadProblem:
    """What is traced through beads.

    Attributes:
        likelihood: of the images.
        beads: what beads are fitted to.
        weights: of the residues, electrons.
        places: for the first beads, in the order of trust, Å.
        geometry: of chains.
    """

    likelihood: ResidueLikelihood
    beads: BeadModel
    weights: Float64[np.ndarray, " residue"]
    places: Float64[np.ndarray, "place 3"]
    geometry: TraceGeometry


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
    )


def trace_beads(problem: BeadProblem, config: BeadTracingConfig) -> list[RefinedTrace]:
    """Trace a chain through beads that explain its images.

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
            _tell_nothing_fits(len(problem.weights))
            return []
        gain = traces[0].log_posterior - before
        logger.info("round %d: log posterior %.1f", number, traces[0].log_posterior)
        if gain < SETTLED:
            break
        best = traces[0].coordinates.numpy()
        free = _far_from(problem.places, best, FREE_PLACE)
        ranking, earlier = np.concatenate((best, free)), [beads]
    return traces


def trace_further(
    beads: list[RefinedTrace] | None,
    likelihood: ResidueLikelihood,
    normal: NormalEquations,
    sequence: str,
    search: ProposalSearch,
) -> list[RefinedTrace]:
    """Trace a chain through a network's proposals too, where beads do not do.

    They do where their best trace is what the images show, stretch by stretch, and no
    other chain that is found about it is better. Images too coarse for the network are
    left at what beads find.

    Args:
        beads: traces through them, best first; None where residues are more than beads.
        likelihood: of the images.
        normal: of the images.
        sequence: one-letter codes.
        search: through the proposals.

    Returns:
        Of both, as from `trace_beads`.
    """
    traces = beads or []
    if traces and _verdict(traces[0], likelihood) == "found":
        best, steps = traces[0], search.config.refinement_steps
        refine = partial(refine_trace, likelihood=likelihood, iterations=steps)
        explored = search.explorer.explore(best, likelihood, refine)
        traces = keep_distinct([explored, *traces])
        if rmsd_unaligned(explored.coordinates, best.coordinates) < DISTINCT:
            return traces
    if beads is not None and not is_fine_enough(normal):
        logger.warning(
            "a pixel size of %.3g Å is too coarse for the network that proposes Cα "
            "positions: only what beads find is traced",
            normal.pixel_size,
        )
        return traces
    count = round(max(search.config.places) * len(sequence))
    proposals = propose_candidates(normal, sequence, search.proposer, count)
    if beads is None:
        return trace_proposals(likelihood, proposals, search)
    weights, width = residue_electrons(sequence), likelihood.density.width
    refiner = BlobRefiner(
        potential=prepare_potential(normal, weights, width),
        gain=likelihood.gain,
        turns=search.turns,
    )
    return trace_by_hopping(traces, refiner, likelihood, proposals, search)


def trace_by_hopping(
    beads: list[RefinedTrace],
    refiner: BlobRefiner,
    likelihood: ResidueLikelihood,
    proposals: Proposals,
    search: ProposalSearch,
) -> list[RefinedTrace]:
    """Trace a chain of one blob a residue through places that a network proposes.

    Args:
        beads: traces through beads.
        refiner: of traces.
        likelihood: of the images.
        proposals: places, and what the network says of residues and bonds there.
        search: how long, and what explores about the best.

    Returns:
        As from `trace_beads`, at maxima of likelihood, restraints and turns.
    """
    hopper = Hopper(
        refiner=refiner,
        proposals=proposals,
        geometry=search.geometry,
        config=search.hopping,
        generator=search.generator,
    )
    # The network sees chains in noise too.
    starts = [t for t in hopper.start() if _verdict(t, likelihood) != "abstain"]
    if not starts:
        _tell_nothing_fits(len(proposals.sequence_types))
        return beads

    def refine(chain: Tensor) -> RefinedTrace:
        steps = search.hopping.refinement_steps
        return refiner.refine(chain.double().numpy(), steps)

    best, *others = hopper.improve(starts)
    best = search.explorer.explore(best, likelihood, refine)
    return keep_distinct([best, *others, *(refine(t.coordinates) for t in beads)])


def trace_proposals(
    likelihood: ResidueLikelihood,
    proposals: Proposals,
    search: ProposalSearch,
) -> list[RefinedTrace]:
    """Trace a chain through the places that a network proposes, and mend the best.

    Args:
        likelihood: of the images.
        proposals: places, and what the network says of residues and bonds there.
        search: where, how widely, and what improves the best.

    Returns:
        As from `trace_beads`.
    """
    config = search.config
    traces = search_proposals(likelihood, proposals, search.geometry, config)
    best, others = traces[: config.refined], traces[config.refined :]
    mended = [_improve(trace, likelihood, search) for trace in best]
    return keep_distinct([*mended, *others])


def _improve(
    trace: RefinedTrace, likelihood: ResidueLikelihood, search: ProposalSearch
) -> RefinedTrace:
    """Explore about a trace and mend it in turn, until neither gains."""
    steps = search.config.refinement_steps
    refine = partial(refine_trace, likelihood=likelihood, iterations=steps)
    while True:
        explored = search.explorer.explore(trace, likelihood, refine)
        trace = mend_trace(explored, likelihood, steps)
        if trace is explored:
            return trace


def search_proposals(
    likelihood: ResidueLikelihood,
    proposals: Proposals,
    geometry: TraceGeometry,
    config: ProposalTracingConfig,
) -> list[RefinedTrace]:
    """Trace a chain as `trace_proposals` does, without mending."""
    residues = len(proposals.sequence_types)
    bonds = proposals.score_bonds(proposals.places)
    seen = proposals.score_residues(proposals.places)
    traces: list[RefinedTrace] = []
    # Of few places the right ones are soon found, of many one is missing less often.
    for share in config.places:
        positions = proposals.places[: round(share * residues)]
        count = len(positions)
        graph = build_graph(positions, bonds[:count, :count], count, geometry)
        scores = np.full((residues, len(graph.positions)), WORST)
        scores[:, :count] = seen[:, :count]
        found = _refine_best(graph, scores, likelihood, config)
        # The network sees chains in noise too.
        telling = (t for t in found if _verdict(t, likelihood) != "abstain")
        traces = keep_distinct([*traces, *telling])
        if not traces:
            _tell_nothing_fits(residues)
            break
    return traces


def _verdict(trace: RefinedTrace, likelihood: ResidueLikelihood) -> str:
    return weigh_evidence(trace.coordinates, likelihood).verdict


def keep_distinct(traces: list[RefinedTrace]) -> list[RefinedTrace]:
    """Sort traces, best first, and leave out those that are near a better one."""
    kept: list[RefinedTrace] = []
    for trace in sorted(traces, key=lambda trace: -trace.log_posterior):
        gaps = [rmsd_unaligned(trace.coordinates, k.coordinates) for k in kept]
        if all(gap >= DISTINCT for gap in gaps):
            kept.append(trace)
    return kept


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


def _trace_once(
    beads: Beads,
    problem: BeadProblem,
    config: BeadTracingConfig,
) -> list[RefinedTrace]:
    """String beads together, and refine the best strings."""
    weights = problem.weights
    others = _far_from(problem.places, beads.positions, NEW_PLACE)
    room = max(0, round(config.candidates * len(weights)) - len(beads.weights))
    positions = np.concatenate((beads.positions, others[:room]))
    bonds = np.zeros((len(positions), len(positions)))
    graph = build_graph(positions, bonds, len(beads.weights), problem.geometry)
    error = max(WEIGHT_ERROR * problem.beads.weight_error(), LEAST_WEIGHT_ERROR)
    seen = score_weights(beads.weights, weights, error).clip(min=WORST)
    scores = np.full((len(weights), len(graph.positions)), EMPTY)
    scores[:, len(positions) :] = WORST
    scores[:, : len(beads.weights)] = seen
    return _refine_best(graph, scores, problem.likelihood, config)


def _refine_best(
    graph: TraceGraph,
    scores: Float64[np.ndarray, "residue position"],
    likelihood: ResidueLikelihood,
    config: BeadTracingConfig | ProposalTracingConfig,
) -> list[RefinedTrace]:
    """Search the best traces through a graph, and refine them."""
    found = search_traces(graph, scores.astype(np.float32), config.search)
    logger.info(
        "%d candidates, %d bridges, %d transitions, best scores %s",
        len(graph.positions) - graph.bridges,
        graph.bridges,
        len(graph.target),
        found.score[: config.refined].round(1),
    )
    return [
        refine_trace(
            torch.from_numpy(graph.positions[nodes]),
            likelihood,
            config.refinement_steps,
        )
        for nodes in found.nodes[: config.refined]
    ]


def _far_from(
    places: Float64[np.ndarray, "place 3"],
    points: Float64[np.ndarray, "point 3"],
    distance: float,
) -> Float64[np.ndarray, "far 3"]:
    """Return the places that are farther than a distance from all points, Å."""
    gaps = np.linalg.norm(places[:, None] - points, axis=-1)
    return places[gaps.min(1) > distance]


def _tell_nothing_fits(residues: int) -> None:
    logger.warning(
        "no chain of %d residues fits the images: nothing is traced", residues
    )
