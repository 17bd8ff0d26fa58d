import math

import pytest
import torch

from equicryo.evaluation.proper_scores import crps, energy_score, spread_skill


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("truth", [0.0, 0.7, -3.0])
def test_crps_of_a_normal_forecast_is_its_closed_form(truth):
    """σ (z (2Φ(z) − 1) + 2φ(z) − 1/√π); Gneiting & Raftery 2007."""
    spread = 1.5
    z = truth / spread
    density = math.exp(-0.5 * z**2) / math.sqrt(2.0 * math.pi)
    expected = spread * (
        z * math.erf(z / math.sqrt(2.0)) + 2.0 * density - 1.0 / math.sqrt(math.pi)
    )
    samples = spread * normal(500, 40)
    values = crps(samples, torch.full((40,), truth, dtype=torch.float64))
    error = float(values.std()) / math.sqrt(40)
    assert float(values.mean()) == pytest.approx(expected, abs=4 * error)


def test_energy_score_of_three_axes_at_the_mean_of_a_normal_forecast():
    """E|X| − ½ E|X − X'| = (1 − 1/√2) √(8/π) for standard normal X."""
    values = energy_score(normal(400, 50, 3), torch.zeros(50, 3, dtype=torch.float64))
    expected = (1.0 - math.sqrt(0.5)) * math.sqrt(8.0 / math.pi)
    error = float(values.std()) / math.sqrt(50)
    assert float(values.mean()) == pytest.approx(expected, abs=4 * error)


def test_few_samples_score_as_many_do():
    """Without bias: the mean score of 3 samples is that of the law they come from."""
    truth = torch.zeros(20000, 3, dtype=torch.float64)
    values = energy_score(normal(3, 20000, 3), truth)
    expected = (1.0 - math.sqrt(0.5)) * math.sqrt(8.0 / math.pi)
    error = float(values.std()) / math.sqrt(20000)
    assert float(values.mean()) == pytest.approx(expected, abs=4 * error)


def test_the_true_law_scores_best():
    truth = normal(3000, 3, seed=1)
    mean = {
        width: float(energy_score(width * normal(30, 3000, 3), truth).mean())
        for width in (0.5, 1.0, 2.0)
    }
    assert min(mean, key=mean.get) == 1.0


def test_one_sample_is_refused():
    with pytest.raises(ValueError, match="draw two or more"):
        crps(torch.zeros(1, 4), torch.zeros(4))


def test_spread_tells_the_error_of_the_mean():
    """Truths and samples of laws as wide as 0.2 to 3: equal in every bin."""
    width = torch.linspace(0.2, 3.0, 20000).double()
    samples, truth = width * normal(200, 20000), width * normal(20000, seed=1)
    error = (truth - samples.mean(0)).abs()
    predicted, actual = spread_skill(samples.std(0), error, 200, 5)
    assert float(predicted[-1] / predicted[0]) > 4.0
    # 4,000 cases a bin: 1.1 % of the root, three of them; 2 % by the spread's noise.
    torch.testing.assert_close(actual, predicted, rtol=0.05, atol=0.0)


def test_spread_of_three_samples_tells_the_error_over_all_cases():
    samples, truth = normal(3, 40000), normal(40000, seed=1)
    error = (truth - samples.mean(0)).abs()
    predicted, actual = spread_skill(samples.std(0), error, 3, 1)
    # √(1 + 1/3); 40,000 cases: 0.4 % each.
    assert float(predicted) == pytest.approx((4 / 3) ** 0.5, rel=0.02)
    assert float(actual) == pytest.approx((4 / 3) ** 0.5, rel=0.02)
