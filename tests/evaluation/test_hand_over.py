import numpy as np
import pytest
import torch

from equicryo.evaluation.hand_over import (
    HAND_OVER_COLUMNS,
    score_hand_over,
    show_density,
)
from equicryo.inference.traces import RefinedTrace

from ..normal_equations import bell, seen_through

EDGE = 8


def test_a_density_enters_as_images_without_noise_would_show_it():
    generator = torch.Generator().manual_seed(1)
    volume = torch.rand(EDGE, EDGE, EDGE, dtype=torch.float64, generator=generator)
    normal = seen_through(bell(EDGE, 1.0, 1.0))
    shown = show_density(normal, volume.float())
    place = torch.cartesian_prod(*[torch.arange(EDGE, dtype=torch.float64)] * 3)
    kernel = torch.exp(-0.5 * torch.cdist(place, place).square())
    expected = (kernel @ volume.flatten()).view_as(volume)
    torch.testing.assert_close(shown.b, expected, rtol=1e-6, atol=1e-6)
    assert shown.kernel is normal.kernel


def test_scores_count_near_places_and_residues_in_their_place():
    truth = np.array([[0.0, 0.0, 0.0], [3.8, 0.0, 0.0], [7.6, 0.0, 0.0]])
    places = truth[:2] + np.array([0.0, 0.9, 0.0])
    moved = torch.tensor(truth) + torch.tensor([[0.0], [0.0], [3.0]])
    trace = RefinedTrace(coordinates=moved, log_likelihood=-5.0, log_restraint=0.0)
    row = score_hand_over(places, [trace], truth)
    assert row["proposed"] == pytest.approx(2 / 3)
    assert row["traced"] == pytest.approx(2 / 3)
    # Three axes of 3 Å on one of three residues.
    assert row["rmsd"] == pytest.approx(3.0)
    assert set(row) | {"dataset", "map"} == set(HAND_OVER_COLUMNS)


def test_no_trace_is_no_rmsd():
    truth = np.zeros((1, 3))
    row = score_hand_over(truth, [], truth)
    assert (row["proposed"], row["traced"], row["rmsd"]) == (1.0, 0.0, None)
