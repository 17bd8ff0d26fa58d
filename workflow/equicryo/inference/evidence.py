"""What the images alone say for a chain, residue by residue, and when to abstain.

A density V that owes nothing to the noise has ⟨b, V⟩ normal, of variance A = ⟨V, K * V⟩
and, in images of noise alone, of mean 0; in images of V itself, of mean A. So
z = ⟨b, V⟩ / √A tells signal from noise whatever the images' gain, and at the best gain
2 (L(x̂) − L(0)) = z².
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from scipy import special
from torch import Tensor

from equicryo.inference.likelihood import ResidueLikelihood
from equicryo.inference.traces import RefinedTrace
from equicryo.structure.chain import Chain

RESIDUE_COLUMNS = (
    "residue",
    "type",
    "spread",
    "crlb",
    "data_share",
    "evidence",
    "amplitude",
    "amplitude_sd",
    "seen",
    "suspect",
)
"""One row a residue: `spread` is the root mean square distance of the samples from
their mean and `crlb` the least error of an unbiased estimate without a prior, Å.
`data_share` is how much of its certainty the images gave, and not the prior: a normal
posterior's precision 1/spread² is the sum of both, and the images' is 1/crlb²."""

FALSE_ALARMS = 1e-3
"""How often pure noise may pass for a chain, any residue of a chain for seen, and any
of a right chain for suspect."""

STRETCH = 9
"""Residues whose amplitudes are looked at together: a turn of helix, or a strand."""

LEAST_DIFFERENCE = 1e-3
"""Variance of the difference of two residues in one place, over that of one of them."""

DECISIVE = 0.9
"""Share of a chain's residues that images show one by one, so that those of a wrong
trace do not all look like what the sequence says: from 25 images a whole chain laid
backwards does, and fewer are seen."""

PLACEMENTS = 1e5
"""Places and orientations that a search tells apart, each a chance for noise."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """What images say for a chain.

    Attributes:
        chain: z² of the whole chain, twice the nats that it explains.
        residues: z of each residue, given all others; 0 ± 1 where nothing is there.
        amplitudes: of each residue over the expected one, given all others.
        amplitude_sd: standard deviation of each, but for what neighbours share.
        correlation: of these errors, as densities overlap.
        shared_spread: standard deviation that neighbours share.
    """

    chain: float
    residues: Float[Tensor, " residue"]
    amplitudes: Float[Tensor, " residue"]
    amplitude_sd: Float[Tensor, " residue"]
    correlation: Float[Tensor, "residue residue"]
    shared_spread: float

    @property
    def verdict(self) -> str:
        """What to make of the chain as a whole.

        `abstain` if noise alone could explain the images as well; `doubtful` if they
        show something, but a stretch of it is not what the sequence says; else `found`.
        """
        if self.chain < noise_limit(len(self.residues)):
            return "abstain"
        return "doubtful" if self.suspect().any() else "found"

    @property
    def deviation(self) -> Float[Tensor, " residue"]:
        """Deviation of each amplitude from 1, in its standard deviations."""
        return (self.amplitudes - 1.0) / self.amplitude_sd

    def seen(self) -> Bool[Tensor, " residue"]:
        """Tell which residues the images show: the others are the prior's word.

        A residue that looked for its place in the noise has z² of four degrees of
        freedom at most: its amplitude and three coordinates.
        """
        rare = FALSE_ALARMS / len(self.residues)
        return self.residues > math.sqrt(special.chdtri(4, rare))

    def suspect(self) -> Bool[Tensor, " residue"]:
        """Tell which residues are in a stretch that lies where others belong.

        Amplitudes of residues in their place are 1 within their error, so that their
        squared deviations over a stretch, freed of their correlation, are χ². Of those
        that stand in each other's place some are too heavy and some too light. That all
        of a stretch are, as where it moves more than elsewhere, says little.
        """
        deviation = self.deviation.double()
        length = min(STRETCH, len(deviation))
        starts = torch.arange(len(deviation) - length + 1)
        stretches = starts[:, None] + torch.arange(length)
        off = deviation[stretches]
        error = self.correlation[stretches[:, :, None], stretches[:, None]].double()
        error = error + LEAST_DIFFERENCE * torch.eye(length).double()
        shared = self.shared_spread / self.amplitude_sd[stretches].double()
        error = error + shared[:, :, None] * shared[:, None]
        sums = (off * torch.linalg.solve(error, off)).sum(-1)
        rare = FALSE_ALARMS / len(deviation)
        wrong = sums > float(special.chdtri(length, rare))
        suspect = torch.zeros(len(deviation), dtype=torch.bool)
        suspect[stretches[wrong]] = True
        return suspect


def judge_trace(trace: RefinedTrace, likelihood: ResidueLikelihood) -> str:
    """Return what to make of a trace by itself; see `settle_verdict`.

    Args:
        trace: in the frame of the poses.
        likelihood: of the images, at full resolution.
    """
    return settle_verdict([trace], weigh_evidence(trace.coordinates, likelihood))


def settle_verdict(traces: Sequence[RefinedTrace], evidence: Evidence) -> str:
    """Return what to make of a reconstruction from traces; see `Evidence.verdict`.

    Where images show too few residues one by one, what one search alone has come to
    may be one wrong trace of many, however well it fits: it is doubtful at best.

    Args:
        traces: best first; without any the verdict is to abstain.
        evidence: for the reconstruction.
    """
    if not traces:
        return "abstain"
    decisive = float(evidence.seen().float().mean()) >= DECISIVE
    if evidence.verdict == "found" and not (decisive or traces[0].confirmed):
        return "doubtful"
    return evidence.verdict


def noise_limit(residues: int) -> float:
    """Return the z² that a chain fitted to noise alone almost never exceeds.

    χ² of a gain and three coordinates a residue, and twice the logarithm of the number
    of placements that were tried.

    Args:
        residues: of the chain.
    """
    fitted = float(special.chdtri(3 * residues + 1, FALSE_ALARMS))
    return fitted + 2.0 * math.log(PLACEMENTS)


def residue_rows(
    chain: Chain,
    samples: Float[Tensor, "sample residue 3"],
    bound: Sequence[float] | None,
    evidence: Evidence,
) -> list[dict[str, object]]:
    """Put all that is known of each residue of a reconstruction side by side.

    Args:
        chain: gives numbers and types.
        samples: of the posterior, in the frame of the poses, Å; one has no spread.
        bound: Cramér-Rao bound of each residue without a prior, Å; None where it is
            unknown.
        evidence: of the images.

    Returns:
        Rows of `RESIDUE_COLUMNS`.
    """
    spread = samples.var(0).sum(-1).sqrt()
    least = torch.tensor(bound or [math.nan] * len(chain)).double()
    columns = {
        "residue": chain.residue_numbers.tolist(),
        "type": chain.sequence,
        "spread": _known(spread),
        "crlb": _known(least),
        "data_share": _known((spread / least).square().clamp(max=1.0)),
        "evidence": evidence.residues.tolist(),
        "amplitude": evidence.amplitudes.tolist(),
        "amplitude_sd": evidence.amplitude_sd.tolist(),
        "seen": evidence.seen().int().tolist(),
        "suspect": evidence.suspect().int().tolist(),
    }
    rows = zip(*(columns[name] for name in RESIDUE_COLUMNS), strict=True)
    return [dict(zip(RESIDUE_COLUMNS, row, strict=True)) for row in rows]


def _known(values: Float[Tensor, " residue"]) -> list[float | None]:
    return [None if math.isnan(value) else value for value in values.tolist()]


@torch.no_grad()
def weigh_evidence(
    coordinates: Float[Tensor, "residue 3"],
    likelihood: ResidueLikelihood,
) -> Evidence:
    """Measure what images say for a chain, at the gain that they want.

    Args:
        coordinates: Cα in the frame of the poses, Å.
        likelihood: of the images, at full resolution.

    Source: the score test for adding one Gaussian blob to a linear model; Rao 1948,
        doi:10.1017/S0305004100023987.
    """
    operator = likelihood.operators[0.0]
    place = coordinates.to(operator.b)
    edge, pixel_size = operator.support_size, operator.pixel_size
    density = likelihood.density
    blobs = density.residue_volumes(place, edge, pixel_size)
    blobs = likelihood.gain.estimate(operator, blobs.sum(0)) * blobs
    whole = blobs.sum(0)
    residual = operator.b - operator.convolve(whole)
    overlap = blobs.flatten(1) @ operator.convolve(blobs).flatten(1).mT
    energy = overlap.diagonal()

    error = overlap / energy.outer(energy)
    error = error + density.own_spread**2 * torch.eye(len(error)).to(error)
    sd = error.diagonal().sqrt()
    # What is left for residue i once all others are taken off.
    left = (blobs * residual).sum((-3, -2, -1)) + energy
    linear, quadratic = operator.terms(whole)
    return Evidence(
        chain=float(linear.clamp(min=0.0) ** 2 / quadratic),
        residues=left / energy.sqrt(),
        amplitudes=left / energy,
        amplitude_sd=sd,
        correlation=error / sd.outer(sd),
        shared_spread=density.shared_spread,
    )
