"""A small chain in noise-free normal equations, and what a network says of it."""

import numpy as np
import torch

from equicryo.inference.blob_refinement import BlobRefiner
from equicryo.inference.likelihood import ResidueLikelihood, prepare_likelihood
from equicryo.inference.proposals import Proposals
from equicryo.inference.trace_merging import AnnealingConfig
from equicryo.physics.density import gaussian_volume
from equicryo.physics.gain import KnownGain
from equicryo.physics.normal_equations import NormalEquations
from equicryo.physics.normal_operator import prepare_operator
from equicryo.physics.pair_potential import prepare_potential
from equicryo.physics.residue_density import single_blobs
from equicryo.structure.bonds import repair_bonds
from equicryo.structure.chain import VIRTUAL_BOND
from equicryo.structure.chain_set import COORDINATE_STEP, ChainSet
from equicryo.structure.residues import residue_electrons, residue_types
from equicryo.structure.trace_geometry import TraceGeometry, measure_geometry
from equicryo.structure.turn_potential import fit_potential

from ..normal_equations import seen_through

EDGE, PIXEL_SIZE, WIDTH = 32, 1.25, 1.5
SEQUENCE = "GWAKYSGRLWTEGFVDHKPG"
ANNEALING = AnnealingConfig(
    places=2.0,
    moves=10_000,
    hottest=300.0,
    coldest=5.0,
    refinement_steps=60,
    merged=2,
    familiar=6.0,
    kept=4,
    patience=4,
    searches=4,
)


def spiral(residues: int) -> np.ndarray:
    """A right-handed α-helix, Å."""
    angle = np.deg2rad(100.0 * np.arange(residues))
    rise = 1.5 * np.arange(residues)
    return np.stack((2.3 * np.cos(angle), 2.3 * np.sin(angle), rise), -1)


def hairpin() -> np.ndarray:
    """Two turns of a helix, a loop of two residues, and two turns back, Å."""
    there = spiral(9)
    back = there * np.array([-1.0, 1.0, -1.0]) + np.array([9.5, 0.0, 12.0])
    lift = np.array([0.0, 0.0, 3.0])
    loop = np.linspace(there[-1], back[0], 4)[1:-1] + lift
    chain = np.concatenate((there, loop, back))[None]
    (chain,) = repair_bonds(chain, np.full(19, VIRTUAL_BOND))
    return chain - chain.mean(0)


def noise_free(chain: np.ndarray, total: float) -> NormalEquations:
    """K of a 1/|k| sampling density, and b = K * V."""
    axis = np.fft.fftfreq(2 * EDGE, PIXEL_SIZE)
    radius = np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2)
    transfer = total / np.maximum(radius, 1.0 / (4 * EDGE * PIXEL_SIZE))
    transfer *= radius < 0.5 / PIXEL_SIZE
    kernel = torch.from_numpy(np.fft.fftshift(np.fft.ifftn(transfer).real))
    normal = seen_through(kernel, pixel_size=PIXEL_SIZE)
    weights = torch.from_numpy(residue_electrons(SEQUENCE))
    volume = gaussian_volume(torch.from_numpy(chain), weights, WIDTH, EDGE, PIXEL_SIZE)
    b = prepare_operator(normal).convolve(volume)
    return NormalEquations(**{**vars(normal), "b": b})


def make_likelihood(normal: NormalEquations) -> ResidueLikelihood:
    """Of the small chain in images of known intensity."""
    return prepare_likelihood(normal, single_blobs(SEQUENCE, WIDTH), KnownGain(), ())


def spiral_geometry() -> TraceGeometry:
    """Of one long helix."""
    spirals = ChainSet(
        ids=("1ABC_A",),
        lengths=np.array([200]),
        sequence="A" * 200,
        steps=(spiral(200) / COORDINATE_STEP).round().astype(np.int16),
    )
    return measure_geometry(spirals, 0.4, generator=torch.Generator().manual_seed(0))


def make_refiner(chain: np.ndarray) -> BlobRefiner:
    """Of traces of a chain in images without noise."""
    normal = noise_free(chain, 2.0)
    return BlobRefiner(
        potential=prepare_potential(normal, residue_electrons(SEQUENCE), WIDTH),
        gain=KnownGain(),
        turns=fit_potential(spiral_geometry()),
    )


def propose(truth: torch.Tensor, places: np.ndarray) -> Proposals:
    """What a faultless network would say of some places; nothing of residue types."""
    middles = 0.5 * (truth[1:] + truth[:-1])
    occupancy, midpoints = (
        gaussian_volume(points, torch.ones(len(points)), 1.0, EDGE, PIXEL_SIZE)
        for points in (truth, middles)
    )
    # A Gaussian's share in a ball about its centre is near one.
    fullest = occupancy.max()
    return Proposals(
        places=places,
        occupancy=occupancy / fullest,
        midpoints=midpoints / fullest,
        types=torch.zeros(20, EDGE // 2, EDGE // 2, EDGE // 2),
        sequence_types=residue_types(SEQUENCE),
        pixel_size=PIXEL_SIZE,
    )


def propose_among_decoys(truth: torch.Tensor) -> Proposals:
    generator = np.random.default_rng(3)
    near = truth.numpy() + 0.3 * generator.normal(size=(20, 3))
    decoys = 6.0 * generator.normal(size=(20, 3))
    return propose(truth, generator.permutation(np.concatenate((near, decoys))))
