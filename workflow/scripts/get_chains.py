"""Download the database of protein chains (rule get_chains)."""

from pathlib import Path

from equicryo.io.download import Download, download_file
from equicryo.io.logs import log_to

log_to(snakemake.log[0])
settings = snakemake.params.settings
package = Path(snakemake.output.package)
download = Download(
    url=settings["url"],
    cache=package.parent,
    attempts=4,
    backoff=5.0,
    timeout=180.0,
    max_bytes=500_000_000,
)

download_file(settings["url"], package, settings["sha256"], download)
