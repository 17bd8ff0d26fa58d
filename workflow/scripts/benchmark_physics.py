"""Measure what the physics costs (rule benchmark_physics)."""

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from equicryo.evaluation.benchmarks import (
    BenchmarkConfig,
    cycle_batches,
    draw_workload,
    measure_physics,
)
from equicryo.io.logs import log_to
from equicryo.io.machine import describe_machine
from equicryo.io.particles import read_batches, read_particles
from equicryo.io.relion import write_particles
from equicryo.io.stacks import write_stack
from equicryo.io.tables import write_table
from equicryo.physics.simulation import noisy_images
from equicryo.seeds import derive_generator

log_to(snakemake.log[0])
torch.set_num_threads(snakemake.threads)
settings = BenchmarkConfig(**snakemake.params.settings)
generator = derive_generator(snakemake.params.seed, "benchmark_physics")

workload = draw_workload(settings, generator=generator)
with TemporaryDirectory() as folder:
    star, stack = Path(folder) / "particles.star", Path(folder) / "particles.mrcs"
    images = noisy_images(*workload, generator=generator)
    write_stack(stack, images, settings.stack_images, settings.box_size, 1.0)
    write_particles(star, workload[1], stack.name)
    read = partial(read_batches, read_particles(star, folder))
    stream = partial(cycle_batches, read, settings.stack_images)
    measurements = measure_physics(stream, workload, settings)

machine = describe_machine()
write_table(
    snakemake.output.table,
    ["name", "value", "unit", "n", "machine"],
    [{**vars(one), "machine": machine} for one in measurements],
)
