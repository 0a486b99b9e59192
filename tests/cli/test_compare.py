"""`mssim compare`: the comparison of the library, from a file of results."""

import json
import re

import pandas as pd
import pytest

from mssim import Evaluation, aiq_table, gain_shares
from tests.cli.test_cli import FAST, bad


@pytest.mark.slow
def test_compare(run, pool_path, tmp_path):
    out = tmp_path / "r.parquet"
    run("evaluate", pool_path, *FAST, "--out", out)
    code, text, _ = run("compare", out, "ms:x+y", "sc:x", "--budget", 6, "--json")
    assert code == 0
    expected = Evaluation.load(out).compare("ms:x+y", "sc:x", budget=6).to_frame()
    pd.testing.assert_frame_equal(pd.DataFrame(json.loads(text)), expected, check_dtype=False, rtol=1e-14)
    code, text, _ = run("compare", out, "sc:x", "sc:x", "--budget", "2,6")
    assert code == 0
    assert re.search(r"p_value .* verdict", text)
    assert "no difference found" in text
    assert "p_value     for a difference of zero" in text


def test_strategies_are_found_in_another_spelling(run, pool_path, tmp_path):
    out = tmp_path / "r.parquet"
    run("evaluate", pool_path, *FAST, "--out", out)
    expected = run("compare", out, "ms:x+y", "sc:x", "--budget", 6)
    assert expected[0] == 0
    assert run("compare", out, "ms:'x'+y,agreement=1.0", 'sc:"x"', "--budget", 6) == expected
    bad(run("compare", out, "ms:'x", "--against", "sc:x", "--budget", 6), 'no strategy "ms:\'x" was evaluated')


def test_compare_many(run, pool_path, tmp_path):
    out = tmp_path / "r.parquet"
    run("evaluate", pool_path, *FAST, "--out", out)
    evaluation = Evaluation.load(out)
    expected = evaluation.compare_with("sc:x", margin=0.3).to_frame()
    code, text, _ = run("compare", out, "--against", "sc:x", "--margin", 0.3, "--json")
    assert code == 0
    assert {"p_holm", "p_equivalent", "verdict"} <= set(expected)
    pd.testing.assert_frame_equal(pd.DataFrame(json.loads(text)), expected, check_dtype=False, rtol=1e-14)
    one = run("compare", out, "ms:x+y", "--against", "sc:x", "--budget", 6, "--json")
    assert one == run("compare", out, "ms:x+y", "sc:x", "--budget", 6, "--json")
    code, text, _ = run("compare", out, "ms:x+y", "sc:x", "sc:x", "ms:x+y", "--budget", 6, "--test", "t", "--json")
    both = pd.DataFrame(json.loads(text))
    assert (code, both["difference"][0], set(both["test"])) == (0, -both["difference"][1], {"t"})
    assert both["p_holm"].tolist() == pytest.approx((2 * both["p_value"]).clip(upper=1).tolist())
    twice = run("compare", out, *("sc:x", "ms:x+y") * 2, "--budget", "6", "--json")
    assert twice == run("compare", out, "sc:x", "ms:x+y", "--budget", "6", "--json")


def test_many_comparisons_can_be_read(run, pool_path, tmp_path):
    out = tmp_path / "r.parquet"
    run("evaluate", pool_path, *FAST, "--out", out)
    row = Evaluation.load(out).compare("ms:x+y", "sc:x", budget=6, margin=0.3)
    code, text, _ = run("compare", out, "--against", "sc:x", "--margin", 0.3)
    assert code == 0
    assert max(map(len, text.splitlines())) <= 200
    line = next(line for line in text.splitlines() if line.split()[:3] == ["ms:x+y", "sc:x", "6"])
    assert f"{row.difference:+.4f} [{row.low:+.4f}, {row.high:+.4f}]" in line
    assert f"{row.wins}, {row.ties}, {row.losses}" in line
    assert "adjusted for 2 comparisons" in text
    assert "p_equivalent   p-value for a difference of 0.3 or more" in text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("sc:x", "sc:y", "--budget", "6"), "no strategy 'sc:y' was evaluated. Did you mean 'sc:x'"),
        (("sc:x", "ms:x+y", "--budget", "7"), "budget 7 was not evaluated. Choose from [2, 6]"),
        (("sc:x", "ms:x+y", "--budget", "six"), "'six' is not a list of budgets. Use integers from 1"),
        (("sc:x", "ms:x+y", "--budget", "6", "--margin", "3"), "--margin: 3.0 is not valid. Use a difference above 0"),
        (("sc:x", "ms:x+y", "--budget", "6", "--test", "sign"), "--test: 'sign' is not valid"),
        (("sc:x", "ms:x+y"), "--budget: missing. Use --budget 16 for both"),
        (("sc:x", "--budget", "6"), "not a pair of names. Use A B, several pairs A B C D, or --against BASE."),
        (("--budget", "6"), "not a pair of names"),
        (("--against", "sc:y"), "no strategy 'sc:y' was evaluated"),
        (("--against", "sc:x", "--budget", "7"), "budget 7 was not evaluated"),
        (("sc:x", "ms:x+y", "--budget", "2-6"), "is not one or two budgets. Use --budget 16 for both"),
        (("sc:x", "ms:x+y", "--budget", "2,6,8"), "is not one or two budgets. Use --budget 16 for both"),
    ],
)
def test_compare_refuses(run, pool_path, tmp_path, arguments, says):
    out = tmp_path / "r.parquet"
    run("evaluate", pool_path, *FAST, "--out", out)
    bad(run("compare", out, *arguments), says)


def test_compare_needs_a_result(run, pool_path):
    bad(run("compare", pool_path, "sc:x", "ms:x+y", "--budget", 6), "not a results file of mssim")


def test_compare_at_equal_spend(run, pool_path, tmp_path):
    out = tmp_path / "r.parquet"
    run("evaluate", pool_path, *FAST, "--strategy", "y@1", "--out", out)
    expected = Evaluation.load(out).at_equal_cost("ms:x+y", budget=6, per="samples_used", margin=0.3).to_frame()
    equal = ("compare", out, "--against", "ms:'x'+y", "--budget", 6, "--equal", "samples_used", "--margin", 0.3)
    code, text, _ = run(*equal, "--json")
    assert code == 0
    found = pd.DataFrame(json.loads(text))
    assert found["strategy"].tolist() == ["ms:x+y", "sc:x", "sc:y"]
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=1e-13)
    code, text, _ = run(*equal)
    assert code == 0
    line = next(line for line in text.splitlines() if line.split()[:1] == ["sc:x"])
    row = expected.iloc[1]
    assert f"{row['budget']:.4g}   {row['spend']:.6g}" in re.sub(r" {2,}", "   ", line)
    assert f"{row['difference']:+.4f} [{row['difference_low']:+.4f}, {row['difference_high']:+.4f}]" in line
    assert "costs at most 1 sample: evaluate larger budgets" in re.sub(r"\s+", " ", text)
    assert "adjusted for 1 comparison\n" in text
    assert "difference     accuracy - accuracy of ms:x+y at budget 6 over 12 questions" in text
    assert "p_noninferior  p-value for being worse by 0.3 or more, adjusted" in text
    only = run(*equal, "y", "--json")
    assert [row["strategy"] for row in json.loads(only[1])] == ["ms:x+y", "sc:y"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--against", "sc:x"), "--equal: needs one strategy and its budget"),
        (("--against", "sc:x", "--budget", "2,6"), "--equal: needs one strategy and its budget"),
        (("sc:x", "ms:x+y", "--budget", "6"), "Add --against BASE and --budget 8."),
        (("--against", "sc:x", "--budget", "7"), "sc:x: budget 7 was not evaluated. Choose from [2, 6]"),
        (("--against", "sc:x", "--budget", "6", "--equal", "time"), "--equal: 'time' is not valid. Choose from 'cost'"),
        (("--against", "sc:x", "--budget", "6", "--equal", "tokens"), "the tokens of 'sc:x' is not known"),
    ],
)
def test_compare_at_equal_spend_refuses(run, pool_path, tmp_path, arguments, says):
    out = tmp_path / "r.parquet"
    run("evaluate", pool_path, *FAST, "--out", out)
    bad(run("compare", out, "--equal", "cost", *arguments), says)


@pytest.fixture
def routers(run, pool_path, tmp_path):
    out = tmp_path / "routers.parquet"
    rules = [part for rule in ("route:x+y", "oracle:x+y", "sc:x") for part in ("--strategy", rule)]
    run("evaluate", pool_path, "--where", "prompt=long", *rules, "--budgets", "1,3", "--out", out)
    return out


def test_shares_of_the_gain_of_an_oracle(run, routers):
    expected = gain_shares(Evaluation.load(routers), "route:x+y", "oracle:x+y", budgets=3, test="t")
    asked = ("compare", routers, "--against", "route:x+y", "--oracle", "oracle:x+y", "--budget", 3, "--test", "t")
    code, text, _ = run(*asked, "--json")
    assert code == 0
    pd.testing.assert_frame_equal(pd.DataFrame(json.loads(text)), expected, check_dtype=False, rtol=1e-14)
    assert run(*asked[:2], "sc:x", *asked[2:], "--json")[1] == text
    code, text, _ = run(*asked)
    assert code == 0
    assert f"{expected['gain_share'][0]:+.3f} [" in text
    assert "(accuracy - base) / (oracle - base) over" in text


def test_area_under_the_hull_of_every_strategy(run, routers):
    expected = aiq_table(Evaluation.load(routers), per="samples_used")
    code, text, _ = run("compare", routers, "--aiq", "samples_used", "--json")
    assert code == 0
    pd.testing.assert_frame_equal(pd.DataFrame(json.loads(text)), expected, check_dtype=False, rtol=1e-14)
    code, text, _ = run("compare", routers, "sc:x", "--aiq", "samples_used")
    assert (code, "route:x+y" in text, "mean number of samples per question, from 1 to 3" in text) == (0, False, True)


def test_options_without_effect_on_tables_of_routers_are_refused(run, routers):
    bad(run("compare", routers, "--aiq", "tokens", "--equal", "cost"), "--aiq: --equal has no effect on its table")
    bad(run("compare", routers, "--aiq", "money"), "--aiq: 'money' is not valid. Choose from 'cost'")
    bad(run("compare", routers, "--oracle", "oracle:x+y"), "--oracle: needs the strategy over which it gains")
    bad(run("compare", routers, "a", "b", "--oracle", "oracle:x+y"), "--oracle: needs the strategy over which it gains")
    asked = ("--against", "sc:x", "--oracle", "oracle:x+y", "--margin", 0.1)
    bad(run("compare", routers, *asked), "--oracle: --margin has no effect on its table. Remove one of them.")
