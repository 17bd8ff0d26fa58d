"""Where a molecule lies in the frame of the poses: a search from coarse to fine.

An equivariant prior leaves the orientation free and gradients find it only from nearby.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from equicryo.inference.likelihood import ResidueLikelihood
from equicryo.physics.rotations import draw_rotations, rotation_vector_to_matrix
from equicryo.structure.superposition import superpose

BATCH = 64


@dataclass(frozen=True, kw_only=True)
class OrientationConfig:
    """How finely orientations are searched.

    Attributes:
        rotations: random orientations tried at the lowest resolution.
        kept: best ones that are refined.
        rounds: gradient steps of each refinement.
        blurs: resolutions, Å, from the search to the last refinement; each one that the
            likelihood was prepared for.
    """

    rotations: int
    kept: int
    rounds: int
    blurs: tuple[float, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Placement:
    """Chains placed in the frame of the poses, best first.

    Attributes:
        coordinates: Å.
        log_likelihood: at the last refinement's blur, nats.
    """

    coordinates: Float[Tensor, "candidate residue 3"]
    log_likelihood: Float[Tensor, " candidate"]


def place_chain(
    chain: Float[Tensor, "residue 3"],
    likelihood: ResidueLikelihood,
    config: OrientationConfig,
    *,
    generator: torch.Generator,
) -> Placement:
    """Find the orientations and positions in which a chain explains the images best.

    Args:
        chain: Cα positions, Å.
        likelihood: of the images.
        config: how finely.
        generator: draws the orientations.
    """
    coarse, *finer = config.blurs
    centred = (chain - chain.mean(0)).float()
    turned = centred @ draw_rotations(config.rotations, generator=generator).float().mT
    placement = _rank(turned, likelihood, coarse, config.kept)
    for blur in finer:
        moved = _refine(placement.coordinates, likelihood, blur, config.rounds)
        kept = max(1, len(moved) // 3)
        placement = _rank(moved, likelihood, blur, kept)
    return placement


def propose_chains(
    draws: Float[Tensor, "draw residue 3"],
    likelihood: ResidueLikelihood,
    config: OrientationConfig,
    count: int,
    *,
    generator: torch.Generator,
) -> Float[Tensor, "sample residue 3"]:
    """Place draws of one fold where the first of them explains the images best.

    Args:
        draws: from a prior whose draws are alike, Å.
        likelihood: of the images.
        config: how finely orientations are searched.
        count: proposals wanted; draws are used again when there are fewer.
        generator: draws the orientations.
    """
    placed = place_chain(draws[0], likelihood, config, generator=generator)
    chosen = draws[torch.arange(count) % len(draws)].float()
    best = placed.coordinates[0]
    return superpose(chosen, best).apply(chosen)


def _rank(
    chains: Tensor, likelihood: ResidueLikelihood, blur: float, kept: int
) -> Placement:
    with torch.no_grad():
        value = torch.cat(
            [likelihood.log_likelihood(part, blur) for part in chains.split(BATCH)]
        )
    best = value.topk(min(kept, len(chains))).indices
    return Placement(coordinates=chains[best], log_likelihood=value[best])


def _refine(
    chains: Tensor, likelihood: ResidueLikelihood, blur: float, rounds: int
) -> Tensor:
    """Climb the likelihood over rigid motions, each chain for itself."""
    centre = chains.mean(1, keepdim=True)
    radius = (chains - centre).square().sum(-1).mean().sqrt()
    turn = torch.zeros(len(chains), 3, requires_grad=True)
    shift = torch.zeros(len(chains), 1, 3, requires_grad=True)
    # One Å of arc for both kinds of motion in the first steps.
    optimizer = torch.optim.Adam(
        [{"params": [turn], "lr": float(0.5 / radius)}, {"params": [shift], "lr": 0.5}]
    )
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.05, rounds)

    def move() -> Tensor:
        return (chains - centre) @ rotation_vector_to_matrix(turn).mT + centre + shift

    for _ in range(rounds):
        optimizer.zero_grad()
        (-likelihood.log_likelihood(move(), blur).sum()).backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        return move()
