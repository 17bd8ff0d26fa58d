import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from equicryo.evaluation.tm_score import tm_distance, tm_score


def helix_bundle(residues: int) -> torch.Tensor:
    """Make Cα of α-helices of 20 residues, side by side."""
    index = np.arange(residues)
    helix, place = index // 20, index % 20
    angle = np.radians(100.0) * place
    height = np.where(helix % 2, 19 - place, place) * 1.5
    x = 2.3 * np.cos(angle) + 10.0 * (helix % 3)
    y = 2.3 * np.sin(angle) + 10.0 * (helix // 3)
    return torch.from_numpy(np.stack([x, y, height], axis=-1))


def noise(seed: int, truth: torch.Tensor, deviation: float) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return deviation * torch.randn(
        truth.shape, generator=generator, dtype=torch.float64
    )


@pytest.mark.parametrize("deviation", [0.1, 0.5, 1.0, 1.5])
@pytest.mark.parametrize("residues", [60, 129])
def test_tm_score_agrees_with_tmtools(deviation: float, residues: int) -> None:
    tmtools = pytest.importorskip("tmtools")
    truth = helix_bundle(residues)
    sample = truth + noise(residues, truth, deviation)
    sequence = "A" * residues
    result = tmtools.tm_align(sample.numpy(), truth.numpy(), sequence, sequence)
    assert result.seqxA == result.seqyA == sequence  # it aligned by index
    # TM-align stops its search when 1e-3 is no longer won, and prints no digits lost.
    assert tm_score(sample[None], truth).item() == pytest.approx(
        result.tm_norm_chain2, abs=2e-3
    )


def test_tm_score_finds_the_larger_of_two_domains() -> None:
    truth = helix_bundle(120)
    sample = truth.clone()
    turn = torch.from_numpy(Rotation.from_euler("x", 120, degrees=True).as_matrix())
    sample[80:] = sample[80:] @ turn.T + 40.0
    # 80 of 120 residues fit exactly; the others are 40 Å off: 1 / (1 + (40/4)²) each.
    score = tm_score(sample[None], truth).item()
    assert 80 / 120 <= score < 80 / 120 + 0.01


@settings(max_examples=5)
@given(seed=st.integers(0, 2**31))
def test_tm_score_is_one_for_a_moved_copy_and_lower_for_its_mirror(seed: int) -> None:
    truth = helix_bundle(40)
    rotation = torch.from_numpy(Rotation.random(rng=seed).as_matrix())
    mirror = truth * torch.tensor([1.0, 1.0, -1.0], dtype=torch.float64)
    scores = tm_score(torch.stack([truth, mirror]) @ rotation.T + 5.0, truth)
    # u = d²/d0² of rounding, 1e-28.
    assert scores[0].item() == pytest.approx(1.0, abs=1e-12)
    assert scores[1].item() < 0.8


def test_tm_distance_follows_the_published_formula() -> None:
    assert tm_distance(129) == pytest.approx(1.24 * 114 ** (1 / 3) - 1.8)
    assert tm_distance(10) == 0.5
    assert tm_distance(17) == 0.5
