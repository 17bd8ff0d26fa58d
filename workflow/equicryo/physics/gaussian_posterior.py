"""Volumes given images and a Gaussian: their mean, and exact draws.

With known poses the likelihood of a volume is Gaussian, of precision K. Times a
Gaussian about a centre, a stationary field of some spectrum times an amplitude that may
differ from voxel to voxel, it is a Gaussian again, known through products with K only.

Source: elementary; conjugate gradients for the mean, Lanczos for the square root.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from equicryo.physics.normal_operator import NormalOperator

TOLERANCE = 1e-3
"""Relative residual at which the iterations stop: far below the posterior's spread."""

MAX_ITERATIONS = 200

AXES = (-3, -2, -1)


def filter_volume(
    volume: Float[Tensor, "*batch z y x"], factor: Float[Tensor, "*spectra z y x_half"]
) -> Float[Tensor, "*batch z y x"]:
    """Multiply each frequency of volumes, periodic on their grid, by a real factor.

    Args:
        volume: cubic, even, in any unit.
        factor: dimensionless, on the grid of ``torch.fft.rfftn``.
    """
    return torch.fft.irfftn(
        torch.fft.rfftn(volume, dim=AXES) * factor, s=volume.shape[-3:], dim=AXES
    )


def circulant_part(operator: NormalOperator) -> Float[Tensor, "z y x_half"]:
    """Return the circulant on the grid that is nearest to K, as its spectrum.

    It has the unit of K, is not negative, and preconditions systems with K.

    Args:
        operator: prepared normal equations.

    Source: Chan 1988, doi:10.1137/0909051, one axis after the other.
    """
    edge = operator.support_size
    kernel = torch.fft.irfftn(operator.transfer, s=(2 * edge,) * 3)
    lag = torch.fft.fftfreq(2 * edge, 0.5 / edge).to(kernel).abs()
    weight = 1.0 - lag / edge
    kernel = kernel * weight[:, None, None] * weight[:, None] * weight
    folded = kernel.reshape(2, edge, 2, edge, 2, edge).sum((0, 2, 4))
    return torch.fft.rfftn(folded).real.clamp(min=0.0)


@dataclass(frozen=True, kw_only=True, eq=False)
class GaussianPosterior:
    """exp(⟨b, V⟩ − ½ ⟨V, K * V⟩) times a Gaussian about a centre.

    Attributes:
        operator: b and K.
        diagonal: `circulant_part` of it.
        variance: of the Gaussian's stationary field at each frequency, which is that of
            a voxel of white noise of the same power; positive, (e⁻/Å³ × pixel size)².
        amplitude: that multiplies this field, dimensionless, positive; one number where
            the Gaussian is stationary.
    """

    operator: NormalOperator
    diagonal: Float[Tensor, "z y x_half"]
    variance: Float[Tensor, "z y x_half"]
    amplitude: Float[Tensor, "*volumes"]

    def mean(
        self, centre: Float[Tensor, "*batch z y x"]
    ) -> Float[Tensor, "*batch z y x"]:
        """Return the posterior mean c + A (A K A + S⁻¹)⁻¹ A (b − K c).

        Args:
            centre: mean c of the Gaussian before the images, e⁻/Å³ × pixel size.
        """
        misfit = self.operator.b - self.operator.convolve(centre)
        field = conjugate_gradients(
            self._precision, self._condition, self.amplitude * misfit
        )
        return centre + self.amplitude * field

    def colour(
        self, white: Float[Tensor, "*batch z y x"]
    ) -> Float[Tensor, "*batch z y x"]:
        """Turn white noise into noise of the posterior's covariance, linearly.

        Args:
            white: standard normal numbers.

        Returns:
            e⁻/Å³ × pixel size.

        Source: Chow & Saad 2014, doi:10.1137/130920587, equation 2.4, with the
            preconditioner's symmetric root.
        """
        field = inverse_root(self._whitened_precision, self._half_condition, white)
        return self.amplitude * field

    def draw(
        self,
        centre: Float[Tensor, "*batch z y x"],
        white: Float[Tensor, "*batch z y x"],
    ) -> Float[Tensor, "*batch z y x"]:
        """Draw from the posterior about each centre.

        Args:
            centre: mean c of the Gaussian before the images, e⁻/Å³ × pixel size.
            white: standard normal numbers.
        """
        return self.mean(centre) + self.colour(white)

    # Of the stationary field: where the amplitude is small so is the images' part, and
    # the rest is circulant. The volume itself takes three times as many iterations.
    def _precision(self, field: Tensor) -> Tensor:
        seen = self.amplitude * self.operator.convolve(self.amplitude * field)
        return seen + filter_volume(field, 1.0 / self.variance)

    def _condition(self, volume: Tensor) -> Tensor:
        return filter_volume(volume, self._circulant)

    def _half_condition(self, volume: Tensor) -> Tensor:
        return filter_volume(volume, self._circulant.sqrt())

    def _whitened_precision(self, volume: Tensor) -> Tensor:
        return self._half_condition(self._precision(self._half_condition(volume)))

    @property
    def _circulant(self) -> Tensor:
        power = self.amplitude.square().mean()
        return 1.0 / (power * self.diagonal + 1.0 / self.variance)


Linear = Callable[[Tensor], Tensor]


def conjugate_gradients(
    apply: Linear, condition: Linear, right: Float[Tensor, "*batch z y x"]
) -> Float[Tensor, "*batch z y x"]:
    """Solve A V = right for symmetric positive A, each volume by itself.

    Args:
        apply: A.
        condition: an approximate inverse of A, symmetric and positive.
        right: any unit.

    Raises:
        RuntimeError: no convergence within `MAX_ITERATIONS`.

    Source: Hestenes & Stiefel 1952, doi:10.6028/jres.049.044.
    """
    volume, residual = torch.zeros_like(right), right
    steepest = condition(residual)
    direction, energy = steepest, _inner(residual, steepest)
    goal = TOLERANCE**2 * energy
    for _ in range(MAX_ITERATIONS):
        if bool((energy <= goal).all()):
            return volume
        applied = apply(direction)
        # A volume that has converged to the last digit stays where it is.
        curvature = _inner(direction, applied)
        step = torch.where(curvature > 0.0, energy / curvature, 0.0)
        volume = volume + step * direction
        residual = residual - step * applied
        steepest = condition(residual)
        previous, energy = energy, _inner(residual, steepest)
        ratio = torch.where(previous > 0.0, energy / previous, 0.0)
        direction = steepest + ratio * direction
    raise RuntimeError(f"conjugate gradients: no convergence in {MAX_ITERATIONS} steps")


def inverse_root(
    apply: Linear, condition: Linear, white: Float[Tensor, "*batch z y x"]
) -> Float[Tensor, "*batch z y x"]:
    """Return M B^(−1/2) white, of covariance A⁻¹ for B = M A M.

    Args:
        apply: B, symmetric and positive.
        condition: M, an approximate inverse root of A, symmetric and positive.
        white: standard normal numbers.

    Raises:
        RuntimeError: no convergence within `MAX_ITERATIONS`.

    Source: Lanczos's tridiagonal matrix T of B from the white noise;
        B^(−1/2) white ≈ |white| Q T^(−1/2) e₁.
    """
    length = _inner(white, white).sqrt()
    basis = [white / length]
    alphas, betas, known = [], [], torch.zeros(0)
    for count in range(1, MAX_ITERATIONS + 1):
        image = apply(basis[-1])
        alphas.append(_inner(image, basis[-1]))
        # Against all earlier vectors: in float32 the last two alone do not suffice.
        for vector in basis:
            image = image - _inner(image, vector) * vector
        betas.append(_inner(image, image).sqrt())
        weights = _root_weights(alphas, betas)
        change = weights - torch.nn.functional.pad(known, (0, 1)) if count > 1 else None
        exhausted = bool((betas[-1] <= TOLERANCE**2 * alphas[-1]).all())
        if exhausted or (
            change is not None and bool((change.norm(dim=-1) <= TOLERANCE).all())
        ):
            terms = zip(weights.unbind(-1), basis, strict=True)
            total = sum(weight[..., None, None, None] * v for weight, v in terms)
            return condition(length * total)
        known = weights
        basis.append(image / betas[-1].clamp(min=torch.finfo(white.dtype).tiny))
    raise RuntimeError(f"Lanczos: no convergence in {MAX_ITERATIONS} steps")


def _root_weights(alphas: list[Tensor], betas: list[Tensor]) -> Tensor:
    """Return T^(−1/2) e₁ of each volume's tridiagonal matrix."""
    diagonal = torch.stack(alphas, -1)[..., 0, 0, 0, :].double()
    matrix = torch.diag_embed(diagonal)
    if len(betas) > 1:
        beside = torch.stack(betas[:-1], -1)[..., 0, 0, 0, :].double()
        matrix = matrix + torch.diag_embed(beside, 1) + torch.diag_embed(beside, -1)
    values, vectors = torch.linalg.eigh(matrix)
    first = vectors[..., 0, :] / values.clamp(min=1e-12).sqrt()
    return (vectors @ first[..., None])[..., 0].to(alphas[0])


def _inner(first: Tensor, second: Tensor) -> Tensor:
    return (first * second).sum(AXES, keepdim=True)
