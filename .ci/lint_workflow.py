"""Run `snakemake --lint`; only rules without an environment of their own are fine.

Our Python runs in the main environment, so `conda:` is for outside programs alone.
"""

import json
import subprocess
import sys

ACCEPTED = "Specify a conda environment or container for each rule."

done = subprocess.run(
    ["snakemake", "--lint", "json"], capture_output=True, text=True, check=False
)
try:
    report = json.loads(done.stdout[done.stdout.index("{") :])
except ValueError:
    sys.exit(f"snakemake --lint gave no report:\n{done.stdout}{done.stderr}")
found = [
    f"{place}: {lint['title']}"
    for kind in ("rules", "snakefiles")
    for place_report in report.get(kind, [])
    for place in [place_report.get("name") or place_report.get("path")]
    for lint in place_report["lints"]
    if lint["title"] != ACCEPTED
]
sys.exit("\n".join(found) or 0)
