"""CSV tables with the same bytes for the same numbers."""

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from equicryo.errors import InputError
from equicryo.io.files import replace_atomically

SIGNIFICANT_DIGITS = 7
"""Of a float: 0.0001 Å in 100 Å, and far above the reproducibility of a sum."""


def write_table(
    path: str | Path,
    columns: Sequence[str],
    rows: Iterable[Mapping[str, str | int | float | None]],
) -> None:
    """Write rows under fixed columns.

    Args:
        path: of the CSV file, replaced as a whole.
        columns: names, in order; every row has exactly these.
        rows: floats are rounded to `SIGNIFICANT_DIGITS`; None leaves a cell empty.

    Raises:
        ValueError: a row has other columns, or a cell is not a number.
    """
    lines = []
    for index, row in enumerate(rows):
        if set(row) != set(columns):
            odd = ", ".join(sorted(set(row) ^ set(columns)))
            raise ValueError(f"row {index} of {path} lacks or adds: {odd}")
        lines.append([_cell(row[name], name) for name in columns])
    with (
        replace_atomically(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(lines)


def write_frame(path: str | Path, frame: pd.DataFrame) -> None:
    """Write a data frame without its index, NaN as an empty cell.

    Args:
        path: of the CSV file, replaced as a whole.
        frame: floats are rounded to `SIGNIFICANT_DIGITS`.
    """
    cells = frame.astype(object).where(frame.notna(), None)
    write_table(path, list(frame.columns), cells.to_dict("records"))


def read_table(path: str | Path) -> list[dict[str, str]]:
    """Read rows as written, every cell as text.

    Raises:
        InputError: a row has more or fewer cells than there are columns.
    """
    try:
        with Path(path).open(newline="", encoding="utf-8") as file:
            header, *lines = list(csv.reader(file)) or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{path}: not a readable table ({error}): delete it and run again"
        ) from error
    for number, line in enumerate(lines, start=2):
        if len(line) != len(header):
            raise InputError(
                f"{path}: line {number} has {len(line)} cells, the header "
                f"{len(header)}: delete the file and run again"
            )
    return [dict(zip(header, line, strict=True)) for line in lines]


def sort_rows(
    rows: Iterable[Mapping[str, str]], by: Sequence[str]
) -> list[Mapping[str, str]]:
    """Sort rows by columns, numbers by value and before text."""
    return sorted(rows, key=lambda row: [_order(row[name]) for name in by])


def _cell(value: str | int | float | None, column: str) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        if math.isnan(value):
            raise ValueError(f"{column} is not a number")
        return f"{value:.{SIGNIFICANT_DIGITS}g}"
    return str(value)


def _order(text: str) -> tuple[bool, float, str]:
    try:
        return False, float(text), text
    except ValueError:
        return True, 0.0, text
