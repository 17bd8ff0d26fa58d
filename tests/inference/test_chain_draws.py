import pytest
import torch

from equicryo.inference.chain_draws import BATCH, TRACE_COLUMNS, draw_chains
from equicryo.inference.diffusion import ScheduleConfig
from equicryo.models.denoiser import Denoiser
from equicryo.models.polymer import FREQUENCIES, LENGTHS, PolymerWhitening
from equicryo.models.transformer import NetworkConfig, initialise
from equicryo.structure.extent import typical_radius

SCHEDULE = ScheduleConfig(steps=12, largest_noise=80.0, smallest_noise=0.05)


@pytest.fixture
def denoiser() -> Denoiser:
    """An untrained network: the Gaussian of an ideal chain."""
    made = Denoiser(
        NetworkConfig(width=8, rounds=1, layers=1, heads=1),
        PolymerWhitening(torch.zeros(len(LENGTHS), len(FREQUENCIES))),
    )
    initialise(made.network, torch.Generator().manual_seed(0))
    return made


def test_a_chain_is_drawn_for_each_sequence(denoiser):
    sequences = ["ACDEFG" * k for k in (4, 2, 3)] + ["X" * 15] * BATCH
    generator = torch.Generator().manual_seed(1)
    draws = draw_chains(denoiser, sequences, SCHEDULE, churn=0.1, generator=generator)
    chains = draws.chains
    assert len(chains) == BATCH + 3
    found = sorted(chains.sequence_of(index) for index in range(len(chains)))
    assert found == sorted(sequences)
    assert (chains.lengths[1:] >= chains.lengths[:-1]).all()
    assert draws.relative_radius.shape == (12, len(chains))
    assert tuple(draws.trace()[0]) == TRACE_COLUMNS
    # The last estimate is the sample but for rounding to 0.01 Å: its size is known.
    for index in range(len(chains)):
        size = chains.coordinates_of(index).var(0).sum() ** 0.5
        typical = typical_radius(int(chains.lengths[index]))
        assert float(draws.relative_radius[-1, index]) == pytest.approx(
            size / typical, rel=0.02
        )


def test_sequence_is_seen_where_it_is_given(denoiser):
    with torch.no_grad():
        generator = torch.Generator().manual_seed(2)
        for weight in denoiser.network.parameters():
            weight += 0.1 * torch.randn(weight.shape, generator=generator)

    def draw(sequence):
        generator = torch.Generator().manual_seed(3)
        drawn = draw_chains(
            denoiser, [sequence], SCHEDULE, churn=0.0, generator=generator
        )
        return drawn.chains.coordinates_of(0)

    assert abs(draw("A" * 20) - draw("W" * 20)).max() > 0.05
    assert abs(draw("X" * 20) - draw("B" * 20)).max() == 0.0
