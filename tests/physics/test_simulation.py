from dataclasses import replace

import numpy as np
import pytest
import torch

from equicryo.errors import InputError
from equicryo.physics.noise import white_power
from equicryo.physics.simulation import (
    SimulationConfig,
    check_sampling,
    choose_conformer,
    clean_images,
    draw_views,
    noise_variance,
    noisy_images,
)

SETTINGS = SimulationConfig(
    target="1hel",
    density="matched",
    conformer=0,
    ctf="on",
    n_images=250,
    snr=0.1,
    chunk_size=100,
    box_size=48,
    pixel_size=1.0,
    voltage_kv=300.0,
    spherical_aberration_mm=2.7,
    amplitude_contrast=0.1,
    defocus_um=[0.1, 0.2],
    residue_width=1.5,
)


def test_snr_is_the_ratio_of_variances_over_the_support(specimen, generator) -> None:
    views = draw_views(SETTINGS, generator=generator)
    variance = noise_variance(specimen, views, SETTINGS.snr, 32)
    clean = torch.cat(list(clean_images(specimen, views)))
    power = white_power(variance, SETTINGS.box_size)
    noisy = torch.cat(list(noisy_images(specimen, views, power, generator=generator)))
    signal = clean[:, 8:40, 8:40].var().item()
    # 576,000 pixels of noise: √(2/576,000) = 0.2 %.
    assert signal / (noisy - clean).var().item() == pytest.approx(0.1, rel=0.01)


def test_defocus_is_uniform_in_the_range(generator) -> None:
    defocus = draw_views(SETTINGS, generator=generator).defocus.mean
    assert 1000.0 <= defocus.min() < 1050.0
    assert 1950.0 < defocus.max() <= 2000.0


def test_without_ctf_images_are_projections(specimen, generator) -> None:
    settings = replace(SETTINGS, ctf="off", n_images=3)
    views = draw_views(settings, generator=generator)
    (images,) = clean_images(specimen, views)
    # No microscope, so all electrons are there; 3 Å tails 10 Å out are lost.
    electrons = images.sum((-2, -1))
    expected = specimen.weights.sum().expand(3)
    torch.testing.assert_close(electrons, expected, rtol=1e-6, atol=0.0)


def test_one_seed_gives_one_stack(specimen) -> None:
    stacks = []
    for _ in range(2):
        generator = torch.Generator().manual_seed(3)
        views = draw_views(SETTINGS, generator=generator)
        power = white_power(1.0, SETTINGS.box_size)
        batches = noisy_images(specimen, views, power, generator=generator)
        stacks.append(torch.cat(list(batches)))
    assert torch.equal(*stacks)


def test_an_aliased_box_is_refused_with_the_smallest_that_works() -> None:
    settings = replace(SETTINGS, defocus_um=[0.3, 0.6])
    with pytest.raises(InputError, match=r"Use box_size >= (\d+)") as caught:
        check_sampling(settings, 45.0)
    smallest = int(str(caught.value).split(">= ")[1].split(",")[0])
    check_sampling(replace(settings, box_size=smallest), 45.0)
    with pytest.raises(InputError):
        check_sampling(replace(settings, box_size=smallest - 2), 45.0)


def test_truth_is_a_centred_held_out_conformer() -> None:
    held_out = np.arange(24.0).reshape(2, 4, 3)
    truth = choose_conformer(held_out, replace(SETTINGS, conformer=1))
    np.testing.assert_allclose(truth.mean(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(np.diff(truth, axis=0), np.diff(held_out[1], axis=0))


@pytest.mark.parametrize("conformer", [-1, 2])
def test_a_conformer_that_is_not_there_is_refused(conformer: int) -> None:
    with pytest.raises(InputError, match="conformer"):
        choose_conformer(np.zeros((2, 4, 3)), replace(SETTINGS, conformer=conformer))


@pytest.mark.parametrize("change", [{"box_size": 47}, {"defocus_um": [0.6, 0.3]}])
def test_contradictory_settings_are_refused(change: dict) -> None:
    with pytest.raises(InputError):
        replace(SETTINGS, **change)
