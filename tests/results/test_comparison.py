"""A comparison as a row of a table."""

from mssim.results.comparison import Comparison


def test_a_comparison_is_a_row_of_a_table():
    found = Comparison("a", "b", 8, 16, 0.5, 0.25, 0.75, 0.01, 6, 3, 1, 10)
    (row,) = found.to_frame().to_dict("records")
    assert row == vars(found)
    assert list(row) == [
        *("a", "b", "budget_a", "budget_b", "difference", "low", "high", "p_value"),
        *("wins", "ties", "losses", "n_questions"),
    ]
