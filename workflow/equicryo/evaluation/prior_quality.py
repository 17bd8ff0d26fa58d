"""The table of a prior's quality: each number beside what it is measured against."""

from collections.abc import Mapping, Sequence

import torch

from equicryo.evaluation.chain_geometry import (
    ChainGeometry,
    distances_between,
    measure_geometry,
)
from equicryo.evaluation.denoising import (
    BASELINES,
    NO_SEQUENCE,
    SEQUENCE,
)
from equicryo.structure.chain_set import ChainSet

QUALITY_COLUMNS = ("prior", "quantity", "value", "reference", "n")

SHORTEST, LONGEST = 64, 200
"""Residues of the chains that a prior's draws are compared with."""

Row = dict[str, str | float | int | None]


def comparable_chains(chains: ChainSet) -> ChainSet:
    """Return the chains of `SHORTEST` to `LONGEST` residues."""
    fit = (chains.lengths >= SHORTEST) & (chains.lengths <= LONGEST)
    return chains.select(fit.nonzero()[0].tolist())


def choose_sequences(
    chains: ChainSet, count: int, *, generator: torch.Generator
) -> list[str]:
    """Choose sequences at random, none once more than any other.

    Args:
        chains: whose sequences.
        count: how many.
        generator: source of the randomness.
    """
    order = torch.randperm(len(chains), generator=generator).tolist()
    return [chains.sequence_of(order[k % len(order)]) for k in range(count)]


def geometry_rows(
    drawn: Mapping[str, ChainSet], held_out: ChainSet, training: ChainSet
) -> list[Row]:
    """Compare drawn chains with real ones.

    Args:
        drawn: chains by mode, with or without their sequences; those without have
            `_no_sequence` after the names of their quantities.
        held_out: real chains, the reference.
        training: chains of like lengths, from which both are told apart: what lies
            between these and the held-out ones is the reference of a distance.

    Returns:
        `quantity`, `value`, `reference` and `n`, the number of drawn chains.
    """
    real, learnt = measure_geometry(held_out), measure_geometry(training)
    reference = _numbers(real, learnt)
    return [
        {
            "quantity": name + _suffix(mode),
            "value": value,
            "reference": reference[name],
            "n": len(chains),
        }
        for mode, chains in drawn.items()
        for name, value in _numbers(measure_geometry(chains), learnt).items()
    ]


def denoising_rows(denoising: Sequence[Mapping[str, str]]) -> list[Row]:
    """Set denoising beside the best baseline's, and the estimate's size beside its due.

    Args:
        denoising: rows of `DENOISING_COLUMNS`, as text.

    Returns:
        `quantity`, `value`, `reference` and `n`, the number of chains. The quantities
        end in σ, Å: `denoising_rmsd` beside the lowest of the baselines', which have
        rows of their own without a reference; `denoised_rg`, the size of the estimate
        beside what its error allows; `mirror_change` beside that of a prior blind to
        hands.
    """
    rows: list[Row] = []
    for level in dict.fromkeys(row["noise_level"] for row in denoising):
        methods = {r["method"]: r for r in denoising if r["noise_level"] == level}
        best = min(float(methods[name]["rmsd"]) for name in BASELINES)
        for name, row in methods.items():
            count, rmsd = int(row["n"]), float(row["rmsd"])
            if name in BASELINES:
                rows.append(_row(f"denoising_rmsd_{name}_{level}", rmsd, None, count))
                continue
            end = f"{_suffix(name)}_{level}"
            size, due = float(row["rg_ratio"]), float(row["rg_ratio_expected"])
            change = float(row["mirror_change"])
            rows += [
                _row(f"denoising_rmsd{end}", rmsd, best, count),
                _row(f"denoised_rg{end}", size, due, count),
                _row(f"mirror_change{end}", change, 0.0, count),
            ]
    return rows


def _numbers(chains: ChainGeometry, training: ChainGeometry) -> dict[str, float]:
    return {**chains.summary(), **distances_between(chains, training)}


def _suffix(mode: str) -> str:
    return {SEQUENCE: "", NO_SEQUENCE: f"_{NO_SEQUENCE}"}[mode]


def _row(quantity: str, value: float, reference: float | None, n: int) -> Row:
    return {"quantity": quantity, "value": value, "reference": reference, "n": n}
