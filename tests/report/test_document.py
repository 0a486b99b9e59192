"""Tables of the page: every cell is a text."""

import pandas as pd

from mssim.report.document import table_of


def test_cells_are_written_and_missing_ones_are_empty():
    frame = pd.DataFrame({"model": ["a", None], "share": [0.123, float("nan")], "n": [1, 2]})
    table = table_of(frame, "caption", {"share": "{:.1%}"}, "tokens")
    assert table.rows == [["a", "12.3%", "1"], ["", "", "2"]]
    assert (table.columns, table.numeric, table.unit) == (["model", "share", "n"], {"share", "n"}, "tokens")
