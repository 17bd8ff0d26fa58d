import math
from pathlib import Path

import pandas as pd
import pytest

from equicryo.errors import InputError
from equicryo.io.tables import read_table, sort_rows, write_frame, write_table

COLUMNS = ("name", "value", "count")


def test_pandas_reads_back_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    rows = [
        {"name": "a, b", "value": math.pi, "count": 1_000_000},
        {"name": "é", "value": math.inf, "count": None},
        {"name": None, "value": 1e-9, "count": 0},
    ]
    write_table(path, COLUMNS, rows)
    table = pd.read_csv(path)
    assert list(table.columns) == list(COLUMNS)
    # Seven significant digits.
    assert table["value"].tolist() == pytest.approx([math.pi, math.inf, 1e-9], rel=5e-7)
    assert table["count"].isna().tolist() == [False, True, False]
    assert table["count"][0] == 1_000_000
    assert table["name"].tolist()[:2] == ["a, b", "é"]


def test_numbers_equal_but_for_rounding_noise_give_equal_bytes(tmp_path: Path) -> None:
    texts = []
    for value in (0.3, 0.1 + 0.2):
        path = tmp_path / f"{value}.csv"
        write_table(path, COLUMNS, [{"name": "x", "value": value, "count": 1}])
        texts.append(path.read_bytes())
    assert texts[0] == texts[1]
    assert texts[0] == b"name,value,count\nx,0.3,1\n"


@pytest.mark.parametrize(
    "row",
    [
        {"name": "x", "value": 1.0},
        {"name": "x", "value": 1.0, "count": 1, "more": 2},
        {"name": "x", "value": math.nan, "count": 1},
    ],
)
def test_a_bad_row_leaves_no_file(tmp_path: Path, row: dict) -> None:
    with pytest.raises(ValueError, match=r"lacks or adds|not a number"):
        write_table(tmp_path / "table.csv", COLUMNS, [row])
    assert list(tmp_path.iterdir()) == []


def test_tables_join_without_changing_a_cell(tmp_path: Path) -> None:
    first, second, both = (tmp_path / f"{name}.csv" for name in "abc")
    write_table(first, COLUMNS, [{"name": "x", "value": 0.1 + 0.2, "count": None}])
    write_table(second, COLUMNS, [{"name": "y", "value": math.inf, "count": 3}])
    write_table(both, COLUMNS, [*read_table(first), *read_table(second)])
    lines = [path.read_text().splitlines()[1:] for path in (first, second)]
    assert both.read_text().splitlines()[1:] == lines[0] + lines[1]


def test_rows_are_sorted_by_value_then_text() -> None:
    cells = ["inferred", "1.59", "10", "0.1", "1", "9"]
    rows = sort_rows([{"scale": cell} for cell in cells], ["scale"])
    expected = ["0.1", "1", "1.59", "9", "10", "inferred"]
    assert [row["scale"] for row in rows] == expected


def test_a_torn_table_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("a,b\n1,2\n3\n")
    with pytest.raises(InputError, match=r"table\.csv: line 3 has 1 cells"):
        read_table(path)


def test_a_data_frame_is_written_with_empty_cells(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    frame = pd.DataFrame({"x": [1.5, math.nan], "n": [1, 2], "name": ["a", None]})
    write_frame(path, frame)
    assert path.read_text() == "x,n,name\n1.5,1,a\n,2,\n"
