import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from equicryo.errors import InputError
from equicryo.io.tables import read_table
from equicryo.io.training_sets import (
    NOISE_DRAWS,
    describe_prior,
    read_chain_training_set,
)
from equicryo.models.denoiser import Denoiser
from equicryo.models.transformer import NetworkConfig

FILES = {
    "chains": "resources/chains/subset.npz",
    "splits": "resources/chains/splits.csv",
    "targets": "resources/chains/targets.npz",
    "held_out": "resources/chains/held_out.csv",
}


@pytest.fixture(autouse=True)
def in_root(monkeypatch):
    monkeypatch.chdir(Path(__file__).resolve().parents[2])


def test_only_training_chains_are_learnt_and_only_validation_chains_tested():
    made = read_chain_training_set(FILES, "all", seed=1)
    splits = {row["id"]: row["split"] for row in read_table(FILES["splits"])}
    assert {splits[name] for name in made.training_ids} == {"training"}
    assert set(made.examples.chains.ids) == set(made.training_ids)
    assert len(made.training_ids) > 1900
    assert len(made.held_out_ids["validation"]) == len(made.held_out) == 10
    assert len(made.held_out_ids["test"]) == 10
    assert "1HEL_A" in made.held_out_ids["benchmark"]
    assert all(len(batch.coordinates) == NOISE_DRAWS for batch in made.held_out)


def test_a_part_of_the_chains_is_drawn_by_the_seed():
    parts = [read_chain_training_set(FILES, 50, seed=seed) for seed in (1, 1, 2)]
    first, again, other = (part.training_ids for part in parts)
    assert len(first) == 50
    assert first == again != other
    assert parts[0].sha256 == parts[1].sha256 != parts[2].sha256
    noise = torch.ones(1, dtype=torch.float64)
    present = torch.ones(1, 100, dtype=torch.bool)
    spread = [float(part.whitening.deviation(noise, present)) for part in parts]
    assert spread[0] == spread[1] != spread[2]
    assert np.allclose(spread, spread[0], rtol=0.1)


def test_more_chains_than_there_are_is_refused():
    with pytest.raises(InputError, match="9999 training chains asked for"):
        read_chain_training_set(FILES, 9999, seed=1)


def test_a_card_keeps_what_the_prior_before_has_seen():
    data = read_chain_training_set(FILES, 20, seed=1)
    network = NetworkConfig(width=8, rounds=1, layers=1, heads=1)
    denoiser = Denoiser(network, data.whitening)
    first = describe_prior(denoiser, data, None)
    assert first["training_ids"] == sorted(data.training_ids)
    assert first["test_ids"] == data.held_out_ids["test"]
    tuned = dataclasses.replace(data, training_ids=("9XYZ_A",), held_out_ids={})
    second = describe_prior(denoiser, tuned, first)
    assert set(second["training_ids"]) == {"9XYZ_A", *first["training_ids"]}
    assert second["test_ids"] == first["test_ids"]
