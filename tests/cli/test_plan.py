"""`mssim plan`: its tables, figure and options, and bad input."""

import json
from pathlib import Path

import pandas as pd
import pytest

from mssim import load_pool
from mssim.results.planning import Prices, Variances, plan
from mssim.theory import pilot
from tests.cli import test_cli
from tests.conftest import make_pool
from tests.tuning.test_choice import clustered

run, pool_path = test_cli.run, test_cli.pool_path
ROOT = Path(__file__).parents[2]
STATED = ("--difference", "0.05", "--between", "0.09", "--within", "0.2")
PILOT = ("--where", "prompt=long", "--a", "ms:x+y", "--b", "sc:x", "--budget", "4,2", "--n-replays", "50")


def found_by(path):
    return pilot(load_pool(path, where={"prompt": "long"}), "ms:x+y", "sc:x", (4, 2), n_replays=50)


def same(text, frame):
    pd.testing.assert_frame_equal(
        pd.DataFrame(json.loads(text)), pd.DataFrame(json.loads(frame.to_json(orient="records"))), rtol=1e-9
    )


def row_of(text, *cells):
    (line,) = [line for line in text.splitlines() if line.split()[: len(cells)] == list(cells)]
    return line.split()


def test_stated_variances_print_a_table_that_can_be_read(run):
    code, text, err = run("plan", *STATED, "--runs", "1,8")
    assert (code, err) == (0, "")
    frame = plan(Variances(0.09, 0.2, 0.2), 0.05, runs=[1, 8]).to_frame()
    assert text.startswith("variances (stated): between questions 0.09, within 0.2 and 0.2; power 0.8\n")
    assert row_of(text, "0.05", "8") == ["0.05", "8", str(frame["questions"][1]), str(int(frame["samples"][1]))]
    assert "test: whether Gaffke's interval" in text
    assert "cost " not in text.splitlines()[2]
    assert "interval:" not in text
    assert max(map(len, text.splitlines())) <= 120


def test_options_of_stated_variances_reach_the_plan(run):
    options = ("--within", "0.2,0.1", "--cluster-size", 4, "--cluster-correlation", 0.3, "--power", 0.9)
    options += ("--confidence-level", 0.9, "--test", "normal", "--runs", "1-3", "--price-per-sample", 0.01)
    options += ("--price-per-question", 0.4, "--money", 300, "--most-questions", 250, "--most-runs", 9, "--json")
    code, text, err = run("plan", *STATED[:4], *options)
    assert (code, err) == (0, "")
    expected = plan(
        Variances(0.09, 0.2, 0.1, 4, 0.3), 0.05, runs=[1, 2, 3], power=0.9, confidence_level=0.9, test="normal",
        prices=Prices(0.4, 0.01, 0.01), money=300, most_questions=250, most_runs=9,
    )  # fmt: skip
    assert expected.best.runs == 9
    same(text, expected.to_frame())


def test_money_marks_the_best_split(run):
    _, text, _ = run("plan", *STATED, "--price-per-sample", 0.01, "--price-per-question", 0.5, "--money", 200)
    best = plan(Variances(0.09, 0.2, 0.2), 0.05, prices=Prices(0.5, 0.01, 0.01), money=200).best
    row = row_of(text, f"{best.difference:.4g}")
    assert row[1:3] == [str(best.runs), str(best.questions)]
    assert row[-3:] == [f"{best.cost:.4g}", "best", "split"]
    assert "best split: the smallest difference that 200 detects" in text
    _, text, _ = run("plan", *STATED, "--cluster-size", 3, "--cluster-correlation", 0.5)
    assert "clusters of 3, correlation 0.5" in text
    assert "test: Student's t" in text


def test_a_pilot_prints_its_strategies_and_an_interval(run, pool_path):
    code, text, err = run("plan", "--pool", pool_path, *PILOT, "--difference", "0.1", "--runs", "2")
    assert (code, err) == (0, "")
    found = found_by(pool_path)
    row = plan(found.questions, 0.1, runs=[2], samples_per_run=found.samples_used).to_frame().iloc[0]
    v = found.variances
    assert f"variances (pilot of 12 questions): between questions {v.between:.4g}, within {v.within_a:.4g}" in text
    assert f"{row['questions']}   {row['questions_low']} to {row['questions_high']}" in text
    used = row_of(text, "ms:x+y", "4")
    assert used[-2:] == [f"{found.samples_used[0]:.2f}", f"{found.cost[0]:.5f}"]
    assert "interval: the pilot's variances are estimates" in text
    assert "fewer than twice" not in text


@pytest.mark.slow
def test_options_of_a_pilot_reach_it(run, pool_path):
    options = ("--price", "x=2", "--price", "y=1", "--clusters", "topic", "--seed", 3, "--difference", "0.1,0.2")
    _, text, err = run("plan", "--pool", pool_path, *PILOT, *options, "--json")
    assert err == ""
    found = pilot(
        load_pool(pool_path, where={"prompt": "long"}), "ms:x+y", "sc:x", (4, 2), n_replays=50, seed=3,
        prices={"x": 2, "y": 1}, clusters="topic",
    )  # fmt: skip
    expected = plan(found.questions, [0.1, 0.2], prices=found.prices(), samples_per_run=found.samples_used)
    same(text, expected.to_frame())
    _, text, _ = run("plan", "--pool", pool_path, *PILOT, "--difference", "0.1", "--price-per-sample", 2, "--json")
    assert json.loads(text)[0]["cost"] == pytest.approx(2 * json.loads(text)[0]["samples"])


@pytest.mark.slow
def test_limits_of_a_pilot_are_named(run, pool_path, tmp_path):
    few = ("--where", "prompt=long", "--a", "sc:x", "--b", "sc:y", "--budget", "20", "--n-replays", "50")
    _, text, _ = run("plan", "--pool", pool_path, *few, "--difference", "0.1")
    assert "The pilot has fewer than twice the samples of a run" in text
    alike = {(model, f"q{i}"): list("abababab") for model in "xy" for i in range(6)}
    make_pool(alike).save(tmp_path / "alike")
    twice = ("--a", "sc:x", "--b", "sc:y", "--budget", "1", "--difference", "0.1")
    _, text, _ = run("plan", "--pool", tmp_path / "alike", *twice)
    assert "between questions 0, " in text
    assert "is negative and was replaced by 0" in text
    pool = clustered()
    pool.from_frame(pool.to_frame(), info={"synthetic": True}).save(tmp_path / "pool")
    options = ("--a", "sc:x", "--b", "sc:y", "--budget", "1", "--difference", "0.1")
    code, text, _ = run("plan", "--pool", tmp_path / "pool", *options)
    assert code == 0
    assert text.count("SYNTHETIC DATA") == 2
    assert "clusters of 3" in text


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".png", ".pdf"])
def test_plan_draws_a_figure(run, tmp_path, suffix):
    plot = tmp_path / f"plan{suffix}"
    assert run("plan", *STATED, "--plot", plot)[0] == 0
    assert plot.stat().st_size > 1000


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--difference", "0.05"), "--pool, --between: a pilot or variances are required. Add --pool PILOT"),
        (("--difference", "0.05", "--between", "0.1"), "--within: missing. Stated variances need --between, --within."),
        (("--difference", "0.05", "--within", "0.1"), "--between: missing."),
        ((*STATED, "--a", "sc:x"), "--a: not usable without --pool. Add --pool, or remove it."),
        ((*STATED, "--price", "x=1"), "--price: not usable without --pool. Add --pool, or remove it."),
        ((*STATED, "--seed", "0"), "--seed: not usable without --pool. Add --pool, or remove it."),
        ((*STATED, "--n-replays", "50"), "--n-replays: not usable without --pool. Add --pool, or remove it."),
        ((*STATED, "--pool", "POOL"), "--between: not usable with --pool. Remove it, or remove --pool."),
        (
            ("--difference", "0.1", "--pool", "POOL", "--a", "sc:x", "--budget", 1),
            "--b: missing. A pilot needs --a, --b",
        ),
        (
            ("--difference", "few", *STATED[2:]),
            "--difference: 'few' is not a list of numbers. Use e.g. 0.03 or 0.02,0.05.",
        ),
        (("--difference", "3", *STATED[2:]), "--difference: 3.0 is out of range. Use a number from 0.0001 to 1"),
        ((*STATED[:4], "--within", "0.1,0.2,0.1"), "--within: '0.1,0.2,0.1' has more than two numbers"),
        ((*STATED[:4], "--within", "p"), "--within: 'p' is not a list of numbers"),
        ((*STATED[:4], "--within", "0.4"), "--within: 0.4 is out of range. Use a number from 0 to 0.25."),
        ((*STATED, "--runs", "x"), "--runs: 'x' is not a list of numbers of runs. Use integers from 1 to 100000"),
        ((*STATED, "--test", "z"), "--test: 'z' is not valid. Choose from 'auto', 'gaffke', 't', 'normal'"),
        ((*STATED, "--power", "80"), "--power: 80.0 is not between 0 and 1"),
        ((*STATED, "--money", "5"), "--money: no price is known. Add --price-per-question or --price-per-sample."),
        ((*STATED, "--money", "5", "--price-per-question", "-1"), "--price-per-question: -1.0 is out of range"),
        ((*STATED, "--money", "5", "--price-per-question", "2"), "--money: 5.0 buys at most 2 questions, too few"),
        ((*STATED, "--money", "5", "--price-per-sample", "0"), "--price-per-question, --price-per-sample: all are 0"),
        ((*STATED, "--most-questions", "5"), "--most-questions: a limit of the best split. Add --money, or remove it."),
        ((*STATED, "--most-runs", "5"), "--most-runs: a limit of the best split. Add --money, or remove it."),
        (
            ("--difference", "0.1", "--between", "0", "--within", "0"),
            "--between, --within: all are 0, so that one question would be enough.",
        ),
        (
            (*STATED, "--cluster-correlation", "0.5"),
            "--cluster-correlation: without effect on single questions. Add --cluster-size, or remove it.",
        ),
        ((*STATED, "--cluster-size", "0"), "--cluster-size: 0.0 is out of range. Use a finite number from 1."),
        ((*STATED, "--plot", "r.jpeg"), "Use a name that ends in .png, .svg or .pdf"),
        (("--difference", "0.1", "--pool", "POOL", *PILOT, "--budget", "1,2,3"), "is not one or two budgets"),
        (
            ("--difference", "0.1", "--pool", "POOL", *PILOT, "--price", "x=1", "--price-per-sample", "1"),
            "--price, --price-per-sample: only one is usable. Remove one of them.",
        ),
    ],
)
def test_bad_input_to_plan_is_one_line(run, pool_path, arguments, says):
    test_cli.bad(run("plan", *[pool_path if a == "POOL" else a for a in arguments]), says)
