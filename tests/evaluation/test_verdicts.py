import math
from dataclasses import replace

import pytest
import torch
from scipy import stats

from equicryo.evaluation.verdicts import (
    SCENARIOS,
    VERDICT_COLUMNS,
    judge,
    redraw_images,
    residues_there,
    shuffle_sequence,
)
from equicryo.inference.likelihood import prepare_likelihood
from equicryo.inference.traces import RefinedTrace
from equicryo.physics.gain import KnownGain
from equicryo.physics.normal_equations import NormalEquations
from equicryo.physics.normal_operator import prepare_operator
from equicryo.physics.residue_density import single_blobs

from ..normal_equations import bell, seen_through

EDGE, PIXEL_SIZE = 16, 2.0
SEQUENCE = "GWAKYSGRLWTE"
FAINT = 0.3
"""Precision at which noise cannot explain a chain, but few residues are seen."""


@pytest.fixture
def truth():
    """A helix, Å."""
    index = torch.arange(len(SEQUENCE), dtype=torch.float64)
    angle = math.radians(100.0) * index
    helix = torch.stack((2.3 * angle.cos(), 2.3 * angle.sin(), 1.5 * index), -1)
    return helix - helix.mean(0)


def normal_equations(precision: float) -> NormalEquations:
    """A kernel that reaches a voxel far: precision × exp(−(distance in voxels)²)."""
    return seen_through(bell(EDGE, precision, math.sqrt(0.5)), pixel_size=PIXEL_SIZE)


def images_of(truth, precision, seed=0, sequence=SEQUENCE):
    density = single_blobs(SEQUENCE, 2.0)
    shown = density.residue_volumes(truth, EDGE, PIXEL_SIZE)[: len(truth)].sum(0)
    generator = torch.Generator().manual_seed(seed)
    drawn = redraw_images(normal_equations(precision), shown, generator=generator)
    return prepare_likelihood(drawn, single_blobs(sequence, 2.0), KnownGain(), ())


def trace_at(place):
    return RefinedTrace(coordinates=place, log_likelihood=0.0, log_restraint=0.0)


def test_redrawn_images_have_the_mean_and_covariance_of_the_kernel():
    generator = torch.Generator().manual_seed(3)
    normal = normal_equations(1.0)
    volume = torch.zeros(EDGE, EDGE, EDGE, dtype=torch.float64)
    volume[2, 3, 4] = 50.0
    mean = prepare_operator(normal).convolve(volume)
    fields = torch.stack(
        [redraw_images(normal, volume, generator=generator).b for _ in range(60)]
    )
    noise = fields - mean
    # 60 fields of 4,096 correlated voxels.
    assert noise.mean().abs() < 0.02
    for lag in range(3):
        shifted = noise[..., lag:] * noise[..., : EDGE - lag]
        expected = math.exp(-(lag**2))
        assert shifted.mean() == pytest.approx(expected, abs=0.02)
    # Opposite faces are neighbours on a periodic grid only.
    assert (noise[..., 0] * noise[..., -1]).mean().abs() < 0.03
    assert stats.kstest(noise[:, 2, 3, 4].numpy(), stats.norm.cdf).pvalue > 1e-3


def test_without_a_trace_the_verdict_is_to_abstain(truth):
    verdict = judge(SCENARIOS["noise"], [], truth, images_of(truth, 1.0))
    assert set(verdict) == set(VERDICT_COLUMNS[2:])
    assert verdict.pop("verdict") == "abstain"
    assert set(verdict.values()) == {None}


def test_a_trace_in_noise_is_no_find_and_one_in_its_images_is(truth):
    scenario = SCENARIOS["whole"]
    noise = judge(scenario, [trace_at(truth)], truth, images_of(truth, 1e-6))
    assert noise["verdict"] == "abstain"
    clear = judge(scenario, [trace_at(truth)], truth, images_of(truth, 100.0))
    assert clear["verdict"] == "found"
    assert (clear["seen_there"], clear["rmsd"]) == (1.0, 0.0)
    assert clear["seen_missing"] is None


def test_what_one_search_alone_has_found_is_doubtful_where_residues_are_faint(truth):
    once = trace_at(truth)
    twice = replace(once, confirmed=True)
    for precision, *expected in (
        (1e-6, "abstain", "abstain"),
        (FAINT, "doubtful", "found"),
        (100.0, "found", "found"),
    ):
        images = images_of(truth, precision)
        verdicts = [
            judge(SCENARIOS["whole"], [trace], truth, images)["verdict"]
            for trace in (once, twice)
        ]
        assert verdicts == expected


def test_what_is_missing_is_not_seen(truth):
    scenario = SCENARIOS["domain_missing"]
    there = residues_there(scenario, truth)
    assert len(there) == 8
    density = single_blobs(SEQUENCE, 2.0)
    shown = density.residue_volumes(truth, EDGE, PIXEL_SIZE)[: len(there)].sum(0)
    generator = torch.Generator().manual_seed(1)
    drawn = redraw_images(normal_equations(100.0), shown, generator=generator)
    likelihood = prepare_likelihood(drawn, density, KnownGain(), ())
    verdict = judge(scenario, [trace_at(truth)], truth, likelihood)
    # The last two of those that are there overlap with expected ones that are not.
    assert verdict["seen_there"] >= 6 / 8
    assert verdict["seen_missing"] == 0.0
    assert verdict["verdict"] == "doubtful"


def test_a_wrong_order_shows_in_the_amplitudes(truth):
    other = shuffle_sequence(SEQUENCE, generator=torch.Generator().manual_seed(2))
    assert other != SEQUENCE
    assert sorted(other) == sorted(SEQUENCE)
    right, wrong = (
        judge(
            SCENARIOS["whole"],
            [trace_at(truth)],
            truth,
            images_of(truth, 100.0, sequence=sequence),
        )
        for sequence in (SEQUENCE, other)
    )
    # χ² of 12 over 12.
    assert right["order_misfit"] < 3.0
    assert wrong["order_misfit"] > 10.0
