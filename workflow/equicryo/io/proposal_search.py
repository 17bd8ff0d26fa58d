"""What traces a chain through proposals, from its files."""

from collections.abc import Mapping
from typing import Any

import torch

from equicryo.inference.samplers import read_sampler
from equicryo.inference.trace_exploration import Explorer
from equicryo.inference.trace_merging import AnnealingConfig
from equicryo.inference.tracing import ProposalSearch, read_proposal_config
from equicryo.io.geometry import read_geometry
from equicryo.io.priors import read_prior
from equicryo.io.proposers import read_proposer
from equicryo.seeds import numpy_generator
from equicryo.structure.turn_potential import fit_potential


def read_proposal_search(
    files: Mapping[str, str],
    settings: Mapping[str, Any],
    sequence: str,
    *,
    generator: torch.Generator,
) -> ProposalSearch:
    """Read what traces a chain through a network's proposals.

    Args:
        files: `weights` and `card` of the proposer, `prior` and `prior_card` of what
            explores, `geometry` of candidates, and `refined_geometry`.
        settings: `proposals`, `annealing` and `explorer`, validated blocks of the
            config.
        sequence: one-letter codes.
        generator: of annealing and exploring.

    Raises:
        InputError: a file is missing or damaged.
    """
    arrays = numpy_generator(generator)
    return ProposalSearch(
        proposer=read_proposer(files["weights"], files["card"]),
        geometry=read_geometry(files["geometry"]),
        turns=fit_potential(read_geometry(files["refined_geometry"])),
        explorer=Explorer(
            prior=read_prior(files["prior"], files["prior_card"], sequence),
            config=read_sampler("mmps", settings["explorer"]),
            generator=generator,
        ),
        config=read_proposal_config(settings["proposals"]),
        annealing=AnnealingConfig(**settings["annealing"]),
        generator=arrays,
    )
