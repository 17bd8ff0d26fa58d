"""Whitening of chains of any fold: the Gaussian of a compact polymer."""

import numpy as np
import scipy.fft
import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor, nn

from equicryo.structure.chain import VIRTUAL_BOND

LENGTHS = (44.0, 56.0, 72.0, 95.0, 125.0, 160.0, 205.0, 250.0)
"""Residues at which the spectrum is tabulated."""

FREQUENCIES = (
    *(0.004, 0.008, 0.012, 0.016, 0.02, 0.025, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08),
    *(0.1, 0.12, 0.14, 0.17, 0.2, 0.25, 0.3, 0.4, 0.45, 0.48, 0.5, 0.515, 0.53),
    *(0.545, 0.56, 0.575, 0.59, 0.605, 0.62, 0.64, 0.66, 0.7, 0.8, 0.9, 1.0),
)
"""Mode index over chain length at which the spectrum is tabulated; helices, of 3.6
residues a turn, make a peak at 2/3.6 = 0.56."""

CHAINS_A_LENGTH = 400
"""Chains, the nearest in length, that each row of the table is averaged over."""


class PolymerWhitening(nn.Module):
    """Gaussian of all compact chains, whatever their fold, in Rouse's modes.

    Centred coordinates are x = Σ_p a_p φ_p with φ_p(i) = √(2/N) cos(πp(i + ½)/N) and
    independent normal amplitudes. Their variance is that of an ideal chain of bonds b,
    b²/(12 sin²(πp/2N)) a coordinate, times a factor w(p/N, N) read off real chains.
    Its mean is zero: it favours no orientation, no fold and no hand.

    Attributes:
        table: ln w by length and frequency.

    Source: Rouse 1953, doi:10.1063/1.1699180; Doi & Edwards 1986, section 4.1.
    """

    def __init__(self, table: Float[Tensor, "length frequency"]) -> None:
        """Hold the table, in float64."""
        super().__init__()
        self.register_buffer("table", table.double())

    def forward(
        self,
        noisy: Float[Tensor, "batch residue 3"],
        noise_level: Float[Tensor, " batch"],
        present: Bool[Tensor, "batch residue"],
    ) -> Float[Tensor, "batch residue 3"]:
        """Return the posterior mean of chains under the Gaussian, Å.

        Args:
            noisy: clean coordinates plus normal noise, centred, Å; any number where
                no residue is.
            noise_level: σ, Å.
            present: which residues there are; each chain's come first.
        """
        modes = rouse_modes(present, noisy.dtype)
        variance = self.variance(present).to(noisy)
        kept = variance / (variance + noise_level[:, None].to(noisy) ** 2)
        return modes @ (kept[..., None] * (modes.mT @ noisy))

    def deviation(
        self,
        noise_level: Float[Tensor, " batch"],
        present: Bool[Tensor, "batch residue"],
    ) -> Float[Tensor, " batch"]:
        """Return the spread per coordinate that the posterior mean leaves, Å."""
        variance = self.variance(present).to(noise_level)
        noise = noise_level[:, None] ** 2
        left = (variance * noise / (variance + noise)).sum(1)
        return (left / present.sum(1)).sqrt()

    def variance(
        self, present: Bool[Tensor, "batch residue"]
    ) -> Float[Tensor, "batch mode"]:
        """Return the variance of each mode's amplitude along an axis, Å².

        Modes 1 to N − 1 of a chain of N residues; zero beyond.
        """
        residues = present.sum(1, keepdim=True)
        mode = torch.arange(1, present.shape[1], device=present.device)
        frequency = (mode / residues).to(self.table).clamp(max=1.0)
        lengths = torch.tensor(LENGTHS).to(self.table)
        row, weight = _bracket(lengths.log(), residues[:, 0].to(self.table).log())
        spectrum = torch.lerp(self.table[row - 1], self.table[row], weight[:, None])
        grid = torch.tensor(FREQUENCIES).to(self.table)
        column, weight = _bracket(grid, frequency)
        factor = torch.lerp(
            spectrum.gather(1, column - 1), spectrum.gather(1, column), weight
        ).exp()
        return factor * _ideal_chain(frequency) * (mode < residues)

    def directions(
        self, chain: Float[Tensor, "residue 3"]
    ) -> tuple[Float[Tensor, "parameter mode"], Float[Tensor, " mode"]]:
        """Return how chains spread about one: the Gaussian's modes, along each axis.

        Args:
            chain: one chain, Å, in any place; only its length matters.

        Returns:
            Orthonormal directions over (residue, axis), residue slowest, and their
            variances, Å²: infinite for the three translations, which come first.
        """
        residues = len(chain)
        present = torch.ones(1, residues, dtype=torch.bool, device=chain.device)
        modes = rouse_modes(present, self.table.dtype)[0]
        constant = torch.full((residues, 1), residues**-0.5, dtype=modes.dtype)
        axes = torch.eye(3).to(modes)
        basis = torch.kron(torch.cat((constant, modes), 1), axes)
        free = torch.full((3,), torch.inf).to(modes)
        return basis, torch.cat((free, self.variance(present)[0].repeat_interleave(3)))


def rouse_modes(
    present: Bool[Tensor, "batch residue"], dtype: torch.dtype
) -> Float[Tensor, "batch residue mode"]:
    """Return Rouse's orthonormal modes 1 to N − 1 of each chain; zero where none is."""
    residues = present.sum(1)[:, None, None]
    place = torch.arange(present.shape[1], device=present.device)[:, None] + 0.5
    mode = torch.arange(1, present.shape[1], device=present.device)
    wave = torch.cos(torch.pi * (mode * place).to(dtype) / residues)
    exists = present[..., None] & (mode < residues)
    return wave * (2.0 / residues.to(dtype)).sqrt() * exists


def fit_polymer(
    chains: list[Float64[np.ndarray, "_ 3"]],
) -> PolymerWhitening:
    """Measure the spectrum of real chains.

    Each entry of the table is a mean over the chains nearest in length, smoothed along
    the frequency by a Gaussian about as wide as the spacing of modes.

    Args:
        chains: Cα positions, Å.
    """
    lengths = np.array([len(chain) for chain in chains])
    grid = np.array(FREQUENCIES)
    rows = []
    for length in LENGTHS:
        nearest = np.argsort(np.abs(np.log(lengths / length)), kind="stable")
        total, weights = np.zeros(len(grid)), np.zeros(len(grid))
        for index in nearest[:CHAINS_A_LENGTH]:
            frequency, factor = _spectrum(chains[index])
            width = np.maximum(0.5 / len(chains[index]), np.minimum(0.01, 0.1 * grid))
            kernel = np.exp(-0.5 * ((grid[:, None] - frequency) / width[:, None]) ** 2)
            total += (kernel + 1e-12) @ factor
            weights += (kernel + 1e-12).sum(1)
        rows.append(np.log(total / weights))
    return PolymerWhitening(torch.from_numpy(np.array(rows)))


def _spectrum(
    chain: Float64[np.ndarray, "residue 3"],
) -> tuple[Float64[np.ndarray, " mode"], Float64[np.ndarray, " mode"]]:
    """Return the frequency of each mode, and its power over an ideal chain's."""
    frequency = np.arange(1, len(chain)) / len(chain)
    amplitude = scipy.fft.dct(chain, axis=0, norm="ortho")[1:]
    power = (amplitude**2).mean(1)
    return frequency, power / _ideal_chain(torch.from_numpy(frequency)).numpy()


def _ideal_chain(frequency: Float[Tensor, "*mode"]) -> Float[Tensor, "*mode"]:
    """Return the variance of an ideal chain's modes along an axis, Å²."""
    return VIRTUAL_BOND**2 / (12.0 * torch.sin(0.5 * torch.pi * frequency) ** 2)


def _bracket(grid: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """Return the grid point after each value, and how near the value is to it."""
    after = torch.searchsorted(grid, value.contiguous()).clamp(1, len(grid) - 1)
    before, step = grid[after - 1], grid[after] - grid[after - 1]
    return after, ((value - before) / step).clamp(0.0, 1.0)
