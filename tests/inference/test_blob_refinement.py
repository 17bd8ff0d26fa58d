"""Refinement in tables of blobs against that on the grid of their density."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from equicryo.inference.likelihood import prepare_likelihood
from equicryo.inference.tracing_refinement import refine_trace
from equicryo.physics.gain import KnownGain, UnknownGain
from equicryo.physics.residue_density import single_blobs
from equicryo.structure.superposition import rmsd_unaligned
from equicryo.structure.turn_potential import TurnPotential

from .hairpin import SEQUENCE, WIDTH, hairpin, make_refiner, noise_free


@pytest.mark.parametrize("gain", [KnownGain(), UnknownGain()])
def test_refinement_is_that_on_the_grid(gain) -> None:
    """But for turns, which the grid's refinement knows nothing of."""
    truth = hairpin()
    density = single_blobs(SEQUENCE, WIDTH)
    likelihood = prepare_likelihood(noise_free(truth, 2.0), density, gain, ())
    start = truth + 0.3 * np.random.default_rng(0).normal(size=truth.shape)
    refiner = make_refiner(truth)
    nothing = TurnPotential(coefficients=np.zeros_like(refiner.turns.coefficients))
    pairs = replace(refiner, turns=nothing, gain=gain).refine(start, 200)
    grid = refine_trace(torch.from_numpy(start), likelihood, 200)
    assert float(rmsd_unaligned(pairs.coordinates, grid.coordinates)) < 0.03
    assert pairs.log_likelihood == pytest.approx(grid.log_likelihood, rel=2e-3)
    assert pairs.log_restraint == pytest.approx(grid.log_restraint, abs=0.5)
