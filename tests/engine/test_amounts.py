"""What samples spend, by hand: requests paid once, reasoning, prices per million, limits, and what is unknown."""

import dataclasses
import datetime
import json
import math
import pickle

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mssim import MssimError, Pool, PoolError, Prices
from mssim.engine.amounts import Amounts, describe_prices, read_prices_of
from tests.conftest import examples, long_frame

DAY = datetime.date(2026, 11, 1)
TWO = {("x", "q1"): ["a", "b"], ("x", "q2"): ["a"], ("y", "q1"): ["a"], ("y", "q2"): ["a", "a"]}
OUTPUT = [10, 900, 30, 5, 6, 7]  # a sample of x reasoned for long
TABLE = Prices(DAY, {"x": (2, 8), "y": (0.5, 1)}, per_tokens=1_000_000)


def pool_of(info=None, **columns):
    return Pool.from_frame(long_frame(TWO).assign(**columns), info=info)


def amounts(prices=None, tokens="all", **columns):
    return Amounts(pool_of(**columns), prices=prices, tokens=tokens)


POOL = pool_of()


def same(found, expected):
    return np.array_equal(found, np.array(expected, dtype=float), equal_nan=True)


# Tokens ---------------------------------------------------------------------------------------------------------------


def test_tokens_are_output_tokens_where_nothing_else_is_recorded():
    found = amounts(output_tokens=OUTPUT)
    assert same(found.of("tokens", "x"), [[10, 900], [30, math.nan]])
    assert found.unknown("tokens", ["x", "y"]) is None


def test_tokens_of_a_prompt_are_paid_once_per_request():
    columns = {"output_tokens": OUTPUT, "request_input_tokens": 400, "request_samples": 4}
    assert same(amounts(**columns).of("tokens", "x"), [[110, 1000], [130, math.nan]])
    assert same(amounts(**columns, tokens="output").of("tokens", "x"), [[10, 900], [30, math.nan]])


def test_a_limit_cuts_output_alone():
    found = amounts(output_tokens=OUTPUT, input_tokens=50)
    assert same(found.of("tokens", "x", 30), [[60, 80], [80, math.nan]])
    assert same(found.of("tokens", "x", 29), [[60, 79], [79, math.nan]])
    assert same(found.of("tokens", "x"), [[60, 950], [80, math.nan]])  # not changed by the limits


def test_tokens_are_unknown_where_one_of_their_numbers_is():
    found = amounts(output_tokens=[10, 900, 30, 5, math.nan, 7], input_tokens=[1, math.nan, 1, 1, 1, 1])
    assert same(found.of("tokens", "x"), [[11, math.nan], [31, math.nan]])
    assert found.unknown("tokens", ["x"]) == (
        "tokens: 1 sample of model 'x' has no input_tokens, first sample 1 of question 'q1'. Record them, or use "
        "tokens='output'."
    )
    assert found.unknown("tokens", ["y", "x"]) == (
        "tokens: 1 sample of model 'y' has no output_tokens, first sample 0 of question 'q2'. Record them."
    )


def test_tokens_of_models_with_and_without_input_tokens_are_not_compared():
    columns = {"output_tokens": OUTPUT, "input_tokens": [1, 1, 1, math.nan, math.nan, math.nan]}
    found = amounts(**columns)
    says = (
        "tokens: model 'y' has no input_tokens, but another model of the pool has them. Record them, or use "
        "tokens='output'."
    )
    assert found.unknown("tokens", ["x", "y"]) == says
    assert found.warnings(["x", "y"]) == [says]
    assert found.unknown("tokens", ["x"]) is None
    assert found.warnings(["x"]) == []
    assert np.isnan(found.of("tokens", "y")).all()
    output = amounts(**columns, tokens="output")
    assert output.unknown("tokens", ["x", "y"]) is None
    assert output.warnings(["x", "y"]) == []


def test_a_model_that_never_writes_a_token_is_named():
    found = amounts(output_tokens=[10, 900, 30, 0, 0, 0])
    assert found.warnings(["x", "y"]) == ["tokens: all output_tokens of model 'y' are 0. Correct or drop the column."]
    assert found.warnings(["x"]) == []
    assert amounts(cost=1.0).warnings(["x", "y"]) == []


# Cost -----------------------------------------------------------------------------------------------------------------


def test_numbers_that_few_samples_lack_are_told():
    found = amounts(cost=[1, math.nan, 3, 4, 5, 6], latency=[1, 2, 3, math.nan, math.nan, math.nan])
    assert found.warnings(["x", "y"]) == [
        "cost: 1 sample of model 'x' has no cost, first sample 1 of question 'q1'. Record a column 'cost' or use "
        "prices=."
    ]
    assert found.warnings(["y"]) == []  # its latency was not recorded at all
    assert amounts(TABLE, cost=1.0, output_tokens=OUTPUT, input_tokens=[None, *range(5)]).warnings(["x"]) == [
        f"{quantity}: 1 sample of model 'x' has no input_tokens, first sample 0 of question 'q1'. Record them, or "
        f"{remedy}."
        for quantity, remedy in (("tokens", "use tokens='output'"), ("cost", "set its input price to 0"))
    ]


def test_recorded_costs_go_with_the_samples():
    found = amounts(cost=[1, 2, 4, 8, 16, 32.5], output_tokens=OUTPUT)
    assert same(found.of("cost", "y"), [[8, math.nan], [16, 32.5]])
    assert found.unknown("cost", ["x", "y"]) is None


def test_a_price_table_is_money_per_tokens():
    found = amounts(TABLE, output_tokens=OUTPUT, request_input_tokens=400, request_samples=4, cost=7.0)
    assert same(found.of("cost", "x"), [[280e-6, 7400e-6], [440e-6, math.nan]])  # (2 x 100 + 8 x output) / 10^6
    assert found.of("cost", "y")[1] == pytest.approx([56e-6, 57e-6], rel=1e-15)
    assert same(found.of("cost", "x", 30), [[280e-6, 440e-6], [440e-6, math.nan]])


def test_tokens_that_cost_nothing_need_not_be_recorded():
    free = Prices(DAY, {"x": (0, 8), "y": (3, 0)}, per_tokens=1)
    found = amounts(
        free, output_tokens=[10, 900, 30, math.nan, math.nan, math.nan], input_tokens=[math.nan] * 3 + [2] * 3
    )
    found.check(["x", "y"])
    assert same(found.of("cost", "x"), [[80, 7200], [240, math.nan]])
    assert same(found.of("cost", "y"), [[6, math.nan], [6, 6]])
    nothing = amounts(Prices(DAY, {"x": (0, 0)}))
    nothing.check(["x"])
    assert same(nothing.of("cost", "x"), [[0, 0], [0, math.nan]])
    assert nothing.unknown("cost", ["x"]) is None


def test_a_table_may_name_a_model_as_its_server_does():
    info = {"models": {"x": {"model_id": "org/x-1"}, "y": "odd"}}
    prices = Prices(DAY, {"org/x-1": (1, 2)}, per_tokens=1)
    found = Amounts(pool_of(info, output_tokens=OUTPUT, input_tokens=1), prices=prices)
    found.check(["x"])
    assert same(found.of("cost", "x"), [[21, 1801], [61, math.nan]])
    with pytest.raises(MssimError, match="prices: model 'y' is not in the price table"):
        found.check(["y"])


def test_a_price_per_sample_does_not_depend_on_its_tokens():
    found = amounts({"x": 0.5, "y": 3}, output_tokens=OUTPUT)
    found.check(["x", "y"])
    assert same(found.of("cost", "x", 20), [[0.5, 0.5], [0.5, math.nan]])
    assert found.unknown("cost", ["x", "y"], [20, None]) is None


@pytest.mark.parametrize(
    ("prices", "columns", "says"),
    [
        (
            TABLE,
            {"output_tokens": OUTPUT},
            "prices: the input tokens of model 'x' cost 2, but none were recorded. Record input_tokens, or set its "
            "input price to 0.",
        ),
        (
            TABLE,
            {"input_tokens": 1},
            "prices: the output tokens of model 'x' cost 8, but none were recorded. Record output_tokens, or set its "
            "output price to 0.",
        ),
        (
            Prices(DAY, {"xx": (0, 1)}),
            {"output_tokens": OUTPUT},
            "prices: model 'x' is not in the price table. Did you mean 'xx'? Choose from 'xx', or add its prices.",
        ),
        ({"z": 1}, {}, "prices: model 'x' has no price. Set the price of a sample for each of ['x']."),
        (
            {"x": -1},
            {},
            "prices: -1 of model 'x' is not a price. Use a non-negative number per sample, at most 1e+100.",
        ),
    ],
)
def test_prices_that_do_not_fit_the_pool_are_refused(prices, columns, says):
    with pytest.raises(MssimError) as error:
        amounts(prices, **columns).check(["x"])
    assert str(error.value) == says
    assert isinstance(error.value, PoolError) == ("none were recorded" in says)


# Latency, limits and what is unknown ----------------------------------------------------------------------------------


def test_a_model_without_samples_of_a_question_lacks_nothing_there():
    frame = long_frame({("x", "q1"): ["a", "b"], ("x", "q2"): ["a"], ("y", "q2"): ["a"]}).assign(cost=[1.0, 2, 4, 8])
    found = Amounts(Pool.from_frame(frame))
    assert same(found.of("cost", "y"), [[math.nan, math.nan], [8, math.nan]])
    assert found.unknown("cost", ["x", "y"]) is None
    assert found.unit("cost", ["y"]) == 1


def test_what_was_recorded_of_a_whole_sample_is_unknown_for_a_part():
    found = amounts(latency=[1, 2, 3, 4, 5, 6], cost=[1, 2, 4, 8, 16, 32], output_tokens=OUTPUT)
    assert same(found.of("latency", "x"), [[1, 2], [3, math.nan]])
    assert same(found.of("latency", "x", 30), [[1, math.nan], [3, math.nan]])
    assert same(found.of("cost", "x", 29), [[1, math.nan], [math.nan, math.nan]])
    assert found.unknown("cost", ["y", "x"], [7, 30]) == (
        "cost: 1 sample of model 'x' is cut off by max_tokens=30, first sample 1 of question 'q1'. The recording does "
        "not say what a part of a sample spends. Use prices= with a price table."
    )
    assert found.unknown("latency", ["x"], [29]) == (
        "latency: 2 samples of model 'x' are cut off by max_tokens=29, first sample 1 of question 'q1'. The recording "
        "does not say what a part of a sample spends. Evaluate without max_tokens."
    )
    assert found.unknown("cost", ["x"]) is None


def test_without_tokens_a_sample_may_exceed_a_limit():
    found = amounts(cost=1.0, output_tokens=[10, math.nan, 30, 5, 6, 7])
    assert same(found.of("cost", "x", 50), [[1, math.nan], [1, math.nan]])
    assert found.unknown("cost", ["x"], [50]) == (
        "cost: 1 sample of model 'x' has no output_tokens and may exceed max_tokens=50, first sample 1 of "
        "question 'q1'. Record them, or use max_tokens=None."
    )


@pytest.mark.parametrize(
    ("quantity", "columns", "says"),
    [
        ("tokens", {}, "tokens: the pool has no output_tokens. Record them."),
        ("tokens", {"output_tokens": [math.nan] * 5 + [1]}, "tokens: model 'x' has no output_tokens. Record them."),
        ("cost", {}, "cost: the pool has no costs. Record a column 'cost' or use prices=."),
        (
            "cost",
            {"cost": [math.nan] * 3 + [1] * 3},
            "cost: model 'x' has no costs. Record a column 'cost' or use prices=.",
        ),
        (
            "cost",
            {"cost": [math.nan, 1, math.nan] + [1] * 3},
            "cost: 2 samples of model 'x' have no cost, first sample 0 of question 'q1'. Record a column 'cost' or use "
            "prices=.",
        ),
        ("latency", {}, "latency: the pool has no latencies. Record a column 'latency'."),
    ],
)
def test_what_is_not_recorded_is_said(quantity, columns, says):
    assert amounts(**columns).unknown(quantity, ["x"]) == says


def test_tokens_that_a_table_prices_are_named():
    found = amounts(TABLE, output_tokens=OUTPUT, input_tokens=[1, math.nan, 1, 1, 1, 1])
    found.check(["x", "y"])
    assert found.unknown("cost", ["x"]) == (
        "cost: 1 sample of model 'x' has no input_tokens, first sample 1 of question 'q1'. Record them, or set its "
        "input price to 0."
    )
    assert same(found.of("cost", "x"), [[82e-6, math.nan], [242e-6, math.nan]])


def test_a_pool_without_columns_is_known_to_have_none():
    nothing = amounts(confidence=1.0)
    assert not any(nothing.is_recorded(quantity, ["x", "y"]) for quantity in ("tokens", "cost", "latency"))
    assert amounts({"x": 1}).is_recorded("cost", ["x"])
    some = amounts(output_tokens=[math.nan] * 3 + [1] * 3, latency=[1] + [math.nan] * 5)
    assert some.is_recorded("tokens", ["x", "y"])
    assert not some.is_recorded("tokens", ["x"])
    assert some.is_recorded("latency", ["x"])
    assert not some.is_recorded("latency", ["y"])
    assert amounts(request_output_tokens=[4, 4, 4, 5, 5, 5]).is_recorded("tokens", ["x"])


def test_impossible_numbers_are_refused_only_where_they_count():
    found = amounts(latency=[1, 1, 1, -2, 1, 1], output_tokens=OUTPUT)
    assert found.of("tokens", "y").shape == (2, 2)
    with pytest.raises(PoolError, match=r"model 'y', question 'q1', sample 0: latency is -2\. Use a number from 0"):
        found.of("latency", "y")


# Units ----------------------------------------------------------------------------------------------------------------


def test_whole_numbers_have_the_unit_1():
    assert amounts(output_tokens=OUTPUT).unit("tokens", ["x", "y"]) == 1
    assert amounts(output_tokens=[2**26, 1, 1, 1, 1, 1]).unit("tokens", ["x", "y"]) == 1
    assert amounts(output_tokens=[2**26 + 1, 1, 1, 1, 1, 1]).unit("tokens", ["x", "y"]) == 2
    assert amounts(output_tokens=[2**26 + 1, 1, 1, 1, 1, 1]).unit("tokens", ["y"]) == 1  # of the models asked for
    assert amounts(output_tokens=[2**27, 1, 1, 1, 1, 1]).unit("tokens", ["x"]) == 2
    assert amounts().unit("tokens", ["x"]) == 1  # nothing is known
    assert amounts(latency=[1, math.nan, 3, 1, 1, 1]).unit("latency", ["x"]) == 1


@settings(max_examples=examples(40))
@given(st.lists(st.floats(0, 1e100), min_size=3, max_size=3))
@example([1e-320, 0, 0])
@example([0.5, 2, 3])
@example([0.5, 2, 2**26 + 1])
def test_the_largest_amount_has_26_bits(given_):
    latency = np.zeros(POOL.codes.shape)
    latency[0].flat[:3] = given_
    unit = Amounts(dataclasses.replace(POOL, numbers={"latency": latency})).unit("latency", ["x"])
    assert math.frexp(unit)[0] == 0.5
    whole = all(one == int(one) for one in given_) and max(given_) <= 2**26
    assert unit == 1 if whole else unit == 2.0**-1000 or 2**25 < max(given_) / unit <= 2**26


# Prices as a setting --------------------------------------------------------------------------------------------------


def test_prices_are_a_table_a_file_a_description_or_a_mapping(tmp_path):
    path = tmp_path / "prices.toml"
    path.write_text("date = 2026-11-01\n[models]\nx = {input = 2, output = 8}\ny = {input = 0.5, output = 1}\n")
    for given_ in (TABLE, path, str(path), TABLE.describe(), json.loads(json.dumps(TABLE.describe()))):
        assert read_prices_of(given_) == TABLE
    assert read_prices_of(None) is describe_prices(None) is None
    assert read_prices_of({"models": 3}) == describe_prices({"models": 3}) == {"models": 3}  # a model of this name
    assert read_prices_of(describe_prices(TABLE)) == TABLE
    path.write_text("[models]\n")
    with pytest.raises(MssimError, match=r"^prices: .*prices\.toml: date is missing"):
        read_prices_of(path)
    with pytest.raises(MssimError, match=r"^prices: date is missing\. Add the day"):
        read_prices_of({"models": {"x": {"input": 1, "output": 1}}})


def test_amounts_and_tables_go_to_other_processes():
    assert pickle.loads(pickle.dumps(TABLE)) == TABLE


def test_amounts_are_kept_and_cannot_be_changed():
    found = amounts(output_tokens=OUTPUT)
    assert found.of("tokens", "x", 9) is found.of("tokens", "x", 9)
    with pytest.raises(ValueError, match="read-only"):
        found.of("tokens", "x")[0, 0] = 1


# Samples that end early -----------------------------------------------------------------------------------------------


def test_input_is_spent_however_early_a_sample_ends():
    given = amounts(output_tokens=OUTPUT, input_tokens=50)
    assert same(given.fixed("tokens", "x"), [[50, 50], [50, math.nan]])
    assert same(amounts(output_tokens=OUTPUT).fixed("tokens", "x"), [[0, 0], [0, math.nan]])
    assert same(
        amounts(TABLE, output_tokens=OUTPUT, input_tokens=50).fixed("cost", "x") * 1e6, [[100, 100], [100, math.nan]]
    )
    free = Prices(DAY, {"x": (0, 8), "y": (0, 1)})
    assert same(amounts(free, output_tokens=OUTPUT).fixed("cost", "x"), [[0, 0], [0, 0]])


def test_a_price_per_sample_is_paid_in_full_and_of_recorded_numbers_nothing_is_fixed():
    assert same(amounts({"x": 0.5, "y": 1}).fixed("cost", "x"), [[0.5, 0.5], [0.5, math.nan]])
    given = amounts(cost=0.25, latency=2.0)
    assert not given.fixed("cost", "x").any()
    assert not given.fixed("latency", "x").any()


def test_parts_of_whole_costs_and_latencies_are_not_whole():
    columns = {"output_tokens": OUTPUT, "cost": 3.0, "latency": 4.0}
    whole, parts = Amounts(pool_of(**columns)), Amounts(pool_of(**columns), parts=True)
    assert [whole.unit(quantity, ["x"]) for quantity in ("tokens", "cost", "latency")] == [1, 1, 1]
    assert [parts.unit(quantity, ["x"]) for quantity in ("tokens", "cost", "latency")] == [1, 2.0**-24, 2.0**-24]
