import csv
from pathlib import Path

import pytest
import torch

from equicryo.evaluation.denoising import (
    BASELINES,
    IDENTITY,
    NO_SEQUENCE,
    SEQUENCE,
)
from equicryo.evaluation.prior_quality import (
    LONGEST,
    SHORTEST,
    choose_sequences,
    comparable_chains,
    denoising_rows,
    geometry_rows,
)
from equicryo.io.chain_sets import read_splits
from equicryo.structure.chain_set import ChainSet

CHAINS = Path("resources/chains")
PUBLISHED = Path("resources/published/prior_quality.csv")


@pytest.fixture(scope="module")
def held_out() -> ChainSet:
    return read_splits(CHAINS / "targets.npz", CHAINS / "held_out.csv", ["validation"])


@pytest.fixture(scope="module")
def other() -> ChainSet:
    return read_splits(CHAINS / "targets.npz", CHAINS / "held_out.csv", ["test"])


def test_real_chains_drawn_have_the_numbers_of_real_chains(held_out, other):
    rows = geometry_rows({SEQUENCE: held_out, NO_SEQUENCE: other}, held_out, other)
    with_sequence = [row for row in rows if NO_SEQUENCE not in row["quantity"]]
    without = [row for row in rows if row["quantity"].endswith(NO_SEQUENCE)]
    assert len(with_sequence) == len(without) > 10
    for row in with_sequence:
        assert row["value"] == row["reference"]
        assert row["n"] == len(held_out)
    # The others are the training chains here: no distance of distributions is left.
    distances = {"pair_distance_wasserstein", "angle_map_jensen_shannon"}
    found = [
        row
        for row in without
        if row["quantity"].removesuffix("_no_sequence") in distances
    ]
    assert len(found) == 2
    assert all(abs(row["value"]) < 1e-9 < row["reference"] for row in found)


def test_network_stands_beside_the_best_baseline():
    numbers = dict.fromkeys((SEQUENCE, NO_SEQUENCE), "0.8")
    numbers |= dict(zip(BASELINES, ("1.7", "1.4", "1.3"), strict=True))
    denoising = [
        {
            "noise_level": "1",
            "method": name,
            "rmsd": rmsd,
            "rg_ratio": "0.98",
            "rg_ratio_expected": "0.99",
            "mirror_change": "" if name == IDENTITY else "0.4",
            "n": "10",
        }
        for name, rmsd in numbers.items()
    ]
    rows = {row["quantity"]: row for row in denoising_rows(denoising)}
    for name in ("denoising_rmsd_1", "denoising_rmsd_no_sequence_1"):
        assert (rows[name]["value"], rows[name]["reference"]) == (0.8, 1.3)
    assert rows["denoising_rmsd_linear_gaussian_1"]["reference"] is None
    assert rows["denoised_rg_1"]["reference"] == 0.99
    assert rows["mirror_change_1"]["reference"] == 0.0
    assert len(rows) == 9


def test_sequences_are_chosen_evenly_among_comparable_chains(held_out):
    fit = comparable_chains(held_out)
    assert 0 < len(fit)
    assert ((fit.lengths >= SHORTEST) & (fit.lengths <= LONGEST)).all()
    generator = torch.Generator().manual_seed(0)
    chosen = choose_sequences(fit, 2 * len(fit) + 1, generator=generator)
    times = sorted(chosen.count(fit.sequence_of(index)) for index in range(len(fit)))
    assert times == [2] * (len(fit) - 1) + [3]


def test_published_prior_meets_the_bars():
    """256 draws and at least 100 held-out chains, of the shipped weights."""
    if not PUBLISHED.exists():
        pytest.skip(f"{PUBLISHED} does not exist yet")
    with PUBLISHED.open(newline="") as file:
        rows = {
            row["quantity"]: row
            for row in csv.DictReader(file)
            if row["prior"].startswith("generalist")
        }

    def value(name: str) -> float:
        return float(rows[name]["value"])

    def reference(name: str) -> float:
        return float(rows[name]["reference"])

    assert int(rows["bond_mean"]["n"]) >= 256
    assert value("bond_mean") == pytest.approx(3.80, abs=0.06)
    assert value("bond_sd") <= 0.06
    assert value("clashes_per_100_residues") <= 1.0
    assert value("rg_over_typical") / reference("rg_over_typical") == pytest.approx(
        1.0, abs=0.1
    )
    assert value("right_handed_helices_percent") >= 95.0
    for kind in ("helix", "strand", "coil"):
        name = f"{kind}_percent"
        assert value(name) == pytest.approx(reference(name), abs=10.0)
    assert int(rows["denoising_rmsd_1"]["n"]) >= 100
    for level, bar in ((1, 0.72), (2, 1.35), (4, 2.35), (8, 3.9)):
        assert value(f"denoising_rmsd_{level}") <= bar
    for level in ("0.3", "1", "2", "4", "8", "16"):
        name = f"denoising_rmsd_{level}"
        assert value(name) < reference(name)
    for level in ("0.3", "1"):
        assert value(f"mirror_change_{level}") > 0.1
