import torch

from equicryo.inference.curvature import Curvature
from equicryo.inference.pnp_dm import _likelihood_step


def test_likelihood_step_is_a_draw_from_its_gaussian():
    """N(P⁻¹ g, P⁻¹) along the directions, P = F + 1/ρ²; N(0, ρ²) across them."""
    generator = torch.Generator().manual_seed(0)
    directions, _ = torch.linalg.qr(
        torch.randn(6, 4, dtype=torch.float64, generator=generator)
    )
    root = 2.0 * torch.randn(4, 4, dtype=torch.float64, generator=generator)
    curvature = Curvature(
        blur=0.0,
        directions=directions,
        variance=torch.ones(4, dtype=torch.float64),
        information=root @ root.T,
    )
    width, count = 0.7, 40000
    gradient = torch.randn(1, 2, 3, dtype=torch.float64, generator=generator)
    move, noise = _likelihood_step(
        curvature, gradient.expand(count, -1, -1), width, generator
    )
    precision = root @ root.T + torch.eye(4).double() / width**2
    along = directions @ torch.linalg.inv(precision) @ directions.T
    across = torch.eye(6).double() - directions @ directions.T
    torch.testing.assert_close(
        move[0].ravel(), along @ gradient.ravel(), rtol=1e-9, atol=1e-12
    )
    drawn = noise.flatten(1)
    # √2 / 200 of the largest variance, ρ², five of them.
    expected = along + width**2 * across
    assert float((drawn.T.cov() - expected).abs().max()) < 0.036 * width**2
    assert float(drawn.mean(0).abs().max()) < 5 * width / 200
