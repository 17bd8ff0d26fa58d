"""Where each particle lies, how it is turned and through what optics it is seen."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from equicryo.physics.optics import Defocus, Optics


@dataclass(frozen=True, kw_only=True, eq=False)
class Pose:
    """Rotation and in-plane position of each particle.

    Attributes:
        rotation: proper matrices from specimen to view, x_view = R x; projection is
            along z of x_view.
        shift: position (x, y) of the particle from pixel n // 2, Å; minus RELION's
            ``rlnOriginX/YAngst``.
    """

    rotation: Float[Tensor, "particle 3 3"]
    shift: Float[Tensor, "particle 2"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Views:
    """Everything but the molecule that decides the clean images of one optics group.

    Attributes:
        optics: shared settings.
        defocus: of each particle.
        pose: of each particle.
    """

    optics: Optics
    defocus: Defocus
    pose: Pose

    def __len__(self) -> int:
        """Return the number of particles."""
        return len(self.pose.rotation)

    def __getitem__(self, chosen: slice) -> "Views":
        """Return the views of a range of particles."""
        defocus = {name: value[chosen] for name, value in vars(self.defocus).items()}
        pose = {name: value[chosen] for name, value in vars(self.pose).items()}
        return Views(optics=self.optics, defocus=Defocus(**defocus), pose=Pose(**pose))


def slice_frequencies(
    rotation: Float[Tensor, "particle 3 3"], frequency: Float[Tensor, "sample 2"]
) -> Float[Tensor, "particle sample 3"]:
    """Return the specimen's frequencies q = Rᵀ (k_x, k_y, 0) that an image samples.

    Args:
        rotation: from specimen to view.
        frequency: of the image, Å⁻¹.

    Source: the projection-slice theorem; Bracewell 1956, doi:10.1071/PH560198.
    """
    return frequency @ rotation[:, :2]
