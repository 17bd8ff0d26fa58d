"""Noise-free images of all-atom density, and the Cα that explain them best."""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from equicryo.physics.all_atom import scatter_atoms
from equicryo.physics.compression import compress_images
from equicryo.physics.density import (
    band_limited_volume,
    gaussian_filter,
    molecule_diameter,
    support_size,
)
from equicryo.physics.noise import white_power
from equicryo.physics.normal_equations import NormalEquations
from equicryo.physics.normal_operator import prepare_operator
from equicryo.physics.optics import Optics, unastigmatic
from equicryo.physics.pose import Pose, Views
from equicryo.physics.residue_density import ChainDensity
from equicryo.physics.rotations import draw_rotations
from equicryo.structure.atoms import AtomicModel, alpha_carbons

PIXEL_SIZE = 1.0
BOX_SIZE = 128
VIEWS = 200
"""Uniform views: enough that the information is nearly the same in all directions."""

DEFOCUS = (3000.0, 6000.0)
"""Å, as in the shipped configurations; also 300 kV, C_s 2.7 mm, w 0.1."""

INSIDE = 3.0
"""Å: voxels within this distance of an atom belong to the molecule."""

ITERATIONS = 150


def draw_atoms(atoms: AtomicModel) -> Float[Tensor, "z y x"]:
    """Sample a molecule's electron scattering around its Cα centroid.

    Args:
        atoms: with all heavy atoms, Å.

    Returns:
        e⁻/Å³ × pixel size at 1 Å a voxel, up to Nyquist.
    """
    alpha = alpha_carbons(atoms).coordinates
    specimen = scatter_atoms(atoms, atoms.coordinates - alpha.mean(0))
    edge = support_size(
        molecule_diameter(torch.from_numpy(alpha)), PIXEL_SIZE, BOX_SIZE
    )
    width = torch.as_tensor(specimen.width).to(specimen.weights)
    return band_limited_volume(
        specimen.coordinates, specimen.weights, width, edge, PIXEL_SIZE
    )


def inside_molecule(atoms: AtomicModel, box_size: int) -> Bool[Tensor, "z y x"]:
    """Mark the voxels near atoms, the Cα centroid at the origin of `draw_atoms`."""
    centre = alpha_carbons(atoms).coordinates.mean(0)
    places = torch.from_numpy(atoms.coordinates - centre)
    index = torch.arange(box_size, dtype=torch.float64) - box_size // 2
    z, y, x = torch.meshgrid(3 * [PIXEL_SIZE * index], indexing="ij")
    voxels = torch.stack([x, y, z], -1).flatten(0, 2)
    nearest = torch.cat([torch.cdist(v, places).amin(1) for v in voxels.split(20_000)])
    return (nearest < INSIDE).view((box_size,) * 3)


def density_correlation(
    volume: Float[Tensor, "z y x"],
    truth: Float[Tensor, "z y x"],
    inside: Bool[Tensor, "z y x"],
    resolution: float,
) -> float:
    """Correlate two densities inside the molecule at a resolution.

    Args:
        volume: of a model, 1 Å a voxel.
        truth: on the same grid.
        inside: voxels that count.
        resolution: both are multiplied by exp(−(k · resolution)²), Å.
    """
    blur = resolution / (np.sqrt(2.0) * np.pi * PIXEL_SIZE)
    first, second = (
        gaussian_filter(each, float(blur))[inside] for each in (volume, truth)
    )
    return torch.corrcoef(torch.stack([first, second]))[0, 1].item()


def typical_images(support: int, *, generator: torch.Generator) -> NormalEquations:
    """Return the normal equations of empty images with typical optics and unit noise.

    Args:
        support: edge of the volume, voxels of 1 Å.
        generator: draws views and defoci.
    """
    optics = Optics(
        voltage=3e5,
        spherical_aberration=2.7e7,
        amplitude_contrast=0.1,
        pixel_size=PIXEL_SIZE,
        box_size=BOX_SIZE,
    )
    low, high = DEFOCUS
    unit = torch.rand(VIEWS, dtype=torch.float64, generator=generator)
    views = Views(
        optics=optics,
        defocus=unastigmatic(low + (high - low) * unit),
        pose=Pose(
            rotation=draw_rotations(VIEWS, generator=generator),
            shift=torch.zeros(VIEWS, 2, dtype=torch.float64),
        ),
    )
    empty = torch.zeros(VIEWS, BOX_SIZE, BOX_SIZE, dtype=torch.float64)
    return compress_images([(empty, views)], white_power(1.0, BOX_SIZE), support)


def most_likely_chain(
    start: Float[Tensor, "residue 3"],
    density: ChainDensity,
    truth: Float[Tensor, "z y x"],
    normal: NormalEquations,
) -> Float[Tensor, "residue 3"]:
    """Climb the likelihood of noise-free images of a density, without a prior.

    Args:
        start: Cα, Å.
        density: of the model that is fitted.
        truth: what the images show.
        normal: gives the kernel K; the back-projection is K * truth.

    Returns:
        Cα at the maximum next to the start, Å.
    """
    operator = prepare_operator(normal)
    noiseless = replace(operator, b=operator.convolve(truth))
    edge, pixel_size = operator.support_size, operator.pixel_size
    nats = noiseless.log_likelihood(truth) / len(start)
    x = start.clone().requires_grad_()
    optimizer = torch.optim.LBFGS(
        [x], max_iter=ITERATIONS, history_size=20, line_search_fn="strong_wolfe"
    )

    def misfit() -> Tensor:
        optimizer.zero_grad()
        volume = density.volume(x, edge, pixel_size, 0.0)
        value = -noiseless.log_likelihood(volume) / nats
        value.backward()
        return value

    optimizer.step(misfit)
    return x.detach()
