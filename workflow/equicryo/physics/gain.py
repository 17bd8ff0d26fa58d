"""The factor g between a density and the intensity of its images.

Simulated images have g = 1. Recorded ones have a camera's unknown gain, so that

    log p(images | V, g) = g B − ½ g² A + const,   A = ⟨V, K * V⟩,   B = ⟨b, V⟩,

and with a flat prior on g > 0 the integral over g is, with z = B/√A,

    log p(images | V) = ½ log(2π/A) + ½ z² + log Φ(z) + const,

Φ the normal distribution function. Given V the gain is normal of mean B/A and variance
1/A, cut off at 0.

Source: elementary; the moments of a truncated normal are those of Johnson, Kotz &
Balakrishnan 1994, Continuous Univariate Distributions 1, section 10.1.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from equicryo.physics.model_error import guess_gain
from equicryo.physics.normal_equations import NormalEquations
from equicryo.physics.normal_operator import NormalOperator


class Gain(ABC):
    """What is known of the gain."""

    @abstractmethod
    def log_likelihood(
        self, operator: NormalOperator, volume: Float[Tensor, "*batch z y x"]
    ) -> Float[Tensor, "*batch"]:
        """Return log p(images | V) but for a constant, nats; differentiable in V.

        Args:
            operator: of the images.
            volume: e⁻/Å³ × pixel size, dtype and device of the operator.
        """

    @abstractmethod
    def weigh(self, linear: float, quadratic: float) -> tuple[float, float, float]:
        """Return log p(images | V) from its two terms, and moments of the gain.

        The moments are its slopes: ∂ log p/∂B = E[g] and ∂ log p/∂A = −½ E[g²].

        Args:
            linear: B, nats per unit of gain.
            quadratic: A > 0, nats per unit of gain squared.

        Returns:
            log p but for a constant, nats, E[g] and E[g²].
        """

    @abstractmethod
    def estimate(
        self, operator: NormalOperator, volume: Float[Tensor, "*batch z y x"]
    ) -> Float[Tensor, "*batch"]:
        """Return the mean of the gain given V, in intensity units per e⁻/Å².

        Args:
            operator: of the images.
            volume: e⁻/Å³ × pixel size, dtype and device of the operator.
        """

    @abstractmethod
    def guess(self, normal: NormalEquations, power: Float[Tensor, " shell"]) -> float:
        """Return the gain before any structure is known, in intensity per e⁻/Å².

        Args:
            normal: of the images.
            power: of the density's Fourier transform; see `guess_gain`.
        """

    @abstractmethod
    def curvature(
        self, operator: NormalOperator, volume: Float[Tensor, "z y x"]
    ) -> Callable[[Tensor], Tensor]:
        """Return the images' information about V as a linear map of volumes.

        Args:
            operator: of the images.
            volume: where, e⁻/Å³ × pixel size.
        """


@final
class KnownGain(Gain):
    """The gain is 1."""

    def log_likelihood(
        self, operator: NormalOperator, volume: Float[Tensor, "*batch z y x"]
    ) -> Float[Tensor, "*batch"]:
        """Return ⟨b, V⟩ − ½ ⟨V, K * V⟩, nats.

        Args:
            operator: of the images.
            volume: e⁻/Å³ × pixel size, dtype and device of the operator.
        """
        return operator.log_likelihood(volume)

    def weigh(self, linear: float, quadratic: float) -> tuple[float, float, float]:
        """Return B − ½ A, nats, 1 and 1.

        Args:
            linear: B, nats.
            quadratic: A, nats.
        """
        return linear - 0.5 * quadratic, 1.0, 1.0

    def estimate(
        self, operator: NormalOperator, volume: Float[Tensor, "*batch z y x"]
    ) -> Float[Tensor, "*batch"]:
        """Return 1, in intensity units per e⁻/Å².

        Args:
            operator: of the images, whose dtype and device the result takes.
            volume: e⁻/Å³ × pixel size.
        """
        return operator.b.new_ones(volume.shape[:-3])

    def guess(self, normal: NormalEquations, power: Float[Tensor, " shell"]) -> float:
        """Return 1, in intensity units per e⁻/Å².

        Args:
            normal: of the images.
            power: of the density's Fourier transform; see `guess_gain`.
        """
        return 1.0

    def curvature(
        self, operator: NormalOperator, volume: Float[Tensor, "z y x"]
    ) -> Callable[[Tensor], Tensor]:
        """Return the convolution with K, which is the same everywhere.

        Args:
            operator: of the images.
            volume: e⁻/Å³ × pixel size.
        """
        return operator.convolve


@final
class UnknownGain(Gain):
    """Any positive gain is equally likely beforehand; it is integrated out."""

    def log_likelihood(
        self, operator: NormalOperator, volume: Float[Tensor, "*batch z y x"]
    ) -> Float[Tensor, "*batch"]:
        """Return ½ log(2π/A) + ½ z² + log Φ(z), nats.

        Args:
            operator: of the images.
            volume: e⁻/Å³ × pixel size, dtype and device of the operator; not zero.
        """
        linear, quadratic = operator.terms(volume)
        # Scalars in float64: B and A reach 1e6 nats, and z may be far below zero.
        value = marginal_log_likelihood(linear.double(), quadratic.double())
        return value.to(volume.dtype)

    def weigh(self, linear: float, quadratic: float) -> tuple[float, float, float]:
        """Return ½ log(2π/A) + ½ z² + log Φ(z), nats, E[g] and E[g²].

        Args:
            linear: B, nats per unit of gain.
            quadratic: A > 0, nats per unit of gain squared.
        """
        terms = torch.tensor([linear, quadratic], dtype=torch.float64)
        mean, square = gain_moments(*terms)
        return float(marginal_log_likelihood(*terms)), float(mean), float(square)

    def estimate(
        self, operator: NormalOperator, volume: Float[Tensor, "*batch z y x"]
    ) -> Float[Tensor, "*batch"]:
        """Return the posterior mean of the gain, in intensity units per e⁻/Å².

        Args:
            operator: of the images.
            volume: e⁻/Å³ × pixel size, dtype and device of the operator; not zero.
        """
        mean, _ = gain_moments(*(term.double() for term in operator.terms(volume)))
        return mean.to(volume.dtype)

    def guess(self, normal: NormalEquations, power: Float[Tensor, " shell"]) -> float:
        """Return the gain of images of that power, in intensity units per e⁻/Å².

        Args:
            normal: of the images.
            power: of the density's Fourier transform; see `guess_gain`.
        """
        return guess_gain(normal, power)

    def curvature(
        self, operator: NormalOperator, volume: Float[Tensor, "z y x"]
    ) -> Callable[[Tensor], Tensor]:
        """Return E[g²] (K − K V Vᵀ K / A): a change of V's scale is not seen.

        Args:
            operator: of the images.
            volume: e⁻/Å³ × pixel size; not zero.
        """
        terms = operator.terms(volume)
        _, square = gain_moments(*(term.double() for term in terms))
        along = operator.convolve(volume)
        unit = volume / terms[1]

        def project(change: Tensor) -> Tensor:
            seen = operator.convolve(change)
            share = (seen * unit).sum((-3, -2, -1), keepdim=True)
            return square.to(seen) * (seen - share * along)

        return project


def gain_of(*, measured: bool) -> Gain:
    """Return what is known of the gain of images.

    Args:
        measured: whether a camera recorded them; simulated ones are in units of their
            density.
    """
    return UnknownGain() if measured else KnownGain()


def marginal_log_likelihood(
    linear: Float[Tensor, "*batch"], quadratic: Float[Tensor, "*batch"]
) -> Float[Tensor, "*batch"]:
    """Return log ∫₀^∞ exp(g B − ½ g² A) dg, nats, for any sign of B.

    Args:
        linear: B, nats per unit of gain.
        quadratic: A > 0, nats per unit of gain squared.
    """
    z = linear / quadratic.sqrt()
    # ½ z² + log Φ(z) in two forms, each where it neither cancels nor overflows.
    up, down = z.clamp(min=0.0), z.clamp(max=0.0)
    above = 0.5 * up.square() + torch.special.log_ndtr(up)
    below = torch.special.erfcx(-down / math.sqrt(2.0)).log() - math.log(2.0)
    tilt = torch.where(z > 0.0, above, below)
    return tilt + 0.5 * (math.log(2.0 * math.pi) - quadratic.log())


def gain_moments(
    linear: Float[Tensor, "*batch"], quadratic: Float[Tensor, "*batch"]
) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch"]]:
    """Return the posterior means of g and of g² under the flat prior.

    Args:
        linear: B, nats per unit of gain.
        quadratic: A > 0, nats per unit of gain squared.

    Returns:
        Both in units of gain: E[g] = (z + h)/√A and E[g²] = (1 + z (z + h))/A, where
        h = φ(z)/Φ(z).
    """
    z = linear / quadratic.sqrt()
    up, down = z.clamp(min=0.0), z.clamp(max=0.0)
    log_density = -0.5 * up.square() - 0.5 * math.log(2.0 * math.pi)
    above = (log_density - torch.special.log_ndtr(up)).exp()
    below = math.sqrt(2.0 / math.pi) / torch.special.erfcx(-down / math.sqrt(2.0))
    excess = z + torch.where(z > 0.0, above, below)
    return excess / quadratic.sqrt(), (1.0 + z * excess) / quadratic
