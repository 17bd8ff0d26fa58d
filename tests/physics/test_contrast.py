import logging

import pytest
import torch

from equicryo.errors import InputError
from equicryo.physics.compression import compress_images
from equicryo.physics.contrast import (
    CERTAIN,
    check_contrast,
    contrast_score,
    soft_ball,
)
from equicryo.physics.noise import white_power
from equicryo.physics.normal_operator import prepare_operator
from equicryo.physics.simulation import (
    Specimen,
    clean_images,
    noise_variance,
    noisy_images,
)

SUPPORT = 32
SNR = 0.05
SEEDS = 20


def radius_of(specimen: Specimen) -> float:
    return float(specimen.coordinates.square().sum(-1).mean().sqrt())


def score(specimen, views, sign: float, snr: float, seed: int) -> float:
    variance = noise_variance(specimen, views, snr, SUPPORT)
    power = white_power(variance, views.optics.box_size)
    generator = torch.Generator().manual_seed(seed)
    images = torch.cat(list(noisy_images(specimen, views, power, generator=generator)))
    normal = compress_images([(sign * images, views)], power, SUPPORT)
    return contrast_score(normal, radius_of(specimen))


def test_twelve_noisy_images_tell_their_contrast(specimen, views) -> None:
    """At SNR 0.05, with CTF: never wrong and mostly certain, whatever the noise."""
    scores = [score(specimen, views, 1.0, SNR, seed) for seed in range(SEEDS)]
    assert min(scores) > 0.0
    assert sum(one > CERTAIN for one in scores) > 0.9 * SEEDS
    inverted = score(specimen, views, -1.0, SNR, 0)
    assert inverted == pytest.approx(-scores[0], rel=1e-9)


def test_the_score_of_noise_is_standard_normal(specimen, views) -> None:
    """Signal a thousand times weaker than that of a stack: nothing but noise."""
    scores = torch.tensor(
        [score(specimen, views, 1.0, 1e-6, seed) for seed in range(SEEDS)]
    )
    # Mean and variance of 20 normal numbers: 3.5 standard errors each.
    assert abs(scores.mean()) < 3.5 / SEEDS**0.5
    assert abs(scores.var() - 1.0) < 3.5 * (2.0 / SEEDS) ** 0.5


def test_the_score_is_the_balls_weight_over_its_error(specimen, views) -> None:
    """For clean images of the ball itself: √⟨G, K * G⟩."""
    images = torch.cat(list(clean_images(specimen, views)))
    power = white_power(1.0, views.optics.box_size)
    normal = compress_images([(images, views)], power, SUPPORT)
    ball = soft_ball(6.0, SUPPORT, 1.0)
    operator = prepare_operator(normal)
    strength = (ball * operator.convolve(ball)).sum().sqrt().item()
    of_ball = type(normal)(**{**vars(normal), "b": operator.convolve(ball)})
    assert contrast_score(of_ball, 6.0) == pytest.approx(strength, rel=1e-9)


def test_the_ball_has_the_radius_of_gyration_asked_for() -> None:
    ball = soft_ball(12.0, 64, 1.0)
    axis = torch.arange(64, dtype=torch.float64) - 32
    squares = axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2
    radius = ((ball * squares).sum() / ball.sum()).sqrt().item()
    # The soft edge of 2 Å adds some: 12 Å has to come out as 12 to 13.
    assert 12.0 < radius < 13.0


@pytest.mark.parametrize("invert", [True, False])
def test_a_contradiction_names_its_remedy(invert: bool, caplog) -> None:  # noqa: FBT001
    remedy = str(not invert).lower()
    with pytest.raises(InputError, match=f"set particles.invert to {remedy}"):
        check_contrast(-5.0, invert=invert)
    with caplog.at_level(logging.INFO):
        check_contrast(5.0, invert=invert)
        assert "density is white" in caplog.text
        check_contrast(-1.0, invert=invert)
    assert "do not tell" in caplog.text
