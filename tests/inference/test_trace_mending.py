"""Mending of a small chain in noise-free normal equations."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from equicryo.inference import trace_mending
from equicryo.inference.likelihood import ResidueLikelihood
from equicryo.inference.trace_mending import (
    crank_residues,
    mend_trace,
    shift_stretches,
    swing_ends,
)
from equicryo.inference.tracing_refinement import refine_trace
from equicryo.structure.superposition import rmsd_unaligned

from .hairpin import hairpin, make_likelihood, noise_free, spiral


@pytest.fixture(scope="module")
def truth() -> torch.Tensor:
    return torch.from_numpy(hairpin())


@pytest.fixture(scope="module")
def likelihood() -> ResidueLikelihood:
    return make_likelihood(noise_free(hairpin(), 2.0))


@pytest.fixture
def few_moves(monkeypatch) -> None:
    """A chain of twenty residues needs no more."""
    monkeypatch.setattr(trace_mending, "KEPT", 200)
    monkeypatch.setattr(trace_mending, "TRIED", 4)


@pytest.mark.usefixtures("few_moves")
def test_a_stretch_a_residue_off_is_mended(truth, likelihood) -> None:
    """From the ninth residue on each stands in the place of the one before."""
    index = np.arange(20)
    places = index - np.interp(index, (4, 8), (0, 1))
    axes = [np.interp(places, index, axis) for axis in truth.T.numpy()]
    wrong = torch.from_numpy(np.stack(axes, -1))
    stuck = refine_trace(wrong, likelihood, 80)
    assert float(rmsd_unaligned(stuck.coordinates, truth)) > 1.0
    mended = mend_trace(stuck, likelihood, 80)
    assert mended.log_posterior > stuck.log_posterior
    assert float(rmsd_unaligned(mended.coordinates, truth)) < 0.1


@pytest.mark.usefixtures("few_moves")
def test_a_trace_without_fault_stays(truth, likelihood) -> None:
    right = refine_trace(truth, likelihood, 80)
    assert mend_trace(right, likelihood, 80) is right


def test_stretches_shift_along_the_chain_either_way() -> None:
    line = 3.8 * torch.eye(3).double()[0] * torch.arange(12.0)[:, None]
    moved = (shift_stretches(line) - line)[..., 0] / 3.8
    ahead, back = moved[::2], moved[1::2]
    torch.testing.assert_close(ahead, -back)
    # The whole chain is one of the stretches, and goes straight on beyond its ends.
    torch.testing.assert_close(ahead.amax(1), torch.ones(len(ahead)).double())
    assert torch.isclose(ahead.amin(1), torch.ones(1).double()).any()


@pytest.mark.usefixtures("few_moves")
def test_an_end_gone_astray_is_mended(truth, likelihood) -> None:
    """Four residues turned away, into places where nothing is."""
    wrong = truth.clone()
    turn = Rotation.from_rotvec([1.5, 0.6, 0.3]).as_matrix()
    wrong[-4:] = wrong[-5] + (wrong[-4:] - wrong[-5]) @ torch.from_numpy(turn.T)
    stuck = refine_trace(wrong, likelihood, 80)
    assert float(rmsd_unaligned(stuck.coordinates, truth)) > 1.0
    mended = mend_trace(stuck, likelihood, 80)
    assert float(rmsd_unaligned(mended.coordinates, truth)) < 0.1


def test_ends_swing_about_a_residue_that_stays() -> None:
    chain = torch.from_numpy(spiral(30))
    moved = swing_ends(chain)
    gaps = (moved - chain).norm(dim=-1) > 1e-6
    assert (gaps.sum(1) <= 8).all()
    assert gaps[:, 0].any()
    assert gaps[:, -1].any()
    assert not gaps[:, 10:20].any()
    bonds = moved.diff(dim=1).norm(dim=-1)
    # Spirals of textbooks, and the joint's bond.
    assert (bonds > 3.5).all()
    assert (bonds < 4.0).all()


def test_cranked_residues_keep_their_bonds() -> None:
    chain = torch.from_numpy(spiral(30))
    moved = crank_residues(chain)
    bonds = moved.diff(dim=1).norm(dim=-1) - chain.diff(dim=0).norm(dim=-1)
    assert bonds.abs().max() < 1e-9
    gaps = (moved - chain).norm(dim=-1) > 1e-6
    assert (gaps.sum(1) <= 3).all()
    assert (gaps.sum(1) >= 1).all()
    assert not gaps[:, [0, -1]].any()
