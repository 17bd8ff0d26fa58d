import math

import numpy as np
import pytest
import torch

from equicryo.io.checkpoints import (
    SafetensorsCheckpointIO,
    checkpoint_path,
    train_with_checkpoints,
)
from equicryo.models.denoiser import Denoiser
from equicryo.models.examples import Batch, ChainExamples, EnsembleExamples, collate
from equicryo.models.training import (
    DenoiserTraining,
    TrainingConfig,
    denoising_errors,
    draw_noise_levels,
)
from equicryo.models.transformer import ABSENT_TYPE, NetworkConfig, initialise
from equicryo.models.whitening import fit_whitening
from equicryo.structure.chain_set import ChainSet

CONFIG = {
    "steps": 4,
    "batch_residues": 80,
    "learning_rate": 1e-2,
    "matrix_rate": 1e-2,
    "warm_up": 1,
    "cool_down": 2,
    "average_decay": 0.5,
    "smallest_noise": 0.1,
    "largest_noise": 20.0,
    "gradient_clip": 1.0,
    "checkpoint_interval": 2,
    "validation_interval": 1,
}


def make_training(ensemble, kind=DenoiserTraining, **changes):
    types = torch.zeros(ensemble.shape[1], dtype=torch.int64)
    network = NetworkConfig(width=16, rounds=2, layers=1, heads=2)
    denoiser = Denoiser(network, fit_whitening(ensemble))
    initialise(denoiser.network, torch.Generator().manual_seed(0))
    config = TrainingConfig(**{**CONFIG, **changes})
    centred = (ensemble - ensemble.mean(1, keepdim=True)).float()
    examples = EnsembleExamples(conformers=centred[:-4], residue_types=types)
    held_out = Batch(coordinates=centred[-4:], residue_types=types.expand(4, -1))
    return kind(denoiser, config, examples, [held_out], 7)


class StopEarlyError(RuntimeError):
    pass


class Interrupted(DenoiserTraining):
    """Dies in its fourth step, after the checkpoint of the second."""

    def training_step(self, batch, batch_index):
        if self.global_step == 3:
            raise StopEarlyError
        return super().training_step(batch, batch_index)


def test_interrupted_training_equals_an_uninterrupted_one(ensemble, tmp_path):
    whole = make_training(ensemble)
    train_with_checkpoints(whole, tmp_path / "whole.safetensors", [])

    with pytest.raises(StopEarlyError):
        train_with_checkpoints(
            make_training(ensemble, kind=Interrupted),
            tmp_path / "state.safetensors",
            [],
        )
    resumed = make_training(ensemble)
    train_with_checkpoints(resumed, tmp_path / "state.safetensors", [])

    assert resumed.curve == whole.curve
    assert [row["step"] for row in whole.curve] == [1, 2, 3, 4]
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_training_mends_a_spoilt_network(ensemble, tmp_path):
    training = make_training(
        ensemble, steps=60, batch_residues=320, cool_down=20, validation_interval=60
    )
    with torch.no_grad():
        for refine in training.denoiser.network.rounds:
            refine.move[1].bias += 0.7
    training.average.module.load_state_dict(training.denoiser.state_dict())
    before = training._held_out_errors()["rmsd_2"]
    train_with_checkpoints(training, tmp_path / "state.safetensors", [])
    assert training.curve[-1]["rmsd_2"] < 0.7 * before


def test_error_of_the_untrained_denoiser_is_that_of_its_gaussian(ensemble):
    """E|x̂ − x|² of a coordinate is c_out², by definition."""
    training = make_training(ensemble)
    denoiser, level = training.denoiser, torch.full((196,), 1.5)
    batch = training.examples.draw(196 * 40, torch.Generator().manual_seed(1))
    noise = torch.randn(
        batch.coordinates.shape, generator=torch.Generator().manual_seed(2)
    )
    with torch.no_grad():
        *_, error = denoising_errors(denoiser, batch, noise, level)
    present = torch.ones(196, 40, dtype=torch.bool)
    expected = 3.0 * denoiser.whitening.deviation(level, present) ** 2
    # 196 × about 12 squares: 3 %; the ensemble's Gaussian is one to a few per cent.
    assert float((error / expected).mean()) == pytest.approx(1.0, abs=0.1)


def test_noise_levels_follow_both_laws():
    config = TrainingConfig(**CONFIG)
    level = draw_noise_levels(40000, config, torch.Generator().manual_seed(3))
    assert 0.0999 < float(level.min()) < 0.11
    assert 19.0 < float(level.max()) <= 20.0001
    # Below 0.3: ln 3/ln 200 of one half, Φ(ln(0.3/2.5)) = 0.017 of the other.
    assert float((level < 0.3).float().mean()) == pytest.approx(0.112, abs=0.006)


@pytest.fixture(scope="module")
def chains() -> ChainSet:
    generator = np.random.default_rng(0)
    lengths = generator.permutation([*range(40, 55), *range(90, 105)])
    residues = int(lengths.sum())
    return ChainSet(
        ids=tuple(f"1ABC_{index}" for index in range(30)),
        lengths=lengths,
        sequence="".join(generator.choice(list("ACDG"), residues)),
        steps=generator.integers(-2000, 2000, (residues, 3)).astype(np.int16),
    )


def test_chains_are_centred_and_padded(chains):
    batch = collate(
        chains, [int(chains.lengths.argmax()), int(chains.lengths.argmin())]
    )
    long, short = chains.lengths.max(), chains.lengths.min()
    assert batch.coordinates.shape == (2, long, 3)
    assert (batch.residue_types[1, short:] == ABSENT_TYPE).all()
    assert not (batch.residue_types[1, :short] == ABSENT_TYPE).any()
    own = chains.coordinates_of(int(chains.lengths.argmin()))
    expected = torch.from_numpy(own - own.mean(0)).float()
    torch.testing.assert_close(batch.coordinates[1, :short], expected)
    assert not batch.coordinates[1, short:].any()


def test_batches_are_of_like_length_and_all_chains_come(chains):
    examples = ChainExamples(chains)
    generator = torch.Generator().manual_seed(4)
    seen, spread, hidden = set(), [], 0
    for _ in range(200):
        batch = examples.draw(90, generator)
        lengths = (batch.residue_types != ABSENT_TYPE).sum(1)
        spread.append(int(lengths.max() - lengths.min()))
        seen |= set(lengths.tolist())
        hidden += int((batch.residue_types == 20).all(1).sum())
    assert seen == set(chains.lengths.tolist())
    # Two of all at random would differ by 29 on average.
    assert sum(spread) / len(spread) < 15.0
    assert hidden > 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"smallest_noise": 30.0}, "not below"), ({"warm_up": 4}, "do not fit")],
)
def test_settings_that_contradict_each_other_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        TrainingConfig(**{**CONFIG, **changes})


def test_a_loss_that_is_no_number_stops_the_training(ensemble, tmp_path):
    training = make_training(ensemble)
    with torch.no_grad():
        training.denoiser.network.noise[0].weight.fill_(math.nan)
    with pytest.raises(FloatingPointError, match="step 0"):
        train_with_checkpoints(training, tmp_path / "state.safetensors", [])


def test_a_training_of_other_data_or_settings_has_another_checkpoint(tmp_path):
    data, weights = tmp_path / "data.npz", str(tmp_path / "weights.safetensors")
    data.write_bytes(b"some")
    first = checkpoint_path(weights, [str(data)], {"steps": 5}, 1)
    assert first == checkpoint_path(weights, [str(data)], {"steps": 5}, 1)
    assert first != checkpoint_path(weights, [str(data)], {"steps": 6}, 1)
    data.write_bytes(b"more")
    assert first != checkpoint_path(weights, [str(data)], {"steps": 5}, 1)


def test_checkpoints_keep_nested_state_and_key_types(tmp_path):
    state = {
        "state": {0: {"step": torch.tensor(3.0)}, 1: {"exp": torch.ones(2, 3)}},
        "betas": (0.9, 0.999),
        "list": [None, True, "x", 2],
    }
    path = tmp_path / "state.safetensors"
    SafetensorsCheckpointIO().save_checkpoint(state, path)
    read = SafetensorsCheckpointIO().load_checkpoint(path)
    assert read["betas"] == state["betas"]
    assert read["list"] == state["list"]
    assert torch.equal(read["state"][1]["exp"], torch.ones(2, 3))
    with pytest.raises(TypeError, match="holds no set"):
        SafetensorsCheckpointIO().save_checkpoint({"a": {1}}, path)
