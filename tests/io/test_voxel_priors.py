import dataclasses
from pathlib import Path

import pytest
import torch

from equicryo.errors import InputError
from equicryo.io.documents import write_document
from equicryo.io.residue_model import read_rebuilt_chains
from equicryo.io.tables import read_table
from equicryo.io.voxel_priors import (
    read_voxel_prior,
    write_voxel_weights,
)
from equicryo.io.voxel_training_sets import (
    describe_voxel_prior,
    read_grid_config,
    read_voxel_training_set,
)
from equicryo.models.voxel_denoiser import (
    VoxelDenoiser,
    VoxelNetworkConfig,
    initialise_voxel_network,
)
from equicryo.models.voxel_prior import MeasuredErrors
from equicryo.physics.normal_operator import NormalOperator

FILES = {
    "chains": "resources/chains/subset.npz",
    "splits": "resources/chains/splits.csv",
    "targets": "resources/chains/targets.npz",
    "held_out": "resources/chains/held_out.csv",
    "atoms": "resources/residue_model/training_chains.npz",
    "constants": "resources/residue_model/constants.json",
}
GRID = {"box_size": 16, "pixel_sizes": [4.0, 6.0], "b_factors": [10.0, 80.0]}


@pytest.fixture(scope="module")
def data():
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(Path(__file__).resolve().parents[2])
        return read_voxel_training_set(FILES, read_grid_config(GRID), 40, 1)


@pytest.fixture(scope="module")
def denoiser(data) -> VoxelDenoiser:
    torch.manual_seed(0)
    network = VoxelNetworkConfig(stem=2, channels=(8, 16), blocks=1)
    made = VoxelDenoiser(network, data.whitening)
    initialise_voxel_network(made, torch.Generator().manual_seed(0))
    return made


@pytest.fixture(scope="module")
def measured() -> MeasuredErrors:
    generator = torch.Generator().manual_seed(1)
    return MeasuredErrors(
        noise_levels=torch.tensor([0.1, 1.0]),
        ratios=torch.rand(2, 15, generator=generator),
        strength=torch.rand(2, 2, generator=generator),
    )


@pytest.fixture
def files(tmp_path, data, denoiser, measured) -> tuple[Path, Path]:
    weights, card = tmp_path / "weights.safetensors", tmp_path / "card.json"
    write_voxel_weights(weights, denoiser, measured)
    write_document(card, describe_voxel_prior(denoiser, data, measured))
    return weights, card


def images(edge: int, pixel_size: float) -> NormalOperator:
    return NormalOperator(
        b=torch.zeros(edge, edge, edge),
        transfer=torch.ones(2 * edge, 2 * edge, edge + 1),
        pixel_size=pixel_size,
    )


def test_only_training_chains_are_learnt_and_only_validation_chains_tested(
    data, monkeypatch
):
    monkeypatch.chdir(Path(__file__).resolve().parents[2])
    splits = {row["id"]: row["split"] for row in read_table(FILES["splits"])}
    assert {splits[name] for name in data.examples.chains.ids} == {"training"}
    assert 30 < len(data.examples.chains.ids) <= 40
    assert len(data.held_out.volume) == len(data.held_out_ids["validation"]) == 10
    assert "1HEL_A" in data.held_out_ids["benchmark"]
    atoms = read_rebuilt_chains(FILES["atoms"])
    assert {splits[f"{one.name.upper()}_{one.chain_id}"] for one in atoms} == {
        "training"
    }
    assert len(data.all_atom.volume) == len(data.all_atom.pixel_index) == 12
    # None of these is learnt.
    names = {one.name for one in data.examples.atoms}
    assert len(names) >= len(atoms) - 12 - 20
    # A protein of 60 to 200 residues, of about 57 electrons each.
    sizes = torch.tensor(GRID["pixel_sizes"])[data.all_atom.pixel_index]
    electrons = data.all_atom.volume.sum((1, 2, 3)) * sizes**2
    assert 3000 < float(electrons.min())
    assert float(electrons.max()) < 13000
    assert data.floor < 0.0 < float(data.held_out.volume.max())


def test_prior_is_read_as_it_was_written(files, data, denoiser, measured):
    prior = read_voxel_prior(*files, images(16, 6.01))
    assert (prior.pixel_index, prior.pixel_size, prior.edge) == (1, 6.0, 16)
    assert prior.floor == data.floor
    for name, value in vars(measured).items():
        torch.testing.assert_close(getattr(prior.errors, name), value)
    for name, value in denoiser.state_dict().items():
        kept = prior.denoiser.state_dict()[name]
        # float16 has 11 significant bits.
        torch.testing.assert_close(kept, value, rtol=2**-11, atol=1e-7)
    noisy = data.held_out.volume[:1]
    one = prior.denoise(noisy, 0.3)
    level, index = torch.full((1,), 0.3), torch.tensor([1])
    expected = denoiser.eval()(noisy, level, index).clamp(min=data.floor)
    torch.testing.assert_close(one, expected.detach(), rtol=1e-2, atol=1e-3)


def test_weights_are_half_as_large_as_the_network(files, denoiser):
    count = sum(weight.numel() for weight in denoiser.network.parameters())
    assert files[0].stat().st_size < 2 * count + 40_000


@pytest.mark.parametrize(("edge", "pixel_size"), [(32, 4.0), (16, 5.0)])
def test_images_on_another_grid_are_refused(files, edge, pixel_size):
    with pytest.raises(InputError, match="has learnt densities of 16 voxels"):
        read_voxel_prior(*files, images(edge, pixel_size))


def test_weights_of_another_network_are_refused(files, data, denoiser, measured):
    described = describe_voxel_prior(denoiser, data, measured)
    described["architecture"] = dataclasses.asdict(
        VoxelNetworkConfig(stem=2, channels=(8, 24), blocks=1)
    )
    write_document(files[1], described)
    with pytest.raises(InputError, match="does not fit"):
        read_voxel_prior(*files, images(16, 4.0))


def test_a_pixel_size_that_no_chain_needs_is_refused(monkeypatch):
    monkeypatch.chdir(Path(__file__).resolve().parents[2])
    grid = read_grid_config({**GRID, "pixel_sizes": [40.0, 60.0]})
    with pytest.raises(InputError, match=r"needs pixel size 60\.0 Å"):
        read_voxel_training_set(FILES, grid, 5, 1)
