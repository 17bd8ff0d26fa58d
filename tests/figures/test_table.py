import xml.etree.ElementTree as ElementTree

from equicryo.evaluation.scores import METRICS_COLUMNS
from equicryo.figures.table import HEADINGS, render_table


def body_of(page: str) -> list[list[str]]:
    root = ElementTree.fromstring(
        page.replace("<!DOCTYPE html>", "").replace('<meta charset="utf-8">', "")
    )
    return [[cell.text or "" for cell in row] for row in root.find(".//tbody")]


def test_page_shows_existing_columns_rounded_and_escaped() -> None:
    row = dict.fromkeys(METRICS_COLUMNS, "")
    row |= {"study": "a<b", "alpha": "0.01", "rmsd_mean": "1.23456", "chi2": "1.00012"}
    row |= {"crlb_rmsd": "inf", "scale": "1.5931"}
    (cells,) = body_of(render_table([row]))
    shown = dict(zip(HEADINGS, cells, strict=True))
    assert shown["study"] == "a<b"
    assert (shown["alpha"], shown["rmsd_mean"]) == ("0.01", "1.23")
    assert (shown["chi2"], shown["scale"]) == ("1.0001", "1.5931")
    assert (shown["crlb_rmsd"], shown["rg_mean"]) == ("inf", "")
