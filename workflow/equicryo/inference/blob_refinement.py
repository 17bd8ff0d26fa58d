"""Refinement of traces whose residues are equal blobs, fast enough for a search.

The likelihood is a sum over pairs of blobs, so that what did not move need not be
computed anew, and the turns of real chains restrain the trace too.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64
from scipy.optimize import minimize

from equicryo.inference.tracing_refinement import RefinedTrace
from equicryo.physics.gain import Gain
from equicryo.physics.pair_potential import PairPotential
from equicryo.structure.restraints import score_restraints
from equicryo.structure.turn_potential import TurnPotential

CORRECTIONS = 20
"""Steps that the quasi-Newton method remembers."""


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
        """
        return self.refine_stretch(chain, 0, len(chain), iterations)

    def refine_stretch(
        self,
        chain: Float64[np.ndarray, "residue 3"],
        first: int,
        last: int,
        iterations: int,
    ) -> RefinedTrace:
        """Climb with some residues alone, as `refine` does with all.

        Args:
            chain: in the frame of the poses, Å.
            first: residue that moves.
            last: residue before which all from that on do.
            iterations: of the quasi-Newton method, at most.

        Source: Byrd, Lu, Nocedal & Zhu 1995, doi:10.1137/0916069 (L-BFGS-B).
        """
        moving = chain.copy()
        whole = self.potential.terms(moving, 0, len(chain))
        part = self.potential.terms(moving, first, last)
        rest = whole[0] - part[0], whole[1] - part[1]

        def evaluate(flat: Float64[np.ndarray, " parameter"]) -> tuple:
            moving[first:last] = flat.reshape(-1, 3)
            linear, quadratic, along, across = self.potential.terms(moving, first, last)
            value, gain, square = self.gain.weigh(linear + rest[0], quadratic + rest[1])
            slope = gain * along - 0.5 * square * across
            restraint, pull = score_restraints(moving)
            turn, twist = self.turns.score(moving)
            slope = slope + (pull + twist)[first:last]
            return value, restraint + turn, slope

        def objective(flat: Float64[np.ndarray, " parameter"]) -> tuple:
            value, restraint, slope = evaluate(flat)
            return -(value + restraint), -slope.ravel()

        found = minimize(
            objective,
            chain[first:last].ravel(),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": iterations, "maxcor": CORRECTIONS},
        )
        value, restraint, _ = evaluate(found.x)
        return RefinedTrace(
            coordinates=torch.from_numpy(moving),
            log_likelihood=value,
            log_restraint=restraint,
        )
