"""The curves behind a picture of a prior's quality, as one long table."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from jaxtyping import Float64

from equicryo.evaluation.chain_geometry import MAP_BIN, ChainGeometry
from equicryo.evaluation.denoising import NO_SEQUENCE, SEQUENCE
from equicryo.structure.secondary_structure import COIL, HELIX, STRAND

CURVE_COLUMNS = ("panel", "series", "x", "y", "error", "z")
"""In Å and degrees. `error` is a standard error or, of draws, a deviation; `z` the
log10 probability of an angle x and a dihedral y."""

BOND_BINS = np.arange(2.6, 4.81, 0.04)
PAIR_BINS = np.arange(0.0, 70.1, 1.0)
KINDS = {"helix": HELIX, "strand": STRAND, "coil": COIL}


def denoising_curves(
    denoising: pd.DataFrame, traces: Mapping[str, pd.DataFrame]
) -> pd.DataFrame:
    """Gather what is drawn against the noise level.

    Args:
        denoising: columns of `DENOISING_COLUMNS`.
        traces: by mode, the size of estimates while chains were drawn, columns of
            `TRACE_COLUMNS`.

    Returns:
        Panels `denoising` (RMSD over σ), `size` (of estimates over that of the truths,
        or over what is typical, for draws) and `mirror` (change of the score).
    """
    level = denoising["noise_level"]
    network = denoising[denoising["method"].isin((SEQUENCE, NO_SEQUENCE))]
    parts = [
        _part(
            "denoising", denoising["method"], level, denoising["rmsd"] / level
        ).assign(error=denoising["rmsd_error"] / level),
        _part(
            "mirror",
            network["method"],
            network["noise_level"],
            network["mirror_change"],
        ),
        _part("size", network["method"], network["noise_level"], network["rg_ratio"]),
        _part(
            "size",
            network["method"] + " expected",
            network["noise_level"],
            network["rg_ratio_expected"],
        ),
    ]
    parts += [
        _part(
            "size", f"{mode} drawn", trace["noise_level"], trace["rg_over_typical_mean"]
        ).assign(error=trace["rg_over_typical_sd"])
        for mode, trace in traces.items()
    ]
    return pd.concat(parts, ignore_index=True)


def geometry_curves(geometry: Mapping[str, ChainGeometry]) -> pd.DataFrame:
    """Gather what is drawn of chains.

    Args:
        geometry: of each set of chains.

    Returns:
        Panels `radius` (against residues), `bonds` and `pairs` (densities), `content`
        (per cent of each of `KINDS`, which x counts, with its standard error over
        chains) and `map`.
    """
    parts = []
    for name, found in geometry.items():
        parts += [
            _part("radius", name, found.residues, found.radius),
            _histogram("bonds", name, found.bonds, BOND_BINS),
            _histogram("pairs", name, found.distances, PAIR_BINS),
            _content(name, found),
            _map(name, found),
        ]
    return pd.concat(parts, ignore_index=True)


def _part(panel: str, series: object, x: object, y: object) -> pd.DataFrame:
    frame = pd.DataFrame({"x": x, "y": y}).assign(
        panel=panel, series=series, error=np.nan, z=np.nan
    )
    return frame[list(CURVE_COLUMNS)]


def _histogram(
    panel: str,
    name: str,
    values: Float64[np.ndarray, " value"],
    edges: Float64[np.ndarray, " edge"],
) -> pd.DataFrame:
    density, _ = np.histogram(values, edges, density=True)
    return _part(panel, name, 0.5 * (edges[1:] + edges[:-1]), density)


def _content(name: str, found: ChainGeometry) -> pd.DataFrame:
    ends = np.cumsum(found.residues)[:-1]
    chains = np.split(np.array(list(found.structure)), ends)
    share = 100.0 * np.array(
        [[(chain == kind).mean() for kind in KINDS.values()] for chain in chains]
    )
    error = share.std(0) / len(chains) ** 0.5
    return _part("content", name, np.arange(3.0), share.mean(0)).assign(error=error)


def _map(name: str, found: ChainGeometry) -> pd.DataFrame:
    probability = found.angle_map()
    angle, dihedral = np.nonzero(probability)
    return _part(
        "map", name, (angle + 0.5) * MAP_BIN, (dihedral + 0.5) * MAP_BIN - 180.0
    ).assign(z=np.log10(probability[angle, dihedral]))
