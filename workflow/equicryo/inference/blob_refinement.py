"""Refinement of traces whose residues are equal blobs, fast enough for a search.

The likelihood is a sum over pairs of blobs, and the turns of real chains restrain the
trace too.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64
from scipy.optimize import minimize

from equicryo.inference.likelihood import ResidueLikelihood
from equicryo.inference.traces import RefinedTrace
from equicryo.inference.tracing_refinement import CORRECTIONS
from equicryo.physics.gain import Gain
from equicryo.physics.normal_equations import NormalEquations
from equicryo.physics.pair_potential import PairPotential, prepare_potential
from equicryo.structure.restraints import score_restraints
from equicryo.structure.turn_potential import TurnPotential


@dataclass(frozen=True, kw_only=True, eq=False)
class BlobRefiner:
    """The likelihood of equal blobs with restraints and turns.

    Attributes:
        potential: of the images.
        gain: what is known of their intensity.
        turns: of chains.
    """

    potential: PairPotential
    gain: Gain
    turns: TurnPotential

    def refine(
        self, chain: Float64[np.ndarray, "residue 3"], iterations: int
    ) -> RefinedTrace:
        """Climb to the nearest maximum of likelihood, restraints and turns.

        Args:
            chain: in the frame of the poses, Å.
            iterations: of the quasi-Newton method, at most.

        Source: Byrd, Lu, Nocedal & Zhu 1995, doi:10.1137/0916069 (L-BFGS-B).
        """

        def evaluate(flat: Float64[np.ndarray, " parameter"]) -> tuple:
            moved = flat.reshape(-1, 3)
            linear, quadratic, along, across = self.potential.terms(moved)
            value, gain, square = self.gain.weigh(linear, quadratic)
            restraint, pull = score_restraints(moved)
            turn, twist = self.turns.score(moved)
            slope = gain * along - 0.5 * square * across + pull + twist
            return value, restraint + turn, slope

        def objective(flat: Float64[np.ndarray, " parameter"]) -> tuple:
            value, restraint, slope = evaluate(flat)
            return -(value + restraint), -slope.ravel()

        found = minimize(
            objective,
            chain.ravel(),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": iterations, "maxcor": CORRECTIONS},
        )
        value, restraint, _ = evaluate(found.x)
        return RefinedTrace(
            coordinates=torch.from_numpy(found.x.reshape(-1, 3)),
            log_likelihood=value,
            log_restraint=restraint,
        )


def prepare_refiner(
    normal: NormalEquations,
    weights: Float64[np.ndarray, " residue"],
    likelihood: ResidueLikelihood,
    turns: TurnPotential,
) -> BlobRefiner:
    """Put the likelihood of images into tables, with turns beside it.

    Args:
        normal: of the images.
        weights: of the residues, electrons.
        likelihood: of the same images, each residue one blob of the same width.
        turns: of chains.
    """
    return BlobRefiner(
        potential=prepare_potential(normal, weights, likelihood.density.width),
        gain=likelihood.gain,
        turns=turns,
    )
