"""`mssim evaluate`: tables, files, experiments, and one clear line for bad input."""

import json
import os
import subprocess
import sys

import matplotlib.pyplot as plt
import pandas as pd
import pytest

import mssim
from mssim import Evaluation
from mssim.engine import evaluate as engine
from mssim.rules.plan import QUANTITIES
from tests.cli.test_cli import EVALUATE, FAST, bad
from tests.conftest import make_pool
from tests.engine.test_evaluate import random_pool
from tests.results.test_evaluation import COLUMNS, with_spread


def frame_of(rows):
    """Return the table of JSON output, in which null is a number that is unknown."""
    return pd.DataFrame(rows).astype(dict.fromkeys(QUANTITIES, float))


@pytest.mark.slow
def test_evaluate_prints_a_table_writes_results_and_a_figure(run, pool_path, tmp_path):
    out, plot = tmp_path / "r.parquet", tmp_path / "r.png"
    code, text, err = run("evaluate", pool_path, *FAST, "--seed", 3, "--out", out, "--plot", plot)
    assert (code, err) == (0, "")
    assert "strategy" in text
    assert "ms:x+y" in text
    assert plot.read_bytes().startswith(b"\x89PNG")
    expected = mssim.evaluate(
        mssim.load_pool(pool_path, where={"prompt": "long"}), ["sc:x", "ms:x+y"], [2, 6], n_replays=50, seed=3
    )
    pd.testing.assert_frame_equal(Evaluation.load(out).to_frame(), expected.to_frame())


@pytest.mark.parametrize("given", [("--mc-error", "0.02"), ("--mc-error", "0.003", "--n-replays", "900"), ()])
def test_a_monte_carlo_error_instead_of_a_number_of_replays(run, pool_path, tmp_path, given):
    code, text, err = run("evaluate", pool_path, *EVALUATE, *given, "--json")
    assert (code, err) == (0, "")
    options = {name[2:].replace("-", "_"): float(value) for name, value in zip(given[::2], given[1::2], strict=True)}
    options |= {"n_replays": int(options["n_replays"])} if "n_replays" in options else {}
    pool = mssim.load_pool(pool_path, where={"prompt": "long"})
    expected = mssim.evaluate(pool, ["sc:x", "ms:x+y"], [2, 6], **options).to_frame()
    rows = json.loads(text)
    assert [row["n_replays"] for row in rows] == expected["n_replays"].tolist()
    assert [row["mc_error"] for row in rows] == pytest.approx(expected["mc_error"].tolist())
    source = json.dumps(str(pool_path))
    plan = f"pool = {source}\nwhere = 'prompt=long'\nstrategies = ['sc:x', 'ms:x+y']\nbudgets = [2, 6]\n"
    (tmp_path / "plan.toml").write_text(plan + "".join(f"{name} = {value}\n" for name, value in options.items()))
    assert json.loads(run("evaluate", "--experiment", tmp_path / "plan.toml", "--json")[1]) == rows


def test_json_is_the_frame_and_nothing_else(run, pool_path, tmp_path):
    out = tmp_path / "r.parquet"
    code, text, err = run("evaluate", pool_path, *FAST, "--json", "--out", out)
    assert (code, err) == (0, "")
    rows = json.loads(text)
    assert [list(row) for row in rows] == [COLUMNS] * 4
    pd.testing.assert_frame_equal(frame_of(rows), Evaluation.load(out).to_frame(), check_dtype=False, rtol=1e-14)


def test_a_number_that_is_missing_is_null_in_json(run, pool_path, tmp_path):
    frame = pd.read_parquet(pool_path).drop(columns="cost")
    frame.to_csv(tmp_path / "p.csv", index=False)
    _, text, _ = run("evaluate", tmp_path / "p.csv", *FAST, "--json")
    assert json.loads(text)[0]["cost"] is None


def test_options_reach_the_evaluation(run, pool_path):
    options = ("--price", "x=2", "--price", "y=1", "--replacement", "--confidence-level", "0.5", "--clusters", "topic")
    options += ("--band", "simultaneous")
    _, text, _ = run("evaluate", pool_path, *FAST, "--json", *options)
    pool = mssim.load_pool(pool_path, where={"prompt": "long"})
    expected = mssim.evaluate(
        pool, ["sc:x", "ms:x+y"], [2, 6], n_replays=50, prices={"x": 2, "y": 1}, replacement=True
    ).to_frame(confidence_level=0.5, clusters="topic", band="simultaneous")
    pd.testing.assert_frame_equal(frame_of(json.loads(text)), expected, check_dtype=False, rtol=1e-14)


@pytest.mark.slow
def test_the_method_reaches_the_evaluation(run, pool_path, tmp_path):
    def methods(*options):
        rows = json.loads(run("evaluate", pool_path, *FAST, "--json", *options)[1])
        return [row["method"] for row in rows]

    assert methods() == methods("--method", "auto") == ["exact", "exact", "exact", "monte_carlo"]
    assert methods("--method", "monte_carlo") == ["monte_carlo"] * 4
    says = "ms:x+y: --method exact is not available at budget 6: an entropy weight depends on all votes"
    bad(run("evaluate", pool_path, *FAST, "--method", "exact"), says)
    bad(
        run("evaluate", pool_path, *FAST, "--method", "mc"),
        "--method: 'mc' is not valid. Choose from 'auto', 'exact', 'monte_carlo'",
    )
    (tmp_path / "e.toml").write_text('method = "monte_carlo"')
    assert methods("--experiment", tmp_path / "e.toml") == ["monte_carlo"] * 4


def test_a_figure_that_cannot_be_written_leaves_no_half(run, pool_path, tmp_path, monkeypatch):
    def full_disk(*_, **__):
        raise OSError(28, "No space left on device")

    (tmp_path / "r.png").write_bytes(b"an older figure")
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", full_disk)
    bad(run("evaluate", pool_path, *FAST, "--plot", tmp_path / "r.png"), "cannot be written (No space left on device)")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["pool.parquet", "r.png"]
    assert (tmp_path / "r.png").read_bytes() == b"an older figure"


@pytest.mark.slow
def test_figures_do_not_depend_on_the_backend_of_the_environment(pool_path, tmp_path):
    command = [sys.executable, "-m", "mssim", "evaluate", pool_path, *FAST, "--plot", tmp_path / "x.png"]
    done = subprocess.run(list(map(str, command)), env={**os.environ, "MPLBACKEND": "nope"}, capture_output=True)
    assert done.returncode == 0
    assert (tmp_path / "x.png").exists()


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".svg", ".pdf"])
def test_other_formats_of_the_figure(run, pool_path, tmp_path, suffix):
    plot = tmp_path / f"r{suffix}"
    assert run("evaluate", pool_path, *FAST, "--plot", plot, "--x", "cost")[0] == 0
    assert plot.stat().st_size > 1000


def test_warnings_go_to_stderr_one_line_each(run, tmp_path):
    frame = random_pool().to_frame().iloc[:-1]
    frame.to_parquet(tmp_path / "p.parquet")
    last = frame["model"].iloc[-1]
    code, text, err = run("evaluate", tmp_path / "p.parquet", "--strategy", f"sc:{last}", "--budgets", 2, "--json")
    assert code == 0
    assert json.loads(text)
    lines = err.splitlines()
    assert all(line.startswith("mssim: warning: ") for line in lines)
    assert any("samples per question and model range from 23 to 24" in line for line in lines)


@pytest.mark.usefixtures("pool_path")
@pytest.mark.parametrize("name", ["per", "x"])  # x is the name of version 0.1
def test_an_experiment_names_the_axis_of_the_plot(run, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    text = f"pool = 'pool.parquet'\nwhere = 'prompt=long'\nstrategies = 'sc:x'\nbudgets = 2\n{name} = 'tokes'\n"
    (tmp_path / "e.toml").write_text(text)
    bad(run("evaluate", "--experiment", tmp_path / "e.toml"), "--per: 'tokes' is not valid. Did you mean 'tokens'")
    assert run("evaluate", "--experiment", tmp_path / "e.toml", "--per", "budget,cost", "--plot", "e.svg")[0] == 0


@pytest.mark.slow
def test_several_axes_are_panels_of_one_figure(run, pool_path, tmp_path):
    one, two = tmp_path / "one.png", tmp_path / "two.png"
    assert run("evaluate", pool_path, *FAST, "--plot", one, "--per", "cost")[0] == 0
    assert run("evaluate", pool_path, *FAST, "--plot", two, "--per", "samples_used,cost")[0] == 0
    widths = [plt.imread(path).shape[1] for path in (one, two)]
    assert widths[1] > widths[0]


def test_an_experiment_file_says_the_same(run, pool_path, tmp_path):
    (tmp_path / "e.toml").write_text(
        """
        pool = "pool.parquet"
        where = ["prompt=long", "topic!=Law"]
        strategies = ["sc:x", { kind = "ms", models = ["x", "y"], agreement = 0.8, vote = "plurality" }]
        budgets = [2, 6]
        n_replays = 50
        seed = 3
        band = "simultaneous"
        out = "r.parquet"
        [prices]
        x = 2.0
        y = 1
        """
    )
    options = ("--where", "prompt=long", "--where", "topic!=Law", "--seed", 3, "--price", "x=2", "--price", "y=1")
    options += ("--band", "simultaneous")
    strategies = ("--strategy", "sc:x", "--strategy", "ms:x+y,agreement=0.8,vote=plurality")
    said = run("evaluate", pool_path, *options, *strategies, "--budgets", "2,6", "--n-replays", 50, "--json")
    written = run("evaluate", "--experiment", tmp_path / "e.toml", "--json")
    assert written == said
    assert (tmp_path / "r.parquet").exists()
    replaced = run("evaluate", "--experiment", tmp_path / "e.toml", "--json", "--budgets", "1-3")
    assert {row["budget"] for row in json.loads(replaced[1])} == {1, 2, 3}


@pytest.fixture
def with_tokens(tmp_path):
    """Write a pool with tokens and latencies, and a price table beside it."""
    answers = {(model, f"q{q}"): list("aab") for model in "xy" for q in (1, 2)}
    numbers = {"output_tokens": range(12), "input_tokens": 100, "latency": [float(second) for second in range(12)]}
    make_pool(answers, **numbers).to_frame().to_parquet(tmp_path / "pool.parquet")
    (tmp_path / "prices.toml").write_text("date = 2026-11-01\nper_tokens = 100\n[models.x]\ninput = 1\noutput = 200\n")
    return tmp_path / "pool.parquet"


def test_prices_of_tokens_reach_the_evaluation(run, with_tokens):
    table = with_tokens.parent / "prices.toml"
    asked = ("evaluate", with_tokens, "--strategy", "sc:x", "--budgets", 3, "--json")
    _, text, err = run(*asked, "--prices", table)
    (row,) = json.loads(text)
    assert err == ""
    assert (row["tokens"], row["cost"]) == pytest.approx((307.5, 3 * 1 + 7.5 * 2))  # outputs 0, 1, 2 and 3, 4, 5
    _, text, _ = run(*asked, "--tokens", "output", "--parallel", 1)
    (row,) = json.loads(text)
    assert (row["tokens"], row["latency"], row["cost"]) == (7.5, 7.5, None)


def test_an_experiment_file_has_prices_of_tokens(run, with_tokens):
    content = SOUND + "prices = 'prices.toml'\ntokens = 'output'\nparallel = 1\n"
    (with_tokens.parent / "e.toml").write_text(content)
    options = ("--prices", with_tokens.parent / "prices.toml", "--tokens", "output", "--parallel", 1, "--json")
    said = run("evaluate", with_tokens, "--strategy", "sc:x", "--budgets", 2, *options)
    assert run("evaluate", "--experiment", with_tokens.parent / "e.toml", "--json") == said
    table = "{date = 2026-11-01, per_tokens = 100, models = {x = {input = 1, output = 200}}}"
    inside = content.replace("'prices.toml'", table)
    (with_tokens.parent / "e.toml").write_text(inside)
    assert run("evaluate", "--experiment", with_tokens.parent / "e.toml", "--json") == said
    bad(
        run("evaluate", "--experiment", with_tokens.parent / "e.toml", "--prices", "no.toml"), "no.toml: cannot be read"
    )


SOUND = "pool = 'pool.parquet'\nstrategies = 'sc:x'\nbudgets = 2\n"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("budget = 3", "unknown key 'budget'. Did you mean 'budgets'"),
        ("budgets = ", "cannot be read"),
        (
            "strategies = ['sc:x']",
            "pool: missing. Add a pool, e.g. recorded/llm-products, to the command line, or pool to the",
        ),
        (
            "pool = 'pool.parquet'\nbudgets = 2",
            "--strategy: missing. Add --strategy, e.g. --strategy sc:MODEL, to the command line, or strategies to",
        ),
        (
            "pool = 'pool.parquet'\nstrategies = ['sc:x']",
            "budgets: missing. Add --budgets, e.g. --budgets 2,4,8, to the command line, or budgets to the",
        ),
        (
            "pool = 'pool.parquet'\nstrategies = [{kind = 'sc'}]\nbudgets = 2",
            "sc takes one model, but 0 were given. To combine models, use e.g. mix:a+b.",
        ),
        ("pool = 'pool.parquet'\nstrategies = [3]\nbudgets = 2", "Write kind:model"),
        (
            "pool = 'pool.parquet'\nstrategies = 'sc:x'\nbudgets = 2.5",
            "budgets = 2.5 has the wrong type. It must be an integer or a list or a string",
        ),
        (SOUND + "seed = 'x'", "seed = 'x' has the wrong type. It must be an integer"),
        (SOUND.replace("2", "[[1], [1, 2]]"), "Use positive integers"),
        (SOUND + "prices = 3", "prices = 3 has the wrong type. It must be a table or a string"),
        (
            SOUND + "where = 3",
            "where = 3 has the wrong type. It must be a string or a list or a table",
        ),
        (
            SOUND + "where = {topic = ['Math', 'Lw']}",
            "Did you mean 'Law'",
        ),
        (
            SOUND + "prices = {x = 'cheap'}",
            "prices: 'cheap' of model 'x' is not a price",
        ),
        ("x = " + "[" * 5000 + "]" * 5000, "cannot be read (maximum recursion depth exceeded"),
        ("seed = " + "9" * 5000, "cannot be read (Exceeds the limit"),
        (SOUND + "seed = 0x" + "f" * 5000, "an integer of 20000 bits exceeds 64 bits"),
        (
            "pool = 'pool.parquet'\nbudgets = 1\nstrategies = {a = {kind = 'ms', models = ['x', 'y'], vote = {a = 1}}}",
            "unknown vote",
        ),
        ("pool = 3\nstrategies = 'sc:x'\nbudgets = 2", "pool = 3 has the wrong type. It must be a string"),
        (
            SOUND + "min_samples = true",
            "min_samples = True has the wrong type. It must be an integer",
        ),
    ],
)
def test_an_experiment_file_that_is_wrong(run, tmp_path, pool_path, content, says):
    pd.read_parquet(pool_path).query("prompt == 'long'").to_parquet(pool_path)
    (tmp_path / "e.toml").write_text(content)
    bad(run("evaluate", "--experiment", tmp_path / "e.toml"), says)


def test_an_experiment_file_that_does_not_exist(run, tmp_path):
    bad(run("evaluate", "--experiment", tmp_path / "e.toml"), "cannot be read")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "pool: missing. Add a pool, e.g. recorded/llm-products, to the command line, or pool to the"),
        (
            ("POOL",),
            "--strategy: missing. Add --strategy, e.g. --strategy sc:MODEL, to the command line, or strategies to",
        ),
        (
            ("POOL", "--strategy", "sc:x"),
            "budgets: missing. Add --budgets, e.g. --budgets 2,4,8, to the command line, or budgets to the",
        ),
        (("nowhere.parquet", *EVALUATE), "nowhere.parquet does not exist"),
        (("POOL", *EVALUATE, "--strategy", "sc:gpt"), "no model 'gpt' in this pool. Choose from 'x', 'y', 'z'"),
        (("POOL", *EVALUATE, "--strategy", "ms:x+y,agrement=1"), "unknown option 'agrement'. Did you mean 'agreement'"),
        (("POOL", *EVALUATE, "--budgets", "0"), "Use integers from 1 to 100000, e.g. 2,4,8 or 1-16."),
        (("POOL", *EVALUATE, "--budgets", "2,x"), "Use integers from 1 to 100000, e.g. 2,4,8 or 1-16."),
        (("POOL", *EVALUATE, "--budgets", "8-2"), "--budgets: the range '8-2' is reversed. Use 2-8."),
        (("POOL", *EVALUATE, "--budgets", "1-99999999"), "Use integers from 1 to 100000, e.g. 2,4,8 or 1-16."),
        (
            ("POOL", *EVALUATE, "--budgets", "25"),
            "needs 25 samples of model 'x' for question 'q0', but 24 were recorded",
        ),
        (("POOL", *EVALUATE, "--where", "topic"), "is not a condition. Write COLUMN=VALUE"),
        (("POOL", *EVALUATE, "--where", "topic=Mat"), "matches no rows. Did you mean 'Math'"),
        (("POOL", "--strategy", "sc:x", "--budgets", "2"), "Column 'prompt' distinguishes them"),
        (("POOL", *EVALUATE, "--price", "x"), "is not MODEL=PRICE. Use e.g. --price"),
        (("POOL", *EVALUATE, "--price", "x=cheap"), "is not MODEL=PRICE. Use e.g. --price"),
        (("POOL", *EVALUATE, "--plot", "r.jpeg"), "Use a name that ends in .png, .svg or .pdf"),
        (("POOL", *EVALUATE, "--per", "samples"), "--per: 'samples' is not valid. Did you mean 'samples_used'"),
        (("POOL", *EVALUATE, "--per", "tokens"), "--per: there is no plot whose x-axis it could name. Add --plot FILE"),
        (("POOL", *EVALUATE, "--min-samples", "-3"), "--min-samples: -3 is out of range. Use an integer from 0"),
        (("POOL", *EVALUATE, "--plot", "folder.png"), "--plot: folder.png is a folder. Use the name of a file."),
        (("POOL", *EVALUATE, "--out", "folder.png"), "--out: folder.png is a folder. Use the name of a file."),
        (("folder.png", *EVALUATE), "folder.png contains no samples.parquet. Use the path of a pool folder or"),
        (("POOL", *EVALUATE, "--band", "simultan"), "--band: 'simultan' is not valid. Did you mean 'simultaneous'?"),
        (("POOL", *EVALUATE, "--plot", "r.png", "--x", "samples"), "Did you mean 'samples_used'"),
        (("POOL", *EVALUATE, "--out", "no/such/folder/r.parquet"), "does not exist. Create it first."),
        (("POOL", *EVALUATE, "--clusters", "topics"), "no column 'topics'. Did you mean 'topic'"),
        (("POOL", *EVALUATE, "--confidence-level", "95"), "is not between 0 and 1"),
        (("POOL", *EVALUATE, "--n-replays", "0"), "--n-replays: 0"),
        (
            ("POOL", *EVALUATE, "--mc-error", "0"),
            "--mc-error: 0.0 is not a number from 1e-05 to 0.5. Use e.g. --mc-error",
        ),
        (("POOL", *EVALUATE, "--mc-error", "0.1", "--quantiles", "0.5"), "--mc-error: quantiles need equally many"),
        (("POOL", *EVALUATE, "--min-samples", "99"), "--min-samples: 99 leaves no questions: "),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(run, pool_path, tmp_path, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.png").mkdir()
    before = sorted(tmp_path.iterdir())
    bad(run("evaluate", *[pool_path if a == "POOL" else a for a in arguments]), says)
    assert sorted(tmp_path.iterdir()) == before


def test_an_option_that_does_not_exist(run, pool_path):
    code, _, err = run("evaluate", pool_path, "--budget", 3)
    assert code == 2
    assert "No such option" in err
    assert "Traceback" not in err


def test_rules_are_listed_from_the_catalogue(run):
    code, text, err = run("evaluate", "--rules")
    assert (code, err) == (0, "")
    rows = mssim.catalogue()
    assert len(rows) > 20
    for row in rows:
        assert any(row.rule in line and row.source in line for line in text.splitlines()), row


@pytest.mark.slow
def test_the_scope_reaches_the_table_the_results_and_the_plot(run, pool_path, tmp_path):
    out, plot = tmp_path / "r.parquet", tmp_path / "r.svg"
    code, text, err = run("evaluate", pool_path, *FAST, "--scope", "these", "--json", "--out", out, "--plot", plot)
    assert (code, err) == (0, "")
    expected = Evaluation.load(out).to_frame(scope="these")
    pd.testing.assert_frame_equal(frame_of(json.loads(text)), expected, check_dtype=False, rtol=1e-14)
    assert "jackknife_error" in expected


def test_a_scope_in_an_experiment_file(run, pool_path, tmp_path):
    path = tmp_path / "e.toml"
    path.write_text(
        f"pool = {str(pool_path)!r}\nstrategies = 'sc:x'\nbudgets = 2\nscope = 'these'\nwhere = 'prompt=long'"
    )
    _, text, _ = run("evaluate", "--experiment", path, "--json")
    assert "jackknife_error" in json.loads(text)[0]
    _, text, _ = run("evaluate", "--experiment", path, "--json", "--scope", "questions")
    assert "jackknife_error" not in json.loads(text)[0]


def test_scopes_that_do_not_exist_or_cannot_be_computed(run, pool_path, tmp_path):
    bad(run("evaluate", pool_path, *FAST, "--scope", "this"), "--scope: 'this' is not valid")
    part = ("--shard", "1/2", "--checkpoint", tmp_path / "c.ckpt")
    bad(run("evaluate", pool_path, *FAST, "--scope", "these", *part), "--scope: these needs the whole evaluation")


def test_the_bias_of_replacement_is_named_and_can_be_subtracted(run, pool_path):
    code, text, err = run("evaluate", pool_path, *FAST, "--replacement", "--correct-bias", "--json")
    rows = json.loads(text)
    assert code == 0
    assert all(0 <= row["corrected"] <= 1 for row in rows)
    assert rows[0]["corrected"] == pytest.approx(rows[0]["accuracy"] - rows[0]["bias"])
    assert all(line.startswith("mssim: warning: replacement: ") for line in err.splitlines())
    without = run("evaluate", pool_path, *FAST, "--correct-bias")
    bad(without, "--correct-bias: draws without replacement have no bias. Add --replacement, or drop it.")


# Distributions over questions and draws -------------------


@pytest.fixture
def asked(monkeypatch):
    """Replace the evaluation by one with made-up distributions; return what was asked for."""
    plain, options = engine.evaluate, {}

    def made(*arguments, quantiles=False, **settings):
        options["quantiles"] = quantiles
        found = plain(*arguments, **settings)
        return with_spread(found) if quantiles else found

    monkeypatch.setattr(engine, "evaluate", made)
    return options


ADDED = ["tokens_p50", "tokens_p95", "latency_p50", "latency_p95", "tokens_exceed"]


def test_quantiles_and_shares_are_columns_of_the_table(run, pool_path, tmp_path, asked):
    out, options = tmp_path / "r.parquet", ("--quantiles", "0.5,0.95", "--tokens-exceed", 12)
    code, text, err = run("evaluate", pool_path, *FAST, "--json", "--out", out, *options)
    assert (code, err, asked) == (0, "", {"quantiles": True})
    expected = Evaluation.load(out).to_frame(quantiles=[0.5, 0.95], tokens_exceed=12)
    pd.testing.assert_frame_equal(frame_of(json.loads(text)), expected, check_dtype=False, rtol=1e-14)
    assert set(expected.columns) - set(COLUMNS) == set(ADDED)
    _, text, _ = run("evaluate", pool_path, *FAST, *options)
    means, title, distributions = text.partition("over questions and draws")
    assert title
    assert not any(name in means for name in ADDED)
    assert "accuracy" not in distributions
    assert distributions.split()[: 2 + len(ADDED)] == ["strategy", "budget", *ADDED]
    assert "SYNTHETIC" not in text


def test_distributions_are_counted_only_if_asked_for(run, pool_path, asked):
    assert run("evaluate", pool_path, *FAST, "--json")[0] == 0
    assert asked == {"quantiles": False}


@pytest.mark.parametrize(
    ("lines", "added"),
    [
        ("quantiles = [0.5, 0.95]\ntokens_exceed = 12", ADDED),
        ("quantiles = 0.5", ["tokens_p50", "latency_p50"]),
        ("latency_exceeds = 0.5", ["latency_exceeds"]),
    ],
)
@pytest.mark.usefixtures("asked")
def test_an_experiment_file_asks_for_quantiles(run, pool_path, tmp_path, lines, added):
    path = tmp_path / "e.toml"
    path.write_text(f"pool = {str(pool_path)!r}\nstrategies = 'sc:x'\nbudgets = 2\nwhere = 'prompt=long'\n{lines}")
    code, text, err = run("evaluate", "--experiment", path, "--json")
    assert (code, err) == (0, "")
    assert [name for name in json.loads(text)[0] if name not in COLUMNS] == added


def test_quantiles_are_checked_before_any_work(run, pool_path, monkeypatch):
    monkeypatch.setattr(engine, "evaluate", None)
    for options, says in (
        (("--quantiles", "95"), "--quantiles: [95.0] are not numbers from 0 to 1. Use e.g. --quantiles 0.5,0.95."),
        (("--quantiles", "p95"), "--quantiles: 'p95' is not a list of numbers. Use e.g. 0.5,0.95."),
        (("--cost-exceeds", "-1"), "--cost-exceeds: -1.0 is not an amount of cost."),
        (("--latency-exceeds", "inf"), "--latency-exceeds: inf is not an amount of latency."),
    ):
        bad(run("evaluate", pool_path, *FAST, *options), says)


@pytest.mark.usefixtures("asked")
def test_a_quantity_that_is_not_known_is_named(run, pool_path):
    says = "--cost-exceeds 3: cost is not known for any of these strategies. Record it, or use --prices."
    bad(run("evaluate", pool_path, *FAST, "--cost-exceeds", 3), says)


# Budgets of single strategies -----------------------------


def rows_of(text):
    return [(row["strategy"], row["budget"]) for row in json.loads(text)]


@pytest.mark.filterwarnings("default::mssim.errors.PoolWarning")
def test_strategies_have_budgets_of_their_own(run, pool_path):
    given = ("evaluate", pool_path, "--where", "prompt=long", "--n-replays", 20, "--json", "--strategy")
    code, text, err = run(*given, "sc:x@1-2", "--strategy", "y@1", "--strategy", "ms:x+y@cost=2")
    assert (code, err) == (0, "")
    expected = [("sc:x", 1), ("sc:x", 2), ("sc:y", 1)]
    assert rows_of(text)[:3] == expected
    name, budget = rows_of(text)[3]
    assert name == "ms:x+y"
    assert budget > 3  # 2 of cost are 4 samples on average, and models often agree
    assert rows_of(run(*given, "sc:x@1-2", "--strategy", "sc:y", "--budgets", 4)[1]) == [*expected[:2], ("sc:y", 4)]
    code, text, err = run(*given, "sc:x@cost=99")
    assert rows_of(text) == [("sc:x", 24)]
    assert err.count("\n") == 1
    assert "mssim: warning: sc:x@cost=99: the limit cannot be spent. Budget 24 is the largest" in err


def test_an_experiment_file_has_budgets_of_single_strategies(run, pool_path, tmp_path):
    tables = (
        f"pool = '{pool_path}'\n"
        'where = "prompt=long"\nn_replays = 20\n'
        'strategies = ["sc:x@2", {kind = "sc", models = ["y"], budgets = [1, 4]}, {kind = "sc", models = ["z"]%s}]'
    )
    path = tmp_path / "run.toml"
    path.write_text(tables % ", budgets = '3'")
    code, text, err = run("evaluate", "--experiment", path, "--json")
    assert (code, err) == (0, "")
    assert rows_of(text) == [("sc:x", 2), ("sc:y", 1), ("sc:y", 4), ("sc:z", 3)]
    path.write_text(tables % "")
    bad(run("evaluate", "--experiment", path), "--budgets: missing for sc:z. Use positive integers")


@pytest.mark.parametrize(
    ("strategy", "says"),
    [
        ("sc:x@0", "strategy 'sc:x@0': '0' is out of range. Use integers from 1 to 100000"),
        ("sc:x@tokens=5", "sc:x@tokens=5: the samples have no tokens. Record a column 'output_tokens'"),
        ("sc:x@cost=0.1", "sc:x@cost=0.1: the limit is too low, because at budget 1 the mean cost per question is 0.5"),
        ("sc:x@2,ties=random", "Write budgets after all models and options, as in 'sc:x@2'"),
    ],
)
def test_own_budgets_that_are_wrong(run, pool_path, strategy, says):
    bad(run("evaluate", pool_path, "--where", "prompt=long", "--strategy", strategy), says)


# Limits of tokens, and models that share draws ------------------------------------------------------------------------


@pytest.fixture
def debate_path(tmp_path):
    """Two rounds of a debate with recorded tokens, of which the second seems to have been cut off at 9."""
    answers = {(m, q): list(given) for m, given in (("r1", "aabb"), ("r2", "abab")) for q in ("p", "q")}
    tokens = [2.0, 4, 6, 8] * 2 + [9.0, 5, 9, 9, 9, 5, 7, 9]
    make_pool(answers, output_tokens=tokens).save(tmp_path / "debate")
    return tmp_path / "debate"


@pytest.mark.slow
@pytest.mark.filterwarnings("always::mssim.PoolWarning")
def test_every_strategy_is_evaluated_at_every_limit_and_plotted(run, debate_path, tmp_path):
    given = ("--strategy", "sc:r1", "--strategy", "sc:r2,max_tokens=5", "--max-tokens", "8,4", "--budgets", "1,2")
    plot = tmp_path / "limits.png"
    code, text, err = run("evaluate", debate_path, *given, "--json", "--plot", plot, "--per", "max_tokens")
    assert code == 0
    assert "--max-tokens 8: no effect on model 'r1', whose longest sample has 8 tokens." in err
    names = ["sc:r1,max_tokens=4", "sc:r1,max_tokens=8", "sc:r2,max_tokens=5"]
    expected = mssim.evaluate(mssim.load_pool(debate_path), [names[0], "sc:r1", names[2]], [1, 2])
    found = pd.DataFrame(json.loads(text))
    assert found["strategy"].unique().tolist() == names
    assert found["accuracy"].tolist() == pytest.approx(expected.accuracy.mean(axis=2).ravel().tolist())
    assert plot.read_bytes().startswith(b"\x89PNG")


@pytest.mark.filterwarnings("always::mssim.PoolWarning")
def test_a_limit_beyond_the_recording_is_a_warning_about_the_option(run, debate_path):
    _, _, err = run("evaluate", debate_path, "--strategy", "sc:r2", "--max-tokens", "12,16", "--budgets", "1")
    assert "mssim: warning: --max-tokens 12,16: 62 % of the samples of model 'r2' have exactly 9 tokens" in err


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--max-tokens", "4,x"), "--max-tokens: '4,x' is not a list of positive integers"),
        (("--max-tokens", "0"), "--max-tokens: '0' is not a list of positive integers. Use e.g."),
        (("--plot", "p.png", "--per", "max_tokens"), "--per: max_tokens needs limits to plot. Add e.g. --max-tokens"),
        (("--shares-draws", "r1"), "--shares-draws: 'r1' is not a group of at least two different models"),
        (("--shares-draws", "r1,'r2"), "--shares-draws: the quotes of"),
        (("--shares-draws", "r1,r3"), "no model 'r3' in this pool"),
    ],
)
def test_limits_and_groups_that_are_not(run, debate_path, options, says):
    bad(run("evaluate", debate_path, "--strategy", "sc:r1", "--budgets", "1", *options), says)


@pytest.mark.slow
def test_rounds_are_drawn_together_from_options_and_experiments(run, debate_path, tmp_path):
    given = ("--strategy", "cov:r1+r2", "--strategy", "sc:r2", "--budgets", "2", "--n-replays", 40, "--json")
    _, text, _ = run("evaluate", debate_path, *given, "--shares-draws", "r1,r2")
    groups = {"shares_draws": [["r1", "r2"]]}
    expected = mssim.evaluate(mssim.load_pool(debate_path), ["cov:r1+r2", "sc:r2"], 2, n_replays=40, **groups)
    assert [row["accuracy"] for row in json.loads(text)] == pytest.approx(expected.to_frame()["accuracy"].tolist())
    plan = 'pool = "debate"\nstrategies = ["cov:r1+r2", "sc:r2"]\nbudgets = 2\nn_replays = 40\n'
    (tmp_path / "e.toml").write_text(plan + 'shares_draws = [["r1", "r2"]]\nmax_tokens = [5]\n')
    code, text, _ = run("evaluate", "--experiment", tmp_path / "e.toml", "--json")
    assert code == 0
    assert [row["strategy"] for row in json.loads(text)] == ["cov:r1+r2,max_tokens=5", "sc:r2,max_tokens=5"]
