"""Fetch one target's structure and write its clean chain (rule get_structure)."""

from pathlib import Path

from equicryo.io.download import RCSB_URL, Download
from equicryo.io.logs import log_to
from equicryo.io.models import write_atoms
from equicryo.io.structures import (
    MAX_FILE_BYTES,
    StructureConfig,
    locate_structure,
    read_structure,
)

log_to(snakemake.log[0])
settings = StructureConfig(**snakemake.params.settings)
download = Download(
    url=RCSB_URL,
    cache=Path(snakemake.params.cache),
    attempts=4,
    backoff=2.0,
    timeout=30.0,
    max_bytes=MAX_FILE_BYTES,
)

path = locate_structure(settings, download)
atoms = read_structure(path, settings, snakemake.wildcards.target)
write_atoms(snakemake.output.structure, atoms)
