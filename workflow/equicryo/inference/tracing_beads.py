"""Candidates without any learned part: a gas of beads that explains the images.

As many beads as residues, or some more, of the residues' mean weight and without any
order, start on the deconvolved map and move, and change their weights, to the nearest
maximum of the exact likelihood. Their places are then far better than the map's peaks,
and their weights tell residues apart.

Source: dummy-atom models; Svergun 1999, doi:10.1016/S0006-3495(99)77443-6, and the
    dummy-atom placement of Perrakis, Sixma, Wilson & Lamzin 1997,
    doi:10.1107/S0907444997005696 (ARP), with the likelihood of `normal_equations`.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, Float64
from scipy.optimize import minimize
from torch import Tensor

from equicryo.inference.candidates import cover_greedily
from equicryo.inference.tracing_refinement import CORRECTIONS
from equicryo.models.proposer_examples import fitting_edge
from equicryo.physics.deconvolution import blur_operator, deconvolve, point_variance
from equicryo.physics.density import gaussian_volume
from equicryo.physics.gain import Gain
from equicryo.physics.normal_equations import NormalEquations
from equicryo.physics.normal_operator import NormalOperator

COVERAGE = 1.8
"""Å: radius of the balls that cover the map, one for each bead of a start."""

NEAREST = 3.4
"""Å: beads repel below this distance."""

NEAREST_SPREAD = 0.4
"""Å: how soft they are."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Beads:
    """Points of a molecule without any order.

    Attributes:
        positions: in the frame of the poses, Å.
        weights: electrons.
    """

    positions: Float64[np.ndarray, "bead 3"]
    weights: Float64[np.ndarray, " bead"]


@dataclass(frozen=True, kw_only=True, eq=False)
class BeadModel:
    """What beads are fitted to, and what is known of them beforehand.

    Attributes:
        operator: normal operator on a grid fine enough for the beads.
        gain: what is known of the images' intensity.
        width: standard deviation of a bead's density, Å.
        mean_weight, weight_spread: of the residues, electrons.
    """

    operator: NormalOperator
    gain: Gain
    width: float
    mean_weight: float
    weight_spread: float

    def weight_error(self) -> float:
        """Return the standard deviation of the weight of a bead alone, electrons."""
        edge, pixel_size = self.operator.support_size, self.operator.pixel_size
        one = torch.ones(1).to(self.operator.b)
        blob = gaussian_volume(one.new_zeros(1, 3), one, self.width, edge, pixel_size)
        _, information = self.operator.terms(blob)
        return float(information) ** -0.5


def cover_map(
    normal: NormalEquations, sequence: str, width: float, count: int
) -> Float64[np.ndarray, "bead 3"]:
    """Cover the deconvolved map by balls, the fullest first, Å.

    Args:
        normal: of the images.
        sequence: one-letter codes.
        width: of a residue's density, Å.
        count: how many balls.
    """
    edge = fitting_edge(normal.support_size * normal.pixel_size)
    # No finer than the images themselves.
    edge = min(edge, normal.support_size)
    operator = blur_operator(normal, edge, width)
    variance = point_variance(sequence, operator.pixel_size)
    (field,) = deconvolve(operator, variance, (1.0,))
    places, _ = cover_greedily(
        field.clamp(min=0.0), operator.pixel_size, count, COVERAGE
    )
    return places


def relax_beads(
    start: Float64[np.ndarray, "bead 3"],
    model: BeadModel,
    residues: int,
    iterations: int,
) -> Beads:
    """Move beads to the nearest maximum of the posterior.

    Weights are log-normal beforehand: about the residues' mean weight, less where
    there are more beads than residues, with the residues' relative spread.

    Args:
        start: places, Å.
        model: likelihood and weights.
        residues: of the chain.
        iterations: of the quasi-Newton method, at most.

    Source: Byrd, Lu, Nocedal & Zhu 1995, doi:10.1137/0916069 (L-BFGS-B).
    """
    count = len(start)
    mean = model.mean_weight * min(1.0, residues / count)
    relative = model.weight_spread / model.mean_weight

    def objective(flat: Float64[np.ndarray, " parameter"]) -> tuple[float, np.ndarray]:
        parameters = torch.from_numpy(flat).view(count, 4).requires_grad_()
        positions = parameters[:, :3]
        weights = mean * torch.exp(relative * parameters[:, 3])
        value = _log_posterior(positions, weights, parameters[:, 3], model)
        (gradient,) = torch.autograd.grad(value, parameters)
        return -float(value.detach()), -gradient.flatten().numpy()

    flat = np.concatenate((start, np.zeros((count, 1))), 1).ravel()
    options = {"maxiter": iterations, "maxcor": CORRECTIONS}
    found = minimize(objective, flat, jac=True, method="L-BFGS-B", options=options)
    parameters = found.x.reshape(count, 4)
    return Beads(
        positions=parameters[:, :3].copy(),
        weights=mean * np.exp(relative * parameters[:, 3]),
    )


def _log_posterior(
    positions: Tensor, weights: Tensor, logs: Tensor, model: BeadModel
) -> Tensor:
    operator = model.operator
    volume = gaussian_volume(
        positions.to(operator.b),
        weights.to(operator.b),
        model.width,
        operator.support_size,
        operator.pixel_size,
    )
    value = model.gain.log_likelihood(operator, volume).double()
    first, second = torch.triu_indices(*(2 * (len(positions),)), offset=1)
    gaps = (positions[first] - positions[second]).square().sum(-1)
    # The square root's slope is infinite where two beads coincide.
    overlap = (NEAREST - (gaps + 1e-6).sqrt()).clamp(min=0.0) / NEAREST_SPREAD
    return value - 0.5 * overlap.square().sum() - 0.5 * logs.square().sum()


def pool_beads(pools: list[Beads], separation: float) -> Beads:
    """Join beads, leaving out those that lie near one of an earlier pool.

    Args:
        pools: the more trusted first.
        separation: Å.
    """
    positions, weights = pools[0].positions, pools[0].weights
    for pool in pools[1:]:
        gaps = np.linalg.norm(pool.positions[:, None] - positions, axis=-1)
        new = gaps.min(1) > separation
        positions = np.concatenate((positions, pool.positions[new]))
        weights = np.concatenate((weights, pool.weights[new]))
    return Beads(positions=positions, weights=weights)


def score_weights(
    weights: Float64[np.ndarray, " bead"],
    expected: Float64[np.ndarray, " residue"],
    error: float,
) -> Float32[np.ndarray, "residue bead"]:
    """Return the log density of each bead's weight if it is each residue, nats.

    Args:
        weights: of the beads, electrons.
        expected: of the residues, electrons.
        error: standard deviation of the beads' weights, electrons.
    """
    deviation = (weights - expected[:, None]) / error
    return (-0.5 * deviation**2).astype(np.float32)
