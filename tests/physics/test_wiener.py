import pytest
import torch

from equicryo.physics.normal_operator import NormalOperator
from equicryo.physics.wiener import wiener_map

EDGE = 4


@pytest.fixture
def operator(generator) -> NormalOperator:
    """A random positive kernel."""
    shape = (2 * EDGE, 2 * EDGE, EDGE + 1)
    power = torch.rand(shape, dtype=torch.float64, generator=generator)
    # A real kernel that is even: its spectrum is even in the full axes.
    power = power + torch.roll(power.flip(0, 1), (1, 1), (0, 1))
    b = torch.randn((EDGE,) * 3, dtype=torch.float64, generator=generator)
    return NormalOperator(b=b, transfer=power, pixel_size=1.0)


def test_map_solves_the_dense_system(operator) -> None:
    units = torch.eye(EDGE**3, dtype=torch.float64).reshape(-1, *(EDGE,) * 3)
    matrix = operator.convolve(units).reshape(EDGE**3, -1)
    ridge = torch.eye(EDGE**3, dtype=torch.float64) / 2.0
    expected = torch.linalg.solve(matrix + ridge, operator.b.flatten())
    found = wiener_map(operator, 2.0, tolerance=1e-12)
    # A condition number of about 10 times the tolerance.
    torch.testing.assert_close(found.flatten(), expected, atol=1e-10, rtol=0.0)


def test_too_few_steps_are_an_error(operator) -> None:
    with pytest.raises(RuntimeError, match="no convergence in 2 steps"):
        wiener_map(operator, 1e6, tolerance=1e-12, max_iterations=2)
