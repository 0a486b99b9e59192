"""Options that commands share, as text and as values."""

import re
from pathlib import Path

import pytest

from mssim import BudgetError, MssimError
from mssim.cli.options import (
    check_band,
    check_output,
    check_per,
    parse_budgets,
    parse_models,
    parse_numbers,
    parse_pair,
    parse_prices,
    parse_renames,
    parse_where,
    prices_of,
    spread_options,
)
from mssim.results.bands import BANDS
from mssim.results.quantities import SPENDS


@pytest.mark.parametrize(
    ("given", "budgets"), [("2,4,8", [2, 4, 8]), ("1-4", [1, 2, 3, 4]), (" 1 , 3-5,9", [1, 3, 4, 5, 9]), ("7-7", [7])]
)
def test_budgets_as_text(given, budgets):
    assert parse_budgets(given) == budgets


def test_conditions_as_text():
    assert parse_where(["a=1", "b!=x=y", "a=2", "c<=3", "d > 4"]) == [
        ("a", "in", ["1", "2"]),
        ("b", "!=", "x=y"),
        ("c", "<=", "3"),
        ("d", ">", "4"),
    ]
    with pytest.raises(MssimError, match=r"is not a condition\. Write COLUMN=VALUE"):
        parse_where(["=1"])


@pytest.mark.parametrize(
    ("given", "says"), [("0", "'0' is out of range"), ("3-2", "the range '3-2' is reversed. Use 2-3.")]
)
def test_budgets_out_of_range_are_named(given, says):
    with pytest.raises(BudgetError, match=says):
        parse_budgets(f"2,{given}")


def test_a_hundred_thousand_is_the_largest_budget():
    assert parse_budgets("100000") == [100_000]
    with pytest.raises(BudgetError, match="'100001' is out of range"):
        parse_budgets("100001")


def test_names_of_models_may_have_quotes():
    known = ["a+b", "c,d", "x"]
    assert parse_models("x, a+b", known) == ["x", "a+b"]
    assert parse_models("""'a+b',"c,d"+x""", known, "+,") == ["a+b", "c,d", "x"]
    assert parse_models("e,f", known) == ["e", "f"]  # unknown names are refused with those of the pool
    for given, separators, quoted in (("x,c,d", ",", 'x,"c,d"'), ("a+b", "+,", '"a+b"')):
        with pytest.raises(MssimError) as error:
            parse_models(given, known, separators)
        assert str(error.value) == f"--models: {given!r}: a name of a model needs quotes. Write {quoted!r}."
    with pytest.raises(MssimError, match=r"--models: the quotes of '\"c' are not closed"):
        parse_models('"c', known)
    assert parse_prices(["a=b=1", '"c,d"=2', '"e=3']) == {"a=b": 1, "c,d": 2, '"e': 3}


def test_renames_are_split_at_the_first_equals_sign():
    assert parse_renames(["a=b=c,d", " e = f "]) == {"a": "b=c,d", "e": "f"}
    assert parse_renames(None) is None
    for given in ("a", "a=", "=b"):
        with pytest.raises(MssimError, match=rf"--rename: '{given}' is not NEW=OLD"):
            parse_renames([given])
    with pytest.raises(MssimError, match="--rename: 'b' and 'c' would both be called 'a'"):
        parse_renames(["a=b", "a=c"])


def test_one_budget_or_one_for_each():
    assert parse_pair("16") == (16, 16)
    assert parse_pair("8, 16") == (8, 16)
    for given in ("1-2", "1,2,3"):
        with pytest.raises(BudgetError, match=rf"--to: '{given}' is not one or two budgets\. Use --to 16 for both"):
            parse_pair(given, "--to")


def test_numbers_as_text():
    assert parse_numbers("0.5,2", "--x", "1") == [0.5, 2]
    for given in ("", "1,", "x"):
        with pytest.raises(MssimError, match=rf"--x: '{given}' is not a list of numbers\. Use e\.g\. 1 or 2\."):
            parse_numbers(given, "--x", "1 or 2")


def test_prices_as_text():
    assert parse_prices(["a=1", "b=c=0.5"]) == {"a": 1.0, "b=c": 0.5}
    assert parse_prices([]) is parse_prices(None) is None
    for text in ("a", "a=", "a=cheap"):
        with pytest.raises(MssimError, match=rf"--price: '{text}' is not MODEL=PRICE\."):
            parse_prices([text])


def test_prices_are_those_of_samples_or_a_file():
    assert prices_of(["a=1"], None) == {"a": 1.0}
    assert prices_of(None, Path("prices.toml")) == prices_of([], Path("prices.toml")) == "prices.toml"
    assert prices_of(None, None) is None
    with pytest.raises(MssimError, match=r"^--price, --prices: both are given\. Use --price for prices per sample, or"):
        prices_of(["a=1"], Path("prices.toml"))


def test_files_that_cannot_be_written_are_told_before_any_work(tmp_path):
    check_output(tmp_path / "new.png", "--plot", figure=True)
    check_output(tmp_path / "new.PDF", "--plot", figure=True)
    check_output(tmp_path / "anything", "--out")
    for path, options, says in (
        (tmp_path / "new.jpg", {"figure": True}, "has no supported image format"),
        (tmp_path, {}, "is a folder. Use the name of a file"),
        (tmp_path / "no" / "new.png", {}, "does not exist. Create it first"),
    ):
        with pytest.raises(MssimError, match=re.escape(says)):
            check_output(path, "--out", **options)


def test_the_axes_of_a_plot_are_those_of_the_library():
    for name in SPENDS:
        assert check_per(name) == [name]
    assert check_per(None) == ["samples_used"]
    assert check_per("samples_used, tokens, samples_used") == ["samples_used", "tokens"]
    assert check_per(["samples_used", "tokens"]) == ["samples_used", "tokens"]
    assert check_per("max_tokens", limited=True) == ["max_tokens"]
    for given, limited, says in (
        ("tokens,max_tokens", True, "max_tokens is an axis of its own"),
        ("max_tokens", False, "max_tokens needs limits to plot. Add e.g. --max-tokens"),
        ("max_tokens", None, "'max_tokens' is not valid"),
    ):
        with pytest.raises(MssimError, match=f"^--per: {says}"):
            check_per(given, limited=limited)
    for given in ("budgets", "tokens,budgets"):
        with pytest.raises(MssimError, match=r"--per: 'budgets' is not valid\. Did you mean 'budget'\?"):
            check_per(given)
    with pytest.raises(MssimError, match=r"--per: '' is not valid\. Choose from 'samples_used', 'budget', 'tokens'"):
        check_per("tokens,")
    with pytest.raises(MssimError, match=r"--per: '' is not valid"):
        check_per([])


def test_options_of_distributions_are_those_that_were_given():
    assert spread_options(None, None, None, None) == {}
    assert spread_options("0.5,0.95", 100, None, None) == {"quantiles": [0.5, 0.95], "tokens_exceed": 100}
    assert spread_options([0.1], None, 0, 2.5) == {"quantiles": [0.1], "cost_exceeds": 0, "latency_exceeds": 2.5}
    with pytest.raises(MssimError, match=r"--quantiles: '0\.5;1' is not a list of numbers\. Use e\.g\. 0\.5,0\.95\."):
        spread_options("0.5;1", None, None, None)
    for given, says in ((("95",), "quantiles="), ((None, None, -1.0), "cost_exceeds=")):
        with pytest.raises(MssimError, match=f"^{says}"):
            spread_options(*given, *[None] * (4 - len(given)))


def test_the_kinds_of_bands_are_those_of_the_library():
    for band in BANDS:
        assert check_band(band) == band
    with pytest.raises(
        MssimError, match=r"--band: 'point' is not valid\. .*Choose from 'pointwise', 'simultaneous'\.$"
    ):
        check_band("point")
