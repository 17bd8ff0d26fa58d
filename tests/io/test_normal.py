import numpy as np
import pytest
import torch

from equicryo.errors import InputError
from equicryo.io.normal import (
    NAMES,
    read_noise_power,
    read_normal,
    write_noise_power,
    write_normal,
)
from equicryo.physics.normal_equations import NormalEquations


@pytest.fixture
def normal() -> NormalEquations:
    generator = torch.Generator().manual_seed(0)
    return NormalEquations(
        b=torch.randn((4,) * 3, dtype=torch.float64, generator=generator),
        kernel=torch.randn((8,) * 3, dtype=torch.float64, generator=generator),
        data_energy=1.25,
        n_observations=7,
        n_images=2,
        pixel_size=1.1,
        box_size=10,
        noise_power=torch.rand(6, dtype=torch.float64, generator=generator),
        input_sha256="ab" * 32,
    )


def test_normal_equations_return_exactly(tmp_path, normal) -> None:
    write_normal(tmp_path / "normal.npz", normal)
    again = read_normal(tmp_path / "normal.npz")
    for name, value in vars(normal).items():
        found = getattr(again, name)
        same = torch.equal(found, value) if torch.is_tensor(value) else found == value
        assert same, name


def test_file_holds_plain_arrays_under_the_contract_names(tmp_path, normal) -> None:
    write_normal(tmp_path / "normal.npz", normal)
    with np.load(tmp_path / "normal.npz", allow_pickle=False) as archive:
        assert tuple(archive.files) == NAMES
        assert archive["K"].dtype == np.float64
        np.testing.assert_array_equal(archive["K"], normal.kernel)
        assert str(archive["input_sha256"]) == normal.input_sha256


def test_equal_content_gives_equal_bytes(tmp_path, normal) -> None:
    for name in ("first.npz", "second.npz"):
        write_normal(tmp_path / name, normal)
    first, second = ((tmp_path / n).read_bytes() for n in ("first.npz", "second.npz"))
    assert first == second


def test_noise_power_returns_exactly(tmp_path) -> None:
    power = torch.rand(9, dtype=torch.float64)
    write_noise_power(tmp_path / "noise.npz", power)
    assert torch.equal(read_noise_power(tmp_path / "noise.npz"), power)


def test_a_truncated_file_is_refused(tmp_path, normal) -> None:
    path = tmp_path / "normal.npz"
    write_normal(path, normal)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(InputError, match=r"normal\.npz"):
        read_normal(path)
