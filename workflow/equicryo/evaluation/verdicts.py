"""How often verdicts on images are wrong: in noise, and with a part or the order amiss.

Sets of images need not be made for that. For known poses their normal equations are
all that counts, and those of any density under the same poses and noise are a Gaussian
field of mean K * V and covariance K.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad

from equicryo.inference.evidence import (
    Evidence,
    noise_limit,
    settle_verdict,
    weigh_evidence,
)
from equicryo.inference.likelihood import ResidueLikelihood
from equicryo.inference.traces import RefinedTrace
from equicryo.physics.field_simulation import simulate_back_projection
from equicryo.physics.normal_equations import NormalEquations
from equicryo.physics.normal_operator import prepare_operator
from equicryo.structure.superposition import rmsd_unaligned

VERDICT_COLUMNS = (
    *("scenario", "set", "verdict", "evidence", "limit"),
    *("seen_there", "seen_missing", "order_misfit", "rmsd"),
)
"""One row a set of images: the shares of residues seen among those that the images hold
and among those that they lack; `order_misfit` is `amplitude_misfit`; `rmsd` of the best
trace, not superposed, over the residues that are there, Å. Empty without a trace."""

MISSING = 1.0 / 3.0
"""Share of the chain that is a missing domain, at its end."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """What a set of images holds, and what is looked for in it.

    Attributes:
        present: share of the chain that the images hold, from its start.
        shuffled: whether the sequence that is looked for has another order.
    """

    present: float
    shuffled: bool


SCENARIOS: Mapping[str, Scenario] = MappingProxyType(
    {
        "noise": Scenario(present=0.0, shuffled=False),
        "whole": Scenario(present=1.0, shuffled=False),
        "domain_missing": Scenario(present=1.0 - MISSING, shuffled=False),
        "wrong_sequence": Scenario(present=1.0, shuffled=True),
    }
)


def residues_there(
    scenario: Scenario, truth: Float[Tensor, "residue 3"]
) -> Float[Tensor, "there 3"]:
    """Return the residues that the images of a scenario hold, Å."""
    return truth[: round(scenario.present * len(truth))]


def shuffle_sequence(sequence: str, *, generator: torch.Generator) -> str:
    """Return a sequence's residues in another order."""
    order = torch.randperm(len(sequence), generator=generator)
    return "".join(sequence[index] for index in order.tolist())


def redraw_images(
    normal: NormalEquations,
    volume: Float[Tensor, "z y x"],
    *,
    generator: torch.Generator,
) -> NormalEquations:
    """Draw normal equations of another density, under the same poses and noise.

    Args:
        normal: of simulated images; its kernel is kept.
        volume: what the images show, e⁻/Å³ × pixel size.
        generator: of the noise.

    Returns:
        Of the same `data_energy`, which is that of other images: no χ² follows.
    """
    edge = normal.support_size
    transfer = prepare_operator(normal).transfer.clamp(min=0.0)
    # Of lags below N the periodic grid of 2N knows no neighbours: no wrap-around.
    padded = pad(volume, (0, edge) * 3)
    field = simulate_back_projection(padded, transfer, generator=generator)
    return replace(normal, b=field[:edge, :edge, :edge].contiguous())


def amplitude_misfit(evidence: Evidence) -> float:
    """Return the mean square deviation of amplitudes from 1, in standard deviations.

    1 for the right sequence in its place; light residues that stand where heavy ones
    belong make it larger.
    """
    return float(evidence.deviation.square().mean())


def judge(
    scenario: Scenario,
    traces: Sequence[RefinedTrace],
    truth: Float[Tensor, "residue 3"],
    likelihood: ResidueLikelihood,
) -> dict[str, object]:
    """Put the verdict on a set of images beside what they hold.

    Args:
        scenario: of the images.
        traces: found in them, best first; without any the verdict is to abstain.
        truth: Å.
        likelihood: of the images.

    Returns:
        The cells of `VERDICT_COLUMNS` but for `scenario` and `set`.
    """
    if not traces:
        return dict.fromkeys(VERDICT_COLUMNS[2:]) | {"verdict": "abstain"}
    trace, there = traces[0].coordinates, residues_there(scenario, truth)
    evidence = weigh_evidence(trace, likelihood)
    seen = evidence.seen().double()
    found = rmsd_unaligned(trace[: len(there)], there) if len(there) else None
    return {
        "verdict": settle_verdict(traces, evidence),
        "evidence": evidence.chain,
        "limit": noise_limit(len(truth)),
        "seen_there": _mean(seen[: len(there)]),
        "seen_missing": _mean(seen[len(there) :]),
        "order_misfit": amplitude_misfit(evidence),
        "rmsd": None if found is None else float(found),
    }


def _mean(values: Float[Tensor, " residue"]) -> float | None:
    return float(values.mean()) if len(values) else None
