import numpy as np
import pandas as pd
import pytest

from equicryo.evaluation.chain_geometry import measure_geometry
from equicryo.evaluation.denoising import IDENTITY, SEQUENCE
from equicryo.evaluation.quality_curves import (
    CURVE_COLUMNS,
    denoising_curves,
    geometry_curves,
)
from equicryo.io.chain_sets import read_chain_set


@pytest.fixture(scope="module")
def curves() -> pd.DataFrame:
    targets = read_chain_set("resources/chains/targets.npz")
    shortest = targets.select(np.argsort(targets.lengths)[:4].tolist())
    return geometry_curves({"some": measure_geometry(shortest)})


def test_densities_shares_and_map_are_whole(curves):
    assert tuple(curves.columns) == CURVE_COLUMNS
    panels = dict(list(curves.groupby("panel")))
    step = panels["bonds"]["x"].diff().median()
    assert panels["bonds"]["y"].sum() * step == pytest.approx(1.0)
    assert panels["pairs"]["y"].sum() == pytest.approx(1.0)
    assert panels["content"]["y"].sum() == pytest.approx(100.0)
    assert (10.0 ** panels["map"]["z"]).sum() == pytest.approx(1.0)
    # α-helix: the likeliest of all local shapes, in the bin about 95° and 55°.
    top = panels["map"].loc[panels["map"]["z"].idxmax()]
    assert (top["x"], top["y"]) in {
        (85.0, 45.0),
        (85.0, 55.0),
        (95.0, 45.0),
        (95.0, 55.0),
    }
    assert len(panels["radius"]) == 4


def test_denoising_is_drawn_over_the_noise():
    row = {"rg_ratio": 0.9, "rg_ratio_expected": 0.8, "rmsd_error": 0.2, "n": 3}
    denoising = pd.DataFrame(
        [
            {"noise_level": 4.0, "method": SEQUENCE, "rmsd": 2.0, "mirror_change": 0.3},
            {
                "noise_level": 4.0,
                "method": IDENTITY,
                "rmsd": 6.9,
                "mirror_change": None,
            },
        ]
    ).assign(**row)
    trace = pd.DataFrame(
        {
            "noise_level": [80.0, 1.0],
            "rg_over_typical_mean": [0.4, 1.0],
            "rg_over_typical_sd": [0.0, 0.1],
        }
    )
    curves = denoising_curves(denoising, {SEQUENCE: trace})
    found = {
        (row.panel, row.series, row.x): (row.y, row.error)
        for row in curves.itertuples()
    }
    assert found["denoising", SEQUENCE, 4.0] == (0.5, 0.05)
    assert found["denoising", IDENTITY, 4.0][0] == pytest.approx(1.725)
    assert found["mirror", SEQUENCE, 4.0][0] == 0.3
    assert found["size", f"{SEQUENCE} expected", 4.0][0] == 0.8
    assert found["size", f"{SEQUENCE} drawn", 1.0] == (1.0, 0.1)
    assert ("mirror", IDENTITY, 4.0) not in found
