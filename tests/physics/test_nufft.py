import sys
from types import ModuleType

import finufft
import pytest
import torch

from equicryo.errors import InputError
from equicryo.physics import nufft
from equicryo.physics.fourier import HalfPlane, image_to_samples
from equicryo.physics.nufft import (
    ACCURACY,
    adjoint_transform,
    nufft_library,
    sample_transform,
)
from equicryo.physics.optics import Optics, contrast_transfer, unastigmatic
from equicryo.physics.pose import Pose
from equicryo.physics.projection import project_gaussians, project_volume

EDGE = 6
COUNT = 40
CPU, CUDA = torch.device("cpu"), torch.device("cuda", 1)
OPTICS = Optics(
    voltage=3e5,
    spherical_aberration=2.7e7,
    amplitude_contrast=0.1,
    pixel_size=1.0,
    box_size=8,
)


@pytest.fixture
def cufinufft(monkeypatch) -> ModuleType:
    """Stand in for cufinufft 2.5: its signatures, and tensors where the input's are."""
    library = ModuleType("cufinufft")
    library.calls = []

    def nufft3d1(
        x, y, z, data, n_modes=None, out=None, eps=1e-6, isign=1, **kwargs
    ) -> torch.Tensor:
        assert set(kwargs) == {"gpu_device_id"}
        library.calls.append(("type 1", isign, eps))
        return data.new_empty(n_modes)

    def nufft3d2(x, y, z, data, out=None, eps=1e-6, isign=-1, **kwargs) -> torch.Tensor:
        assert set(kwargs) == {"gpu_device_id"}
        library.calls.append(("type 2", isign, eps))
        return data.new_empty(len(x))

    library.nufft3d1, library.nufft3d2 = nufft3d1, nufft3d2
    monkeypatch.setitem(sys.modules, "cufinufft", library)
    return library


def test_the_device_decides_the_library(cufinufft) -> None:
    assert nufft_library(CPU) is finufft
    assert nufft_library(CUDA) is cufinufft


def test_a_gpu_without_cufinufft_is_an_error_that_says_how_to_mend_it(
    monkeypatch,
) -> None:
    monkeypatch.setitem(sys.modules, "cufinufft", None)
    with pytest.raises(InputError, match=r"cuda:1.*pip install cufinufft==2\.5\.0"):
        nufft_library(CUDA)


def test_other_devices_are_refused() -> None:
    with pytest.raises(InputError, match="meta"):
        nufft_library(torch.device("meta"))


def test_both_transforms_are_their_definition(generator) -> None:
    points = torch.rand(COUNT, 3, dtype=torch.float64, generator=generator) * 6 - 3
    axis = torch.arange(EDGE, dtype=torch.float64) - EDGE // 2
    z, y, x = torch.meshgrid(axis, axis, axis, indexing="ij")
    phase = torch.stack([x, y, z], dim=-1) @ points.T
    samples = torch.randn(COUNT, dtype=torch.complex128, generator=generator)
    expected = (samples * torch.exp(1j * phase)).sum(-1)
    # finufft's 1e-9 relative to Σ |samples| of about 40, Σ |volume| of about 200.
    actual = adjoint_transform(points, samples, EDGE)
    torch.testing.assert_close(actual, expected, atol=1e-7, rtol=0.0)
    volume = torch.randn((EDGE,) * 3, dtype=torch.complex128, generator=generator)
    expected = (volume[..., None] * torch.exp(-1j * phase)).sum((0, 1, 2))
    actual = sample_transform(volume, points)
    torch.testing.assert_close(actual, expected, atol=1e-6, rtol=0.0)


def test_operators_follow_their_input_to_another_device(cufinufft, monkeypatch) -> None:
    """Tensors without data, as of a GPU: mixing them with a CPU's is an error.

    Values, and cufinufft itself, need a GPU.
    """
    monkeypatch.setattr(nufft, "nufft_library", lambda device: cufinufft)
    box, count = OPTICS.box_size, 2

    def elsewhere(*shape: int) -> torch.Tensor:
        return torch.empty(shape, dtype=torch.float64, device="meta")

    index = torch.empty(COUNT, dtype=torch.int64, device="meta")
    plane = HalfPlane(
        frequency=elsewhere(COUNT, 2),
        multiplicity=elsewhere(COUNT),
        index=index,
        shell=index,
        frequency_step=1.0 / box,
        box_size=box,
    )
    rotation = elsewhere(count, 3, 3).requires_grad_()
    pose = Pose(rotation=rotation, shift=elsewhere(count, 2))
    volume = elsewhere(EDGE, EDGE, EDGE).requires_grad_()
    projected = project_volume(volume, pose, plane, 1.0)
    gradients = torch.autograd.grad(projected.real.sum(), [volume, rotation])
    blobs = project_gaussians(elsewhere(5, 3), elsewhere(5), 1.5, pose, plane)
    ctf = contrast_transfer(plane.frequency, OPTICS, unastigmatic(elsewhere(count)))
    samples = image_to_samples(elsewhere(count, box, box), plane)
    found = (projected, *gradients, blobs, ctf, samples)
    assert {tensor.device.type for tensor in found} == {"meta"}

    kinds = [(kind, isign) for kind, isign, _ in cufinufft.calls]
    assert kinds == [("type 2", -1), ("type 1", 1), *3 * [("type 2", -1)]]
    assert {accuracy for _, _, accuracy in cufinufft.calls} == {ACCURACY}


@pytest.mark.gpu
def test_cufinufft_agrees_with_finufft(generator) -> None:
    pytest.importorskip("cufinufft")
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    points = torch.rand(COUNT, 3, dtype=torch.float64, generator=generator) * 6 - 3
    samples = torch.randn(COUNT, dtype=torch.complex128, generator=generator)
    volume = torch.randn((EDGE,) * 3, dtype=torch.complex128, generator=generator)
    # The accuracy asked of both, 1e-9, relative to sums of 40 and 200 terms.
    torch.testing.assert_close(
        adjoint_transform(points.cuda(), samples.cuda(), EDGE).cpu(),
        adjoint_transform(points, samples, EDGE),
        atol=1e-7,
        rtol=0.0,
    )
    torch.testing.assert_close(
        sample_transform(volume.cuda(), points.cuda()).cpu(),
        sample_transform(volume, points),
        atol=1e-6,
        rtol=0.0,
    )
