import ast
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from equicryo.evaluation import bounds
from equicryo.evaluation.bounds import check_rmsd_bounds, checked_rmsd
from equicryo.evaluation.scores import score_samples
from equicryo.structure import superposition
from equicryo.structure.superposition import radius_of_gyration


def clouds(seed: int, count: int, residues: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    shape = (count, residues, 3)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**31),
    residues=st.integers(1, 40),
    scale=st.floats(1e-3, 1e3),
)
def test_every_pair_of_clouds_obeys_the_bounds(
    seed: int, residues: int, scale: float
) -> None:
    first, second = clouds(seed, 8, residues), clouds(seed + 1, 8, residues)
    assert checked_rmsd(scale * first, second).shape == (8,)


def test_bounds_are_reached_by_a_scaled_copy() -> None:
    cloud = clouds(1, 1, 30)
    size = radius_of_gyration(cloud)
    distance = checked_rmsd(3.0 * cloud, cloud)
    # A scaled copy differs by its size alone; rounding of sums of 30.
    torch.testing.assert_close(distance, 2.0 * size, rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    ("distance", "sizes"),
    [
        (15.9, (7.9, 13.74)),  # above √(A² + B²) = 15.85
        (5.0, (7.9, 13.74)),  # below |A − B| = 5.84
        (float("nan"), (1.0, 1.0)),
    ],
)
def test_an_impossible_rmsd_stops_the_run(
    distance: float, sizes: tuple[float, float]
) -> None:
    first, second = (torch.tensor([10.0, size]) for size in sizes)
    distances = torch.tensor([10.0, distance])
    with pytest.raises(ArithmeticError, match="pair 1 lies outside"):
        check_rmsd_bounds(distances, first, second)


def test_a_sample_scored_in_other_units_stops_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An RMSD in Å, called one in radii of the molecule: what happened before."""
    samples, truth = clouds(2, 3, 20), clouds(3, 1, 20)[0]
    assert len(score_samples(samples, truth).rmsd) == 3
    monkeypatch.setattr(bounds, "rmsd", lambda a, b: superposition.rmsd(a, b) / 22.6)
    with pytest.raises(ArithmeticError, match="pair 0 lies outside"):
        score_samples(samples, truth)


def test_no_aligned_rmsd_is_measured_beside_the_check() -> None:
    """Of all that measures results, only the checked RMSD imports the plain one."""
    package = Path(bounds.__file__).parents[1]
    folders = [package / name for name in ("evaluation", "figures", "io")]
    folders.append(package.parent / "scripts")
    importing = {
        path.name
        for folder in folders
        for path in folder.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
        and node.module == "equicryo.structure.superposition"
        and "rmsd" in {name.name for name in node.names}
    }
    assert importing == {"bounds.py"}
