import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from scipy.stats import kstest

from equicryo.physics.rotations import (
    draw_rotations,
    matrix_to_relion_angles,
    quaternion_to_matrix,
    relion_angles_to_matrix,
    rotation_vector_to_matrix,
)

COUNT = 4000
# float64 sines and cosines and products of three matrices: some 1e-15.
EXACT = {"atol": 1e-12, "rtol": 0.0}


def test_random_rotations_are_proper(generator) -> None:
    rotation = draw_rotations(COUNT, generator=generator)
    identity = torch.eye(3, dtype=torch.float64).expand_as(rotation)
    torch.testing.assert_close(rotation @ rotation.mT, identity, **EXACT)
    torch.testing.assert_close(
        torch.linalg.det(rotation), torch.ones(COUNT, dtype=torch.float64), **EXACT
    )


def test_random_rotations_are_uniform(generator) -> None:
    """Haar measure: angle density (1 − cos θ)/π, every matrix entry uniform."""
    rotation = draw_rotations(COUNT, generator=generator)
    trace = rotation.diagonal(dim1=-2, dim2=-1).sum(-1)
    angle = torch.arccos(((trace - 1) / 2).clamp(-1, 1)).numpy()
    # With this seed a correct draw is either side of 1 % once and for all.
    assert kstest(angle, lambda t: (t - np.sin(t)) / math.pi).pvalue > 0.01
    for row in range(3):
        for column in range(3):
            entry = rotation[:, row, column].numpy()
            assert kstest(entry, "uniform", args=(-1, 2)).pvalue > 0.01 / 9


@given(
    st.tuples(
        st.floats(-math.pi, math.pi),
        st.one_of(
            st.floats(0.0, math.pi),
            st.sampled_from([0.0, 1e-9, 1e-5, math.pi - 1e-9, math.pi]),
        ),
        st.floats(-math.pi, math.pi),
    )
)
def test_relion_angles_round_trip(angles: tuple[float, float, float]) -> None:
    matrix = relion_angles_to_matrix(torch.tensor(angles, dtype=torch.float64))
    again = relion_angles_to_matrix(matrix_to_relion_angles(matrix))
    torch.testing.assert_close(again, matrix, atol=1e-10, rtol=0.0)


@given(st.tuples(st.floats(-3, 3), st.floats(0.01, 3.1), st.floats(-3, 3)))
def test_relion_angles_return_where_they_are_unique(
    angles: tuple[float, float, float],
) -> None:
    given_angles = torch.tensor(angles, dtype=torch.float64)
    found = matrix_to_relion_angles(relion_angles_to_matrix(given_angles))
    # Near tilt 0 the angles lose 1 / sin(0.01) = 100 of the matrix's 1e-16.
    torch.testing.assert_close(found, given_angles, atol=1e-10, rtol=0.0)


def test_relion_angles_agree_with_scipy(generator) -> None:
    angles = torch.rand(50, 3, dtype=torch.float64, generator=generator) * 360 - 180
    expected = Rotation.from_euler("ZYZ", angles.numpy(), degrees=True).inv()
    actual = relion_angles_to_matrix(torch.deg2rad(angles))
    np.testing.assert_allclose(actual, expected.as_matrix(), atol=1e-12)


def test_quaternions_agree_with_scipy(generator) -> None:
    quaternion = torch.randn(50, 4, dtype=torch.float64, generator=generator)
    quaternion /= quaternion.norm(dim=-1, keepdim=True)
    expected = Rotation.from_quat(quaternion.numpy(), scalar_first=True)
    np.testing.assert_allclose(
        quaternion_to_matrix(quaternion), expected.as_matrix(), atol=1e-12
    )


@pytest.mark.parametrize("scale", [0.0, 1e-12, 1e-7, 1e-3, 1.0, math.pi])
def test_rotation_vectors_agree_with_scipy(generator, scale: float) -> None:
    direction = torch.randn(20, 3, dtype=torch.float64, generator=generator)
    vector = scale * direction / direction.norm(dim=-1, keepdim=True)
    expected = Rotation.from_rotvec(vector.numpy()).as_matrix()
    actual = rotation_vector_to_matrix(vector)
    np.testing.assert_allclose(actual, expected, atol=1e-12)
