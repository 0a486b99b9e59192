"""Price tables: what they cost, keep and refuse."""

import datetime
import json
import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim import MssimError
from mssim.prices import Prices, read_prices

DAY = datetime.date(2026, 11, 1)
TABLE = """
date = 2026-11-01
currency = "EUR"
per_tokens = 1000
[models."gpt-4o-mini"]
input = 0.15
output = 0.60
[models.free]
input = 0
output = 0
"""


@pytest.fixture
def write(tmp_path):
    def writes(text):
        path = tmp_path / "prices.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return writes


def test_a_table_is_read_as_written_and_describes_itself_in_json(write):
    prices = read_prices(str(write(TABLE)))
    assert prices == Prices(DAY, {"gpt-4o-mini": (0.15, 0.6), "free": (0, 0)}, currency="EUR", per_tokens=1000)
    assert json.loads(json.dumps(prices.describe())) == {
        "date": "2026-11-01",
        "currency": "EUR",
        "per_tokens": 1000,
        "models": {"gpt-4o-mini": {"input": 0.15, "output": 0.6}, "free": {"input": 0, "output": 0}},
    }


def test_currency_and_tokens_have_defaults(write):
    prices = read_prices(write("date = 2026-11-01\n[models.a]\ninput = 1\noutput = 2\n"))
    assert (prices.currency, prices.per_tokens) == ("USD", 1_000_000)


@given(
    st.tuples(st.integers(0, 10**4), st.integers(0, 10**4)),
    st.integers(1, 10**6),
    st.tuples(st.integers(0, 10**8), st.integers(0, 10**8)),
)
def test_the_cost_is_tokens_times_price(price, per_tokens, tokens):
    prices = Prices(DAY, {"m": price}, per_tokens=per_tokens)
    exact = sum(Fraction(p * t, per_tokens) for p, t in zip(price, tokens, strict=True))
    assert prices.cost(["m"], *tokens) == pytest.approx(float(exact), rel=1e-12)


def test_names_are_tried_in_order():
    prices = Prices(DAY, {"small": (1, 2), "org/Small": (3, 4)})
    assert prices.price_of(["small", "org/Small"]) == (1, 2)
    assert prices.price_of(["mine", "org/Small"]) == (3, 4)


def test_a_model_without_a_price_is_refused_under_all_its_names():
    prices = Prices(DAY, {"small": (1, 2)})
    for ask in (prices.price_of, lambda names: prices.cost(names, 1, 1)):
        with pytest.raises(MssimError) as error:
            ask(["smal", "org/Small"])
        assert str(error.value) == (
            "prices: model 'smal' or 'org/Small' is not in the price table. "
            "Did you mean 'small'? Choose from 'small', or add its prices."
        )


def test_prices_cannot_be_changed():
    given_ = {"m": (1, 2)}
    prices = Prices(DAY, given_)
    given_["m"] = (5, 5)
    assert prices.models["m"] == (1, 2)
    with pytest.raises(TypeError):
        prices.models["m"] = (5, 5)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("date = 2026-11-01", "", "date is missing. Add the day on which the prices were looked up"),
        ("2026-11-01", '"2026-11-01"', "date='2026-11-01' is text. Remove the quotes, as in date = 2026-11-01"),
        ("2026-11-01", "2026-11-01T10:00:00", "is not a day. Use the day of the prices"),
        ("2026-11-01", "2026", "date=2026 is not a day. Use the day of the prices"),
        ('"EUR"', '" "', "currency=' ' is not a name. Use text"),
        ('"EUR"', "5", "currency=5 is not a name. Use text"),
        ("1000", "0", "per_tokens=0 is out of range. Use an integer from 1"),
        ("1000", "1e3", "per_tokens=1000.0 is not an integer. Use an integer from 1"),
        ("0.15", "-0.15", "price of 'gpt-4o-mini': input=-0.15 is not allowed. It must be a number of at least 0"),
        ("0.60", "inf", "price of 'gpt-4o-mini': output=inf is not allowed. It must be a number of at least 0"),
        ("0.60", "nan", "price of 'gpt-4o-mini': output=nan is not allowed. It must be a number of at least 0"),
        ("0.60", '"0.60"', "price of 'gpt-4o-mini': output='0.60' is not allowed. It must be a number of at least 0"),
        ("0.60", "true", "price of 'gpt-4o-mini': output=True is not allowed. It must be a number of at least 0"),
        ("0.60", "1e13", "output=10000000000000.0 is not allowed. It must be a number of at least 0 and at most 1e+12"),
        ("0.60", "9" * 400, f"output={'9' * 50} is not allowed. It must be a number of at least 0 and at most 1e+12"),
        ("output = 0.60", "", "models.gpt-4o-mini: output is missing. Add the price of output tokens, 0 if they"),
        ("output = 0.60", "outputs = 0.60", "models.gpt-4o-mini: unknown key 'outputs'. Did you mean 'output'?"),
        ("currency", "curency", "unknown key 'curency'. Did you mean 'currency'? Choose from 'date', 'currency'"),
        (
            '."gpt-4o-mini"',
            ".gpt-4.1",
            "models.gpt-4: unknown key '1'. Choose from 'input', 'output'. Names with dots",
        ),
        ("[models.free]", "[models]\nx = 3\n[models.free]", "models.x has type int. It must be a table: [models.x]"),
        ("date =", "date", "is not valid TOML ("),
    ],
)
def test_a_bad_table_is_refused_in_one_line_that_names_the_file(write, old, new, says):
    path = write(TABLE.replace(old, new, 1))
    with pytest.raises(MssimError) as error:
        read_prices(path)
    assert str(error.value).startswith(f"{path}: ")
    assert says in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", [b"\xff\xfe", b"a = " + b"[" * 100_000])
def test_a_damaged_file_is_refused(write, text):
    with pytest.raises(MssimError, match=r"prices\.toml: is not valid TOML"):
        read_prices(write(text))


@pytest.mark.parametrize("text", ["date = 2026-11-01", "date = 2026-11-01\nmodels = {}"])
def test_a_table_without_models_is_refused(write, text):
    with pytest.raises(MssimError, match="Add the prices of at least one model"):
        read_prices(write(text))


def test_models_must_be_a_table(write):
    with pytest.raises(MssimError, match=r"models has type int. It must be a table: \[models\]"):
        read_prices(write("date = 2026-11-01\nmodels = 5"))


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(MssimError, match=r"no\.toml: cannot be read \(No such file or directory\)"):
        read_prices(tmp_path / "no.toml")


@pytest.mark.parametrize("pair", [1.0, (1.0,), (1, 2, 3), "12", {"input": 1, "output": 2}])
def test_a_price_is_a_pair(pair):
    with pytest.raises(MssimError, match=r"is not a pair\. Use the prices of input and of output tokens"):
        Prices(DAY, {"m": pair})


@pytest.mark.parametrize("price", [math.nan, math.inf, -1, None, "1"])
def test_a_price_is_a_finite_number_from_0(price):
    with pytest.raises(MssimError, match="It must be a number of at least 0"):
        Prices(DAY, {"m": (1.0, price)})


@pytest.mark.parametrize("path", [5, None, {}, 0.5])
def test_a_path_is_a_path(path):
    with pytest.raises(MssimError, match=r"is not a file name\. Use the path of a price table"):
        read_prices(path)


def test_a_file_that_is_too_large_or_has_an_impossible_name_is_refused_in_one_line(write, tmp_path):
    path = write(b"#" * (2**24 + 1))
    with pytest.raises(MssimError, match=r"prices\.toml: has more than 16 MB"):
        read_prices(path)
    with pytest.raises(MssimError, match=r"cannot be read \(File name too long\)"):
        read_prices(tmp_path / ("x" * 5000))
