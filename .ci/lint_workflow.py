"""Run `snakemake --lint`; only rules without an environment of their own are fine.

Our Python runs in the main environment, so `conda:` is for outside programs alone.
"""

import re
import subprocess
import sys

ACCEPTED = "Specify a conda environment or container for each rule."

done = subprocess.run(
    ["snakemake", "--lint"], capture_output=True, text=True, check=False
)
text = done.stdout + done.stderr
notices = re.findall(r"^    \* (.+?):?$", text, flags=re.MULTILINE)
refused = [notice for notice in notices if notice != ACCEPTED]
# No notice at all from a failed lint means that it did not get that far.
if refused or (done.returncode and not notices):
    sys.exit(text)
