"""Rotations of particles: uniform draws, small errors, and RELION's Euler angles."""

import torch
from jaxtyping import Float
from torch import Tensor


def draw_rotations(
    count: int, *, generator: torch.Generator
) -> Float[Tensor, "particle 3 3"]:
    """Draw proper rotations uniformly over SO(3).

    Args:
        count: how many.
        generator: source of the randomness.

    Returns:
        float64 matrices of determinant +1.

    Source: a normalised Gaussian 4-vector is a uniform unit quaternion; Shoemake 1992,
        doi:10.1016/B978-0-08-050755-2.50036-1.
    """
    quaternion = torch.randn(count, 4, dtype=torch.float64, generator=generator)
    return quaternion_to_matrix(quaternion / quaternion.norm(dim=-1, keepdim=True))


def quaternion_to_matrix(
    quaternion: Float[Tensor, "*batch 4"],
) -> Float[Tensor, "*batch 3 3"]:
    """Convert unit quaternions to rotation matrices.

    Args:
        quaternion: (w, x, y, z) of norm 1, dimensionless.

    Source: Shoemake 1985, doi:10.1145/325334.325242.
    """
    w, x, y, z = quaternion.unbind(-1)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)


def rotation_vector_to_matrix(
    vector: Float[Tensor, "*batch 3"],
) -> Float[Tensor, "*batch 3 3"]:
    """Convert rotation vectors to rotation matrices.

    Args:
        vector: axis times angle, rad.

    Source: Rodrigues' formula, as the exponential of the cross-product matrix.
    """
    x, y, z = vector.unbind(-1)
    zero = torch.zeros_like(x)
    rows = ((zero, -z, y), (z, zero, -x), (-y, x, zero))
    cross = torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)
    return torch.linalg.matrix_exp(cross)


def relion_angles_to_matrix(
    angles: Float[Tensor, "*batch 3"],
) -> Float[Tensor, "*batch 3 3"]:
    """Convert RELION's (rot, tilt, psi) to the matrix from specimen to view.

    The matrix is the inverse of SciPy's ``Rotation.from_euler('ZYZ', angles)``.

    Args:
        angles: rot, tilt, psi, rad.

    Source: Heymann, Chagoyen & Belnap 2005, doi:10.1016/j.jsb.2005.06.001.
    """
    rot, tilt, psi = angles.unbind(-1)
    return _turn_z(-psi) @ _turn_y(-tilt) @ _turn_z(-rot)


def matrix_to_relion_angles(
    rotation: Float[Tensor, "*batch 3 3"],
) -> Float[Tensor, "*batch 3"]:
    """Convert matrices from specimen to view to RELION's (rot, tilt, psi).

    Args:
        rotation: proper rotation matrices.

    Returns:
        Angles in rad, rot and psi in [−π, π], tilt in [0, π]. Where tilt is 0 or π
        only a combination of rot and psi is defined: the one returned reproduces the
        matrix.

    Source: Heymann, Chagoyen & Belnap 2005, doi:10.1016/j.jsb.2005.06.001.
    """
    rot = torch.atan2(rotation[..., 2, 1], rotation[..., 2, 0])
    in_plane = torch.hypot(rotation[..., 2, 0], rotation[..., 2, 1])
    tilt = torch.atan2(in_plane, rotation[..., 2, 2])
    # What is left once rot and tilt are undone is psi, whatever tilt is: no branch.
    remainder = rotation @ _turn_z(rot) @ _turn_y(tilt)
    psi = torch.atan2(-remainder[..., 1, 0], remainder[..., 0, 0])
    return torch.stack([rot, tilt, psi], dim=-1)


def _turn_z(angle: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch 3 3"]:
    zero, one = torch.zeros_like(angle), torch.ones_like(angle)
    cos, sin = torch.cos(angle), torch.sin(angle)
    rows = ((cos, -sin, zero), (sin, cos, zero), (zero, zero, one))
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)


def _turn_y(angle: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch 3 3"]:
    zero, one = torch.zeros_like(angle), torch.ones_like(angle)
    cos, sin = torch.cos(angle), torch.sin(angle)
    rows = ((cos, zero, sin), (zero, one, zero), (-sin, zero, cos))
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)
