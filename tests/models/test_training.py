import math

import pytest
import torch

from equicryo.io.checkpoints import SafetensorsCheckpointIO, train_with_checkpoints
from equicryo.models.denoiser import Denoiser
from equicryo.models.training import DenoiserTraining, TrainingConfig, denoising_loss
from equicryo.models.transformer import NetworkConfig, initialise
from equicryo.models.whitening import fit_whitening

CONFIG = {
    "steps": 4,
    "batch_size": 2,
    "learning_rate": 1e-2,
    "warm_up": 1,
    "average_decay": 0.5,
    "smallest_noise": 0.1,
    "largest_noise": 20.0,
    "gradient_clip": 1.0,
    "checkpoint_interval": 2,
    "validation_interval": 1,
}


def make_training(ensemble, kind=DenoiserTraining, **changes):
    types = torch.zeros(ensemble.shape[1], dtype=torch.int64)
    network = NetworkConfig(width=16, layers=2, heads=2)
    denoiser = Denoiser(network, fit_whitening(ensemble), types)
    initialise(denoiser.network, torch.Generator().manual_seed(0))
    config = TrainingConfig(**{**CONFIG, **changes})
    centred = ensemble - ensemble.mean(1, keepdim=True)
    return kind(denoiser, config, centred[:-4], centred[-4:], 7)


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
    train_with_checkpoints(whole, tmp_path / "whole.safetensors")

    with pytest.raises(StopEarlyError):
        train_with_checkpoints(
            make_training(ensemble, kind=Interrupted), tmp_path / "state.safetensors"
        )
    resumed = make_training(ensemble)
    train_with_checkpoints(resumed, tmp_path / "state.safetensors")

    assert resumed.curve == whole.curve
    assert [row["step"] for row in whole.curve] == [1, 2, 3, 4]
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_training_lowers_the_loss_of_a_spoilt_network(ensemble, tmp_path):
    training = make_training(ensemble, steps=60, learning_rate=3e-3, batch_size=8)
    with torch.no_grad():
        for block in training.denoiser.network.blocks:
            block.move.bias += 0.7
    training.average.module.load_state_dict(training.denoiser.state_dict())
    before = training._held_out_loss()
    train_with_checkpoints(training, tmp_path / "state.safetensors")
    assert training.curve[-1]["held_out_loss"] < 0.5 * before


def test_loss_of_the_gaussian_posterior_mean_is_one():
    """One coordinate of variance v: E|x̂ − x|² is vσ²/(v + σ²), c_out² by definition."""
    generator = torch.Generator().manual_seed(1)
    count, residues, variance = 2000, 30, 4.0
    clean = variance**0.5 * torch.randn(count, residues, 3, generator=generator)
    clean = clean - clean.mean(1, keepdim=True)
    noise = torch.randn(clean.shape, generator=generator)
    level = torch.full((count,), 1.5)

    def shrink(noisy, noise_level):
        return noisy * variance / (variance + noise_level[:, None, None] ** 2)

    left = variance * level**2 / (variance + level**2)
    loss = denoising_loss(shrink, clean, noise, level, left.sqrt())
    # Centring takes one residue of thirty; 1.8e5 squares: 0.4 %.
    expected = (residues - 1) / residues
    assert float(loss) == pytest.approx(expected, rel=0.015)


@pytest.mark.parametrize(
    "changes", [{"smallest_noise": 30.0}, {"warm_up": 4}], ids=["noise", "warm-up"]
)
def test_settings_that_contradict_each_other_are_refused(changes):
    with pytest.raises(ValueError, match="not below"):
        TrainingConfig(**{**CONFIG, **changes})


def test_a_loss_that_is_no_number_stops_the_training(ensemble, tmp_path):
    training = make_training(ensemble)
    with torch.no_grad():
        training.denoiser.network.noise[0].weight.fill_(math.nan)
    with pytest.raises(FloatingPointError, match="step 0"):
        train_with_checkpoints(training, tmp_path / "state.safetensors")


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
