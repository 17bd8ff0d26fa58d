"""The table of metrics as a page of the report."""

from collections.abc import Mapping, Sequence
from html import escape

HEADINGS = {
    "study": "study",
    "dataset": "dataset",
    "prior": "prior",
    "sampler": "sampler",
    "alpha": "α",
    "scale": "λ",
    "scale_source": "λ is",
    "rmsd_mean": "RMSD",
    "rmsd_sd": "± s.d.",
    "rmsd_posterior_mean_unaligned": "RMSD of mean, unaligned",
    "coverage90": "in 90 % intervals",
    "rg_mean": "Rg",
    "rg_truth": "Rg of truth",
    "tm_score_mean": "TM-score",
    "chi2": "χ²",
    "verdict": "images say",
    "residues_suspect": "share suspect",
    "crlb_rmsd": "Cramér-Rao",
    "trace_rmsd": "trace, unaligned",
    "beads_rmsd": "without prior, unaligned",
    "prior_rmsd": "prior only",
    "chance_rmsd": "chance",
    "permuted_rmsd": "permuted",
    "mirror_rmsd": "mirror",
}
"""Columns of metrics.csv that the page shows, and their headings."""

DIGITS = {"chi2": 4, "alpha": None, "scale": 4}
"""Decimals of numbers, 2 where not listed; None leaves a number as it is."""

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Metrics</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 14px/1.4 system-ui, sans-serif; margin: 1.5em; }}
div {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; }}
th, td {{ padding: 0.3em 0.7em; text-align: right; white-space: nowrap; }}
th {{ border-bottom: 2px solid; vertical-align: bottom; white-space: normal; }}
td {{ border-bottom: 1px solid #8884; }}
td.text {{ text-align: left; }}
</style>
</head>
<body>
<h1>Metrics</h1>
<p>Lengths in Å. RMSD is the index RMSD over Cα after proper superposition, averaged
over posterior samples. All columns are in metrics.csv.</p>
<div>
<table>
<thead><tr>{head}</tr></thead>
<tbody>
{body}
</tbody>
</table>
</div>
</body>
</html>
"""


def render_table(rows: Sequence[Mapping[str, str]]) -> str:
    """Render rows of metrics.csv as a self-contained HTML page.

    Args:
        rows: cells as text; see `HEADINGS` for the columns that are shown.
    """
    head = "".join(f"<th>{escape(heading)}</th>" for heading in HEADINGS.values())
    body = "\n".join(
        "<tr>" + "".join(_cell(name, row[name]) for name in HEADINGS) + "</tr>"
        for row in rows
    )
    return PAGE.format(head=head, body=body)


def _cell(column: str, text: str) -> str:
    try:
        number = float(text)
    except ValueError:
        return f'<td class="text">{escape(text)}</td>'
    decimals = DIGITS.get(column, 2)
    return f"<td>{text if decimals is None else f'{number:.{decimals}f}'}</td>"
