import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from equicryo.io.residue_model import read_rebuilt_chains, read_residue_model
from equicryo.physics import residue_fit
from equicryo.physics.residue_fit import (
    blob_centres,
    fit_offsets,
    fit_widths,
    mean_weights,
    measure_spectra,
)
from equicryo.structure.residue_model import BLOBS, blob_mask
from equicryo.structure.residues import RESIDUES

FOLDER = "resources/residue_model"


@pytest.fixture(scope="module")
def chains():
    return read_rebuilt_chains(f"{FOLDER}/training_chains.npz")


@pytest.fixture(scope="module")
def shipped():
    return read_residue_model(f"{FOLDER}/constants.json")


def test_centres_are_atoms_and_centroids(chains) -> None:
    atoms = chains[0]
    centres = blob_centres(atoms)
    names = np.array(atoms.atom_names)
    for residue, letter in enumerate(atoms.sequence[:30]):
        here = atoms.residue_index == residue
        for blob, name in enumerate(BLOBS[:-1]):
            found = atoms.coordinates[here & (names == name)]
            expected = found[0] if len(found) else np.full(3, np.nan)
            np.testing.assert_array_equal(centres[residue, blob], expected)
        side = here & ~np.isin(names, BLOBS[:-1])
        assert side.any() == (letter not in "GA")
        if side.any():
            expected = atoms.coordinates[side].mean(0)
            np.testing.assert_allclose(centres[residue, -1], expected, atol=1e-12)


def test_shipped_places_and_weights_are_those_of_the_training_chains(
    chains, shipped
) -> None:
    # Six digits are shipped.
    np.testing.assert_allclose(fit_offsets(chains), shipped.offsets, atol=2e-5)
    np.testing.assert_allclose(mean_weights(chains), shipped.weights, rtol=1e-5)


def test_fit_finds_the_widths_that_made_a_density(chains, shipped, monkeypatch) -> None:
    """Densities of the model itself, in place of those of all atoms."""
    some = [atoms for atoms in chains if len(atoms.sequence) < 75][:3]
    assert len(some) == 3
    make = residue_fit._density_problem

    def made_up(atoms, offsets, weights, pixel_size):
        problem = make(atoms, offsets, weights, pixel_size)
        widths = shipped.widths.ravel()
        groups = residue_fit._parameter_groups().ravel()
        of_group = np.zeros(groups.max() + 1)
        of_group[groups] = widths
        volume = residue_fit.band_limited_volume(
            problem.centres,
            problem.weights,
            torch.from_numpy(of_group)[problem.group].float(),
            problem.volume.shape[-1],
            residue_fit.PIXEL_SIZE,
        )
        return replace(problem, volume=volume)

    monkeypatch.setattr(residue_fit, "_density_problem", made_up)
    found = fit_widths(some, shipped.offsets, shipped.weights)
    present = {letter for atoms in some for letter in atoms.sequence}
    for letter in present:
        kind = RESIDUES.index(letter)
        mask = blob_mask()[kind]
        # float32 densities, and 25 rounds that stop short of the last digit.
        np.testing.assert_allclose(
            found[kind, mask], shipped.widths[kind, mask], atol=0.03
        )


def test_shipped_spectra_are_those_of_the_training_chains(chains, shipped) -> None:
    """Measured on fewer of them: chains hardly differ."""
    found = measure_spectra(chains[:6], shipped)
    shell = slice(6, None)
    np.testing.assert_allclose(found.power[shell], shipped.power[shell], rtol=0.15)
    np.testing.assert_allclose(found.misfit[shell], shipped.misfit[shell], rtol=0.15)
    assert (shipped.misfit < 0.5 * shipped.power).all()


def test_every_chain_behind_the_constants_is_a_training_chain(chains) -> None:
    """No benchmark target, validation or test chain, nor any of their families."""
    with Path("resources/chains/splits.csv").open(newline="") as file:
        split = {row["id"]: row["split"] for row in csv.DictReader(file)}
    names = [f"{atoms.name.upper()}_{atoms.chain_id}" for atoms in chains]
    assert len(set(names)) == len(names) > 200
    assert {split[name] for name in names} == {"training"}
    compared = read_rebuilt_chains(f"{FOLDER}/held_out_chains.npz")
    for atoms in compared:
        name = f"{atoms.name.upper()}_{atoms.chain_id}"
        assert split.get(name) != "training"
        assert name not in names
