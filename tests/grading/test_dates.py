"""Dates MM/DD/YYYY."""

from mssim.grading.dates import last_date, padded_date, read_date


def test_dates():
    assert last_date("from 01/02/2003 to 1/2/2020.") == "1/2/2020"
    assert last_date("99/99/2020") == "99/99/2020"
    assert last_date("101/02/2003 01/02/20034") is None
    assert last_date("答案是０１／０２／２０２０。") == "01/02/2020"
    assert padded_date("1/2/2020") == padded_date("01/02/2020") == "01/02/2020"
    assert (read_date(" 1/2/2020 "), read_date("on 1/2/2020")) == ("1/2/2020", None)
