import math

import pytest
import torch
from scipy import stats

from equicryo.evaluation.coverage import interval_coverage
from equicryo.evaluation.fsc import low_pass, shell_correlation
from equicryo.evaluation.volume_scores import (
    MapEstimate,
    average_scores,
    describe_samples,
    fsc_area,
    fsc_crossing,
    local_resolution,
    score_map,
)
from equicryo.physics.density import gaussian_volume
from equicryo.physics.envelope import molecule_mask

EDGE = 32


@pytest.fixture(scope="module")
def truth() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    points = 12.0 * torch.rand(40, 3, dtype=torch.float64, generator=generator) - 6.0
    weights = torch.full((40,), 30.0, dtype=torch.float64)
    return gaussian_volume(points, weights, 1.0, EDGE, 1.0)


def noise(seed: int, *shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=generator)


def test_crossing_is_interpolated_in_frequency():
    fsc = torch.tensor([1.0, 0.9, 0.7, 0.3, 0.6])
    # Half-way between shells 2 and 3 of 8 pixels of 1.5 Å.
    assert fsc_crossing(fsc, 1.5, 0.5) == pytest.approx(12.0 / 2.5)
    assert fsc_crossing(torch.ones(5), 1.5, 0.5) == 3.0
    assert fsc_crossing(torch.tensor([1.0, 0.4, 1.0]), 1.5, 0.5) == math.inf
    assert fsc_area(fsc) == pytest.approx(0.625)


def test_resolution_is_where_a_map_was_cut_off(truth):
    cut = low_pass(truth, 1.0, 6.0) + 1e-9 * noise(1, EDGE, EDGE, EDGE)
    fsc = shell_correlation(cut, truth)
    assert fsc_crossing(fsc, 1.0, 0.5) == pytest.approx(6.0, abs=0.6)


def test_honest_intervals_cover_as_often_as_they_say():
    samples = noise(2, 6, EDGE, EDGE, EDGE)
    truth = noise(3, EDGE, EDGE, EDGE)
    mean, spread = samples.mean(0), (7.0 / 6.0) ** 0.5 * samples.std(0)
    mask = torch.ones_like(truth)
    coverage = interval_coverage(mean, spread, truth, mask, 5, 0.9)
    # 32,768 voxels: standard error 0.0017.
    assert coverage == pytest.approx(0.9, abs=0.006)
    narrow = interval_coverage(mean, 0.5 * spread, truth, mask, 5, 0.9)
    reach = 0.5 * stats.t.ppf(0.95, 5)
    assert narrow == pytest.approx(2.0 * stats.t.cdf(reach, 5) - 1.0, abs=0.006)


@pytest.mark.parametrize("common", [0.0, 0.6, 1.0])
def test_pairs_of_samples_give_their_mean_and_how_far_the_truth_is(common):
    """Samples are a pair's own mean plus and minus the rest, of variance 1 in all."""
    centre = common**0.5 * noise(2, 8, EDGE, EDGE, EDGE)
    half = (1.0 - common) ** 0.5 * noise(5, 8, EDGE, EDGE, EDGE)
    found = describe_samples("unet", torch.cat([centre + half, centre - half]))
    assert found.freedom == 8
    torch.testing.assert_close(found.mean, centre.mean(0), atol=1e-5, rtol=0.0)
    # 32,768 variances of 8 draws or more.
    expected = 1.0 + common / 8
    assert float(found.spread.square().mean()) == pytest.approx(expected, rel=0.01)


def test_scores_of_the_truth_are_perfect_and_of_noise_are_chance(truth):
    mask = molecule_mask(truth, 1.0)
    own = MapEstimate(method="relion", mean=2.0 * truth, spread=None, freedom=0)
    scores, fsc = score_map(own, truth, mask, 1.0)
    assert scores["fsc05"] == 2.0
    assert scores["masked_cc"] == pytest.approx(1.0)
    assert scores["coverage90"] is None
    assert len(fsc) == EDGE // 2 + 1
    other = MapEstimate(
        method="relion", mean=noise(4, EDGE, EDGE, EDGE), spread=None, freedom=0
    )
    chance, _ = score_map(other, truth, mask, 1.0)
    assert abs(chance["masked_cc"]) < 0.1
    assert abs(chance["fsc_area"]) < 0.15


def test_local_resolution_is_worse_where_the_map_is_blurred(truth):
    left = (torch.arange(EDGE) < EDGE // 2).double()
    blurred = low_pass(truth, 1.0, 8.0)
    noisy = truth + 0.01 * noise(5, EDGE, EDGE, EDGE)
    mixed = left * noisy + (1.0 - left) * blurred
    mask = torch.zeros_like(truth)
    mask[12:20, 12:20, 4:28] = 1.0
    local = local_resolution(mixed, truth, mask, 1.0, 4)
    inside = local[16, 16]
    assert float(inside[4]) < float(inside[24])
    assert not local[0].any()


def test_scores_are_averaged_over_reconstructions():
    row = {"dataset": "a", "target": "1hel", "total_snr": "10", "fsc_area": "0.5"}
    rows = [
        row | {"method": "unet", "fsc05": "4", "masked_cc": "0.8", "coverage90": "0.9"},
        row | {"method": "unet", "fsc05": "6", "masked_cc": "0.6", "coverage90": "0.8"},
        row | {"method": "relion", "fsc05": "9", "masked_cc": "0.5", "coverage90": ""},
    ]
    table = average_scores(rows).set_index("method")
    unet = table.loc["unet", ["fsc05", "masked_cc", "coverage90", "n"]]
    assert unet.tolist() == pytest.approx([5.0, 0.7, 0.85, 2])
    assert table.loc["relion", "n"] == 1
    assert math.isnan(table.loc["relion", "coverage90"])
