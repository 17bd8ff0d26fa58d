"""Training of a voxel prior's denoiser, and what its errors are like afterwards."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from equicryo.models.averaged_training import AveragedTraining, OptimisationConfig
from equicryo.models.voxel_denoiser import VoxelDenoiser
from equicryo.models.voxel_examples import VolumeBatch, VolumeExamples
from equicryo.models.voxel_prior import MeasuredErrors, error_pattern
from equicryo.physics.envelope import molecule_mask
from equicryo.physics.spectra import shell_power, shells_to_grid

VALIDATION_NOISE = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
"""Noise levels of the denoising test, e⁻/Å³ × pixel size; a protein at 1 Å has a
density of about 0.4."""

ERROR_LEVELS = 16
"""Noise levels at which errors are measured for the samplers."""

TURNED_VOLUMES = 3
"""Held-out volumes on which equivariance is measured."""

VOXEL_CURVE_COLUMNS = (
    "step",
    "loss",
    *(f"error_{level:g}" for level in VALIDATION_NOISE),
)


@dataclass(frozen=True, kw_only=True)
class VoxelTrainingConfig(OptimisationConfig):
    """How a denoiser of densities is trained.

    Noise levels are log-uniform, in e⁻/Å³ × pixel size.

    Attributes:
        batch_volumes: volumes of one step.
    """

    batch_volumes: int


def relative_errors(
    denoiser: VoxelDenoiser,
    batch: VolumeBatch,
    noise: Float[Tensor, "batch z y x"],
    noise_level: Float[Tensor, " batch"],
) -> Float[Tensor, " batch"]:
    """Return mean square errors over those of the Wiener filter on its own Gaussian.

    Args:
        denoiser: to be tested.
        batch: clean volumes.
        noise: standard normal numbers.
        noise_level: σ, e⁻/Å³ × pixel size.
    """
    noisy = batch.volume + noise_level[:, None, None, None] * noise
    error = denoiser(noisy, noise_level, batch.pixel_index) - batch.volume
    edge = noisy.shape[-1]
    *_, step = denoiser.whitening.deviations(noise_level, batch.pixel_index, edge)
    return error.square().mean((1, 2, 3)) / step**2


class VoxelTraining(AveragedTraining):
    """One step of training a denoiser of densities."""

    def __init__(
        self,
        denoiser: VoxelDenoiser,
        config: VoxelTrainingConfig,
        examples: VolumeExamples,
        held_out: VolumeBatch,
        seed: int,
    ) -> None:
        """Wrap a denoiser with its averaged copy and its data.

        Args:
            denoiser: the network to train, in place.
            config: how.
            examples: training data.
            held_out: volumes for the denoising test.
            seed: of every random number of the training.
        """
        super().__init__(denoiser, config, seed)
        self.examples = examples
        self.held_out = held_out

    def training_step(self, batch: int, batch_index: int) -> Tensor:
        """Return the loss of a freshly drawn batch; a Wiener filter attains 1.

        Source: Karras et al. 2022, arXiv:2206.00364, equation 8 with λ(σ) = 1/c_out².
        """
        config = self.config
        generator = self._generator("train", self.global_step, self.global_rank)
        drawn = self.examples.draw(config.batch_volumes, generator)
        low, high = math.log(config.smallest_noise), math.log(config.largest_noise)
        unit = torch.rand(config.batch_volumes, generator=generator)
        errors = self._errors(
            self.denoiser, drawn, (low + (high - low) * unit).exp(), generator
        )
        loss = errors.mean()
        self._keep_loss(loss.detach())
        return loss

    def make_optimizer(self) -> torch.optim.Optimizer:
        """Return Adam."""
        parameters = self.denoiser.network.parameters()
        return torch.optim.Adam(parameters, self.config.learning_rate)

    @torch.no_grad()
    def _held_out_errors(self) -> dict[str, float]:
        """Return the averaged weights' relative errors on fixed noisy volumes."""
        row = {}
        for noise in VALIDATION_NOISE:
            generator = self._generator("held out", 0, 0)
            errors = [
                self._errors(
                    self.average.module, one, torch.full((1,), noise), generator
                )
                for one in single_volumes(self.held_out)
            ]
            row[f"error_{noise:g}"] = float(torch.cat(errors).mean())
        return row

    def _errors(
        self,
        denoiser: VoxelDenoiser,
        batch: VolumeBatch,
        noise_level: Tensor,
        generator: torch.Generator,
    ) -> Tensor:
        noise = torch.randn(batch.volume.shape, generator=generator).to(self.device)
        moved = VolumeBatch(
            volume=batch.volume.to(self.device),
            pixel_index=batch.pixel_index.to(self.device),
        )
        return relative_errors(denoiser, moved, noise, noise_level.to(self.device))


def single_volumes(batch: VolumeBatch) -> list[VolumeBatch]:
    """Split a batch, so that memory holds the activations of one volume at a time."""
    pairs = zip(batch.volume.split(1), batch.pixel_index.split(1), strict=True)
    return [VolumeBatch(volume=volume, pixel_index=index) for volume, index in pairs]


@torch.no_grad()
def measure_errors(
    denoiser: VoxelDenoiser,
    held_out: VolumeBatch,
    pixel_sizes: Sequence[float],
    noise_levels: Float[Tensor, " level"],
    *,
    generator: torch.Generator,
) -> MeasuredErrors:
    """Measure mean square errors by shell, and how they follow the density.

    A network knows more than the Gaussian; what it still errs by is the covariance that
    samplers must give to its estimates. Errors are those inside the molecules: it knows
    that the solvent around them is empty, and an average with it would be too small.

    Args:
        denoiser: trained.
        held_out: volumes that it has not seen, some at each pixel size.
        pixel_sizes: of the prior, Å.
        noise_levels: σ, e⁻/Å³ × pixel size.
        generator: source of the noise.

    Returns:
        Errors, pooled over volumes.

    Raises:
        ValueError: there is no volume at one of the pixel sizes.
    """
    indices = held_out.pixel_index.tolist()
    if set(indices) != set(range(len(pixel_sizes))):
        raise ValueError(f"no volume at some of the pixel sizes {pixel_sizes} Å")
    volumes = single_volumes(held_out)
    masks = [
        molecule_mask(one.volume[0], pixel_sizes[index])
        for one, index in zip(volumes, indices, strict=True)
    ]
    counts = torch.bincount(held_out.pixel_index)[:, None]
    ratios, strengths = [], []
    for level in noise_levels:
        power = denoiser.whitening.power
        wiener = power * level**2 / (power + level**2)
        found = torch.zeros(())
        local = torch.zeros(2, len(pixel_sizes))
        for one, mask, index in zip(volumes, masks, indices, strict=True):
            noise = torch.randn(one.volume.shape, generator=generator)
            noisy = one.volume + level * noise
            estimate = denoiser(noisy, level[None], one.pixel_index)[0]
            error = estimate - one.volume[0]
            found = found + shell_power(mask * error) / mask.square().mean()
            pattern = error_pattern(estimate, pixel_sizes[index])
            both = torch.stack([error.square(), pattern])
            local[:, index] += (mask * both).sum((1, 2, 3)) / mask.sum()
        ratio = found / (counts * wiener).sum(0)
        expected = shells_to_grid(ratio * wiener, held_out.volume.shape[-1])
        squares, pattern = local
        ratios.append(ratio)
        strengths.append(pattern / squares * expected.mean((1, 2, 3)))
    return MeasuredErrors(
        noise_levels=noise_levels,
        ratios=torch.stack(ratios),
        strength=torch.stack(strengths),
    )


def error_noise_levels(config: VoxelTrainingConfig) -> Float[Tensor, " level"]:
    """Return the noise levels at which a trained denoiser's errors are measured."""
    low, high = math.log(config.smallest_noise), math.log(config.largest_noise)
    return torch.linspace(low, high, ERROR_LEVELS).exp()


@torch.no_grad()
def turning_error(
    denoiser: VoxelDenoiser, batch: VolumeBatch, *, generator: torch.Generator
) -> dict[str, float]:
    """Measure how far a denoiser is from turning with the molecule.

    A convolutional network knows nothing of rotations but what turned examples have
    taught it. Quarter turns are exact on the grid: D(R V) − R D(V) is its own doing.

    Args:
        denoiser: to be tested.
        batch: clean volumes.
        generator: source of the noise.

    Returns:
        At each noise level, the root mean square of that difference over the root mean
        square error of the estimate, over quarter turns about x, y and z.
    """
    row = {}
    for noise in VALIDATION_NOISE:
        level, change, error = torch.full((1,), noise), 0.0, 0.0
        for one in single_volumes(batch)[:TURNED_VOLUMES]:
            random = torch.randn(one.volume.shape, generator=generator)
            noisy = one.volume + noise * random
            estimate = denoiser(noisy, level, one.pixel_index)
            error += 3.0 * float((estimate - one.volume).square().mean())
            for axes in ((1, 2), (1, 3), (2, 3)):
                turned = denoiser(noisy.rot90(1, axes), level, one.pixel_index)
                change += float((turned - estimate.rot90(1, axes)).square().mean())
        row[f"turning_{noise:g}"] = math.sqrt(change / error)
    return row
