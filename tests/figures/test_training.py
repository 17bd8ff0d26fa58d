import numpy as np
import pytest
import torch
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from equicryo.figures.training import draw_curve, draw_trace, draw_training
from equicryo.models.denoiser import VALIDATION_NOISE, Denoiser
from equicryo.models.examples import EnsembleExamples, ensemble_batch
from equicryo.models.training import DenoiserTraining, TrainingConfig
from equicryo.models.transformer import NetworkConfig, initialise
from equicryo.models.whitening import fit_whitening

CURVE = [
    {"step": step, "loss": 1.0, **{f"rmsd_{x:g}": x / step for x in VALIDATION_NOISE}}
    for step in (1, 2, 4)
]


def test_curve_of_each_noise_level_is_labelled_with_its_last_error():
    axes = Figure().subplots()
    draw_curve(axes, CURVE)
    for line, noise in zip(axes.lines, VALIDATION_NOISE, strict=True):
        np.testing.assert_allclose(line.get_xdata(), [1, 2, 4])
        np.testing.assert_allclose(line.get_ydata(), [noise, noise / 2, noise / 4])
    labels = [text.get_text() for text in axes.texts]
    assert labels[3] == "σ 4 Å: 1.00"


def test_trace_keeps_lengths_in_the_plane_of_the_two_longest_axes():
    chain = np.random.default_rng(1).normal(size=(20, 3)) * [9.0, 4.0, 1e-6]
    axes = Figure().subplots()
    draw_trace(axes, chain)
    (lines,) = (one for one in axes.collections if isinstance(one, LineCollection))
    drawn = np.linalg.norm(np.diff(lines.get_segments(), axis=1)[:, 0], axis=-1)
    bonds = np.linalg.norm(np.diff(chain, axis=0), axis=-1)
    np.testing.assert_allclose(drawn, bonds, atol=1e-5)


@pytest.fixture
def training():
    generator = torch.Generator().manual_seed(1)
    conformers = 4.0 * torch.randn(12, 10, 3, generator=generator).cumsum(1)
    types = torch.arange(10)
    denoiser = Denoiser(
        NetworkConfig(width=8, rounds=1, layers=1, heads=1),
        fit_whitening(conformers.double()),
    )
    initialise(denoiser.network, generator)
    config = TrainingConfig(
        **dict.fromkeys(("steps", "cool_down", "warm_up"), 0),
        **dict.fromkeys(("checkpoint_interval", "validation_interval"), 1),
        **dict.fromkeys(("learning_rate", "matrix_rate", "gradient_clip"), 1.0),
        batch_residues=10,
        average_decay=0.9,
        smallest_noise=0.1,
        largest_noise=10.0,
    )
    examples = EnsembleExamples(conformers=conformers, residue_types=types)
    held_out = [ensemble_batch(conformers[:2], types)]
    made = DenoiserTraining(denoiser, config, examples, held_out, seed=3)
    made.curve = CURVE
    return made


def test_picture_of_a_training_repeats_and_changes_nothing(training):
    before = {name: value.clone() for name, value in training.state_dict().items()}
    state = torch.get_rng_state()
    first, second = (draw_training(training) for _ in range(2))
    assert len(first.axes) == 4
    drawn = [
        np.concatenate(
            [
                np.array(lines.get_segments())
                for axes in figure.axes[1:]
                for lines in axes.collections
            ]
        )
        for figure in (first, second)
    ]
    assert drawn[0].shape == (3 * 9, 2, 2)
    np.testing.assert_array_equal(*drawn)
    assert torch.equal(torch.get_rng_state(), state)
    for name, value in training.state_dict().items():
        assert torch.equal(value, before[name]), name


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_picture_of_a_training_on_a_gpu_leaves_it_there(training):
    draw_training(training.cuda())
    assert all(value.is_cuda for value in training.state_dict().values())
