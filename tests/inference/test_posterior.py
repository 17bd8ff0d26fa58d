import copy
from dataclasses import replace

import pytest
import torch

from equicryo.inference.curvature import Curvature
from equicryo.inference.diffusion import ScheduleConfig
from equicryo.inference.dps import sample_dps
from equicryo.inference.likelihood import prepare_likelihood
from equicryo.inference.orientation import place_chain, propose_chains
from equicryo.inference.sampling import Guidance, Target
from equicryo.inference.scale import ScaleConfig, infer_scale, search_scale
from equicryo.physics.density import gaussian_volume
from equicryo.physics.gain import KnownGain, UnknownGain
from equicryo.physics.normal_operator import prepare_operator
from equicryo.physics.rotations import draw_rotations
from equicryo.structure.superposition import rmsd, rmsd_unaligned


def propose(problem, sampler, scale=1.0):
    generator = torch.Generator().manual_seed(3)
    return propose_chains(
        scale * problem.ensemble[:4],
        problem.likelihood,
        sampler.orientation,
        sampler.samples,
        generator=generator,
    )


def sample(problem, sampler, alpha, seed=4):
    generator = torch.Generator().manual_seed(seed)
    return sample_dps(
        problem.prior(),
        problem.likelihood,
        propose(problem, sampler),
        Guidance(alpha=alpha, scale=1.0),
        sampler,
        generator=generator,
    )


@pytest.fixture(scope="module")
def drawn(problem, sampler):
    return sample(problem, sampler, alpha=1.0)


def test_orientation_and_place_are_found(problem, sampler):
    generator = torch.Generator().manual_seed(5)
    turned = problem.truth @ draw_rotations(1, generator=generator)[0].T + 2.0
    placement = place_chain(
        turned, problem.likelihood, sampler.orientation, generator=generator
    )
    # Noise moves the whole molecule by far less than a tenth of an Å.
    assert float(rmsd_unaligned(placement.coordinates[0].double(), problem.truth)) < 0.2


def test_samples_come_from_the_images_and_not_from_the_prior(problem, sampler, drawn):
    samples, steps = drawn
    truth = problem.truth.float()
    start = rmsd(problem.ensemble.float(), truth).mean()
    assert float(rmsd_unaligned(samples, truth).mean()) < 0.25 * float(start)
    # A value and a gradient a step.
    assert steps[-1].row()["nfe"] == 2 * sampler.schedule.steps


def test_without_weight_the_images_only_fix_the_orientation(problem, sampler):
    samples, _ = sample(problem, sampler, alpha=1e-9)
    truth = problem.truth.float()
    start = rmsd(problem.ensemble.float(), truth).mean()
    assert float(rmsd(samples, truth).mean()) > 0.6 * float(start)


def test_two_runs_of_one_seed_are_equal_bit_for_bit(problem, sampler):
    brief = replace(
        sampler,
        schedule=replace(sampler.schedule, steps=5),
        orientation=replace(sampler.orientation, rotations=40, kept=2, rounds=2),
    )
    first, _ = sample(problem, brief, alpha=1.0)
    second, _ = sample(problem, brief, alpha=1.0)
    other, _ = sample(problem, brief, alpha=1.0, seed=9)
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_implicit_step_solves_its_linear_system():
    generator = torch.Generator().manual_seed(0)
    directions, _ = torch.linalg.qr(
        torch.randn(12, 5, dtype=torch.float64, generator=generator)
    )
    root = torch.randn(5, 5, dtype=torch.float64, generator=generator)
    variance = torch.tensor([torch.inf, 9.0, 4.0, 1.0, 0.2], dtype=torch.float64)
    curvature = Curvature(
        blur=0.0, directions=directions, variance=variance, information=root @ root.T
    )
    gradient = (
        directions @ torch.randn(5, dtype=torch.float64, generator=generator)
    ).view(1, 4, 3)
    sigma, length = 1.5, 0.7
    jacobian = torch.diag(1.0 / (1.0 + sigma**2 / variance))
    system = jacobian @ root @ root.T @ jacobian
    full = torch.eye(12).double() + length * directions @ system @ directions.T
    expected = torch.linalg.solve(full, length * gradient.ravel())
    actual = curvature.implicit_step(gradient, sigma, length)
    torch.testing.assert_close(actual.ravel(), expected, rtol=1e-10, atol=1e-12)


def test_moves_are_cut_to_the_likelihood_s_reach_and_no_further(problem):
    target = Target(
        likelihood=problem.likelihood,
        guidance=Guidance(alpha=1.0, scale=1.5),
        blur_per_noise=0.3,
    )
    generator = torch.Generator().manual_seed(0)
    move = torch.randn(2, 30, 3, generator=generator)
    move[0] *= 10.0
    move[1] *= 0.01
    cut = target.limit(move, 2.0)
    # Blobs of 1.5 Å blurred by 2 Å, in units of 1.5 Å.
    assert float(cut[0].square().sum(-1).mean().sqrt()) == pytest.approx(2.5 / 1.5)
    assert torch.equal(cut[1], move[1])


def test_images_of_an_unknown_gain_give_the_same_posterior(problem, sampler, drawn):
    """The stack in other intensity units: its noise is 37 times larger as well."""
    gain = 37.0
    scaled = replace(
        problem.normal,
        b=problem.normal.b / gain,
        kernel=problem.normal.kernel / gain**2,
        noise_power=problem.normal.noise_power * gain**2,
    )
    density = problem.likelihood.density

    def draw(gain_model):
        likelihood = prepare_likelihood(scaled, density, gain_model, sampler.blurs)
        return sample(replace(problem, likelihood=likelihood), sampler, alpha=1.0)[0]

    known, _ = drawn
    unknown = draw(UnknownGain())
    spread = known.std(0).square().sum(-1).mean().sqrt()
    # The means of 4 samples each differ by √(2/4) spreads if all else is equal; one
    # stream of noise makes it less. Taken for 1, the gain leaves every sample astray.
    apart = rmsd_unaligned(unknown.mean(0), known.mean(0))
    assert float(apart) < float(spread)
    wrong = rmsd_unaligned(draw(KnownGain()).mean(0), known.mean(0))
    assert float(wrong) > 3.0 * float(spread)


def make_scale_config(rounds):
    return ScaleConfig(
        smallest=0.7,
        largest=2.4,
        candidates=14,
        rotations=200,
        rounds=rounds,
        samples=4,
    )


def check_scale(problem, sampler, planted):
    schedule = ScheduleConfig(
        steps=25, largest_noise=4.0 / planted, smallest_noise=0.05 / planted
    )
    estimates = infer_scale(
        problem.prior(1.0 / planted),
        problem.likelihood,
        problem.ensemble[:6].float() / planted,
        make_scale_config(rounds=6),
        replace(sampler, schedule=schedule),
        generator=torch.Generator().manual_seed(6),
    )
    assert abs(estimates[-1].scale / planted - 1.0) < 0.01
    assert 0.0 < estimates[-1].scale_sd < 0.01 * planted
    # Fisher's identity: the slope of the log evidence dies away at its maximum.
    assert abs(estimates[-1].slope) < 0.2 * abs(estimates[0].slope)


@pytest.mark.slow
def test_planted_scale_is_inferred(problem, sampler):
    check_scale(problem, sampler, 1.59)


@pytest.mark.slow
def test_another_scale_is_inferred(problem, sampler):
    generator = torch.Generator().manual_seed(20261122)
    planted = 1.2 + 0.8 * float(torch.rand(1, generator=generator))
    check_scale(problem, sampler, planted)


def test_coarse_search_brackets_the_scale(problem, sampler):
    generator = torch.Generator().manual_seed(7)
    config = make_scale_config(rounds=1)
    found = search_scale(
        problem.ensemble[0].float() / 1.8,
        problem.likelihood,
        config,
        sampler,
        generator=generator,
    )
    # Neighbouring candidates differ by a factor 1.1.
    assert abs(found / 1.8 - 1.0) < 0.15


def test_gradient_flows_from_the_misfit_to_the_whitened_latent(problem):
    """float64 gradcheck through likelihood, density, denoiser and whitening."""
    denoiser = copy.deepcopy(problem.denoiser).double()
    generator = torch.Generator().manual_seed(8)
    with torch.no_grad():
        for weight in denoiser.network.parameters():
            weight += 0.1 * torch.randn(weight.shape, generator=generator).double()
    whitening = denoiser.whitening
    operator = prepare_operator(problem.normal)
    rotation = draw_rotations(1, generator=generator)[0]
    noise = torch.randn(problem.truth.shape, dtype=torch.float64, generator=generator)
    level = torch.tensor([0.7], dtype=torch.float64)
    types = problem.prior().residue_types[None]
    weights = problem.likelihood.density.weights

    def misfit(z):
        body = whitening.mean + whitening.basis[..., :4] @ (
            whitening.variance[:4].sqrt() * z
        )
        noisy = (body @ rotation.T + 0.7 * noise)[None]
        volume = gaussian_volume(denoiser(noisy, level, types), weights, 1.5, 32, 1.5)
        return operator.log_likelihood(volume)

    z = torch.randn(4, dtype=torch.float64, generator=generator).requires_grad_()
    # Values of 1e4 nats: finite differences over 1e-6 are good to about 1e-5 of them.
    assert torch.autograd.gradcheck(misfit, z, eps=1e-5, atol=1e-2, rtol=1e-4)
