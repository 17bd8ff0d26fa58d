import math
from itertools import pairwise

import pytest
import torch

from equicryo.inference.diffusion import ScheduleConfig, draw_prior, step_down
from equicryo.models.denoiser import Denoiser
from equicryo.models.polymer import (
    FREQUENCIES,
    LENGTHS,
    PolymerWhitening,
    rouse_modes,
)
from equicryo.models.prior import Prior
from equicryo.models.transformer import ABSENT_TYPE, NetworkConfig, initialise
from equicryo.structure.superposition import radius_of_gyration, superpose


def test_schedule_runs_from_the_largest_to_the_smallest_noise():
    levels = ScheduleConfig(steps=9, largest_noise=80.0, smallest_noise=0.1)
    sigma = levels.noise_levels()
    assert sigma[0] == pytest.approx(80.0)
    assert sigma[-1] == pytest.approx(0.1)
    root = [value ** (1.0 / 7.0) for value in sigma]
    gaps = [a - b for a, b in pairwise(root)]
    assert gaps == pytest.approx([gaps[0]] * 8)


def test_schedule_that_ascends_is_refused():
    with pytest.raises(ValueError, match="not between 0 and"):
        ScheduleConfig(steps=9, largest_noise=0.1, smallest_noise=80.0)


def test_step_down_keeps_the_noise_of_the_lower_level():
    """x₀ + σ n stepped down with x₀ known is x₀ + σ' n', in mean and variance."""
    generator = torch.Generator().manual_seed(0)
    clean = torch.randn(1, 20000, 3, dtype=torch.float64, generator=generator)
    noise = torch.randn(clean.shape, dtype=torch.float64, generator=generator)
    white = torch.randn(clean.shape, dtype=torch.float64, generator=generator)
    lower = step_down(clean + 2.0 * noise, clean, (2.0, 0.7), white)
    left = lower - clean
    # 60,000 numbers: standard errors 0.003 of the mean and 0.3 % of the variance.
    assert float(left.mean()) == pytest.approx(0.0, abs=0.012)
    assert float(left.var()) == pytest.approx(0.49, rel=0.015)
    # Correlation with the noise above is that of the process, σ'²/σ² of its variance.
    assert float((left * noise).mean()) == pytest.approx(2.0 * 0.1225, abs=0.015)


def test_last_step_returns_the_estimate():
    generator = torch.Generator().manual_seed(0)
    estimate = torch.randn(2, 5, 3, generator=generator)
    above, white = torch.randn(2, *estimate.shape, generator=generator)
    assert torch.equal(step_down(above, estimate, (0.1, 0.0), white), estimate)


def test_draws_have_the_spread_of_the_ensemble(problem):
    schedule = ScheduleConfig(steps=40, largest_noise=80.0, smallest_noise=0.02)
    generator = torch.Generator().manual_seed(1)
    draws = draw_prior(problem.prior(), 300, schedule, churn=0.0, generator=generator)
    whitening = problem.denoiser.whitening
    chains = draws.coordinates.double()
    aligned = superpose(chains, whitening.mean).apply(chains)
    amplitude = torch.einsum("bic,icm->bm", aligned - whitening.mean, whitening.basis)
    # 300 draws: 8 % a variance, 5 % of the sum of six.
    ratio = float(amplitude.var(0).sum() / whitening.variance.sum())
    assert ratio == pytest.approx(1.0, abs=0.15)
    size = radius_of_gyration(problem.ensemble).mean()
    assert float(radius_of_gyration(chains).mean()) == pytest.approx(
        float(size), rel=0.02
    )
    assert draws.shrinkage()[0]["noise_level"] == pytest.approx(80.0)
    assert float(chains.mean(1).abs().max()) < 1e-4


def test_draws_of_a_spoilt_prior_are_those_of_the_sound_one_but_for_scale(problem):
    unit = 1.0 / 1.6

    def draw(scale, smallest):
        schedule = ScheduleConfig(
            steps=10, largest_noise=80.0 * scale, smallest_noise=smallest * scale
        )
        generator = torch.Generator().manual_seed(2)
        return draw_prior(
            problem.prior(scale), 3, schedule, churn=0.0, generator=generator
        )

    sound, spoilt = draw(1.0, 0.1), draw(unit, 0.1)
    # float32 network inputs differ by rounding of the scaled coordinates.
    torch.testing.assert_close(
        spoilt.coordinates, unit * sound.coordinates, rtol=0.0, atol=2e-3
    )
    assert math.isclose(
        float(spoilt.gyration[-1].mean()),
        unit * float(sound.gyration[-1].mean()),
        rel_tol=1e-3,
    )


@pytest.mark.parametrize("churn", [0.0, 0.3])
def test_draws_of_several_lengths_have_the_spread_of_their_gaussian(churn):
    """An untrained prior is the polymer's Gaussian, whose modes' variance is known."""
    generator = torch.Generator().manual_seed(4)
    denoiser = Denoiser(
        NetworkConfig(width=8, rounds=1, layers=1, heads=1),
        PolymerWhitening(torch.zeros(len(LENGTHS), len(FREQUENCIES))),
    )
    initialise(denoiser.network, generator)
    short, long, copies = 12, 20, 150
    types = torch.zeros(2 * copies, long, dtype=torch.int64)
    types[:copies, short:] = ABSENT_TYPE
    prior = Prior(denoiser=denoiser, residue_types=types, length_unit=1.0)
    schedule = ScheduleConfig(steps=40, largest_noise=200.0, smallest_noise=0.05)
    draws = draw_prior(prior, 2 * copies, schedule, churn=churn, generator=generator)
    assert not draws.coordinates[:copies, short:].any()
    for chains, residues in (
        (draws.coordinates[:copies, :short], short),
        (draws.coordinates[copies:], long),
    ):
        present = torch.ones(1, residues, dtype=torch.bool)
        amplitude = rouse_modes(present, torch.float32)[0].T @ chains
        expected = denoiser.whitening.variance(present)[0]
        ratio = amplitude.square().mean((0, 2)) / expected
        # 450 numbers a mode: 7 % each, 2 % their mean; Heun's 40 steps cost as much.
        assert float(ratio.mean()) == pytest.approx(1.0, abs=0.06)
        assert float((ratio - 1.0).abs().max()) < 0.35
        last = (
            draws.gyration[-1, :copies]
            if residues == short
            else draws.gyration[-1, copies:]
        )
        size = (chains.square().sum((1, 2)) / residues).sqrt()
        torch.testing.assert_close(last, size, rtol=0.0, atol=0.05)
