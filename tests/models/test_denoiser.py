import copy

import pytest
import torch

from equicryo.models.denoiser import Denoiser
from equicryo.models.frames import local_frames
from equicryo.models.polymer import fit_polymer
from equicryo.models.transformer import ABSENT_TYPE, NetworkConfig, initialise
from equicryo.models.whitening import fit_whitening
from equicryo.physics.rotations import draw_rotations

MOTIONS = 5


def some_types(chains: torch.Tensor) -> torch.Tensor:
    """Residue types, of every kind, for each of a batch of chains."""
    return (torch.arange(chains.shape[1]) % 20).expand(len(chains), -1)


def equivariance_error(
    denoiser: Denoiser, chains: torch.Tensor, sigma: float, dtype: torch.dtype
) -> float:
    """RMS of D(Rx + t) − (R D(x) + t) over the RMS of centred D, motions in float64."""
    generator = torch.Generator().manual_seed(2)
    chains = chains[:MOTIONS]
    noise = torch.randn(chains.shape, dtype=torch.float64, generator=generator)
    noisy = chains + sigma * noise
    level = torch.full((MOTIONS,), sigma, dtype=dtype)
    rotation = draw_rotations(MOTIONS, generator=generator)
    shift = 10.0 * torch.randn(MOTIONS, 1, 3, dtype=torch.float64, generator=generator)
    types = some_types(chains)
    still = denoiser(noisy.to(dtype), level, types).double()
    moved = denoiser((noisy @ rotation.mT + shift).to(dtype), level, types).double()
    error = (moved - (still @ rotation.mT + shift)).square().mean().sqrt()
    centred = still - still.mean(1, keepdim=True)
    return float(error / centred.square().mean().sqrt())


@pytest.mark.parametrize("sigma", [0.1, 1.0, 4.0, 16.0])
def test_denoiser_is_equivariant_in_float32(denoiser, ensemble, sigma):
    # The bar of the project; coordinates of 30 Å alone are rounded by 1e-7 of Rg.
    assert equivariance_error(denoiser, ensemble, sigma, torch.float32) <= 1e-6


@pytest.mark.parametrize("sigma", [0.1, 1.0, 4.0, 16.0])
def test_denoiser_is_equivariant_in_float64(denoiser, ensemble, sigma):
    double = copy.deepcopy(denoiser).double()
    assert equivariance_error(double, ensemble, sigma, torch.float64) <= 1e-12


@pytest.mark.parametrize(("layers", "residues"), [(1, 40), (4, 40), (2, 160)])
def test_equivariance_error_is_bounded_over_depth_and_length(layers, residues):
    generator = torch.Generator().manual_seed(3)
    steps = torch.randn(20, residues, 3, dtype=torch.float64, generator=generator)
    chains = 2.2 * steps.cumsum(1)
    network = NetworkConfig(width=32, rounds=2, layers=layers, heads=4)
    made = Denoiser(network, fit_whitening(chains))
    initialise(made.network, generator)
    made.requires_grad_(requires_grad=False)
    for weight in made.network.parameters():
        weight += 0.05 * torch.randn(weight.shape, generator=generator)
    assert equivariance_error(made, chains, 4.0, torch.float32) <= 1e-6


@pytest.mark.parametrize("sigma", [0.3, 1.0, 4.0])
def test_a_reflection_changes_the_output(denoiser, ensemble, sigma):
    generator = torch.Generator().manual_seed(4)
    noise = torch.randn(5, 40, 3, dtype=torch.float64, generator=generator)
    noisy = (ensemble[:5] + sigma * noise).float()
    level = torch.full((5,), sigma)
    mirror = torch.tensor([1.0, 1.0, -1.0])
    types = some_types(noisy)
    image = denoiser(noisy * mirror, level, types) * mirror
    straight = denoiser(noisy, level, types)
    change = (image - straight).square().mean().sqrt()
    # Far above rounding: a mirrored chain is denoised towards the chain's own hand.
    assert change > 0.1 * (straight - noisy).square().mean().sqrt()


def test_network_itself_sees_chirality(denoiser, ensemble):
    """The hand is not the whitening's doing alone: the network's move changes too."""
    chains = ensemble[:5] - ensemble[:5].mean(1, keepdim=True)
    level = torch.full((5,), 1.0, dtype=torch.float64)
    step = torch.ones(5, dtype=torch.float64)
    mirror = torch.tensor([1.0, 1.0, -1.0], dtype=torch.float64)

    def move(x):
        return denoiser.network(x, x, level, step, some_types(x))[-1] - x

    change = move(chains * mirror) * mirror - move(chains)
    assert change.norm() > 0.1 * move(chains).norm()


def test_denoiser_keeps_the_centroid(denoiser, ensemble):
    noisy = ensemble[:3] + 7.0
    denoised = copy.deepcopy(denoiser).double()(
        noisy, torch.ones(3).double(), some_types(noisy)
    )
    torch.testing.assert_close(denoised.mean(1), noisy.mean(1), rtol=0.0, atol=1e-12)


def test_coincident_atoms_have_finite_gradients(denoiser, ensemble):
    chain = ensemble[:1].clone()
    chain[:, 10:14] = chain[:, 10:11]
    chain.requires_grad_()
    denoiser(chain, torch.ones(1).double(), some_types(chain)).square().sum().backward()
    assert torch.isfinite(chain.grad).all()
    assert chain.grad.abs().max() > 0.0


def test_frames_turn_with_the_chain_and_flip_in_a_mirror(helix):
    rotation = draw_rotations(1, generator=torch.Generator().manual_seed(5))
    frames = local_frames(helix[None])
    torch.testing.assert_close(
        local_frames(helix[None] @ rotation.mT),
        rotation[:, None] @ frames,
        rtol=0.0,
        atol=1e-12,
    )
    mirror = torch.diag(torch.tensor([1.0, 1.0, -1.0], dtype=torch.float64))
    flipped = mirror @ frames
    flipped[..., 2] *= -1.0
    torch.testing.assert_close(
        local_frames(helix[None] @ mirror), flipped, rtol=0.0, atol=1e-12
    )


def test_untrained_network_returns_its_first_estimate(ensemble):
    network = NetworkConfig(width=16, rounds=2, layers=1, heads=2)
    whitening = fit_whitening(ensemble)
    made = Denoiser(network, whitening)
    initialise(made.network, torch.Generator().manual_seed(0))
    centred = ensemble[:4] - ensemble[:4].mean(1, keepdim=True)
    level = torch.full((4,), 2.0, dtype=torch.float64)
    torch.testing.assert_close(
        made(centred, level, some_types(centred)),
        whitening(centred, level, torch.ones(4, 40, dtype=torch.bool)),
        rtol=0.0,
        atol=1e-10,
    )


def test_width_that_heads_cannot_share_is_refused():
    with pytest.raises(ValueError, match="no multiple of heads"):
        NetworkConfig(width=30, rounds=1, layers=1, heads=4)


@pytest.fixture(scope="module")
def generalist(helix):
    """A denoiser of any chain, its every weight far from its start."""
    generator = torch.Generator().manual_seed(8)
    made = Denoiser(
        NetworkConfig(width=32, rounds=2, layers=1, heads=4),
        fit_polymer([helix.numpy()] * 3),
    )
    initialise(made.network, generator)
    with torch.no_grad():
        for weight in made.network.parameters():
            weight += 0.1 * torch.randn(weight.shape, generator=generator)
    return made.requires_grad_(requires_grad=False)


@pytest.mark.parametrize(
    ("dtype", "bar"), [(torch.float32, 1e-6), (torch.float64, 1e-12)]
)
def test_generalist_is_equivariant(generalist, ensemble, dtype, bar):
    precise = copy.deepcopy(generalist).to(dtype)
    precise.whitening.double()
    assert equivariance_error(precise, ensemble, 1.0, dtype) <= bar


def test_padding_changes_nothing(generalist, ensemble):
    precise = copy.deepcopy(generalist).double()
    generator = torch.Generator().manual_seed(9)
    noisy = ensemble[:2] + torch.randn(2, 40, 3, generator=generator)
    level = torch.tensor([0.5, 4.0]).double()
    types = some_types(noisy)
    alone = precise(noisy, level, types)
    junk = 50.0 * torch.randn(2, 9, 3, dtype=torch.float64, generator=generator)
    padded_types = torch.nn.functional.pad(types, (0, 9), value=ABSENT_TYPE)
    padded = precise(torch.cat((noisy, junk), 1), level, padded_types)
    torch.testing.assert_close(padded[:, :40], alone, rtol=0.0, atol=1e-10)


def test_residue_types_matter(generalist, ensemble):
    noisy, level = ensemble[:1].float(), torch.ones(1)
    types = some_types(noisy)
    change = generalist(noisy, level, types) - generalist(
        noisy, level, (types + 1) % 20
    )
    assert float(change.abs().max()) > 1e-3
