import numpy as np
import pytest

from equicryo.evaluation.chain_geometry import (
    distances_between,
    match_lengths,
    measure_geometry,
)
from equicryo.io.chain_sets import read_chain_set
from equicryo.structure.chain_set import COORDINATE_STEP, ChainSet
from equicryo.structure.extent import typical_radius


def chain_set(*traces: np.ndarray) -> ChainSet:
    lengths = np.array([len(trace) for trace in traces])
    return ChainSet(
        ids=tuple(f"chain_{index}" for index in range(len(traces))),
        lengths=lengths,
        sequence="A" * int(lengths.sum()),
        steps=np.rint(np.concatenate(traces) / COORDINATE_STEP).astype(np.int16),
    )


def helix(residues: int) -> np.ndarray:
    index = np.arange(residues)
    angle = np.radians(100.0) * index
    return np.stack([2.3 * np.cos(angle), 2.3 * np.sin(angle), 1.5 * index], axis=-1)


def square(side: int) -> np.ndarray:
    """Make a closed square of bonds of 4 Å, `side` bonds along each side."""
    steps = np.repeat([[4.0, 0, 0], [0, 4.0, 0], [-4.0, 0, 0], [0, -4.0, 0]], side, 0)
    return np.cumsum(steps, 0)


@pytest.fixture(scope="module")
def real() -> ChainSet:
    targets = read_chain_set("resources/chains/targets.npz")
    # Adenylate kinase has a break.
    whole = [i for i, name in enumerate(targets.ids) if not name.startswith("ADK")]
    return targets.select(whole[::2])


def test_real_chains_look_like_proteins(real):
    found = measure_geometry(real).summary()
    assert found["bond_mean"] == pytest.approx(3.80, abs=0.02)
    assert found["bond_sd"] < 0.05
    # Cis peptides, mostly before prolines: Weiss et al. 1998, doi:10.1038/1368.
    assert found["short_bonds_percent"] == pytest.approx(0.3, abs=0.3)
    assert found["clashes_per_100_residues"] < 0.1
    assert found["right_handed_helices_percent"] > 99.0
    assert found["rg_over_typical"] == pytest.approx(1.0, abs=0.1)
    parts = [found[f"{kind}_percent"] for kind in ("helix", "strand", "coil")]
    assert sum(parts) == pytest.approx(100.0)
    assert min(parts) > 10.0


def test_square_has_the_numbers_of_its_drawing():
    found = measure_geometry(chain_set(square(3)))
    assert found.bonds == pytest.approx(4.0)
    # Centre of 12 points on the rim of a 12 Å square: corners √72, others √40 Å.
    assert found.radius == pytest.approx(np.sqrt((4 * 72 + 8 * 40) / 12))
    assert found.relative_radius() == pytest.approx(found.radius / typical_radius(12))
    assert sorted(set(found.angles.round())) == [90.0, 180.0]
    assert len(found.distances) == 66
    assert found.summary()["clashes_per_100_residues"] == 0.0


def test_contact_order_is_that_of_a_hairpin():
    half = 10
    out = np.stack([3.8 * np.arange(half), np.zeros(half), np.zeros(half)], -1)
    back = out[::-1] + np.array([0.0, 5.0, 0.0])
    found = measure_geometry(chain_set(np.concatenate([out, back])))
    # Residue i faces 19 − i at 5 Å, and its two neighbours' partners at 6.3 Å.
    contacts = [
        19 - 2 * i + shift
        for i in range(half)
        for shift in (-1, 0, 1)
        if 0 <= i - shift < half and 19 - 2 * i + shift >= 3
    ]
    assert found.contact_order == pytest.approx(np.mean(contacts) / 20)


def test_clashes_are_counted_once_a_pair():
    trace = helix(30)
    trace[20] = trace[5] + [0.0, 0.0, 3.5]
    found = measure_geometry(chain_set(trace))
    near = np.linalg.norm(trace - trace[20], axis=-1)
    near[[19, 20, 21]] = np.inf
    assert found.clashes == (near < 3.6).sum() > 0


def test_mirror_images_have_left_handed_helices_and_another_map(real):
    mirrored = ChainSet(
        ids=real.ids,
        lengths=real.lengths,
        sequence=real.sequence,
        steps=real.steps * np.array([1, 1, -1], np.int16),
    )
    straight, image = measure_geometry(real), measure_geometry(mirrored)
    assert image.summary()["right_handed_helices_percent"] < 1.0
    found = distances_between(straight, image)
    assert found["pair_distance_wasserstein"] == pytest.approx(0.0, abs=1e-9)
    assert found["angle_map_jensen_shannon"] > 0.3


def test_distances_of_a_set_to_itself_and_to_its_double(real):
    straight = measure_geometry(real)
    same = distances_between(straight, straight)
    assert same["pair_distance_wasserstein"] == 0.0
    assert same["angle_map_jensen_shannon"] == pytest.approx(0.0, abs=1e-12)
    double = ChainSet(
        ids=real.ids,
        lengths=real.lengths,
        sequence=real.sequence,
        steps=2 * real.steps,
    )
    twice = distances_between(straight, measure_geometry(double))
    # Scaling by two moves every quantile by its own value: W1 is the mean distance.
    assert twice["pair_distance_wasserstein"] == pytest.approx(
        straight.distances.mean(), rel=1e-9
    )


def test_each_length_gets_the_nearest_chain_that_is_left(real):
    chosen = match_lengths(real, np.array([129, 129, 60]))
    assert len(set(chosen)) == 3
    gaps = np.sort(abs(real.lengths - 129))
    found = abs(real.lengths[chosen[:2]] - 129).tolist()
    assert found == gaps[:2].tolist()
