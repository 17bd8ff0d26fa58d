"""What a search for the order of the residues ends with."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class RefinedTrace:
    """A chain at a local maximum of likelihood and restraints.

    Attributes:
        coordinates: Å.
        log_likelihood: of the images, but for a constant, nats.
        log_restraint: of the restraints, but for a constant, nats.
        confirmed: whether two searches that know nothing of each other came to it.
    """

    coordinates: Float[Tensor, "residue 3"]
    log_likelihood: float
    log_restraint: float
    confirmed: bool = False

    @property
    def log_posterior(self) -> float:
        """Likelihood and restraints together, but for a constant, nats."""
        return self.log_likelihood + self.log_restraint
