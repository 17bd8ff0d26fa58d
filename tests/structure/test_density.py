from dataclasses import replace

import gemmi
import numpy as np
import pytest

from equicryo.errors import InputError
from equicryo.structure.atoms import AtomicModel
from equicryo.structure.density import VoxelConfig, atomic_density

CONFIG = VoxelConfig(box_size=24, pixel_size=1.0, resolution=2.0)
MODEL = AtomicModel(
    name="test",
    chain_id="A",
    sequence="GM",
    residue_numbers=np.array([1, 2]),
    insertion_codes=("", ""),
    atom_names=("N", "CA", "C", "CA", "SD"),
    elements=("N", "C", "C", "C", "S"),
    residue_index=np.array([0, 0, 0, 1, 1]),
    coordinates=np.random.default_rng(3).normal(50.0, 2.0, (5, 3)),
    b_factors=np.array([5.0, 16.0, 7.0, 8.0, 30.0]),
    occupancies=np.array([1.0, 1.0, 1.0, 0.5, 0.25]),
)


def direct_sum(model: AtomicModel, config: VoxelConfig) -> np.ndarray:
    """Add the Gaussians of every form factor at every voxel centre."""
    n = config.box_size
    axis = (np.arange(n) - n // 2) * config.pixel_size
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
    alpha = np.array(model.atom_names) == "CA"
    centred = model.coordinates - model.coordinates[alpha].mean(axis=0)
    total = np.zeros((n, n, n))
    for index, (px, py, pz) in enumerate(centred):
        squared = (x - px) ** 2 + (y - py) ** 2 + (z - pz) ** 2
        factor = gemmi.Element(model.elements[index]).c4322
        for amplitude, width in zip(factor.a, factor.b, strict=True):
            # exp(-B k²/4) in Fourier space; the low-pass adds 4 × resolution².
            b = width + model.b_factors[index] + 4.0 * config.resolution**2
            density = amplitude * (4.0 * np.pi / b) ** 1.5
            weight = model.occupancies[index]
            total += weight * density * np.exp(-4.0 * np.pi**2 * squared / b)
    return total


@pytest.mark.parametrize("box_size", [24, 25])
def test_density_equals_a_direct_sum_of_gaussians(box_size: int) -> None:
    config = replace(CONFIG, box_size=box_size)
    found, expected = atomic_density(MODEL, config), direct_sum(MODEL, config)
    # gemmi sums in float32 and cuts each atom where it falls below 10⁻⁷ Å⁻².
    np.testing.assert_allclose(found, expected, atol=2e-6)
    assert expected.max() > 0.1


def test_density_integrates_to_forward_scattering() -> None:
    factors = [gemmi.Element(element).c4322 for element in MODEL.elements]
    forward = np.array([sum(factor.a) for factor in factors])
    total = atomic_density(MODEL, CONFIG).sum(dtype=np.float64)
    # A Gaussian of B ≥ 21 Å² sampled at 1 Å: the first alias of its integral is
    # exp(-21/4) = 0.5 %, for the sharpest term of one atom only.
    assert total == pytest.approx(forward @ MODEL.occupancies, rel=2e-3)


def test_the_frame_of_the_file_does_not_matter() -> None:
    moved = replace(MODEL, coordinates=MODEL.coordinates + np.array([9.0, -7.0, 3.0]))
    np.testing.assert_allclose(
        atomic_density(moved, CONFIG), atomic_density(MODEL, CONFIG), atol=1e-6
    )


def test_a_small_box_is_refused_and_the_smallest_named() -> None:
    with pytest.raises(InputError, match="raise box_size to") as caught:
        atomic_density(MODEL, replace(CONFIG, box_size=8))
    smallest = int(str(caught.value).split()[-1])
    atomic_density(MODEL, replace(CONFIG, box_size=smallest))
    with pytest.raises(InputError, match="raise box_size to"):
        atomic_density(MODEL, replace(CONFIG, box_size=smallest - 1))


def test_resolution_beyond_nyquist_is_refused() -> None:
    with pytest.raises(InputError, match=r"below 2\.0 Å"):
        replace(CONFIG, resolution=1.9)
