"""Find the noise that gives a stack its SNR (rule calibrate_noise)."""

import logging

import torch

from equicryo.io.logs import log_to
from equicryo.io.models import read_atoms
from equicryo.io.normal import write_noise_power
from equicryo.io.points import read_conformers, read_points
from equicryo.physics.density import molecule_diameter, support_size
from equicryo.physics.noise import noise_spectrum
from equicryo.physics.simulation import noise_variance
from equicryo.physics.stack import (
    StackConfig,
    check_sampling,
    choose_conformer,
    describe_specimen,
    draw_views,
)
from equicryo.seeds import derive_generator

log_to(snakemake.log[0])
torch.set_num_threads(snakemake.threads)
settings = StackConfig(**snakemake.params.stack)
generator = derive_generator(
    snakemake.params.seed, "calibrate_noise", snakemake.wildcards.stack
)
chain = read_points(snakemake.input.points)
held_out = read_conformers(snakemake.input.ensemble).held_out
truth = choose_conformer(chain, held_out, settings)

diameter = molecule_diameter(torch.from_numpy(chain.coordinates))
check_sampling(settings, diameter)
support = support_size(diameter, settings.pixel_size, settings.box_size)
specimen = describe_specimen(settings, truth, read_atoms(snakemake.input.structure))
views = draw_views(settings, snakemake.params.images, generator=generator)
variance = noise_variance(specimen, views, settings.snr, support)
logging.getLogger("equicryo").info(
    "SNR %g over the central %d × %d pixels, mean of %d views: noise variance %.4g "
    "(e⁻/Å²)²",
    *(settings.snr, support, support, len(views), variance),
)
box = (settings.box_size, settings.pixel_size)
noise_power = noise_spectrum(settings.noise, variance, *box)
write_noise_power(snakemake.output.noise, noise_power)
