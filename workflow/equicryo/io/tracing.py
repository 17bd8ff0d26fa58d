"""The geometry of chains, and traces, as .npz files, and what traces are made with."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import torch

from equicryo.inference.bead_tracing import (
    BeadProblem,
    BeadTracingConfig,
    describe_bead_problem,
)
from equicryo.inference.likelihood import prepare_likelihood
from equicryo.inference.samplers import read_sampler
from equicryo.inference.trace_exploration import Explorer
from equicryo.inference.trace_merging import AnnealingConfig
from equicryo.inference.tracing import ProposalSearch, read_proposal_config
from equicryo.inference.tracing_refinement import RefinedTrace
from equicryo.io.arrays import read_arrays, write_arrays
from equicryo.io.normal import read_normal
from equicryo.io.points import read_points
from equicryo.io.priors import read_prior
from equicryo.io.proposers import read_proposer
from equicryo.physics.gain import gain_of
from equicryo.physics.residue_density import single_blobs
from equicryo.seeds import numpy_generator
from equicryo.structure.trace_geometry import TraceGeometry
from equicryo.structure.turn_potential import fit_potential


def write_geometry(path: str | Path, geometry: TraceGeometry) -> None:
    """Write one array a field of `TraceGeometry`."""
    names = [field.name for field in fields(TraceGeometry)]
    write_arrays(path, {name: getattr(geometry, name) for name in names})


def read_geometry(path: str | Path) -> TraceGeometry:
    """Read what `write_geometry` wrote.

    Raises:
        InputError: the file is missing or damaged.
    """
    names = [field.name for field in fields(TraceGeometry)]
    return TraceGeometry(**read_arrays(path, names))


def write_traces(path: str | Path, traces: Sequence[RefinedTrace]) -> None:
    """Write arrays of the fields of `RefinedTrace`, a row for each trace."""
    arrays = {
        "coordinates": np.array([trace.coordinates.numpy() for trace in traces]),
        "log_likelihood": np.array([trace.log_likelihood for trace in traces]),
        "log_restraint": np.array([trace.log_restraint for trace in traces]),
        "confirmed": np.array([trace.confirmed for trace in traces]),
    }
    write_arrays(path, arrays)


def read_traces(path: str | Path) -> list[RefinedTrace]:
    """Read what `write_traces` wrote.

    Raises:
        InputError: the file is missing or damaged.
    """
    names = ("coordinates", "log_likelihood", "log_restraint", "confirmed")
    columns = read_arrays(path, names)
    return [
        RefinedTrace(
            coordinates=torch.from_numpy(coordinates),
            log_likelihood=float(log_likelihood),
            log_restraint=float(log_restraint),
            confirmed=bool(confirmed),
        )
        for coordinates, log_likelihood, log_restraint, confirmed in zip(
            *(columns[name] for name in names), strict=True
        )
    ]


def read_bead_problem(
    files: Mapping[str, str],
    config: BeadTracingConfig,
    *,
    residue_width: float,
    measured: bool,
) -> BeadProblem:
    """Read what is traced through beads.

    Args:
        files: `points` of the chain, `normal` equations of the images, and `geometry`
            of candidates.
        config: width and number of the beads.
        residue_width: standard deviation of each residue's density, Å.
        measured: whether the images are a user's, of unknown intensity.

    Raises:
        InputError: a file is missing or damaged.
    """
    sequence = read_points(files["points"]).sequence
    normal, geometry = read_normal(files["normal"]), read_geometry(files["geometry"])
    density = single_blobs(sequence, residue_width)
    likelihood = prepare_likelihood(normal, density, gain_of(measured=measured), ())
    return describe_bead_problem(likelihood, normal, sequence, geometry, config)


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
