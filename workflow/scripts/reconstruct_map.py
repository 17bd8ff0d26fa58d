"""Compare RELION's map of our images with ours and with the truth (reconstruct_map)."""

import logging
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from equicryo.evaluation.fsc import compare_maps, soft_sphere
from equicryo.io.chunks import join_tables
from equicryo.io.documents import write_document
from equicryo.io.logs import log_to
from equicryo.io.maps import DensityMap, write_map
from equicryo.io.models import read_atoms, read_chain
from equicryo.io.normal import read_normal
from equicryo.io.relion_program import reconstruct_by_relion
from equicryo.io.tables import write_table
from equicryo.physics.normal_operator import prepare_operator
from equicryo.physics.simulation import specimen_map
from equicryo.physics.stack import StackConfig, describe_specimen
from equicryo.physics.wiener import wiener_map

log_to(snakemake.log[0])
torch.set_num_threads(snakemake.threads)
files, params = snakemake.input, snakemake.params
normal = read_normal(files.normal)
box, edge, pixel_size = normal.box_size, normal.support_size, normal.pixel_size
centre = slice((box - edge) // 2, (box + edge) // 2)
chain = read_chain(files.truth)
atoms = read_atoms(files.structure)
specimen = describe_specimen(StackConfig(**params.stack), chain, atoms)
truth = specimen_map(specimen, edge, pixel_size)

with TemporaryDirectory() as folder:
    star, path = Path(folder) / "particles.star", Path(folder) / "map.mrc"
    join_tables(star, files.stars, normal.n_images)
    theirs = reconstruct_by_relion(star, path, pixel_size).volume
theirs = torch.from_numpy(theirs)[centre, centre, centre].double()
# A prior so weak that it only steadies frequencies that no image covers.
ours = wiener_map(prepare_operator(normal), 100.0 * truth.var().item())

mask = soft_sphere(edge, pixel_size, 0.5 * edge * pixel_size)
pairs = {
    "relion_truth": (theirs, truth),
    "wiener_truth": (ours, truth),
    "relion_wiener": (theirs, ours),
    "relion_mirror": (theirs, truth.flip(0).roll(1, 0)),
}
found = {
    name: compare_maps(*pair, mask, pixel_size, params.resolution)
    for name, pair in pairs.items()
}
rows = [
    {"frequency": shell / (edge * pixel_size)}
    | {name: one.fsc[shell].item() for name, one in found.items()}
    for shell in range(1, edge // 2)
]
write_table(snakemake.output.table, tuple(rows[0]), rows)
summary = {"n_images": normal.n_images, "resolution": params.resolution}
for name, one in found.items():
    summary |= {f"fsc_{name}": one.worst, f"correlation_{name}": one.correlation}
write_document(snakemake.output.summary, summary)
logging.getLogger("equicryo").info("%s", summary)
for path, volume in ((snakemake.output.relion, theirs), (snakemake.output.ours, ours)):
    write_map(path, DensityMap(volume=volume.float().numpy(), pixel_size=pixel_size))
