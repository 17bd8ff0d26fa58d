import pytest
import torch

from equicryo.evaluation.coverage import (
    coverage_band,
    expected_coverage,
    parameter_ranks,
    region_ranks,
    uniformity,
)

PROBLEMS, SAMPLES, DIMENSIONS = 2000, 99, 6
LEVELS = (0.1, 0.5, 0.8, 0.9)


def gaussian_posteriors(width: float):
    """x ~ N(0, 1), y = x + n: x given y is N(y/2, 1/2), here `width` times as wide."""
    generator = torch.Generator().manual_seed(0)

    def noise(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    truths = noise(PROBLEMS, DIMENSIONS)
    means = 0.5 * (truths + noise(PROBLEMS, DIMENSIONS))
    spread = width * 0.5**0.5
    samples = means[:, None] + spread * noise(PROBLEMS, SAMPLES, DIMENSIONS)
    return samples, truths, means


def coverage(samples, truths, references):
    ranks = region_ranks(samples, truths, references)
    return expected_coverage(ranks, samples.shape[1], LEVELS)


@pytest.mark.parametrize("far", [0.0, 3.0], ids=["at the mean", "far away"])
def test_exact_posterior_covers_as_often_as_it_claims(far):
    samples, truths, means = gaussian_posteriors(1.0)
    for level, covered in zip(
        LEVELS, coverage(samples, truths, means + far), strict=True
    ):
        # Four standard deviations of a fraction of 2,000.
        assert covered == pytest.approx(
            level, abs=4 * (level * (1 - level) / 2000) ** 0.5
        )


def test_coverage_of_a_narrow_posterior_is_its_closed_form():
    """Regions of half the radius hold a χ² variable's share below a quarter."""
    samples, truths, means = gaussian_posteriors(0.5)
    chi2 = torch.distributions.Gamma(0.5 * DIMENSIONS, 0.5)
    grid = torch.linspace(0.0, 60.0, 60001, dtype=torch.float64)
    cumulated = chi2.log_prob(grid).exp().nan_to_num().cumsum(0) * 1e-3
    for level, covered in zip(LEVELS, coverage(samples, truths, means), strict=True):
        radius2 = grid[torch.searchsorted(cumulated, level)]
        expected = float(cumulated[torch.searchsorted(grid, 0.25 * radius2)])
        # As above, and the noise of a quantile of 99 samples.
        assert covered == pytest.approx(expected, abs=0.04)
        assert covered < level


def test_whole_levels_are_exact_in_floating_point():
    """Ranks 0 to 9 once each: a region of 0.3 holds three of them, not two."""
    assert expected_coverage(torch.arange(10), 9, (0.1, 0.3, 0.7)) == [0.1, 0.3, 0.7]


def test_band_holds_95_percent_of_binomial_fractions():
    generator = torch.Generator().manual_seed(1)
    low, high = coverage_band(0.8, 500)
    draws = torch.rand(4000, 500, generator=generator)
    fractions = (draws < 0.8).double().mean(1)
    inside = ((fractions >= low) & (fractions <= high)).double().mean()
    # 4,000 fractions: 0.3 %; discreteness adds up to 1 %.
    assert float(inside) == pytest.approx(0.955, abs=0.015)


def test_parameter_ranks_are_uniform_only_for_the_exact_posterior():
    for width, uniform in ((1.0, True), (0.7, False), (1.4, False)):
        samples, truths, _ = gaussian_posteriors(width)
        ranks = parameter_ranks(samples, truths)
        p_values = [uniformity(one, SAMPLES, 20) for one in ranks.T]
        assert (min(p_values) > 1e-3) is uniform
        assert (max(p_values) < 1e-3) is not uniform


def test_bins_that_do_not_divide_the_ranks_are_refused():
    with pytest.raises(ValueError, match="100 ranks do not divide into 30 bins"):
        uniformity(torch.zeros(5, dtype=torch.int64), 99, 30)
