"""What is traced through beads, from its files."""

from collections.abc import Mapping

from equicryo.inference.bead_tracing import (
    BeadProblem,
    BeadTracingConfig,
    describe_bead_problem,
)
from equicryo.inference.likelihood import prepare_likelihood
from equicryo.io.geometry import read_geometry
from equicryo.io.normal import read_normal
from equicryo.io.points import read_points
from equicryo.physics.gain import gain_of
from equicryo.physics.residue_density import single_blobs


def read_bead_problem(
    files: Mapping[str, str],
    config: BeadTracingConfig,
    *,
    residue_width: float,
    measured: bool,
) -> BeadProblem:
    """Read what is traced through beads.

    Args:
        files: `points` of the chain, `normal` equations of the images, and `geometry`
            of candidates.
        config: width and number of the beads.
        residue_width: standard deviation of each residue's density, Å.
        measured: whether the images are a user's, of unknown intensity.

    Raises:
        InputError: a file is missing or damaged.
    """
    sequence = read_points(files["points"]).sequence
    normal, geometry = read_normal(files["normal"]), read_geometry(files["geometry"])
    density = single_blobs(sequence, residue_width)
    likelihood = prepare_likelihood(normal, density, gain_of(measured=measured), ())
    return describe_bead_problem(likelihood, normal, sequence, geometry, config)
