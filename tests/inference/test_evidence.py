import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats

from equicryo.inference.evidence import (
    RESIDUE_COLUMNS,
    Evidence,
    noise_limit,
    residue_rows,
    weigh_evidence,
)
from equicryo.inference.likelihood import ResidueLikelihood
from equicryo.io.residue_model import read_residue_model
from equicryo.physics.density import gaussian_volume
from equicryo.physics.gain import KnownGain
from equicryo.physics.normal_operator import NormalOperator, prepare_operator
from equicryo.physics.residue_density import (
    ResidueBlobs,
    SingleBlobs,
    residue_blobs,
)
from equicryo.structure.chain import Chain

from ..normal_equations import seen_through, spike

EDGE, PIXEL, RESIDUES = 10, 2.5, 8
DENSITY = SingleBlobs(
    weights=torch.linspace(50.0, 80.0, RESIDUES, dtype=torch.float64), width=2.0
)


class NoGain(KnownGain):
    """Nothing of the other residues is taken off."""

    def estimate(self, operator, volume):
        return operator.b.new_tensor(1e-9)


def likelihood_of(operator, gain=None, density=DENSITY):
    return ResidueLikelihood(
        operators={0.0: operator}, density=density, gain=gain or KnownGain()
    )


def chain() -> torch.Tensor:
    index = torch.arange(RESIDUES, dtype=torch.float64)
    turn = 1.7 * index
    trace = torch.stack((5.0 * turn.cos(), 5.0 * turn.sin(), 2.0 * index), -1)
    return trace - trace.mean(0)


def volume(coordinates, kept=RESIDUES):
    return gaussian_volume(
        coordinates[:kept], DENSITY.weights[:kept], DENSITY.width, EDGE, PIXEL
    )


def observe(signal: torch.Tensor, precision: float, seed: int) -> NormalOperator:
    """Observe every voxel of a signal in white noise: K is a delta."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(signal.shape, generator=generator, dtype=torch.float64)
    data = signal + noise / math.sqrt(precision)
    normal = seen_through(
        spike(EDGE, precision),
        precision * data,
        data_energy=precision * data.square().sum().item(),
        pixel_size=PIXEL,
    )
    return prepare_operator(normal)


def precision_for(energy: float) -> float:
    """Return the precision at which the chain's ⟨V, K * V⟩ is an energy."""
    return energy / float(volume(chain()).square().sum())


def fit_to_noise(start: torch.Tensor, operator: NormalOperator) -> torch.Tensor:
    """Climb z² from a chain: the most that noise can be made to say nearby."""
    x = start.clone().requires_grad_()
    optimizer = torch.optim.Adam([x], lr=0.3)
    for _ in range(25):
        optimizer.zero_grad()
        linear, quadratic = operator.terms(volume(x))
        (-linear / quadratic.sqrt()).backward()
        optimizer.step()
    return x.detach()


def test_in_noise_a_chain_and_its_residues_are_standard_normal():
    nothing = torch.zeros((EDGE,) * 3, dtype=torch.float64)
    whole, parts = [], []
    for seed in range(120):
        operator = observe(nothing, 1.0, seed)
        found = weigh_evidence(chain(), likelihood_of(operator, NoGain()))
        whole.append(found.chain)
        parts.append(found.residues[3].item())
    # Half of the chains are negative, and count as nothing; the others are χ² of one.
    positive = [value for value in whole if value > 0.0]
    assert 40 < len(positive) < 80
    assert stats.kstest(positive, stats.chi2(1).cdf).pvalue > 1e-3
    assert stats.kstest(parts, stats.norm.cdf).pvalue > 1e-3


def test_it_abstains_on_pure_noise_that_a_chain_was_fitted_to():
    nothing = torch.zeros((EDGE,) * 3, dtype=torch.float64)
    values = []
    for seed in range(6):
        operator = observe(nothing, 1.0, 1000 + seed)
        fitted = fit_to_noise(chain(), operator)
        found = weigh_evidence(fitted, likelihood_of(operator, NoGain()))
        assert found.verdict == "abstain"
        values.append(found.chain)
    # Fitting gained something: the limit is not met by chance.
    assert min(values) > 3.0
    assert max(values) > 0.1 * noise_limit(RESIDUES)


def test_it_speaks_where_the_images_do():
    energy = 4.0 * noise_limit(RESIDUES)
    precision, verdicts = precision_for(energy), []
    for seed in range(10):
        found = weigh_evidence(
            chain(), likelihood_of(observe(volume(chain()), precision, seed))
        )
        verdicts.append(found.verdict)
        # √A ± 1, five of them.
        assert math.sqrt(found.chain) == pytest.approx(math.sqrt(energy), abs=5.0)
    assert "abstain" not in verdicts
    # Noise off by 3.8 and 3.3 standard deviations side by side, once.
    assert verdicts.count("found") == 9


def test_amplitudes_of_residues_are_one_within_their_error():
    precision = precision_for(2000.0)
    away = []
    for seed in range(60):
        operator = observe(volume(chain()), precision, seed)
        found = weigh_evidence(chain(), likelihood_of(operator))
        away.append(((found.amplitudes - 1.0) / found.amplitude_sd)[2].item())
    assert stats.kstest(away, stats.norm.cdf).pvalue > 1e-3


def test_residues_of_a_missing_domain_are_not_seen():
    """The last three residues are in the model only."""
    kept = RESIDUES - 3
    precision = precision_for(4000.0)
    operator = observe(volume(chain(), kept), precision, 5)
    found = weigh_evidence(chain(), likelihood_of(operator))
    assert found.seen().tolist() == [True] * kept + [False] * 3
    assert found.verdict == "doubtful"
    assert float(found.residues[kept:].abs().max()) < 5.0


def test_a_wrong_sequence_shows_in_the_amplitudes():
    """Two residues of 50 and 80 electrons change places."""
    precision = precision_for(2e4)
    weights = DENSITY.weights.clone()
    weights[[0, -1]] = weights[[-1, 0]]
    operator = observe(volume(chain()), precision, 6)
    wrong = weigh_evidence(
        chain(),
        likelihood_of(operator, density=SingleBlobs(weights=weights, width=2.0)),
    )
    assert wrong.verdict == "doubtful"
    off = (wrong.amplitudes - 1.0) / wrong.amplitude_sd
    assert float(off[0]) < -5.0
    assert float(off[-1]) > 5.0
    assert float(off[1:-1].abs().max()) < 5.0


def test_the_images_share_of_a_residues_certainty_is_theirs_of_its_precision():
    """Normal prior of 0.8 Å and images of 0.6 Å along each axis: 0.48 Å, 64 %."""
    residues, samples = 4, 20000
    generator = torch.Generator().manual_seed(7)
    drawn = 0.48 * torch.randn(samples, residues, 3, generator=generator).double()
    molecule = Chain(
        name="test",
        chain_id="A",
        sequence="AGWA",
        residue_numbers=np.arange(5, 5 + residues),
        insertion_codes=("",) * residues,
        coordinates=np.zeros((residues, 3)),
        b_factors=np.zeros(residues),
    )
    seen = torch.tensor([1.0, 9.0, 9.0, 9.0]).double()
    ones = torch.ones(residues).double()
    evidence = Evidence(
        chain=1e3,
        residues=seen,
        amplitudes=ones,
        amplitude_sd=ones,
        correlation=torch.eye(residues).double(),
        shared_spread=0.0,
    )
    bound = [0.6 * math.sqrt(3.0)] * residues
    rows = residue_rows(molecule, drawn, bound, evidence)
    assert [tuple(row) for row in rows] == [RESIDUE_COLUMNS] * residues
    assert [row["residue"] for row in rows] == [5, 6, 7, 8]
    assert [row["seen"] for row in rows] == [0, 1, 1, 1]
    for row in rows:
        # Standard error of a variance over 60,000 numbers: 0.6 %.
        assert row["data_share"] == pytest.approx(0.64, rel=0.03)
    unknown = residue_rows(molecule, drawn, None, evidence)
    assert {row["data_share"] for row in unknown} == {None}


def amplitudes_of(count: int, seed: int) -> Evidence:
    """Amplitudes in their error, of densities that overlap like those of a chain."""
    generator = torch.Generator().manual_seed(seed)
    apart = torch.arange(count).double()
    correlation = 0.5 ** (apart[:, None] - apart).abs()
    factor = torch.linalg.cholesky(correlation)
    deviation = factor @ torch.randn(count, generator=generator).double()
    errors = torch.full((count,), 0.1).double()
    return Evidence(
        chain=1e3,
        residues=errors,
        amplitudes=1.0 + 0.1 * deviation,
        amplitude_sd=errors,
        correlation=correlation,
        shared_spread=0.0,
    )


def test_a_right_chain_is_hardly_ever_suspect():
    alarms = sum(bool(amplitudes_of(120, seed).suspect().any()) for seed in range(1000))
    # At most one in 1,000 chains; stretches overlap, so that it is fewer.
    assert alarms <= 4


def test_errors_of_amplitudes_are_correlated_as_they_are_told_to_be():
    dense = 0.5 * chain()
    precision, away = precision_for(2000.0), []
    for seed in range(200):
        operator = observe(volume(dense), precision, seed)
        found = weigh_evidence(dense, likelihood_of(operator))
        away.append((found.amplitudes - 1.0) / found.amplitude_sd)
    observed = torch.corrcoef(torch.stack(away).mT)
    assert float((observed - found.correlation).abs().max()) < 4.0 / math.sqrt(200)
    assert float(found.correlation.triu(1).max()) > 0.3


def test_a_stretch_of_exchanged_residues_is_suspect_and_the_rest_is_not():
    evidence = amplitudes_of(120, 0)
    evidence.amplitudes[60:66] += torch.tensor([0.3, -0.4, 0.3, -0.3, 0.4, -0.3])
    suspect = evidence.suspect().nonzero().flatten().tolist()
    assert set(range(60, 66)) <= set(suspect)
    assert min(suspect) >= 60 - 2 * (9 // 2)
    assert max(suspect) < 66 + 2 * (9 // 2)


def test_what_a_stretch_shares_is_no_suspicion_where_neighbours_share_it():
    evidence = replace(amplitudes_of(120, 0), shared_spread=0.3)
    evidence.amplitudes[:] += 0.4
    assert not evidence.suspect().any()
    assert replace(evidence, shared_spread=0.0).suspect().any()
    evidence.amplitudes[62:68] += torch.tensor([0.4, -0.5, 0.4, -0.4, 0.5, -0.4])
    assert evidence.suspect().any()


def test_side_chains_spread_amplitudes_beyond_the_noise():
    """With images without noise what is left is what residues differ by."""
    sequence = "AWGLKDES"
    model = read_residue_model("resources/residue_model/constants.json")
    density = residue_blobs(sequence, model)
    signal = density.volume(chain(), EDGE, PIXEL, 0.0)
    operator = observe(signal, 1e6, 0)
    found = weigh_evidence(chain(), likelihood_of(operator, density=density))
    spread = torch.full((RESIDUES,), ResidueBlobs.own_spread).double()
    torch.testing.assert_close(found.amplitude_sd, spread, rtol=0.02, atol=0.0)
    assert found.shared_spread == ResidueBlobs.shared_spread > 0.0
    plain = weigh_evidence(chain(), likelihood_of(observe(volume(chain()), 1e6, 0)))
    assert plain.amplitude_sd.max() < 0.02
    assert plain.shared_spread == 0.0
