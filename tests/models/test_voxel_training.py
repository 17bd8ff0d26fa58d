import numpy as np
import pytest
import torch

from equicryo.evaluation.fsc import low_pass
from equicryo.io.checkpoints import train_with_checkpoints
from equicryo.io.residue_model import read_rebuilt_chains, read_residue_model
from equicryo.models.voxel_denoiser import (
    VoxelDenoiser,
    VoxelNetworkConfig,
    initialise_voxel_network,
)
from equicryo.models.voxel_examples import (
    MODEL_B_FACTOR,
    GridConfig,
    VolumeExamples,
    atomic_volume,
    chain_volume,
)
from equicryo.models.voxel_training import VoxelTraining, VoxelTrainingConfig
from equicryo.models.voxel_whitening import fit_spectrum
from equicryo.physics.all_atom import scatter_atoms
from equicryo.physics.residue_density import residue_blobs
from equicryo.physics.simulation import specimen_map
from equicryo.structure.atoms import AtomicModel, alpha_carbons
from equicryo.structure.chain_set import ChainSet
from equicryo.structure.residues import residue_electrons

GRID = GridConfig(box_size=16, pixel_sizes=(2.0, 4.0), b_factors=(10.0, 80.0))
CONFIG = VoxelTrainingConfig(
    steps=4,
    batch_volumes=1,
    learning_rate=2e-3,
    warm_up=1,
    cool_down=2,
    average_decay=0.5,
    smallest_noise=0.1,
    largest_noise=5.0,
    gradient_clip=1.0,
    checkpoint_interval=2,
    validation_interval=2,
)


@pytest.fixture(scope="module")
def model():
    return read_residue_model("resources/residue_model/constants.json")


@pytest.fixture(scope="module")
def chains() -> ChainSet:
    """Short, long and very long straight-ish chains, 3.8 Å a residue."""
    lengths = np.array([4, 9, 30, 5])
    steps = []
    for count in lengths:
        place = np.arange(count)
        chain = np.stack([3.5 * place, 2.0 * np.sin(place), 1.5 * np.cos(place)], -1)
        steps.append(100.0 * (chain - chain.mean(0)))
    return ChainSet(
        ids=("1AAA_A", "1AAB_A", "1AAC_A", "1AAD_A"),
        lengths=lengths,
        sequence="ACDEFGHIKLMNPQRSTVWY" * 2 + "ACDEFGHI",
        steps=np.concatenate(steps).round().astype(np.int16),
    )


@pytest.fixture(scope="module")
def examples(chains, model) -> VolumeExamples:
    return VolumeExamples(chains, model, GRID)


def test_chains_go_to_the_first_grid_that_holds_them(examples):
    """Diameters of about 11, 28, 102 and 14 Å and a margin of 16 in 32 and 64 Å."""
    assert examples.chains.ids == ("1AAA_A", "1AAB_A", "1AAD_A")
    assert examples.pixel_indices == [0, 1, 0]


def test_volumes_hold_all_electrons_at_the_chain(examples, chains):
    generator = torch.Generator().manual_seed(0)
    batch = examples.make([0, 1, 2], generator)
    assert batch.pixel_index.tolist() == [0, 1, 0]
    for index, volume in enumerate(batch.volume):
        electrons = residue_electrons(examples.chains.sequence_of(index)).sum()
        area = GRID.pixel_sizes[examples.pixel_indices[index]] ** 2
        assert float(volume.sum()) * area == pytest.approx(electrons, rel=0.02)


def test_orientations_differ_and_hands_do_not(examples):
    """Pose and B-factors are drawn anew; a turned chain is no mirror image."""
    generator = torch.Generator().manual_seed(1)
    first, second = examples.make([0, 0], generator).volume
    assert float((first - second).abs().max()) > 0.1 * float(first.max())
    again = examples.make([0, 0], torch.Generator().manual_seed(1)).volume
    assert torch.equal(again, torch.stack([first, second]))


@pytest.fixture(scope="module")
def atoms() -> list[AtomicModel]:
    return read_rebuilt_chains("resources/residue_model/training_chains.npz")[:3]


def test_atomic_volume_is_the_density_that_images_are_made_of(atoms):
    one = atoms[0]
    places = one.coordinates - alpha_carbons(one).coordinates.mean(0)
    found = atomic_volume(one, places, (32, 2.0))
    expected = specimen_map(scatter_atoms(one, places), 32, 2.0).float()
    # The other one is cut at Nyquist as a sphere, this one by shells.
    assert (
        float(torch.corrcoef(torch.stack([found, expected]).flatten(1))[0, 1]) > 0.999
    )
    torch.testing.assert_close(found.sum(), expected.sum(), rtol=1e-3, atol=0.0)


def test_half_of_the_volumes_drawn_have_all_atoms(chains, model, atoms):
    both = VolumeExamples(
        chains,
        model,
        GridConfig(box_size=32, pixel_sizes=(1.0, 2.0, 4.0), b_factors=(10.0, 80.0)),
        atoms,
    )
    assert len(both.pixel_indices) == len(both.chains) + len(both.atoms)
    batch = both.draw(40, torch.Generator().manual_seed(0))
    # No chain of the others has more than 30 residues.
    sizes = torch.tensor(both.grid.pixel_sizes)[batch.pixel_index]
    electrons = batch.volume.sum((1, 2, 3)) * sizes**2
    assert 12 <= int((electrons > 2500.0).sum()) <= 28


def test_chain_volume_is_the_residue_models_at_its_own_b_factor(model):
    sequence, place = "ACDEFG", np.arange(6.0)
    chain = np.stack([3.5 * place, 2.0 * np.sin(place), np.cos(place)], -1)
    chain -= chain.mean(0)
    found = chain_volume(chain, sequence, np.full(6, MODEL_B_FACTOR), model, (24, 1.0))
    blobs = residue_blobs(sequence, model)
    expected = low_pass(blobs.volume(torch.from_numpy(chain), 24, 1.0, 0.0), 1.0, 2.0)
    # Float32 profiles of a density of a few e⁻/Å³.
    torch.testing.assert_close(found, expected.float(), atol=1e-4, rtol=0.0)
    added = 40.0
    blurred = chain_volume(
        chain, sequence, np.full(6, MODEL_B_FACTOR + added), model, (24, 1.0)
    )
    blur = (added / (8.0 * np.pi**2)) ** 0.5
    expected = low_pass(blobs.volume(torch.from_numpy(chain), 24, 1.0, blur), 1.0, 2.0)
    torch.testing.assert_close(blurred, expected.float(), atol=1e-4, rtol=0.0)


def make_training(examples, kind=VoxelTraining, **changes):
    generator = torch.Generator().manual_seed(2)
    measured = examples.make([0, 1, 2], generator)
    denoiser = VoxelDenoiser(
        VoxelNetworkConfig(stem=2, channels=(8, 16), blocks=1),
        fit_spectrum(measured.volume, measured.pixel_index, 2),
    )
    initialise_voxel_network(denoiser, generator)
    config = VoxelTrainingConfig(**{**vars(CONFIG), **changes})
    return kind(denoiser, config, examples, measured, 7)


class StopEarlyError(RuntimeError):
    pass


class Interrupted(VoxelTraining):
    """Dies in its fourth step, after the checkpoint of the second."""

    def training_step(self, batch, batch_index):
        if self.global_step == 3:
            raise StopEarlyError
        return super().training_step(batch, batch_index)


@pytest.mark.slow
def test_interrupted_training_equals_an_uninterrupted_one(examples, tmp_path):
    whole = make_training(examples)
    train_with_checkpoints(whole, tmp_path / "whole.safetensors", [])
    state = tmp_path / "state.safetensors"
    with pytest.raises(StopEarlyError):
        train_with_checkpoints(make_training(examples, kind=Interrupted), state, [])
    resumed = make_training(examples)
    train_with_checkpoints(resumed, state, [])
    assert resumed.curve == whole.curve
    assert [row["step"] for row in whole.curve] == [2, 4]
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


@pytest.mark.slow
def test_training_beats_the_wiener_filter(examples, tmp_path):
    """Three chains are soon known by heart: the same noisy volumes come out better."""
    training = make_training(
        examples, steps=120, cool_down=40, average_decay=0.9, validation_interval=120
    )
    before = training._held_out_errors()
    train_with_checkpoints(training, tmp_path / "state.safetensors", [])
    after = training.curve[-1]
    for noise in ("0.5", "1", "2"):
        assert after[f"error_{noise}"] < 0.9 * before[f"error_{noise}"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"pixel_sizes": (2.0, 1.0)}, "ascend"), ({"b_factors": (9.0, 9.0)}, "ascend")],
)
def test_grids_out_of_order_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        GridConfig(**{**vars(GRID), **changes})
