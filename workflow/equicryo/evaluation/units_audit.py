"""Published numbers of an earlier work against what they can be, in Å.

Its coordinates were in units of the molecule's radius; its RMSDs were printed in Å.
"""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from equicryo.evaluation.bounds import rmsd_bounds
from equicryo.evaluation.controls import chance_rmsd, mirror_rmsd
from equicryo.structure.superposition import radius_of_gyration

AUDIT_COLUMNS = (
    "quantity",
    "alpha",
    "published",
    "read_as",
    "value",
    "truth",
    "smallest",
    "largest",
    "chance",
    "chance_sd",
    "verdict",
)
"""Lengths from `value` on in Å; see `audit_published`."""

SAME_SIZE = 0.05
"""Relative difference of radii of gyration that is no collapse."""

Row = dict[str, str | float | None]


def molecule_radius(coordinates: Float[Tensor, "residue 3"]) -> float:
    """Return the largest distance of a residue from the centroid, Å."""
    centred = coordinates - coordinates.mean(0)
    return centred.norm(dim=-1).max().item()


def audit_published(
    published: Sequence[Mapping[str, str]],
    truth: Float[Tensor, "residue 3"],
    *,
    generator: torch.Generator,
) -> list[Row]:
    """Convert published numbers into Å, beside chance and their bounds.

    Args:
        published: rows of `earlier_work.csv`: `quantity`, `alpha` and `value`. An RMSD
            has a radius of gyration `rg` of the same α.
        truth: Cα of the molecule, Å.
        generator: of the random clouds.

    Returns:
        Rows under `AUDIT_COLUMNS`. Each RMSD has two, read in Å and in units of the
        molecule's radius: with the least and largest RMSD that clouds of its radius of
        gyration can have to the truth, and with what Gaussian clouds have. The last row
        is the RMSD between the molecule and its mirror image.
    """
    unit = molecule_radius(truth)
    size = radius_of_gyration(truth).item()
    sizes = {row["alpha"]: row["value"] for row in published if row["quantity"] == "rg"}
    rows = []
    for row in published:
        if row["quantity"] == "rmsd":
            gyration = unit * float(sizes[row["alpha"]])
            rows += _audit_rmsd(row, gyration, truth, unit, generator)
        elif row["quantity"] == "scale":
            value = size / float(row["value"])
            rows.append(_row(row, "ratio", value, truth=size, verdict="a unit's ratio"))
        else:
            value = unit * float(row["value"])
            shrunk = value < (1.0 - SAME_SIZE) * size
            verdict = "too small" if shrunk else "right size"
            rows.append(_row(row, "radius", value, truth=size, verdict=verdict))
    mirror = {"quantity": "mirror_rmsd", "alpha": "", "value": ""}
    value = mirror_rmsd(truth[None], truth).item()
    rows.append(_row(mirror, "Å", value, verdict="not seen by Rg"))
    return rows


def _audit_rmsd(
    row: Mapping[str, str],
    gyration: float,
    truth: Float[Tensor, "residue 3"],
    unit: float,
    generator: torch.Generator,
) -> list[Row]:
    size = radius_of_gyration(truth)
    lower, upper = (
        bound.item() for bound in rmsd_bounds(size.new_tensor(gyration), size)
    )
    sized = (gyration / size * truth)[None]
    clouds = chance_rmsd(sized, truth, generator=generator)
    chance, deviation = clouds.mean().item(), clouds.std().item()
    readings = {"Å": float(row["value"]), "radius": unit * float(row["value"])}
    rows = []
    for reading, value in readings.items():
        if not lower <= value <= upper:
            verdict = "impossible"
        elif value > chance - 3.0 * deviation:
            verdict = "chance"
        else:
            verdict = "better than chance"
        rows.append(
            _row(
                row,
                reading,
                value,
                smallest=lower,
                largest=upper,
                chance=chance,
                chance_sd=deviation,
                verdict=verdict,
            )
        )
    return rows


def _row(
    row: Mapping[str, str], reading: str, value: float, **more: str | float
) -> Row:
    cells = {
        "quantity": row["quantity"],
        "alpha": row["alpha"],
        "published": row["value"],
        "read_as": reading,
        "value": value,
        **more,
    }
    return {name: cells.get(name) for name in AUDIT_COLUMNS}
