"""The likelihood of a volume from its normal equations, at the cost of one FFT pair.

Source: Wang, Shkolnisky & Singer 2013, arXiv:1307.5824, for the Toeplitz form.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from equicryo.physics.normal_equations import NormalEquations

BLOCK = 16
"""Fourier rows held at once on a CPU: measured 1.3 times faster than whole volumes."""


@dataclass(frozen=True, kw_only=True, eq=False)
class NormalOperator:
    """Normal equations prepared for repeated evaluation.

    Attributes:
        b: back-projection, nats per unit of volume.
        transfer: real half spectrum of K on the grid of twice the edge.
        pixel_size: of the volume, Å.
    """

    b: Float[Tensor, "z y x"]
    transfer: Float[Tensor, "z_lag y_lag x_half"]
    pixel_size: float

    @property
    def support_size(self) -> int:
        """Edge of the volume, voxels."""
        return self.b.shape[-1]

    def log_likelihood(
        self, volume: Float[Tensor, "*batch z y x"]
    ) -> Float[Tensor, "*batch"]:
        """Return ⟨b, V⟩ − ½ ⟨V, K * V⟩, nats.

        This is the log-likelihood but for a constant, −½ data_energy and the noise's
        normalisation. Differentiable once; value and gradient share one convolution.

        Args:
            volume: e⁻/Å³ × pixel size, dtype and device of the operator.
        """
        return _QuadraticForm.apply(volume, self.b, self.transfer)

    def terms(
        self, volume: Float[Tensor, "*batch z y x"]
    ) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch"]]:
        """Return ⟨b, V⟩ and ⟨V, K * V⟩, nats, each differentiable once.

        Args:
            volume: e⁻/Å³ × pixel size, dtype and device of the operator.
        """
        return _Terms.apply(volume, self.b, self.transfer)

    def convolve(
        self, volume: Float[Tensor, "*batch z y x"]
    ) -> Float[Tensor, "*batch z y x"]:
        """Return K * V on the support, the Hessian of −log p applied to V.

        Args:
            volume: e⁻/Å³ × pixel size, dtype and device of the operator.
        """
        return convolve_kernel(self.transfer, volume)


def prepare_operator(
    normal: NormalEquations,
    *,
    dtype: torch.dtype = torch.float64,
    device: torch.device | str = "cpu",
) -> NormalOperator:
    """Transform the kernel once.

    Args:
        normal: normal equations.
        dtype: of the volumes that will be evaluated.
        device: of the volumes that will be evaluated.
    """
    # The kernel is even but for the planes of lag −N, which no pair of voxels has: the
    # imaginary part is theirs alone.
    transfer = torch.fft.rfftn(torch.fft.ifftshift(normal.kernel)).real
    return NormalOperator(
        b=normal.b.to(device, dtype),
        transfer=transfer.to(device, dtype),
        pixel_size=normal.pixel_size,
    )


def convolve_kernel(
    transfer: Float[Tensor, "z_lag y_lag x_half"],
    volume: Float[Tensor, "*batch z y x"],
) -> Float[Tensor, "*batch z y x"]:
    """Convolve volumes with a symmetric kernel, without wrap-around.

    Args:
        transfer: real half spectrum on the grid of twice the volume's edge, voxels.
        volume: of the same dtype and device.
    """
    flat = volume.reshape(-1, *volume.shape[-3:])
    if volume.is_cuda:
        return _convolve(transfer, flat, transfer.shape[-2]).reshape(volume.shape)
    # One volume at a time stays in the cache: 4 times faster than a batch of 8.
    volumes = [_convolve(transfer, one, BLOCK) for one in flat]
    return torch.stack(volumes).reshape(volume.shape)


def _convolve(
    transfer: Float[Tensor, "z_lag y_lag x_half"],
    volume: Float[Tensor, "*batch z y x"],
    block: int,
) -> Float[Tensor, "*batch z y x"]:
    """Pad and crop one axis after the other, so that no FFT transforms only zeros."""
    edge = volume.shape[-1]
    spectrum = torch.fft.fft(torch.fft.rfft(volume, 2 * edge), 2 * edge, dim=-2)
    rows = []
    for row in range(0, 2 * edge, block):
        part = (..., slice(row, row + block), slice(None))
        along_z = torch.fft.fft(spectrum[part], 2 * edge, dim=-3) * transfer[part]
        rows.append(torch.fft.ifft(along_z, dim=-3)[..., :edge, :, :])
    spectrum = torch.fft.ifft(torch.cat(rows, dim=-2), dim=-2)[..., :edge, :]
    return torch.fft.irfft(spectrum, 2 * edge)[..., :edge]


class _QuadraticForm(torch.autograd.Function):
    """⟨b, V⟩ − ½ ⟨V, K * V⟩ with its gradient b − K * V."""

    @staticmethod
    def forward(ctx, volume, b, transfer):
        convolved = convolve_kernel(transfer, volume)
        ctx.save_for_backward(b - convolved)
        return (volume * (b - 0.5 * convolved)).sum((-3, -2, -1))

    @staticmethod
    @once_differentiable
    def backward(ctx, cotangent):
        (gradient,) = ctx.saved_tensors
        return cotangent[..., None, None, None] * gradient, None, None


class _Terms(torch.autograd.Function):
    """⟨b, V⟩ and ⟨V, K * V⟩ with their gradients b and 2 K * V."""

    @staticmethod
    def forward(ctx, volume, b, transfer):
        convolved = convolve_kernel(transfer, volume)
        ctx.save_for_backward(b, convolved)
        axes = (-3, -2, -1)
        return (b * volume).sum(axes), (volume * convolved).sum(axes)

    @staticmethod
    @once_differentiable
    def backward(ctx, linear, quadratic):
        b, convolved = ctx.saved_tensors
        linear, quadratic = (
            cotangent[..., None, None, None] for cotangent in (linear, quadratic)
        )
        return linear * b + 2.0 * quadratic * convolved, None, None
