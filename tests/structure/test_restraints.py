"""Restraints against numerical gradients, and where they rest."""

import numpy as np
import pytest
import torch

from equicryo.structure.restraints import log_restraints, score_restraints


def test_restraints_have_the_right_gradient() -> None:
    chain = 2.5 * torch.randn(
        8, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(2)
    )
    assert log_restraints(chain) < -10.0  # some of each kind are violated
    assert torch.autograd.gradcheck(log_restraints, chain.requires_grad_())


def test_restraints_rest_on_a_chain_without_faults() -> None:
    index = torch.arange(9.0, dtype=torch.float64)
    zigzag = torch.stack(
        (3.3 * index, 0.5 * (3.8**2 - 3.3**2) ** 0.5 * (-1) ** index, 0 * index), -1
    )
    assert float(log_restraints(zigzag)) == pytest.approx(0.0, abs=1e-9)


def test_one_chain_is_scored_as_one_of_many() -> None:
    chains = 3.0 * np.random.default_rng(0).normal(size=(2, 9, 3))
    values = log_restraints(torch.from_numpy(chains))
    for chain, value in zip(chains, values, strict=True):
        assert score_restraints(chain)[0] == float(value)
