"""Training of a denoiser, with Lightning."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from equicryo.models.averaged_training import AveragedTraining, OptimisationConfig
from equicryo.models.denoiser import VALIDATION_NOISE, Denoiser, centroid
from equicryo.models.examples import Batch, Examples
from equicryo.models.optimizer import MuonWithAdam
from equicryo.models.transformer import ABSENT_TYPE, split_weights

CURVE_COLUMNS = ("step", "loss", *(f"rmsd_{level:g}" for level in VALIDATION_NOISE))

TYPICAL_NOISE, TYPICAL_SPREAD = 2.5, 1.0
"""Half of the training is at noise levels about this one, Å, log-normally spread."""

EARLY_WEIGHT = 0.25
"""Weight of the estimates before the last in the loss."""


@dataclass(frozen=True, kw_only=True)
class TrainingConfig(OptimisationConfig):
    """How a denoiser of chains is trained, with noise levels in Å.

    Half of the noise levels are log-uniform between the least and the largest.

    Attributes:
        batch_residues: residues of the chains of one step, about.
        matrix_rate: of Muon, at its highest.
    """

    batch_residues: int
    matrix_rate: float


def draw_noise_levels(
    count: int, config: TrainingConfig, generator: torch.Generator
) -> Float[Tensor, " count"]:
    """Draw noise levels, Å: half log-uniform, half log-normal about a typical one."""
    low, high = math.log(config.smallest_noise), math.log(config.largest_noise)
    wide = low + (high - low) * torch.rand(count, generator=generator)
    spread = TYPICAL_SPREAD * torch.randn(count, generator=generator)
    narrow = (math.log(TYPICAL_NOISE) + spread).clamp(low, high)
    return torch.where(torch.rand(count, generator=generator) < 0.5, wide, narrow).exp()


def denoising_errors(
    denoiser: Denoiser,
    batch: Batch,
    noise: Float[Tensor, "batch residue 3"],
    noise_level: Float[Tensor, " batch"],
) -> list[Float[Tensor, " batch"]]:
    """Return the mean square distance from the clean chain after each round, Å².

    Args:
        denoiser: to be tested.
        batch: clean chains.
        noise: standard normal numbers.
        noise_level: σ, Å.
    """
    present = batch.residue_types != ABSENT_TYPE
    noise = noise - centroid(noise, present)
    noisy = batch.coordinates + noise_level[:, None, None] * noise
    estimates = denoiser.estimates(noisy, noise_level, batch.residue_types)
    residues = present.sum(1)
    return [
        ((estimate - batch.coordinates).square().sum(-1) * present).sum(1) / residues
        for estimate in estimates
    ]


class DenoiserTraining(AveragedTraining):
    """One step of training a denoiser, all its randomness a function of the step."""

    def __init__(
        self,
        denoiser: Denoiser,
        config: TrainingConfig,
        examples: Examples,
        held_out: Iterable[Batch],
        seed: int,
    ) -> None:
        """Wrap a denoiser with its averaged copy and its data.

        Args:
            denoiser: the network to train, in place; its geometry is in float32 from
                here on, which is half as dear.
            config: how.
            examples: training data.
            held_out: chains for the denoising test.
            seed: of every random number of the training.
        """
        denoiser.whitening.float()
        super().__init__(denoiser, config, seed)
        self.examples = examples
        self.held_out = list(held_out)

    def training_step(self, batch: int, batch_index: int) -> Tensor:
        """Return the loss of one freshly drawn batch.

        It is the mean squared error in units of c_out²: 1 is what the Gaussian
        posterior mean attains on Gaussian chains. Estimates before the last count too,
        with less weight.

        Source: Karras et al. 2022, arXiv:2206.00364, equation 8 with λ(σ) = 1/c_out².
        """
        loss, last = self._loss(self.global_step, self.global_rank)
        self._keep_loss(last)
        return loss

    def _loss(self, step: int, rank: int) -> tuple[Tensor, Tensor]:
        """Return the loss of one process's batch, and its last estimate's part."""
        config = self.config
        generator = self._generator("train", step, rank)
        drawn = self.examples.draw(config.batch_residues, generator)
        level = draw_noise_levels(len(drawn.coordinates), config, generator)
        errors = self._errors(self.denoiser, drawn, level, generator)
        present = drawn.residue_types.to(self.device) != ABSENT_TYPE
        deviation = self.denoiser.whitening.deviation(level.to(self.device), present)
        *early, last = (error / (3.0 * deviation**2) for error in errors)
        loss = last.mean() + EARLY_WEIGHT * sum(error.mean() for error in early)
        return loss, last.detach().mean()

    def make_optimizer(self) -> MuonWithAdam:
        """Return Muon for the matrices of the layers, Adam for the rest."""
        matrices, others = split_weights(self.denoiser.network)
        return MuonWithAdam(
            matrices,
            others,
            matrix_rate=self.config.matrix_rate,
            other_rate=self.config.learning_rate,
        )

    @torch.no_grad()
    def _held_out_errors(self) -> dict[str, float]:
        """Return the averaged weights' denoising RMSD on fixed noisy chains, Å."""
        row = {}
        for noise in VALIDATION_NOISE:
            generator = self._generator("held out", 0, 0)
            errors = [
                self._errors(
                    self.average.module,
                    batch,
                    torch.full((len(batch.coordinates),), noise),
                    generator,
                )[-1]
                for batch in self.held_out
            ]
            row[f"rmsd_{noise:g}"] = float(torch.cat(errors).sqrt().mean())
        return row

    def _errors(
        self,
        denoiser: Denoiser,
        batch: Batch,
        noise_level: Tensor,
        generator: torch.Generator,
    ) -> list[Tensor]:
        noise = torch.randn(batch.coordinates.shape, generator=generator)
        moved = Batch(
            coordinates=batch.coordinates.to(self.device),
            residue_types=batch.residue_types.to(self.device),
        )
        noise, noise_level = noise.to(self.device), noise_level.to(self.device)
        return denoising_errors(denoiser, moved, noise, noise_level)
