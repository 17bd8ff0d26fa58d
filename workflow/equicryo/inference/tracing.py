"""Tracing: which residue of a chain lies where, from its images alone.

Guided diffusion from noise does not find the order of the residues. A trace is found by
a search instead, through places where Cα may lie, and refinement tells by the exact
likelihood how good it is. Where every residue is one blob, the places are beads that
explain the images without an order (`bead_tracing`). Where side chains have density of
their own, or the images are too few for beads to find the chain, a trained network
proposes places (here).
"""

import logging
from dataclasses import dataclass
from functools import partial

import numpy as np
from torch import Tensor

from equicryo.inference.blob_refinement import BlobRefiner, prepare_refiner
from equicryo.inference.evidence import judge_trace
from equicryo.inference.likelihood import ResidueLikelihood
from equicryo.inference.proposals import Proposals, is_fine_enough, propose_candidates
from equicryo.inference.trace_exploration import Explorer
from equicryo.inference.trace_graph import build_graph
from equicryo.inference.trace_mending import mend_trace
from equicryo.inference.trace_merging import AnnealingConfig, Merger
from equicryo.inference.trace_search import SearchConfig
from equicryo.inference.trace_threads import (
    DISTINCT,
    UNLIKELY,
    keep_distinct,
    refine_threads,
    tell_nothing_fits,
)
from equicryo.inference.traces import RefinedTrace
from equicryo.inference.tracing_refinement import refine_trace
from equicryo.models.proposer import Proposer
from equicryo.physics.normal_equations import NormalEquations
from equicryo.structure.residues import residue_electrons
from equicryo.structure.superposition import rmsd_unaligned
from equicryo.structure.trace_geometry import TraceGeometry
from equicryo.structure.turn_potential import TurnPotential

logger = logging.getLogger(__name__)

TRACES_COLUMNS = ("trace", "log_likelihood", "log_restraint", "weight")


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
        annealing: how long where they have none.
        generator: of annealing.
    """

    proposer: Proposer
    geometry: TraceGeometry
    turns: TurnPotential
    explorer: Explorer
    config: ProposalTracingConfig
    annealing: AnnealingConfig
    generator: np.random.Generator


def read_proposal_config(block: dict) -> ProposalTracingConfig:
    """Build the settings from a validated block of the config."""
    search = SearchConfig(**block["search"])
    places = tuple(block["places"])
    return ProposalTracingConfig(**{**block, "places": places, "search": search})


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
    if traces and judge_trace(traces[0], likelihood) == "found":
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
    weights = residue_electrons(sequence)
    refiner = prepare_refiner(normal, weights, likelihood, search.turns)
    return trace_blobs(traces, refiner, likelihood, proposals, search)


def trace_blobs(
    beads: list[RefinedTrace],
    refiner: BlobRefiner,
    likelihood: ResidueLikelihood,
    proposals: Proposals,
    search: ProposalSearch,
) -> list[RefinedTrace]:
    """Trace a chain of one blob a residue through places that a network proposes.

    What is strung through them is often the chain. Where the images do not show so
    residue by residue, annealing searches until it comes to the same.

    Args:
        beads: traces through beads.
        refiner: of traces.
        likelihood: of the images.
        proposals: places, and what the network says of residues and bonds there.
        search: how widely and how long, and what explores about the best.

    Returns:
        As from `trace_beads`, at maxima of likelihood, restraints and turns.
    """
    steps = search.annealing.refinement_steps

    def refine(chain: Tensor) -> RefinedTrace:
        return refiner.refine(chain.double().numpy(), steps)

    def explore(trace: RefinedTrace) -> RefinedTrace:
        return search.explorer.explore(trace, likelihood, refine)

    merger = Merger(
        refiner=refiner,
        places=proposals.places,
        score_links=proposals.score_bonds,
        improve=explore,
        geometry=search.geometry,
        config=search.annealing,
        generator=search.generator,
    )
    strung = search_proposals(likelihood, proposals, search.geometry, search.config)
    refined = (refine(trace.coordinates) for trace in (*beads, *strung))
    traces = keep_distinct(merger.keep_telling(refined))
    if traces:
        traces = keep_distinct([explore(traces[0]), *traces])
    if not traces or judge_trace(traces[0], likelihood) != "found":
        traces = merger.search(traces)
    if not traces:
        tell_nothing_fits(len(proposals.sequence_types))
    return traces


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
    if not traces:
        tell_nothing_fits(len(proposals.sequence_types))
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
        scores = np.full((residues, len(graph.positions)), UNLIKELY)
        scores[:, :count] = seen[:, :count]
        found = refine_threads(
            graph,
            scores,
            likelihood,
            config.search,
            config.refined,
            config.refinement_steps,
        )
        # The network sees chains in noise too.
        telling = (t for t in found if judge_trace(t, likelihood) != "abstain")
        traces = keep_distinct([*traces, *telling])
    return traces
