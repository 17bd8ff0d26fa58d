"""The likelihood of a dataset's images, from the files that it consists of."""

from collections.abc import Mapping

from equicryo.inference.likelihood import ResidueLikelihood, prepare_likelihood
from equicryo.io.normal import read_normal
from equicryo.io.residue_model import read_density
from equicryo.physics.gain import gain_of


def read_likelihood(
    files: Mapping[str, str],
    sequence: str,
    blurs: tuple[float, ...],
    *,
    density: Mapping[str, object],
    measured: bool,
) -> ResidueLikelihood:
    """Read a dataset's normal equations and prepare their likelihood.

    Args:
        files: `normal`, the normal equations, and `constants`, the full residue
            model's, which are not read for single blobs.
        sequence: one-letter codes.
        blurs: resolutions besides the full one, Å.
        density: model of the chain's density; see `read_density`.
        measured: whether the images are a user's, of unknown intensity.

    Raises:
        InputError: a file is missing or damaged.
    """
    return prepare_likelihood(
        read_normal(files["normal"]),
        read_density(density, files["constants"], sequence),
        gain_of(measured=measured),
        blurs,
    )
