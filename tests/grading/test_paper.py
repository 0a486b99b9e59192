"""Numbers as the released code of ModelSwitch finds them."""

from mssim.grading.paper import last_number_of_paper, read_number_of_paper


def test_the_paper_ends_a_box_at_its_first_brace_and_takes_any_minus():
    assert last_number_of_paper(r"\boxed{-\frac{11}{6}}") == "11"
    assert last_number_of_paper("10-5") == "-5"
    assert last_number_of_paper(r"\boxed{1,234} 5") == "1234"
    assert last_number_of_paper(r"\boxed{7 is cut off") == "7"
    assert last_number_of_paper("none") is None


def test_a_truth_is_one_decimal_number():
    assert [read_number_of_paper(t) for t in ("$1,234.50", r"\$5", "18.", " -3 ", "+7", ".5")] == [
        *("1234.50", "5", "18", "-3", "7", ".5")
    ]
    assert [read_number_of_paper(t) for t in ("3/4", "4 apples", "", "1.2.3", "10-5")] == [None] * 5
