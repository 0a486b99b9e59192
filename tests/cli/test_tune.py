"""`mssim tune`: its tables, figure and options, and bad input."""

import json
import subprocess
import sys

import pandas as pd
import pytest

from mssim import load_pool, tune
from mssim.cli.tune import _plainly
from mssim.tuning.diversity import diversity
from tests.cli import test_cli
from tests.conftest import make_pool
from tests.tuning.test_choice import clustered

run, pool_path = test_cli.run, test_cli.pool_path
FAST = ("--where", "prompt=long", "--models", "x,y", "--budgets", "1,4", "--n-replays", "50")


def tuned(path, *strategies, **options):
    pool = load_pool(path, where={"prompt": "long"}).select(models=["x", "y"])
    return tune(pool, strategies or None, [1, 4], **{"n_replays": 50, **options})


def test_tune_prints_a_table_that_can_be_read(run, pool_path):
    code, text, err = run("tune", pool_path, *FAST)
    assert (code, err) == (0, "")
    row = tuned(pool_path).to_frame().iloc[1]
    first, *_ = text.splitlines()
    assert first == "32 candidates: 16 strategies at budgets from 1 to 4; 12 questions in 10 folds"
    what, worth = [line for line in text.splitlines() if line.split()[:1] == ["4"]]
    assert what.split()[1:4] == [row["strategy"], str(row["budget"]), f"{10 * row['same_choice']:.0f}/10"]
    assert f"{row['held_out']:.3f} [{row['low']:.3f}, {row['high']:.3f}]" in worth
    assert f"{row['gain']:+.3f} [{row['gain_low']:+.3f}, {row['gain_high']:+.3f}]" in worth
    assert f"{row['control_held_out']:.3f} " in worth
    assert worth.split()[-2:] == [f"{row['p_holm']:.4f}", row["control"]]
    assert "limit      most samples used per question, on average" in text
    assert "95% interval" in text
    assert max(map(len, text.splitlines())) <= 120


def test_limits_of_tokens_and_seconds(run, pool_path, tmp_path):
    frame = pd.read_parquet(pool_path).assign(output_tokens=10, latency=0.5)
    frame.to_parquet(tmp_path / "p.parquet")
    options = (*FAST, "--strategy", "sc:x", "--strategy", "ms:x+y")
    code, text, err = run("tune", tmp_path / "p.parquet", *options, "--spend", "tokens", "--limits", "10,40")
    assert (code, err) == (0, "")
    assert "limit      most tokens per question, on average" in text
    rows = [line.split() for line in text.splitlines() if line.split()[:1] in (["10"], ["40"])]
    found = tuned(tmp_path / "p.parquet", "sc:x", "ms:x+y", spend="tokens", limits=[10, 40]).to_frame()
    assert [row[1] for row in rows[:2]] == found["strategy"].tolist()
    assert [row[4] for row in rows[:2]] == [f"{value:.4g}" for value in found["spend"]]
    arguments = ("--spend", "latency", "--parallel", 1, "--json", "--table", "frontier")
    _, text, _ = run("tune", tmp_path / "p.parquet", *options, *arguments)
    spend = [row["spend"] for row in json.loads(text)]
    assert spend[0] == pytest.approx(0.5)
    assert max(spend) <= 2
    _, text, _ = run("tune", tmp_path / "p.parquet", *options, "--spend", "latency", "--table", "frontier")
    assert "spend      seconds per question, on average" in text


def test_families_are_named_with_what_they_leave_out(run, pool_path):
    options = ("tune", pool_path, *FAST, "--family", "stops, votes")
    code, text, err = run(*options)
    assert (code, err) == (0, "")
    expected = tuned(pool_path, families=["stops", "votes"])
    first, second, *rest = text.splitlines()
    assert first.startswith(f"{expected.budgets.size} candidates: ")
    assert second == "families: stops, votes"
    left_out = [f"left out: {rule} ({why})" for rule, why in expected.left_out.items()]
    assert rest[: len(left_out)] == left_out
    assert "left out: sc:M,vote=best_of_n (no column 'score')" in left_out
    frame = expected.to_frame()
    assert "fitted" not in text
    _, listed, _ = run(*options, "--json")
    pd.testing.assert_frame_equal(pd.DataFrame(json.loads(listed)), frame, check_dtype=False, rtol=1e-14)


def test_strategies_that_were_fitted_are_shown(run, pool_path):
    options = ("tune", pool_path, *FAST[:4], "--budgets", "4", "--family", "weights", "--folds", "3")
    text = run("tune", pool_path, *FAST[:2], "--budgets", "4", "--folds", "3", "--strategy", "weights:x+y", "--json")[1]
    same = tuned(pool_path, "weights:x+y", n_folds=3, limits=4)
    assert [row["fitted"] for row in json.loads(text)] == same.to_frame()["fitted"].tolist()
    code, text, err = run(*options, "--limits", "4")
    assert (code, err) == (0, "")
    assert "families: weights" in text
    found = tuned(pool_path, families="weights", n_folds=3, limits=4)
    assert "weights:x+y" in set(found.strategies)
    _, choices, _ = run(*options, "--table", "choices", "--json")
    assert {row["fitted"] for row in json.loads(choices)} <= set(found.fitted)


@pytest.mark.parametrize(
    ("optimism", "fitted", "says"),
    [
        (
            [0.01, 0.0234],
            "sc:x",
            "Choosing and scoring on the same questions overstates the accuracy by up to 2.3 ",
        ),
        (
            [0.01, 0.0234],
            "sc:y",
            "Fitting, choosing and scoring on the same questions overstates the accuracy by ",
        ),
        ([-0.01, 0.0004], "sc:x", "Choosing and scoring on the same questions overstates the accuracy at no limit."),
    ],
)
def test_the_optimism_is_said_in_a_sentence(optimism, fitted, says):
    frame = pd.DataFrame({"limit": [2.0, 4.5], "strategy": "sc:x", "fitted": fitted, "optimism": optimism})
    assert _plainly(frame).startswith(says)
    if optimism[1] > 0.01:
        assert _plainly(frame).endswith(" points (at limit 4.5): report held_out.")


def test_the_diversity_of_the_models_is_printed_without_tuning(run, pool_path, monkeypatch):
    monkeypatch.setattr("mssim.tuning.candidates.evaluate_job", lambda *_, **__: pytest.fail("evaluated"))
    code, text, err = run("tune", pool_path, *FAST, "--table", "diversity", "--confidence-level", "0.8")
    assert (code, err) == (0, "")
    assert "n_effective   number of independent models that vary as much; low, high: 80% interval" in text
    _, text, _ = run("tune", pool_path, *FAST, "--table", "diversity", "--json", "--clusters", "question_id")
    expected = diversity(load_pool(pool_path, where={"prompt": "long"}), ["x", "y"], clusters="question_id")
    pd.testing.assert_frame_equal(pd.DataFrame(json.loads(text)), expected, check_dtype=False, rtol=1e-14)


def test_the_sentence_comes_last(run, tmp_path):
    answers = {("x", f"q{q}"): list("aab") for q in range(12)}
    make_pool(answers).to_frame().to_parquet(tmp_path / "pool.parquet")
    _, text, _ = run("tune", tmp_path / "pool.parquet", "--strategy", "sc:x", "--budgets", "1")
    assert text.splitlines()[-1] == "Choosing and scoring on the same questions overstates the accuracy at no limit."


@pytest.mark.slow
@pytest.mark.parametrize("table", ["limits", "choices", "frontier"])
def test_json_is_the_whole_frame(run, pool_path, table):
    code, text, err = run("tune", pool_path, *FAST, "--json", "--table", table)
    assert (code, err) == (0, "")
    tuning = tuned(pool_path)
    expected = {"limits": tuning.to_frame, "choices": tuning.choices, "frontier": tuning.frontier}[table]()
    found = pd.DataFrame(json.loads(text))
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=1e-14)
    code, text, _ = run("tune", pool_path, *FAST, "--table", table)
    assert code == 0
    assert "held_out   accuracy on" in text or "held_out   its accuracy on" in text


def test_options_of_tune_reach_it(run, pool_path):
    strategies = ("sc:x", "ms:x+y")
    options = ("--spend", "cost", "--limits", "2.5,9", "--folds", 3, "--runs", 4, "--seed", 5, "--replacement")
    options += ("--price", "x=2", "--price", "y=1", "--clusters", "truth", "--confidence-level", "0.5")
    with_strategies = [part for s in strategies for part in ("--strategy", s)]
    _, text, err = run("tune", pool_path, *FAST, *options, *with_strategies, "--clusters", "question_id", "--json")
    assert err == ""
    expected = tuned(
        *(pool_path, *strategies), spend="cost", limits=[2.5, 9], n_folds=3, n_runs=4, seed=5, replacement=True,
        prices={"x": 2, "y": 1}, clusters="question_id",
    ).to_frame(confidence_level=0.5)  # fmt: skip
    pd.testing.assert_frame_equal(pd.DataFrame(json.loads(text)), expected, check_dtype=False, rtol=1e-14)
    code, text, _ = run("tune", pool_path, *FAST, *options[:-4], *with_strategies)
    assert code == 0
    assert "fresh      its accuracy on the same questions with other draws" in text
    assert "most frequent choice in 4 runs" in text
    assert "limit      most cost per question" in text


def test_prices_of_tokens_reach_tune(run, tmp_path):
    answers = {(model, f"q{q}"): list("aab") for model in "xy" for q in range(12)}
    make_pool(answers, output_tokens=range(72), input_tokens=40).to_frame().to_parquet(tmp_path / "pool.parquet")
    prices = tmp_path / "prices.toml"
    table = "x = {input = 1, output = 10}\ny = {input = 2, output = 20}\n"
    prices.write_text(f"date = 2026-11-01\nper_tokens = 10\n[models]\n{table}")
    options = ("--strategy", "sc:x", "--strategy", "sc:y", "--budgets", "1,2", "--spend", "cost", "--tokens", "output")
    code, text, err = run("tune", tmp_path / "pool.parquet", *options, "--prices", prices, "--json")
    assert (code, err) == (0, "")
    pool = load_pool(tmp_path / "pool.parquet")
    expected = tune(pool, ["sc:x", "sc:y"], [1, 2], spend="cost", prices=prices, tokens="output")
    assert expected.provenance["tokens"] == "output"
    assert expected.provenance["prices"]["models"]["x"] == {"input": 1, "output": 10}
    pd.testing.assert_frame_equal(pd.DataFrame(json.loads(text)), expected.to_frame(), check_dtype=False, rtol=1e-14)


def test_without_a_control_there_are_no_empty_columns(run, pool_path):
    _, text, _ = run("tune", pool_path, *FAST, "--strategy", "ms:x+y", "--min-samples", 24)
    assert "optimism" in text
    assert " gain " not in text.split("limit      most")[0]
    assert "nan" not in text
    _, text, _ = run(
        "tune", pool_path, *FAST, "--strategy", "ms:x+y", "--strategy", "sc:x", "--limits", "3.9,4", "--budgets", "4"
    )
    assert "nan" not in text
    assert " gain " in text


def test_synthetic_pools_and_clusters_are_named(run, tmp_path):
    pool = clustered()
    pool.from_frame(pool.to_frame(), info={"synthetic": True}).save(tmp_path / "pool")
    code, text, _ = run("tune", tmp_path / "pool", "--strategy", "sc:x", "--budgets", "2")
    assert code == 0
    assert text.count("SYNTHETIC DATA") == 2  # one above each table
    assert "12 questions (4 clusters, kept whole) in 4 folds" in text


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".png", ".pdf"])
def test_tune_draws_the_frontier(run, pool_path, tmp_path, suffix):
    plot = tmp_path / f"r{suffix}"
    assert run("tune", pool_path, *FAST, "--plot", plot)[0] == 0
    assert plot.stat().st_size > 1000


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--strategy", "sc:x", "--strategy", "sx:x"), "strategy 'sx:x': unknown kind 'sx'"),
        (("--strategy", "sc:x,stp=beta"), "unknown option 'stp'. Did you mean 'stop'"),
        (("--strategy", "sc:x,stop=bet@4"), "unknown rule 'bet'. Did you mean 'beta'"),
        (("--strategy", "sc:x,vote=plural"), "unknown vote 'plural'"),
        (("--strategy", "weights:x+y,k=2"), "strategy 'weights:x+y,k=2': unknown option 'k'"),
        (("--strategy", "models:x+y,k=3"), "strategy 'models:x+y,k=3': k=3 is out of range"),
        (("--plot", "r.png", "--table", "diversity"), "--plot: --table diversity has no frontier"),
        (("--family", "stop"), "Did you mean 'stops'"),
        (("--spend", "time"), "--spend: 'time' is not valid"),
        (("--folds", "1"), "--folds: 1 is out of range"),
        (("--runs", "0"), "--runs: 0 is out of range"),
        (("--limits", "-1"), "--limits: [-1.0] is not valid"),
        (("--budgets", "4,8", "--spend", "budget", "--limits", "3"), "every candidate has a budget of at least 4"),
    ],
)
def test_what_needs_no_pool_is_said_before_it_is_read(run, arguments, says):
    test_cli.bad(run("tune", "nowhere.parquet", *arguments), says)


@pytest.mark.slow
@pytest.mark.parametrize("option", ["--family=stop", "--strategy=sc:x,stp=beta", "--spend=money", "--limits=0.5"])
def test_what_needs_no_pool_is_said_without_what_takes_a_second_to_import(option):
    code = f"""if True:
        import atexit, sys
        atexit.register(lambda: print(*sys.modules))
        from mssim.cli import main
        sys.argv = ["mssim", "tune", "nowhere", "--budgets", "2,4", {option!r}]
        main()
        """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert option.partition("=")[0] in done.stderr or "unknown option 'stp'" in done.stderr
    loaded = set(done.stdout.split())
    assert not loaded & {"pandas", "numba", "pyarrow", "scipy.special", "scipy.optimize", "scipy.interpolate"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nowhere.parquet",), "nowhere.parquet does not exist"),
        (("POOL", "--models", "x,w"), "no model 'w' in this pool"),
        (("POOL", "--budgets", "x"), "Use integers from 1 to 100000, e.g. 2,4,8 or 1-16."),
        (("POOL", "--limits", "few"), "--limits: 'few' is not a list of numbers. Use positive numbers, e.g. 2,4.5,8."),
        (("POOL", "--limits", "-2"), "is not valid. Limits of the mean spend per question are positive"),
        (("POOL", "--table", "choice"), "--table: 'choice' is not valid. Did you mean 'choices'"),
        (("POOL", "--plot", "r.jpeg"), "Use a name that ends in .png, .svg or .pdf"),
        (("POOL", "--plot", "folder.png"), "--plot: folder.png is a folder. Use the name of a file."),
        (("POOL", "--plot", "no/such/r.png"), "does not exist. Create it first."),
        (("POOL", "--spend", "time"), "--spend: 'time' is not valid. Choose from"),
        (("POOL", "--folds", "99"), "--folds: 99 is out of range. Use an integer from 2 to 10"),
        (("POOL", "--price", "x"), "is not MODEL=PRICE. Use e.g. --price"),
        (("POOL", "--strategy", "xy"), "Write kind:model"),
        (("POOL", "--confidence-level", "95"), "is not between 0 and 1"),
        (("POOL", "--family", "stops,vote"), "--family: 'vote' is not valid. Did you mean 'votes'"),
        (("POOL", "--family", ""), "--family: '' is not valid. Choose from 'switch'"),
        (
            ("POOL", "--limits", "0.5"),
            "--limits: every candidate draws at least one sample per question, more than 0.5",
        ),
        (("POOL", "--spend", "budget", "--limits", "0.9"), "--limits: every candidate has a budget of at least 1"),
        (("POOL", "--clusters", "topics"), "--clusters: no column 'topics'"),
        (("POOL", "--spend", "latency"), "--spend latency: the pool has no latencies"),
        (("POOL", "--strategy", "sc:x,vote=best_of_n"), "requires column 'score'"),
    ],
)
def test_bad_input_is_one_line_before_anything_is_evaluated(run, pool_path, tmp_path, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("mssim.tuning.candidates.evaluate_job", lambda *_, **__: pytest.fail("evaluated"))
    (tmp_path / "folder.png").mkdir()
    given = [pool_path if a == "POOL" else a for a in arguments]
    test_cli.bad(run("tune", *given[:1], *FAST, *given[1:]), says)
