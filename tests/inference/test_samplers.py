"""Every sampler on images, through the real interfaces."""

from dataclasses import asdict, fields

import pytest
import torch

from equicryo.inference.orientation import propose_chains
from equicryo.inference.samplers import SAMPLERS, read_sampler
from equicryo.inference.sampling import Guidance
from equicryo.structure.superposition import rmsd, rmsd_unaligned

MORE = {"mmps": {"iterations": 2}, "pnp_dm": {"prior_steps": 2}}


def run(problem, sampler, method, scale=1.0, seed=4):
    generator = torch.Generator().manual_seed(seed)
    common = {field.name: getattr(sampler, field.name) for field in fields(sampler)}
    schedule = {**asdict(sampler.schedule)}
    for name in ("largest_noise", "smallest_noise"):
        schedule[name] /= scale
    block = {
        **common,
        "schedule": schedule,
        "orientation": asdict(sampler.orientation),
        **MORE.get(method, {}),
    }
    settings = read_sampler(method, block)
    proposals = propose_chains(
        problem.ensemble[:4],
        problem.likelihood,
        settings.orientation,
        settings.samples,
        generator=generator,
    )
    return SAMPLERS[method].sample(
        problem.prior(1.0 / scale),
        problem.likelihood,
        proposals,
        Guidance(alpha=1.0, scale=scale),
        settings,
        generator=generator,
    )


@pytest.fixture(scope="module", params=SAMPLERS)
def first(request, problem, sampler):
    return request.param, *run(problem, sampler, request.param)


def test_samples_come_from_the_images_and_not_from_the_prior(problem, first):
    _, samples, steps = first
    truth = problem.truth.float()
    start = rmsd(problem.ensemble.float(), truth).mean()
    assert float(rmsd_unaligned(samples, truth).mean()) < 0.25 * float(start)
    passes = [step.nfe for step in steps]
    assert passes == sorted(set(passes))


def test_a_wrong_unit_of_length_is_undone_by_its_scale(problem, sampler, first):
    """At the right λ the samples are those of the right unit, but for rounding."""
    method, samples, _ = first
    scaled, _ = run(problem, sampler, method, scale=1.6)
    spread = rmsd_unaligned(samples, samples.mean(0)).mean()
    # Four particles of TDS may be one and the same: then only rounding of 20 Å is left.
    limit = 0.2 * float(spread) + 1e-4
    assert float(rmsd_unaligned(samples, scaled).mean()) < limit


def test_two_runs_of_one_seed_are_equal_bit_for_bit(problem, sampler, first):
    method, samples, _ = first
    again, _ = run(problem, sampler, method)
    assert torch.equal(samples, again)
