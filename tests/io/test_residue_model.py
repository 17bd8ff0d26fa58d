import json

import numpy as np
import pytest

from equicryo.errors import InputError
from equicryo.io.residue_model import (
    read_density,
    read_rebuilt_chains,
    read_residue_model,
    write_residue_model,
)
from equicryo.physics.residue_density import ResidueBlobs, SingleBlobs
from equicryo.structure.residue_model import (
    BACKBONE,
    BLOBS,
    FEATURES,
    SHELLS,
    ResidueModel,
    blob_mask,
)

SHIPPED = "resources/residue_model/constants.json"


@pytest.fixture
def model() -> ResidueModel:
    """Random constants, alike in the backbones of all types."""
    draw = np.random.default_rng(0)
    mask = blob_mask()
    weights, widths = (draw.uniform(1, 9, mask.shape) * mask for _ in range(2))
    offsets = draw.normal(size=(*mask.shape, FEATURES)) * mask[..., None]
    for array in (weights, widths, offsets):
        array[:, : len(BACKBONE)] = array[:1, : len(BACKBONE)]
    power, misfit = (draw.uniform(1, 9, SHELLS) for _ in range(2))
    return ResidueModel(
        offsets=offsets, weights=weights, widths=widths, power=power, misfit=misfit
    )


def test_constants_come_back_to_six_digits(tmp_path, model) -> None:
    path = tmp_path / "constants.json"
    write_residue_model(path, model, {"chains": 3})
    back = read_residue_model(path)
    for name in ("offsets", "weights", "widths", "power", "misfit"):
        expected = getattr(model, name)
        np.testing.assert_allclose(getattr(back, name), expected, rtol=1e-5)
    assert json.loads(path.read_text())["training"] == {"chains": 3}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content.pop("backbone"),
        lambda content: content["side_chains"].pop("TRP"),
        lambda content: content["side_chains"]["ALA"]["CB"].pop("width"),
        lambda content: content["backbone"]["O"]["offset"].pop(),
        lambda content: content.pop("power"),
        lambda content: content["misfit"].pop(),
    ],
)
def test_damaged_constants_are_refused(tmp_path, model, spoil) -> None:
    path = tmp_path / "constants.json"
    write_residue_model(path, model, {})
    content = json.loads(path.read_text())
    spoil(content)
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match="fit_residue_model"):
        read_residue_model(path)


def test_settings_choose_the_density(tmp_path) -> None:
    settings = {"residue_model": "single", "residue_width": 1.7}
    single = read_density(settings, tmp_path / "none.json", "ACD")
    assert isinstance(single, SingleBlobs)
    assert single.width == 1.7
    full = read_density({**settings, "residue_model": "full"}, SHIPPED, "ACD")
    assert isinstance(full, ResidueBlobs)
    assert len(full.weights) == 5 + 6 + 6


def test_packed_chains_have_the_geometry_of_proteins() -> None:
    chains = read_rebuilt_chains("resources/residue_model/held_out_chains.npz")
    assert [atoms.name for atoms in chains][:2] == ["1a6m", "6f7u"]
    for atoms in chains:
        names = np.array(atoms.atom_names)
        alpha = atoms.coordinates[names == "CA"]
        assert len(alpha) == len(atoms.sequence)
        bonds = np.linalg.norm(np.diff(alpha, axis=0), axis=1)
        assert np.median(bonds) == pytest.approx(3.8, abs=0.03)
        beta = atoms.coordinates[names == "CB"]
        with_beta = np.array(list(atoms.sequence)) != "G"
        distance = np.linalg.norm(beta - alpha[with_beta], axis=1)
        np.testing.assert_allclose(distance, 1.53, atol=0.08)
        sulphur = {name for name in atoms.atom_names if name.startswith("S")}
        assert sulphur <= {"SG", "SD"}
        assert set(atoms.elements) <= set("CNOS")
    assert BLOBS[-1] == "SC"
