"""Laws that weights keep after training: a small network's, and the shipped ones."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch

from equicryo.inference.diffusion import ScheduleConfig
from equicryo.inference.log_density import log_density
from equicryo.io.chain_sets import read_chain_set, read_splits
from equicryo.io.priors import read_denoiser
from equicryo.models.denoiser import Denoiser
from equicryo.models.examples import ChainExamples, collate
from equicryo.models.optimizer import MuonWithAdam
from equicryo.models.polymer import fit_polymer
from equicryo.models.prior import Prior
from equicryo.models.training import denoising_errors
from equicryo.models.transformer import NetworkConfig, initialise, split_weights
from equicryo.physics.rotations import draw_rotations
from equicryo.structure.chain_set import ChainSet

CHAINS = Path("resources/chains")
SHIPPED = Path("resources/priors/generalist")
MIRROR = torch.tensor([1.0, 1.0, -1.0], dtype=torch.float64)


@pytest.fixture(scope="session")
def held_out() -> ChainSet:
    return read_splits(
        CHAINS / "targets.npz", CHAINS / "held_out.csv", ["validation", "test"]
    )


@pytest.fixture(scope="session")
def small() -> Denoiser:
    """A network after sixty steps of training, all of them at σ of about 1 Å."""
    subset = read_chain_set(CHAINS / "subset.npz")
    chains = subset.select(np.flatnonzero(subset.lengths < 60)[:60].tolist())
    made = Denoiser(
        NetworkConfig(width=32, rounds=2, layers=1, heads=4),
        fit_polymer([chains.coordinates_of(index) for index in range(len(chains))]),
    )
    generator = torch.Generator().manual_seed(0)
    initialise(made.network, generator)
    matrices, others = split_weights(made.network)
    optimizer = MuonWithAdam(matrices, others, matrix_rate=0.01, other_rate=1e-3)
    examples = ChainExamples(chains)
    for _ in range(60):
        batch = examples.draw(250, generator)
        noise = torch.randn(batch.coordinates.shape, generator=generator)
        level = torch.randn(len(noise), generator=generator).exp()
        errors = denoising_errors(made, batch, noise, level)[-1]
        optimizer.zero_grad()
        (errors / level**2).mean().backward()
        optimizer.step()
    return made.requires_grad_(requires_grad=False)


@pytest.fixture(params=["small", pytest.param("shipped", marks=pytest.mark.slow)])
def denoiser(request: pytest.FixtureRequest) -> Denoiser:
    if request.param == "small":
        return request.getfixturevalue("small")
    if not SHIPPED.exists():
        pytest.skip(f"{SHIPPED} does not exist yet")
    return read_denoiser(SHIPPED / "weights.safetensors", SHIPPED / "card.json")


def noisy_copy(
    chains: ChainSet, index: int, sigma: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return a chain plus noise, σ, and its residue types, as a batch of one."""
    batch = collate(chains, [index])
    generator = torch.Generator().manual_seed(index)
    noise = torch.randn(
        batch.coordinates.shape, generator=generator, dtype=torch.float64
    )
    noisy = batch.coordinates.double() + sigma * (noise - noise.mean(1, keepdim=True))
    return noisy, torch.tensor([sigma]), batch.residue_types


def equivariance_errors(
    denoiser: Denoiser, chains: ChainSet, index: int, sigma: float, dtype: torch.dtype
) -> list[float]:
    """RMS of D(Rx + t) − (R D(x) + t) over the RMS of centred D, after each round."""
    noisy, level, types = noisy_copy(chains, index, sigma)
    generator = torch.Generator().manual_seed(1)
    rotation = draw_rotations(1, generator=generator)
    shift = 10.0 * torch.randn(1, 1, 3, dtype=torch.float64, generator=generator)
    level = level.to(dtype)
    still = denoiser.estimates(noisy.to(dtype), level, types)
    turned = noisy @ rotation.mT + shift
    moved = denoiser.estimates(turned.to(dtype), level, types)
    errors = []
    for one, other in zip(still, moved, strict=True):
        error = other.double() - (one.double() @ rotation.mT + shift)
        centred = one - one.mean(1, keepdim=True)
        errors.append(
            float(error.square().mean().sqrt() / centred.square().mean().sqrt())
        )
    return errors


@pytest.mark.parametrize("sigma", [0.1, 1.0, 4.0, 16.0])
@pytest.mark.parametrize(
    ("dtype", "bar"), [(torch.float32, 1e-6), (torch.float64, 1e-12)]
)
def test_trained_weights_are_equivariant(denoiser, held_out, sigma, dtype, bar):
    precise = copy.deepcopy(denoiser).to(dtype)
    precise.whitening.double()
    shortest, longest = int(held_out.lengths.argmin()), int(held_out.lengths.argmax())
    for index in (shortest, longest):
        # After the first round and after the last: rounding must not pile up.
        errors = equivariance_errors(precise, held_out, index, sigma, dtype)
        assert max(errors) <= bar


@pytest.mark.parametrize("sigma", [0.3, 1.0])
def test_a_reflection_changes_the_score_of_folded_chains(denoiser, held_out, sigma):
    changes = []
    for index in range(0, len(held_out), 4):
        noisy, level, types = noisy_copy(held_out, index, sigma)
        straight = denoiser(noisy.float(), level, types).double() - noisy
        image = denoiser((noisy * MIRROR).float(), level, types).double() * MIRROR
        changes.append(float((image - noisy - straight).norm() / straight.norm()))
    assert len(changes) >= 5
    assert min(changes) > 0.1


def test_coincident_atoms_have_finite_gradients(denoiser, held_out):
    noisy, level, types = noisy_copy(held_out, 0, 1.0)
    noisy[:, 10:14] = noisy[:, 10:11]
    noisy.requires_grad_()
    denoiser(noisy.float(), level, types).square().sum().backward()
    assert torch.isfinite(noisy.grad).all()
    assert noisy.grad[:, 10:14].abs().max() > 0.0


def test_log_density_is_the_same_in_every_place_but_not_in_a_mirror(denoiser, held_out):
    residues = 16
    chain = torch.from_numpy(held_out.coordinates_of(0)[:residues])
    types = noisy_copy(held_out, 0, 1.0)[2][0, :residues]
    precise = copy.deepcopy(denoiser).double()
    prior = Prior(denoiser=precise, residue_types=types, length_unit=1.0)
    schedule = ScheduleConfig(steps=4, largest_noise=60.0, smallest_noise=0.5)
    here = log_density(prior, chain, schedule)
    rotation = draw_rotations(1, generator=torch.Generator().manual_seed(2))[0]
    there = log_density(prior, chain @ rotation.T + 5.0, schedule)
    assert there == pytest.approx(here, rel=1e-5)
    assert log_density(prior, chain * MIRROR, schedule) != pytest.approx(here, rel=1e-3)
