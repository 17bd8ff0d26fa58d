"""Fit of the residue model's constants to all-atom structures.

Source: linear least squares for the places; weights are those of the atoms in a blob;
widths make the sum of Gaussians nearest to the density of all heavy atoms (`all_atom`);
the misfit is what is left of it.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from equicryo.physics.all_atom import scatter_atoms
from equicryo.physics.density import (
    band_limited_volume,
    molecule_diameter,
    support_size,
)
from equicryo.physics.model_error import residue_power
from equicryo.physics.residue_density import residue_blobs
from equicryo.structure.atoms import AtomicModel
from equicryo.structure.residue_model import (
    BACKBONE,
    BLOBS,
    FEATURES,
    SHELLS,
    ResidueModel,
    blob_mask,
    local_features,
    prepare_placement,
)
from equicryo.structure.residues import RESIDUES, residue_types

logger = logging.getLogger(__name__)

PIXEL_SIZE = 1.25
"""Å: densities are compared up to a resolution of twice this."""

FINE_PIXEL_SIZE = 1.0
"""Å, at which spectra are measured: their shells end at Nyquist."""

RIDGE = 1e-3
"""Of the mean square of a feature: keeps rare types from fitting their noise."""

ITERATIONS = 25
"""Of L-BFGS: the explained density has then converged to four digits."""

START_WIDTH = 1.0
LARGEST = 256


def fit_residue_model(
    chains: Sequence[AtomicModel], compared: Sequence[AtomicModel]
) -> ResidueModel:
    """Fit places and weights, then widths at these places, and see what is missing.

    Args:
        chains: unbroken, with all side chains, coordinates in Å.
        compared: those whose density is compared; each takes about 0.05 s in each of
            some thirty rounds.
    """
    offsets, weights = fit_offsets(chains), mean_weights(chains)
    model = ResidueModel(
        offsets=offsets,
        weights=weights,
        widths=fit_widths(compared, offsets, weights),
        power=np.zeros(SHELLS),
        misfit=np.zeros(SHELLS),
    )
    return measure_spectra(compared, model)


def measure_spectra(chains: Sequence[AtomicModel], model: ResidueModel) -> ResidueModel:
    """Measure the power of chains' densities, and of what a model lacks of them.

    Args:
        chains: with all side chains and B-factors.
        model: whose own `power` and `misfit` are not used.

    Returns:
        The model with those of the chains.
    """
    power, misfit = [], []
    for atoms in chains:
        residues = len(atoms.sequence)
        problem = _density_problem(atoms, model.offsets, model.weights, FINE_PIXEL_SIZE)
        explained = residue_blobs(atoms.sequence, model).volume(
            problem.alpha, len(problem.volume), FINE_PIXEL_SIZE, 0.0
        )
        power.append(residue_power(problem.volume, residues, FINE_PIXEL_SIZE))
        lacking = problem.volume - explained
        misfit.append(residue_power(lacking, residues, FINE_PIXEL_SIZE))
    return replace(model, power=np.mean(power, axis=0), misfit=np.mean(misfit, axis=0))


def blob_members(
    atoms: AtomicModel,
) -> tuple[Int64[np.ndarray, " atom"], Int64[np.ndarray, " atom"]]:
    """Return the residue and the blob of each atom, −1 for those in no blob.

    Args:
        atoms: of the chain; coordinates in Å are not used.
    """
    names = np.array(atoms.atom_names)
    blob = np.full(len(names), BLOBS.index("SC"))
    for index, name in enumerate(BLOBS[:-1]):
        blob[names == name] = index
    blob[names == "OXT"] = -1
    return atoms.residue_index, blob


def blob_centres(atoms: AtomicModel) -> Float64[np.ndarray, "residue blob 3"]:
    """Reduce a chain to the centres of `BLOBS`, Å, NaN where there is none.

    Args:
        atoms: of the chain.
    """
    residue, blob = blob_members(atoms)
    member = blob >= 0
    place = (residue[member], blob[member])
    total = np.zeros((len(atoms.sequence), len(BLOBS), 3))
    count = np.zeros((*total.shape[:2], 1))
    np.add.at(total, place, atoms.coordinates[member])
    np.add.at(count, place, 1.0)
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def fit_offsets(
    chains: Sequence[AtomicModel],
) -> Float64[np.ndarray, "type blob feature"]:
    """Regress each blob's offset from its Cα on the course of the chain, Å.

    Backbone atoms share their coefficients over all types.

    Args:
        chains: unbroken, with all side chains.
    """
    features, offsets, types = [], [], []
    for atoms in chains:
        centres = blob_centres(atoms)
        alpha = centres[:, BLOBS.index("CA")]
        features.append(local_features(torch.from_numpy(alpha)).numpy())
        offsets.append(centres - alpha[:, None])
        types.append(residue_types(atoms.sequence))
    design, target = np.concatenate(features), np.concatenate(offsets)
    kind = np.concatenate(types)
    fitted = np.zeros((len(RESIDUES), len(BLOBS), FEATURES))
    for blob, name in enumerate(BLOBS):
        if name in BACKBONE:
            fitted[:, blob] = _regress(design, target[:, blob])
            continue
        for index in np.flatnonzero(blob_mask()[:, blob]):
            chosen = kind == index
            fitted[index, blob] = _regress(design[chosen], target[chosen, blob])
    return fitted


def _regress(
    design: Float64[np.ndarray, "residue feature 3"],
    target: Float64[np.ndarray, "residue 3"],
) -> Float64[np.ndarray, " feature"]:
    rows = design.transpose(0, 2, 1).reshape(-1, FEATURES)
    normal = rows.T @ rows
    normal += RIDGE * np.trace(normal) / FEATURES * np.eye(FEATURES)
    return np.linalg.solve(normal, rows.T @ target.ravel())


def mean_weights(
    chains: Sequence[AtomicModel],
) -> Float64[np.ndarray, "type blob"]:
    """Add up the scattering of the atoms in each blob, in electrons as `scatter_atoms`.

    Args:
        chains: with all side chains.
    """
    group = _parameter_groups()
    total = np.zeros(group.max() + 1)
    count = np.zeros_like(total)
    for atoms in chains:
        _, blob = blob_members(atoms)
        own = group[residue_types(atoms.sequence)]
        member = blob >= 0
        weights = scatter_atoms(atoms, atoms.coordinates).weights.numpy()
        weights = weights.reshape(len(atoms), -1).sum(1)
        np.add.at(total, own[atoms.residue_index, blob][member], weights[member])
        np.add.at(count, own.ravel(), 1.0)
    return (total / count.clip(min=1.0))[group] * blob_mask()


def fit_widths(
    chains: Sequence[AtomicModel],
    offsets: Float64[np.ndarray, "type blob feature"],
    weights: Float64[np.ndarray, "type blob"],
) -> Float64[np.ndarray, "type blob"]:
    """Fit the widths, Å, to the density of all atoms.

    They take up the size of a blob, the motion of its atoms and the error of its place.

    Args:
        chains: with all side chains and B-factors.
        offsets: coefficients of the places, Å.
        weights: electrons of each blob.
    """
    group = _parameter_groups()
    start = torch.full((group.max() + 1,), START_WIDTH, dtype=torch.float64)
    logs = start.log().requires_grad_()
    problems = [
        _density_problem(atoms, offsets, weights, PIXEL_SIZE) for atoms in chains
    ]
    energy = sum(problem.volume.double().square().sum() for problem in problems)
    optimizer = torch.optim.LBFGS(
        [logs], max_iter=ITERATIONS, line_search_fn="strong_wolfe"
    )

    def misfit() -> Tensor:
        optimizer.zero_grad()
        total = torch.zeros((), dtype=torch.float64)
        for problem in problems:
            widths = logs.exp()[problem.group].float()
            edge = problem.volume.shape[-1]
            model = band_limited_volume(
                problem.centres, problem.weights, widths, edge, PIXEL_SIZE
            )
            part = (model - problem.volume).square().sum() / energy
            part.backward()
            total += part.detach()
        logger.info("unexplained share of the density: %.5f", total.item())
        return total

    optimizer.step(misfit)
    return logs.detach().exp().numpy()[group] * blob_mask()


def _parameter_groups() -> Int64[np.ndarray, "type blob"]:
    """Number the blobs that have their own weight and width; the backbone shares."""
    backbone, kinds = len(BACKBONE), len(RESIDUES)
    own = np.arange(kinds * (len(BLOBS) - backbone)).reshape(kinds, -1) + backbone
    shared = np.tile(np.arange(backbone), (kinds, 1))
    return np.concatenate([shared, own], axis=1)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Problem:
    """One chain's blobs and its density, in float32."""

    alpha: Float[Tensor, "residue 3"]
    centres: Float[Tensor, "centre 3"]
    weights: Float[Tensor, " centre"]
    group: Int64[Tensor, " centre"]
    volume: Float[Tensor, "z y x"]


def _density_problem(
    atoms: AtomicModel,
    offsets: Float64[np.ndarray, "type blob feature"],
    weights: Float64[np.ndarray, "type blob"],
    pixel_size: float,
) -> _Problem:
    types = residue_types(atoms.sequence)
    alpha = torch.from_numpy(blob_centres(atoms)[:, BLOBS.index("CA")])
    middle = 0.5 * (alpha.amin(0) + alpha.amax(0))
    specimen = scatter_atoms(atoms, atoms.coordinates - middle.numpy())
    volume = band_limited_volume(
        specimen.coordinates.float(),
        specimen.weights.float(),
        torch.as_tensor(specimen.width).float(),
        support_size(molecule_diameter(alpha), pixel_size, LARGEST),
        pixel_size,
    )
    placement = prepare_placement(offsets, atoms.sequence)
    weights, group = (
        torch.from_numpy(constants[types].ravel())[placement.present]
        for constants in (weights, _parameter_groups())
    )
    return _Problem(
        alpha=(alpha - middle).float(),
        centres=placement.place(alpha - middle).float(),
        weights=weights.float(),
        group=group,
        volume=volume,
    )
