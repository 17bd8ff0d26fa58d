import pytest
import torch

from equicryo.models.voxel_denoiser import (
    VoxelDenoiser,
    VoxelNetworkConfig,
    depth_to_space,
    initialise_voxel_network,
    space_to_depth,
)
from equicryo.models.voxel_examples import VolumeBatch
from equicryo.models.voxel_prior import MeasuredErrors, VoxelPrior
from equicryo.models.voxel_training import (
    VALIDATION_NOISE,
    measure_errors,
    relative_errors,
    turning_error,
)
from equicryo.models.voxel_whitening import SpectralWhitening, fit_spectrum
from equicryo.physics.gaussian_posterior import filter_volume
from equicryo.physics.spectra import shells_to_grid

EDGE = 16
NETWORK = VoxelNetworkConfig(stem=2, channels=(8, 16), blocks=1)
POWER = torch.stack(
    [2.0 * torch.exp(-0.4 * torch.arange(15.0)), torch.full((15,), 0.3)]
)


def draw_field(count: int, pixel: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(count)
    white = torch.randn(count, *(EDGE,) * 3, generator=generator)
    return filter_volume(white, shells_to_grid(POWER[pixel], EDGE).sqrt())


@pytest.fixture(scope="module")
def untrained() -> VoxelDenoiser:
    torch.manual_seed(0)
    denoiser = VoxelDenoiser(NETWORK, SpectralWhitening(POWER))
    initialise_voxel_network(denoiser, torch.Generator().manual_seed(0))
    return denoiser.eval().requires_grad_(requires_grad=False)


@pytest.fixture(scope="module")
def spoilt(untrained) -> VoxelDenoiser:
    """The same network with every weight far from its start."""
    generator = torch.Generator().manual_seed(1)
    denoiser = VoxelDenoiser(NETWORK, SpectralWhitening(POWER)).eval()
    denoiser.load_state_dict(untrained.state_dict())
    with torch.no_grad():
        for weight in denoiser.network.parameters():
            weight += 0.1 * torch.randn(weight.shape, generator=generator)
    return denoiser.requires_grad_(requires_grad=False)


def test_space_and_depth_are_inverse_and_keep_neighbours_together():
    volume = torch.arange(2.0 * 3 * 512).reshape(2, 3, 8, 8, 8)
    cells = space_to_depth(volume, 4)
    assert torch.equal(depth_to_space(cells, 4), volume)
    assert torch.equal(
        cells[1, 64:128, 1, 0, 1].flatten(), volume[1, 1, 4:, :4, 4:].flatten()
    )


def test_untrained_denoiser_is_the_wiener_filter_of_each_pixel_size(untrained):
    noisy = draw_field(2, 0)
    level = torch.tensor([0.5, 2.0])
    found = untrained(noisy, level, torch.tensor([0, 1]))
    for one, pixel, noise, volume in zip(found, (0, 1), level, noisy, strict=True):
        gain = POWER[pixel] / (POWER[pixel] + noise**2)
        expected = filter_volume(volume, shells_to_grid(gain, EDGE))
        torch.testing.assert_close(one, expected, atol=1e-5, rtol=0.0)


def test_deviations_are_those_of_fields_of_the_spectrum(untrained):
    """Root mean squares of noisy fields, estimates and errors, and so error 1."""
    clean, level = draw_field(40, 0), torch.full((40,), 0.7)
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(3))
    index = torch.zeros(40, dtype=torch.int64)
    noisy = clean + 0.7 * noise
    estimate = untrained(noisy, level, index)
    deviations = untrained.whitening.deviations(level, index, EDGE)
    for one, expected in zip(
        (noisy, estimate, estimate - clean), deviations, strict=True
    ):
        # 160,000 voxels: 1 % where they are independent.
        assert float(one.square().mean().sqrt()) == pytest.approx(
            float(expected[0]), rel=0.03
        )
    batch = VolumeBatch(volume=clean, pixel_index=index)
    errors = relative_errors(untrained, batch, noise, level)
    assert float(errors.mean()) == pytest.approx(1.0, abs=0.05)


def test_errors_inside_molecules_are_those_of_the_wiener_filter(untrained):
    """In a white field any region is like another."""
    fields = torch.cat([draw_field(12, 0), draw_field(12, 1)])
    batch = VolumeBatch(volume=fields, pixel_index=torch.tensor([0] * 12 + [1] * 12))
    found = measure_errors(
        untrained,
        batch,
        (1.0, 1.5),
        torch.tensor([0.3, 0.7]),
        generator=torch.Generator().manual_seed(4),
    )
    # Shells of hundreds of frequencies, 24 fields, of each of which a part: 2 %.
    torch.testing.assert_close(
        found.ratios[:, 4:12].mean(1), torch.ones(2), atol=0.06, rtol=0.0
    )
    # As strong everywhere, patterns are the squared power of the estimates.
    for noise, strength in zip((0.3, 0.7), found.strength, strict=True):
        estimate = shells_to_grid(POWER.square() / (POWER + noise**2), EDGE)
        expected = estimate.mean((1, 2, 3)).square()
        assert ((expected < strength) & (strength < 2.0 * expected)).all()


def test_errors_need_a_volume_of_each_pixel_size(untrained):
    batch = VolumeBatch(volume=draw_field(1, 1), pixel_index=torch.tensor([1]))
    generator = torch.Generator().manual_seed(4)
    with pytest.raises(ValueError, match="no volume at some of the pixel sizes"):
        measure_errors(
            untrained, batch, (1.0, 1.5), torch.tensor([0.3]), generator=generator
        )


def test_spectrum_is_found_from_fields():
    volume = torch.cat([draw_field(30, 0), draw_field(30, 1)])
    index = torch.tensor([0] * 30 + [1] * 30)
    found = fit_spectrum(volume, index, 2).power
    # Shells of at least 18 frequencies, 30 fields: 6 %.
    torch.testing.assert_close(found[:, 1:13], POWER[:, 1:13], rtol=0.2, atol=0.0)


def test_a_wiener_filter_turns_with_the_molecule_and_a_random_network_does_not(
    untrained, spoilt
):
    batch = VolumeBatch(
        volume=draw_field(2, 0), pixel_index=torch.zeros(2, dtype=torch.int64)
    )
    errors = [
        turning_error(one, batch, generator=torch.Generator().manual_seed(2))
        for one in (untrained, spoilt)
    ]
    assert len(errors[0]) == len(VALIDATION_NOISE)
    assert max(errors[0].values()) < 1e-4
    assert min(errors[1].values()) > 1e-2


def make_prior(denoiser) -> VoxelPrior:
    return VoxelPrior(
        denoiser=denoiser,
        pixel_index=0,
        pixel_size=1.0,
        edge=EDGE,
        errors=MeasuredErrors(
            noise_levels=torch.tensor([0.5, 2.0]),
            ratios=torch.stack([torch.full((15,), 0.5), torch.full((15,), 0.9)]),
            strength=torch.tensor([[4.0, 1.0], [2.0, 1.0]]),
        ),
        floor=-0.1,
    )


def test_prior_knows_its_spectrum_and_interpolates_what_is_left(untrained):
    prior = make_prior(untrained)
    torch.testing.assert_close(prior.variance, shells_to_grid(POWER[0], EDGE))
    for noise, ratio in ((0.1, 0.5), (0.5, 0.5), (1.0, 0.7), (2.0, 0.9), (9.0, 0.9)):
        wiener = POWER[0] * noise**2 / (POWER[0] + noise**2)
        expected = shells_to_grid(ratio * wiener, EDGE)
        torch.testing.assert_close(prior.remaining_variance(noise), expected)


def test_errors_follow_the_density(untrained):
    prior = make_prior(untrained)
    density = torch.zeros(2, EDGE, EDGE, EDGE)
    density[:, :8] = torch.tensor([1.0, 2.0])[:, None, None, None]
    strong, stronger = prior.error_amplitude(density, 1.0).square()
    # Twice the density, everywhere: in proportion to its fourth power.
    torch.testing.assert_close(stronger, 16.0 * strong)
    # Half way between the measured noise levels the strength is 3.
    assert float(strong[4, 9, 9]) == pytest.approx(1.0 / 3.0, rel=0.3)
    assert float(strong[12, 9, 9]) < 0.1 * float(strong[4, 9, 9])


def test_no_estimate_lies_below_the_floor(untrained):
    prior = make_prior(untrained)
    noisy = draw_field(2, 0)
    found = prior.denoise(noisy, 0.5)
    plain = untrained(noisy, torch.full((2,), 0.5), torch.zeros(2, dtype=torch.int64))
    assert float(plain.min()) < -0.1
    torch.testing.assert_close(found, plain.clamp(min=-0.1), atol=1e-5, rtol=0.0)
