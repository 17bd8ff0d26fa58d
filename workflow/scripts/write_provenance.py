"""Record what a run was made from (rule write_provenance)."""

from pathlib import Path

from equicryo.io.documents import write_document
from equicryo.io.logs import log_to
from equicryo.io.provenance import collect_provenance

log_to(snakemake.log[0])
scripts = Path(snakemake.scriptdir).glob("*.py")
content = collect_provenance(snakemake.params.config, snakemake.input.given, scripts)
write_document(snakemake.output.provenance, content)
