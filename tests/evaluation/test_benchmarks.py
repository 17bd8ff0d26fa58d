import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from equicryo.errors import InputError
from equicryo.evaluation import projectors
from equicryo.evaluation.benchmarks import (
    BenchmarkConfig,
    cycle_batches,
    draw_workload,
    measure_compression,
    measure_image_loop,
    measure_physics,
)
from equicryo.evaluation.timing import median_ratio, peak_memory, time_in_turns
from equicryo.physics.compression import compress_images
from equicryo.physics.density import gaussian_volume
from equicryo.physics.normal_operator import prepare_operator
from equicryo.physics.pose import Views
from equicryo.physics.simulation import noisy_images

SETTINGS = BenchmarkConfig(
    stack_images=2,
    image_counts=[1, 3],
    loop_images=3,
    projections=2,
    paddings=[2.0],
    rounds=3,
    box_size=64,
    support_size=48,
)


@pytest.fixture(scope="module")
def workload():
    return draw_workload(SETTINGS, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def images(workload) -> torch.Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.cat(list(noisy_images(*workload, generator=generator)))


@pytest.fixture
def stream(workload, images):
    views = workload[1]

    def read(first: int, last: int) -> Iterator[tuple[torch.Tensor, Views]]:
        yield images[first:last], views[first:last]

    return lambda count: cycle_batches(read, SETTINGS.stack_images, count)


def test_a_stack_is_read_again_until_there_are_enough(stream, images) -> None:
    found = torch.cat([batch for batch, _ in stream(5)])
    assert torch.equal(found, images[[0, 1, 0, 1, 0]])


def test_normal_equations_are_those_of_all_images(stream, workload) -> None:
    normals, found = measure_compression(stream, workload[2], SETTINGS)
    assert [normal.n_images for normal in normals.values()] == SETTINGS.image_counts
    rates = {one.n: one.value for one in found if one.name == "compress_rate"}
    seconds = {one.n: one.value for one in found if one.name == "compress_seconds"}
    for count in SETTINGS.image_counts:
        assert rates[count] * seconds[count] == pytest.approx(count)
    # 3 = 2 + 1 images: the stack and its first once more.
    stack = compress_images(stream(2), workload[2], SETTINGS.support_size)
    expected = stack.b + normals[1].b
    atol = 1e-8 * expected.abs().max().item()  # finufft's accuracy
    torch.testing.assert_close(normals[3].b, expected, atol=atol, rtol=0.0)


def test_the_image_loop_sees_every_image(stream, workload) -> None:
    specimen, _, power = workload
    normal = compress_images(stream(3), power, SETTINGS.support_size)
    blobs = (specimen.coordinates, specimen.weights, specimen.width)
    volume = gaussian_volume(*blobs, SETTINGS.support_size, 1.0)
    operator = prepare_operator(normal)
    seconds, ratio = measure_image_loop(stream(3), power, operator, volume)
    assert seconds.n == ratio.n == 3
    assert seconds.value > 0.0


def test_one_run_measures_everything(stream, workload) -> None:
    found = measure_physics(stream, workload, SETTINGS)
    table = {(one.name, one.n): one for one in found}
    assert len(table) == len(found)
    for name, n in [
        ("compress_peak_memory", 3),
        ("gradient_seconds", 1),
        ("gradient_ratio_to_1", 3),
        ("image_loop_ratio", 3),
        ("projector_seconds", 2),
        ("torch_fourier_slice_pad2_ratio", 2),
    ]:
        assert table[name, n].value > 0.0
    # The small support cuts tails off; theirs adds linear interpolation.
    assert table["projector_error", 2].value < 3e-3
    assert 3e-3 < table["torch_fourier_slice_pad2_error", 2].value < 0.1


def test_works_take_turns() -> None:
    order: list[str] = []
    works = {name: lambda name=name: order.append(name) for name in "ab"}
    times = time_in_turns(works, 2)
    assert order == ["a", "b"] * 3
    assert {name: len(one) for name, one in times.items()} == {"a": 2, "b": 2}


def test_ratios_are_taken_round_by_round() -> None:
    """A slow round slows both: 2, 2, 3 and not 4 / 2 of the medians' ratio."""
    assert median_ratio([4.0, 20.0, 3.0], [2.0, 10.0, 1.0]) == 2.0
    assert median_ratio([1.0, 30.0, 2.0], [1.0, 10.0, 1.0]) == 2.0


def test_peak_memory_is_the_kernels() -> None:
    status = Path("/proc/self/status")
    if not status.is_file():
        pytest.skip("needs Linux")
    (line,) = [one for one in status.read_text().splitlines() if "VmHWM" in one]
    kibibytes = int(line.split()[1])
    # The kernel counts the resident pages of each core and adds them up now and then.
    assert peak_memory() == pytest.approx(1024 * kibibytes / 1e9, rel=0.01)


def test_a_missing_rival_is_named(monkeypatch, workload) -> None:
    monkeypatch.setitem(sys.modules, "torch_fourier_slice", None)
    specimen, views, _ = workload
    volume = torch.zeros(8, 8, 8, dtype=torch.float64)
    with pytest.raises(InputError, match=r"pip install -e '\.\[test\]'"):
        projectors.measure_projectors(specimen, views.pose.rotation, volume, [2.0], 1)
