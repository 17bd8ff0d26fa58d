import math

import numpy as np
import pytest
import torch

from equicryo.errors import InputError
from equicryo.io.checkpoints import train_with_checkpoints
from equicryo.io.documents import write_document
from equicryo.io.proposers import read_proposer, write_proposer
from equicryo.io.residue_model import read_residue_model
from equicryo.models.proposer import (
    CELL,
    RARE,
    Proposer,
    ProposerConfig,
    depth_to_space,
    initialise,
    space_to_depth,
)
from equicryo.models.proposer_examples import (
    CROP,
    CropExamples,
    fitting_edge,
    mark_chain,
)
from equicryo.models.proposer_training import (
    PARTS,
    ProposerTraining,
    ProposerTrainingConfig,
    marking_losses,
)
from equicryo.structure.chain_set import ChainSet
from equicryo.structure.residues import residue_types

CONFIG = {
    "steps": 4,
    "molecules": 1,
    "crops": 1,
    "learning_rate": 1e-2,
    "warm_up": 1,
    "cool_down": 2,
    "average_decay": 0.5,
    "gradient_clip": 20.0,
    "checkpoint_interval": 2,
    "validation_interval": 2,
}


@pytest.fixture(scope="module")
def chains() -> ChainSet:
    index = np.arange(40)
    angle = np.deg2rad(100.0 * index)
    helix = np.stack((2.3 * np.cos(angle), 2.3 * np.sin(angle), 1.5 * index), -1)
    helix -= helix.mean(0)
    return ChainSet(
        ids=("1ABC_A",),
        lengths=np.array([40]),
        sequence="ACDEFGHIKL" * 4,
        steps=(100.0 * helix).round().astype(np.int16),
    )


@pytest.fixture(scope="module")
def examples(chains) -> CropExamples:
    model = read_residue_model("resources/residue_model/constants.json")
    return CropExamples(chains, model, (30.0, 30.0))


def make_proposer() -> Proposer:
    proposer = Proposer(ProposerConfig(width=8, inner_width=8, blocks=1))
    initialise(proposer, torch.Generator().manual_seed(0))
    return proposer


def test_cells_gather_their_own_voxels() -> None:
    voxels = torch.arange(2.0 * 4**3).view(1, 2, 4, 4, 4)
    cells = space_to_depth(voxels)
    assert cells.shape == (1, 16, 2, 2, 2)
    block = voxels[0, 1, 2:4, 0:2, 2:4].flatten()
    assert torch.equal(cells[0, 8:, 1, 0, 1], block)
    assert torch.equal(depth_to_space(cells), voxels)


def test_marks_lie_in_the_voxels_of_the_chain(chains) -> None:
    chain = torch.from_numpy(chains.coordinates_of(0)).float()
    marks = mark_chain(chain, chains.sequence_of(0), 64, 1.25)
    voxels = marks["alpha"].nonzero()
    centres = 1.25 * (voxels.flip(-1) - 32.0)
    gaps = torch.cdist(chain, centres)
    assert len(voxels) == 40
    assert float(gaps.min(1).values.max()) <= 0.5 * 1.25 * math.sqrt(3.0) + 1e-5
    nearest = voxels[gaps.argmin(1)] // CELL
    types = marks["types"][tuple(nearest.T)]
    assert types.tolist() == residue_types(chains.sequence_of(0)).tolist()
    assert int((marks["types"] >= 0).sum()) == 40
    assert int(marks["midpoint"].sum()) == 39


def test_an_untrained_proposer_loses_what_its_rarity_costs(examples) -> None:
    crops = examples.draw(2, 2, torch.Generator().manual_seed(1))
    proposer = make_proposer()
    with torch.no_grad():
        proposer.head.weight.zero_()
        losses = marking_losses(proposer(crops.field, crops.resolution), crops)
    share = 1.0 / (1.0 + math.exp(-RARE))
    residues = int((crops.types >= 0).sum())
    for name in ("alpha", "midpoint"):
        marked = int(getattr(crops, name).sum())
        empty = getattr(crops, name).numel() - marked
        expected = -(marked * math.log(share) + empty * math.log1p(-share)) / residues
        assert float(losses[name]) == pytest.approx(expected, rel=1e-4)
    assert float(losses["types"]) == pytest.approx(math.log(20.0), rel=1e-5)


def test_crops_show_what_they_ask_for(examples) -> None:
    """At a high signal-to-noise ratio the map is highest where the atoms are."""
    bright = CropExamples(examples.chains, examples.model, (1e4, 1e4))
    crops = bright.draw(3, 1, torch.Generator().manual_seed(2))
    assert crops.field.shape[-3:] == (CROP,) * 3
    for field, alpha in zip(crops.field[:, 1], crops.alpha, strict=True):
        assert float(field[alpha].mean()) > float(field.mean() + 2.0 * field.std())


def make_training(examples, kind=ProposerTraining) -> ProposerTraining:
    config = ProposerTrainingConfig(**CONFIG)
    return kind(make_proposer(), config, examples, {30.0: examples}, 7)


class StopEarlyError(RuntimeError):
    pass


class Interrupted(ProposerTraining):
    """Dies in its fourth step, after the checkpoint of the second."""

    def training_step(self, batch, batch_index):
        if self.global_step == 3:
            raise StopEarlyError
        return super().training_step(batch, batch_index)


@pytest.mark.slow
def test_interrupted_training_equals_an_uninterrupted_one(examples, tmp_path) -> None:
    whole = make_training(examples)
    train_with_checkpoints(whole, tmp_path / "whole.safetensors", [])
    with pytest.raises(StopEarlyError):
        train_with_checkpoints(
            make_training(examples, Interrupted), tmp_path / "state.safetensors", []
        )
    resumed = make_training(examples)
    train_with_checkpoints(resumed, tmp_path / "state.safetensors", [])
    assert resumed.curve == whole.curve
    assert [row["step"] for row in whole.curve] == [2, 4]
    assert all(whole.curve[-1][f"{part}_30"] > 0.0 for part in PARTS)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_weights_survive_the_disk_to_half_precision(tmp_path) -> None:
    proposer = make_proposer()
    write_proposer(tmp_path / "weights.safetensors", proposer)
    card = {"architecture": {"width": 8, "inner_width": 8, "blocks": 1}}
    write_document(tmp_path / "card.json", card)
    read = read_proposer(tmp_path / "weights.safetensors", tmp_path / "card.json")
    for name, value in proposer.state_dict().items():
        torch.testing.assert_close(
            read.state_dict()[name], value, rtol=2.0**-11, atol=1e-7
        )
    write_document(
        tmp_path / "other.json", {"architecture": {**card["architecture"], "width": 16}}
    )
    with pytest.raises(InputError, match="train the proposer again"):
        read_proposer(tmp_path / "weights.safetensors", tmp_path / "other.json")


@pytest.mark.parametrize("extent", [38.0, 50.0, 64.0, 72.0, 96.0])
def test_voxels_of_most_molecules_are_as_in_training(extent) -> None:
    edge = fitting_edge(extent)
    assert edge % 4 == 0
    assert 1.15 < extent / edge < 1.32


def test_settings_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        ProposerTrainingConfig(**{**CONFIG, "warm_up": 4})
