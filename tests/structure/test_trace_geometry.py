import numpy as np
import pytest
import torch
from Bio.PDB.vectors import Vector, calc_angle, calc_dihedral

from equicryo.structure.chain_set import COORDINATE_STEP, ChainSet
from equicryo.structure.trace_geometry import (
    ANGLE_BINS,
    DIHEDRAL_BINS,
    DISTANCE_EDGES,
    TraceGeometry,
    angle_bins,
    dihedral_bins,
    measure_geometry,
)


def helix(residues: int) -> np.ndarray:
    index = np.arange(residues)
    angle = np.deg2rad(100.0 * index)
    return np.stack((2.3 * np.cos(angle), 2.3 * np.sin(angle), 1.5 * index), -1)


def chain_set(chain: np.ndarray) -> ChainSet:
    return ChainSet(
        ids=("1ABC_A",),
        lengths=np.array([len(chain)]),
        sequence="A" * len(chain),
        steps=(chain / COORDINATE_STEP).round().astype(np.int16),
    )


def helix_geometry() -> TraceGeometry:
    return measure_geometry(
        chain_set(helix(200)), 0.05, generator=torch.Generator().manual_seed(0)
    )


def test_bins_agree_with_biopython() -> None:
    points = np.random.default_rng(0).normal(size=(300, 4, 3))
    angles = angle_bins(points[:, 0], points[:, 1], points[:, 2])
    torsions = dihedral_bins(*points.transpose(1, 0, 2))
    for row, angle, torsion in zip(points, angles, torsions, strict=True):
        a, b, c, d = (Vector(*point) for point in row)
        cosine = np.cos(calc_angle(a, b, c))
        assert angle == int((cosine + 1.0) / 2.0 * ANGLE_BINS)
        turn = calc_dihedral(a, b, c, d) / (2.0 * np.pi) + 0.5
        assert torsion == int(turn * DIHEDRAL_BINS)


def test_a_helix_is_recognised_and_its_mirror_image_is_not() -> None:
    geometry = helix_geometry()
    chain = helix(8)
    score = {}
    for name, hand in (("right", 1.0), ("left", -1.0)):
        x = chain * np.array([1.0, 1.0, hand])
        angles = angle_bins(x[:-2], x[1:-1], x[2:])
        torsions = dihedral_bins(x[:-3], x[1:-2], x[2:-1], x[3:])
        score[name] = geometry.turn[angles[:-1], angles[1:], torsions].sum()
    # Five turns, each in one of 12 × 24 bins that 197 counts against ones fill.
    assert score["right"] > 5 * 3.0
    assert score["left"] < 0.0


def test_densities_are_normalised() -> None:
    chain = np.random.default_rng(1).normal(size=(400, 3)).cumsum(0) * 2.0
    geometry = measure_geometry(
        chain_set(chain), 0.3, generator=torch.Generator().manual_seed(1)
    )
    middle = 0.5 * (DISTANCE_EDGES[1:] + DISTANCE_EDGES[:-1])
    shells = 4.0 * np.pi * middle**2 * np.diff(DISTANCE_EDGES)
    assert (np.exp(geometry.distance) * shells).sum() == pytest.approx(1.0)
    assert np.exp(geometry.start).mean() == pytest.approx(1.0)
    np.testing.assert_allclose(np.exp(geometry.turn).mean((1, 2)), 1.0)


def test_without_dihedrals_a_helix_has_no_hand() -> None:
    geometry = helix_geometry()
    flat = geometry.without_dihedrals()
    assert (np.ptp(flat.turn, axis=(0, 2)) == 0.0).all()
    assert flat.turn[0, :, 0].tolist() == geometry.start.tolist()
    assert flat.distance is geometry.distance
