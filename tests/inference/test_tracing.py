"""A small chain in noise-free normal equations of images in all directions."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from equicryo.errors import InputError
from equicryo.evaluation.verdicts import redraw_images
from equicryo.inference import tracing
from equicryo.inference.bead_tracing import (
    BeadProblem,
    BeadTracingConfig,
    anneal_beads,
    describe_bead_problem,
    read_bead_config,
    trace_beads,
)
from equicryo.inference.diffusion import ScheduleConfig
from equicryo.inference.evidence import judge_trace
from equicryo.inference.likelihood import ResidueLikelihood
from equicryo.inference.mmps import MmpsConfig
from equicryo.inference.orientation import OrientationConfig
from equicryo.inference.trace_exploration import Explorer
from equicryo.inference.trace_search import SearchConfig
from equicryo.inference.trace_threads import keep_distinct
from equicryo.inference.traces import RefinedTrace
from equicryo.inference.tracing import (
    ProposalSearch,
    ProposalTracingConfig,
    read_proposal_config,
    search_proposals,
    trace_further,
    trace_proposals,
)
from equicryo.inference.tracing_beads import (
    Beads,
    cover_map,
    pool_beads,
    relax_beads,
    score_weights,
)
from equicryo.inference.tracing_refinement import refine_trace
from equicryo.models.denoiser import Denoiser
from equicryo.models.polymer import fit_polymer
from equicryo.models.prior import Prior
from equicryo.models.proposer import Proposer, ProposerConfig
from equicryo.models.proposer_examples import fitting_edge
from equicryo.models.transformer import NetworkConfig, initialise
from equicryo.physics.normal_equations import NormalEquations, coarsen
from equicryo.structure.residues import residue_types
from equicryo.structure.superposition import rmsd_unaligned
from equicryo.structure.turn_potential import fit_potential

from .hairpin import (
    ANNEALING,
    SEQUENCE,
    WIDTH,
    hairpin,
    make_likelihood,
    noise_free,
    propose,
    propose_among_decoys,
    spiral_geometry,
)

CONFIG = BeadTracingConfig(
    bead_width=WIDTH,
    places=3,
    beads=(1.0, 1.2),
    candidates=2.0,
    relaxation_steps=60,
    refinement_steps=80,
    refined=2,
    rounds=3,
    search=SearchConfig(rounds=30, beam=300, variants=4, traces=3),
)
PROPOSAL_CONFIG = ProposalTracingConfig(
    places=(1.5, 2.0), refinement_steps=80, refined=2, search=CONFIG.search
)


@dataclass(frozen=True, kw_only=True)
class Small:
    truth: torch.Tensor
    normal: NormalEquations
    problem: BeadProblem


@pytest.fixture(scope="module")
def small() -> Small:
    assert len(SEQUENCE) == len(hairpin())
    truth = hairpin()
    normal = noise_free(truth, 2.0)
    likelihood = make_likelihood(normal)
    geometry = spiral_geometry()
    return Small(
        truth=torch.from_numpy(truth),
        normal=normal,
        problem=describe_bead_problem(likelihood, normal, SEQUENCE, geometry, CONFIG),
    )


@pytest.mark.slow
def test_a_noise_free_map_is_traced_exactly(small) -> None:
    best, *others = trace_beads(small.problem, CONFIG)
    # The restraints pull the chain's bonds towards 3.8 Å against the images.
    assert float(rmsd_unaligned(best.coordinates, small.truth)) < 0.1
    assert all(other.log_posterior < best.log_posterior for other in others)


def test_beads_are_annealed_unless_images_show_their_string(small) -> None:
    # Residues in each other's places.
    wrong = refine_trace(small.truth.roll(1, 0), small.problem.likelihood, 0)
    generator = np.random.default_rng(9)
    where = (small.problem, CONFIG, ANNEALING)
    found = anneal_beads([wrong], *where, generator=generator)
    assert float(rmsd_unaligned(found[0].coordinates, small.truth)) < 0.1
    assert found[0].confirmed
    assert anneal_beads(found[:1], *where, generator=generator) == found[:1]


def scattered() -> np.ndarray:
    """Places farther apart than any bond, Å."""
    return 7.0 * np.stack(np.meshgrid(*3 * [np.arange(-2.0, 3.0)]), -1).reshape(-1, 3)


def test_where_no_chain_fits_nothing_is_traced(small) -> None:
    grid = propose(small.truth, scattered())
    search = describe_search(small)
    assert trace_proposals(small.problem.likelihood, grid, search) == []


def test_more_places_are_searched_where_fewer_hold_no_chain(small) -> None:
    places = np.concatenate((scattered()[:30], small.truth.numpy()))
    proposals = propose(small.truth, places)
    likelihood, geometry = small.problem.likelihood, small.problem.geometry
    few = replace(PROPOSAL_CONFIG, places=(1.5,))
    assert search_proposals(likelihood, proposals, geometry, few) == []
    more = replace(PROPOSAL_CONFIG, places=(1.5, 2.5))
    best, *_ = search_proposals(likelihood, proposals, geometry, more)
    assert float(rmsd_unaligned(best.coordinates, small.truth)) < 0.1


def make_explorer() -> Explorer:
    """One that knows of chains no more than a compact polymer's Gaussian."""
    network = NetworkConfig(width=8, rounds=1, layers=1, heads=2)
    denoiser = Denoiser(network, fit_polymer([hairpin()]))
    initialise(denoiser.network, torch.Generator().manual_seed(5))
    return Explorer(
        prior=Prior(
            denoiser=denoiser.requires_grad_(requires_grad=False),
            residue_types=torch.from_numpy(residue_types(SEQUENCE)),
            length_unit=1.0,
        ),
        config=MmpsConfig(
            samples=2,
            schedule=ScheduleConfig(steps=4, largest_noise=1.0, smallest_noise=0.05),
            blur_per_noise=0.0,
            blurs=(),
            orientation=OrientationConfig(rotations=1, kept=1, rounds=1, blurs=()),
            iterations=1,
        ),
        generator=torch.Generator().manual_seed(6),
    )


def describe_search(small: Small) -> ProposalSearch:
    return ProposalSearch(
        proposer=Proposer(ProposerConfig(width=8, inner_width=8, blocks=1)),
        geometry=small.problem.geometry,
        turns=fit_potential(small.problem.geometry),
        explorer=make_explorer(),
        config=PROPOSAL_CONFIG,
        annealing=ANNEALING,
        generator=np.random.default_rng(8),
    )


def test_exploring_improves_a_trace_or_keeps_it(small) -> None:
    likelihood, explorer = small.problem.likelihood, make_explorer()
    refine = partial(refine_trace, likelihood=likelihood, iterations=80)
    generator = torch.Generator().manual_seed(7)
    moves = torch.randn(small.truth.shape, generator=generator, dtype=torch.float64)
    astray = refine_trace(small.truth + moves, likelihood, 0)
    found = explorer.explore(astray, likelihood, refine)
    assert float(rmsd_unaligned(found.coordinates, small.truth)) < 0.1
    assert explorer.explore(found, likelihood, refine) is found


def test_what_beads_do_not_find_is_traced_through_proposals(small, monkeypatch) -> None:
    monkeypatch.setattr(
        tracing, "propose_candidates", lambda *_: propose_among_decoys(small.truth)
    )
    where = (small.problem.likelihood, small.normal, SEQUENCE, describe_search(small))
    best, *_ = trace_further([], *where)
    assert float(rmsd_unaligned(best.coordinates, small.truth)) < 0.1
    assert judge_trace(best, small.problem.likelihood) == "found"
    # Residues in each other's places: the proposals find the right ones.
    shifted = refine_trace(small.truth.roll(1, 0), small.problem.likelihood, 0)
    again, *_ = trace_further([shifted], *where)
    assert float(rmsd_unaligned(again.coordinates, small.truth)) < 0.1


def test_what_is_strung_is_annealed_unless_images_show_it(small, monkeypatch) -> None:
    monkeypatch.setattr(
        tracing, "propose_candidates", lambda *_: propose_among_decoys(small.truth)
    )
    where = (small.problem.likelihood, small.normal, SEQUENCE, describe_search(small))
    for verdict, confirmed in (("found", False), ("doubtful", True)):
        monkeypatch.setattr(tracing, "judge_trace", lambda *_, v=verdict: v)
        best, *_ = trace_further([], *where)
        assert float(rmsd_unaligned(best.coordinates, small.truth)) < 0.1
        assert best.confirmed == confirmed


def test_what_beads_find_is_not_looked_for_again(small, monkeypatch) -> None:
    monkeypatch.setattr(tracing, "propose_candidates", None)
    found = [refine_trace(small.truth, small.problem.likelihood, 20)]
    where = (small.problem.likelihood, small.normal, SEQUENCE, describe_search(small))
    assert trace_further(found, *where) == found


def test_where_pixels_are_too_coarse_for_the_network_beads_have_to_do(small) -> None:
    coarse = replace(small.normal, pixel_size=2.0)
    shifted = refine_trace(small.truth.roll(1, 0), small.problem.likelihood, 0)
    where = (small.problem.likelihood, coarse, SEQUENCE, describe_search(small))
    assert trace_further([shifted], *where) == [shifted]
    with pytest.raises(InputError, match="too coarse"):
        trace_further(None, *where)


def draw_noise(small: Small) -> tuple[NormalEquations, ResidueLikelihood]:
    generator = torch.Generator().manual_seed(4)
    nothing = torch.zeros_like(small.normal.b)
    noise = redraw_images(small.normal, nothing, generator=generator)
    return noise, make_likelihood(noise)


def test_beads_that_explain_noise_are_no_trace(small) -> None:
    noise, likelihood = draw_noise(small)
    geometry = small.problem.geometry
    problem = describe_bead_problem(likelihood, noise, SEQUENCE, geometry, CONFIG)
    assert trace_beads(problem, CONFIG) == []
    generator = np.random.default_rng(9)
    assert anneal_beads([], problem, CONFIG, ANNEALING, generator=generator) == []


def test_a_chain_that_the_network_sees_in_noise_is_no_trace(small, monkeypatch) -> None:
    noise, likelihood = draw_noise(small)
    proposals = propose_among_decoys(small.truth)
    assert trace_proposals(likelihood, proposals, describe_search(small)) == []
    monkeypatch.setattr(tracing, "propose_candidates", lambda *_: proposals)
    where = (likelihood, noise, SEQUENCE, describe_search(small))
    assert trace_further([], *where) == []


@pytest.mark.parametrize("name", ["config", "paper", "test"])
def test_settings_of_each_config_are_read(name) -> None:
    path = Path(__file__).parents[2] / f"config/{name}.yaml"
    tracing = yaml.safe_load(path.read_text())["tracing"]
    beads = read_bead_config(tracing["beads"])
    proposals = read_proposal_config(tracing["proposals"])
    assert beads.beads == tuple(tracing["beads"]["beads"])
    assert proposals.places == tuple(tracing["proposals"]["places"])
    for config in (beads, proposals):
        assert config.search.beam > config.search.variants


def test_a_map_of_coarse_pixels_is_covered_on_its_own_grid(small) -> None:
    whole = small.normal.support_size * small.normal.pixel_size
    edge = 2 * round(whole / 1.9 / 2)
    assert edge < fitting_edge(whole)
    places = cover_map(coarsen(small.normal, edge), SEQUENCE, WIDTH, 60)
    gaps = np.linalg.norm(small.truth.numpy()[:, None] - places, axis=-1)
    # Half a voxel's diagonal is 1.6 Å; weak residues lie farther from any place.
    assert np.median(gaps.min(1)) < 1.6


def test_the_mirror_image_loses(small) -> None:
    mirrored = small.truth * torch.tensor([1.0, -1.0, 1.0], dtype=torch.float64)
    right, wrong = (
        refine_trace(chain, small.problem.likelihood, 80)
        for chain in (small.truth, mirrored)
    )
    assert wrong.log_posterior < right.log_posterior - 10.0


def test_relaxed_beads_find_atoms_and_their_weights(small) -> None:
    generator = np.random.default_rng(0)
    start = small.truth.numpy() + 0.5 * generator.normal(size=(20, 3))
    beads = relax_beads(start, small.problem.beads, 20, 200)
    # The prior of weights and the repulsion of beads bias both a little.
    assert np.linalg.norm(beads.positions - small.truth.numpy(), axis=1).max() < 0.25
    error = beads.weights - small.problem.weights
    assert np.abs(error).max() < 6.0 < small.problem.weights.std()


def test_refinement_returns_to_the_truth(small) -> None:
    noise = torch.randn(20, 3, generator=torch.Generator().manual_seed(1))
    refined = refine_trace(small.truth + 0.5 * noise, small.problem.likelihood, 80)
    assert float(rmsd_unaligned(refined.coordinates, small.truth)) < 0.1


def test_pooled_beads_are_apart_and_the_first_pool_is_kept() -> None:
    generator = np.random.default_rng(2)
    pools = [
        Beads(positions=3.0 * generator.normal(size=(20, 3)), weights=np.full(20, w))
        for w in (1.0, 2.0)
    ]
    pooled = pool_beads(pools, 1.5)
    assert (pooled.weights == 1.0).sum() == 20
    later = pooled.positions[pooled.weights == 2.0]
    gaps = np.linalg.norm(later[:, None] - pools[0].positions, axis=-1)
    assert 0 < len(later) < 20
    assert gaps.min() > 1.5


def test_weights_are_scored_as_gaussians() -> None:
    scores = score_weights(np.array([50.0, 58.0]), np.array([50.0]), 4.0)
    np.testing.assert_allclose(scores, [[0.0, -2.0]])


def test_traces_near_a_better_one_are_left_out() -> None:
    def trace(place: float, value: float) -> RefinedTrace:
        coordinates = torch.full((4, 3), place, dtype=torch.float64)
        return RefinedTrace(
            coordinates=coordinates, log_likelihood=value, log_restraint=0.0
        )

    kept = keep_distinct([trace(0.0, 1.0), trace(0.1, 2.0), trace(5.0, 0.0)])
    assert [t.log_posterior for t in kept] == [2.0, 0.0]
