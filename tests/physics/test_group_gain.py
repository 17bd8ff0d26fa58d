from dataclasses import replace

import pytest
import torch

from equicryo.errors import InputError
from equicryo.physics.compression import compress_images
from equicryo.physics.group_gain import combine_groups, relative_gains
from equicryo.physics.noise import white_power
from equicryo.physics.normal_equations import NormalEquations, add_normal_equations
from equicryo.physics.pose import Views
from equicryo.physics.rotations import draw_rotations
from equicryo.physics.simulation import noise_variance, noisy_images

SUPPORT = 32
GAINS = (0.4, 1.5, 1.1)
COPIES = 6


@pytest.fixture
def many(views, generator) -> Views:
    """Seventy-two views, for a map worth comparing with."""
    count = COPIES * len(views)
    repeat = {
        part: {
            name: value.repeat_interleave(COPIES, 0)
            for name, value in vars(getattr(views, part)).items()
        }
        for part in ("defocus", "pose")
    }
    repeat["pose"]["rotation"] = draw_rotations(count, generator=generator)
    return Views(
        optics=views.optics,
        defocus=type(views.defocus)(**repeat["defocus"]),
        pose=type(views.pose)(**repeat["pose"]),
    )


def compress_groups(
    specimen, views: Views, gains: tuple[float, ...], generator, *, snr: float
) -> list[NormalEquations]:
    """Groups of equal size; the second one from another microscope."""
    groups = []
    for number, gain in enumerate(gains):
        part = views[number :: len(gains)]
        if number == 1:
            part = replace(part, optics=replace(part.optics, voltage=2e5))
        variance = noise_variance(specimen, part, snr, SUPPORT)
        power = white_power(variance, part.optics.box_size)
        images = torch.cat(
            list(noisy_images(specimen, part, power, generator=generator))
        )
        groups.append(
            compress_images([(gain * images, part)], gain**2 * power, SUPPORT)
        )
    return groups


def test_gains_are_found(specimen, many, generator) -> None:
    groups = compress_groups(specimen, many, GAINS, generator, snr=0.2)
    found = relative_gains(groups)
    expected = torch.tensor(GAINS).double()
    expected /= expected.mean()
    # Noise of 24 images a group: measured 2 to 5 %.
    torch.testing.assert_close(found, expected, rtol=0.1, atol=0.0)


@pytest.mark.parametrize("gains", [GAINS, (0.4, 1.0)])
def test_gains_do_not_merely_repeat_the_noise(
    specimen, many, generator, caplog, gains: tuple[float, ...]
) -> None:
    """Told that all noise is alike, they still come out of the signal, and settle."""
    groups = compress_groups(specimen, many, gains, generator, snr=2.0)
    groups = [
        replace(group, noise_power=torch.ones_like(group.noise_power))
        for group in groups
    ]
    expected = torch.tensor(gains).double()
    expected /= expected.mean()
    torch.testing.assert_close(relative_gains(groups), expected, rtol=0.1, atol=0.0)
    assert not caplog.records


def test_known_gains_undo_the_camera(specimen, many) -> None:
    """Combining scaled groups gives the normal equations of the unscaled images."""

    def compress(gains: tuple[float, ...]) -> list[NormalEquations]:
        generator = torch.Generator().manual_seed(5)
        return compress_groups(specimen, many, gains, generator, snr=0.2)

    plain = combine_groups(compress((1.0,) * 3), torch.ones(3).double())
    combined = combine_groups(compress(GAINS), torch.tensor(GAINS).double())
    for name in ("b", "kernel", "noise_power"):
        expected = getattr(plain, name)
        atol = 1e-7 * expected.abs().max().item()  # finufft's 1e-9, of larger terms
        torch.testing.assert_close(
            getattr(combined, name), expected, atol=atol, rtol=0.0
        )
    assert combined.data_energy == pytest.approx(plain.data_energy, rel=1e-9)


def test_equal_gains_add_as_one_stack_does(specimen, many, generator) -> None:
    groups = compress_groups(specimen, many, (1.0, 1.0), generator, snr=0.2)
    groups = [replace(one, noise_power=groups[0].noise_power) for one in groups]
    total = add_normal_equations(groups)
    combined = combine_groups(groups, torch.ones(2).double())
    assert torch.equal(combined.b, total.b)
    assert torch.equal(combined.kernel, total.kernel)
    assert combined.n_images == total.n_images == len(many)
    assert combined.n_observations == total.n_observations
    assert combined.input_sha256 == total.input_sha256


def test_one_group_has_gain_one(specimen, many, generator) -> None:
    groups = compress_groups(specimen, many, (3.0,), generator, snr=0.2)
    assert relative_gains(groups).tolist() == [1.0]


def test_a_group_of_opposite_contrast_is_named(specimen, many, generator) -> None:
    groups = compress_groups(specimen, many, (1.0, 1.0, 1.0), generator, snr=2.0)
    groups[2] = replace(groups[2], b=-groups[2].b)
    with pytest.raises(InputError, match="group 3 of 3 is opposite"):
        relative_gains(groups)
