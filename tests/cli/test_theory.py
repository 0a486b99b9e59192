"""`mssim theory`: its tables, options and bad input."""

import json

import pandas as pd
import pytest

from mssim import load_pool, theory
from mssim.engine.evaluate import evaluate_quietly
from tests.cli import test_cli
from tests.conftest import make_pool
from tests.tuning.test_choice import clustered

run, pool_path = test_cli.run, test_cli.pool_path
FAST = ("--where", "prompt=long", "--n-replays", "50", "--resamples", "20")
THEORY = ["limits", "ceiling", "cost", "stop_quality", "consistency"]
SPENT = ["per_sample", "spending"]  # where something is known
TABLES = THEORY + SPENT


def expected(pool, switch, budgets, statistics=None, **options):
    """All tables by the functions of mssim.theory."""
    statistics, seed = statistics or {}, options.get("seed", 0)
    cost = theory.cost(pool, switch, budgets, replacement=options.get("replacement", False))
    return {
        "limits": theory.limits(pool).summary(**statistics),
        "ceiling": theory.ceiling(pool, **statistics).to_frame(),
        "cost": cost.assign(lossless=[theory.lossless(switch, b).holds for b in budgets]),
        "stop_quality": theory.stop_quality(pool, switch, budgets, n_replays=50, **options, **statistics),
        "consistency": theory.consistency(pool, n_resamples=20, seed=seed, **statistics).to_frame(),
        "per_sample": theory.per_sample(pool),
        "spending": spending(pool, switch, budgets, statistics, **options),
    }


def spending(pool, switch, budgets, statistics, **options):
    """Accuracy of each model and of the switch, beside known quantities; only costs were recorded here."""
    draws = sorted({max(b // len(pool.models), 1) for b in budgets})
    alone, both = (
        evaluate_quietly(
            pool, strategies, steps, **{"method": "auto", "n_replays": 50, "seed": 0, "replacement": False, **options}
        )
        for strategies, steps in (([f"sc:{model}" for model in pool.models], draws), (switch, budgets))
    )
    frames = [one.to_frame(**statistics).drop(columns=["tokens", "latency"]) for one in (alone, both)]
    return pd.concat(frames, ignore_index=True)


def assert_same(text, tables):
    found = json.loads(text)
    assert list(found) == list(tables)
    for name, frame in tables.items():
        read = pd.DataFrame(found[name])
        assert list(read.columns) == list(frame.columns)
        pd.testing.assert_frame_equal(read, frame, check_dtype=False, rtol=1e-12)


def test_theory_prints_tables_that_can_be_read(run, pool_path):
    code, text, err = run("theory", pool_path, *FAST)
    assert (code, err) == (0, "")
    pool = load_pool(pool_path, where={"prompt": "long"})
    order = pool.describe().sort_values("accuracy", ascending=False)["model"].tolist()
    switch = f"ms:{'+'.join(order)}"
    assert f"{switch}: models strongest first, by accuracy of a single sample on these questions" in text
    tables = expected(pool.select(models=order), switch, [3, 6, 12, 24])
    assert [line.split(":")[0] for line in text.splitlines() if line.split(":")[0] in TABLES] == TABLES
    mix = tables["limits"].iloc[-1]
    (row,) = [line for line in text.splitlines() if mix["strategy"] in line]
    assert row.split()[:4] == [mix["strategy"], *(f"{mix[name]:.4f}" for name in ("accuracy", "low", "high"))]
    used = tables["cost"].set_index("budget").loc[24]
    rows = [line.split() for line in text.splitlines() if line.split()[:1] == ["24"]]
    assert rows[0][1] == f"{used['samples_used']:.2f}"
    assert rows[0][-1] == "False"
    assert rows[1][1:4] == [order[0], "agreement", f"{tables['stop_quality']['coverage'].iloc[-4]:.4f}"]
    assert max(map(len, text.splitlines())) <= 130


@pytest.mark.parametrize("models", ["y+x", "y, x"])
def test_json_is_one_object_of_whole_tables(run, pool_path, models):
    code, text, err = run("theory", pool_path, *FAST, "--models", models, "--budgets", "2,6", "--json")
    assert (code, err) == (0, "")
    pool = load_pool(pool_path, where={"prompt": "long"}).select(models=["y", "x"])
    assert_same(text, expected(pool, "ms:y+x", [2, 6]))


@pytest.mark.slow
def test_options_reach_the_tables(run, pool_path):
    options = ("--models", "x+y", "--budgets", "2-4", "--seed", 7, "--replacement", "--confidence-level", "0.5")
    options += ("--clusters", "topic", "--min-samples", 24, "--json")
    _, text, err = run("theory", pool_path, *FAST, *options)
    assert err == ""
    pool = load_pool(pool_path, where={"prompt": "long"}).select(models=["x", "y"])
    statistics = {"confidence_level": 0.5, "clusters": "topic"}
    assert_same(text, expected(pool, "ms:x+y", [2, 3, 4], statistics, seed=7, replacement=True))
    _, text, _ = run("theory", pool_path, *FAST, "--models", "x+y")
    assert "ms:x+y: models as given" in text


def test_default_budgets_are_what_was_recorded(run, tmp_path):
    """Four models with five samples each: the three strongest, and no budget beyond their samples."""
    given = {"w": "abbbb", "x": "aabbb", "y": "aaabb", "z": "aaaab"}
    answers = {(m, f"q{q}"): list(a) for q in range(6) for m, a in given.items()}
    make_pool(answers).save(tmp_path / "pool")
    _, text, err = run("theory", tmp_path / "pool", *FAST[2:], "--json")
    assert err == ""
    tables = json.loads(text)
    assert [row["strategy"] for row in tables["limits"]] == ["sc:z", "sc:y", "sc:x", "mix:z+y+x"]
    assert [row["budget"] for row in tables["cost"]] == [3, 6, 12]
    _, text, _ = run("theory", tmp_path / "pool", *FAST[2:], "--json", "--replacement")
    assert [row["budget"] for row in json.loads(text)["cost"]] == [3, 6, 12, 24]


def test_a_single_sample_has_no_consistency(run, tmp_path):
    make_pool({(m, f"q{q}"): ["ab"[q % 2]] for q in range(6) for m in "xy"}).save(tmp_path / "pool")
    code, text, err = run("theory", tmp_path / "pool", *FAST[2:], "--json")
    assert (code, err) == (0, "")
    assert list(json.loads(text)) == THEORY[:-1]


def test_accuracy_is_shown_beside_all_that_is_known(run, tmp_path):
    answers = {(m, f"q{q}"): list("aabb" if q % 2 else "aaab") for q in range(6) for m in "xy"}
    tokens = [length for q in range(6) for length in (*(10, 20, 30, 40), *(1, 2, 3, 4))]
    pool = make_pool(answers, output_tokens=tokens)
    pool.save(tmp_path / "pool")
    (tmp_path / "prices.toml").write_text(
        "date = 2026-11-01\n[models.x]\ninput = 0\noutput = 10\n[models.y]\ninput = 0\noutput = 50\n"
    )
    command = ("theory", tmp_path / "pool", *FAST[2:], "--models", "x+y", "--budgets", "2,4")
    code, text, err = run(*command, "--prices", tmp_path / "prices.toml", "--json")
    assert (code, err) == (0, "")
    each, spent = (pd.DataFrame(json.loads(text)[name]) for name in SPENT)
    cost = each[each["quantity"] == "cost"].set_index("model")
    assert cost["mean"].to_dict() == pytest.approx({"x": 250e-6, "y": 125e-6})
    assert cost["ratio"].tolist() == [2, 1]
    assert spent["strategy"].tolist() == ["sc:x"] * 2 + ["sc:y"] * 2 + ["ms:x+y"] * 2
    assert spent["tokens"].tolist()[:4] == pytest.approx([25, 50, 2.5, 5])
    assert spent["cost"].tolist()[:4] == pytest.approx([250e-6, 500e-6, 125e-6, 250e-6])
    assert "latency" not in spent
    _, text, _ = run(*command)
    assert "spending: accuracy beside what was spent per question, as means: samples_used, tokens\n" in text
    _, text, _ = run(*command, "--price", "x=2", "--price", "y=1", "--json")
    assert pd.DataFrame(json.loads(text)["spending"])["cost"].tolist()[:4] == [2, 4, 1, 2]


def test_extrapolation_is_a_table_of_all_models(run, tmp_path):
    answers = {(m, f"q{q}"): list("a" * (q % 5 * 4) + "b" * (16 - q % 5 * 4)) for q in range(6) for m in "xy"}
    pool = make_pool(answers)
    pool.save(tmp_path / "pool")
    arguments = ("theory", tmp_path / "pool", *FAST[2:], "--models", "y+x", "--budgets", "2", "--seed", 3)
    _, text, err = run(*arguments, "--extrapolate", "16,64", "--json")
    assert err == ""
    tables = json.loads(text)
    assert list(tables) == [*THEORY, "extrapolation"]
    wanted = [
        theory.extrapolate(pool, model, [16, 64], quantity=quantity, n_resamples=20, seed=3)
        for model in "yx"
        for quantity in ("pass", "maj")
    ]
    read = pd.DataFrame(tables["extrapolation"])
    pd.testing.assert_frame_equal(read, pd.concat(wanted, ignore_index=True), check_dtype=False, rtol=1e-12)
    _, text, _ = run(*arguments, "--extrapolate", "16,64")
    table = text[text.index("extrapolation: pass@k") :]
    assert [line.split()[6] for line in table.splitlines() if line.split()[:1] in (["x"], ["y"])] == [
        "exact",
        "extrapolated",
    ] * 4
    assert max(map(len, table.splitlines())) <= 130


def test_synthetic_pools_are_named_above_every_table(run, tmp_path):
    pool = clustered()
    pool.from_frame(pool.to_frame(), info={"synthetic": True}).save(tmp_path / "pool")
    code, text, _ = run("theory", tmp_path / "pool", *FAST[2:], "--budgets", "2")
    assert code == 0
    assert text.count("SYNTHETIC DATA") == 5


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nowhere.parquet",), "nowhere.parquet does not exist"),
        (("POOL", "--models", "x+w"), "no model 'w' in this pool"),
        (("POOL", "--models", "x+x"), "models: ['x', 'x'] repeats a model. Name each model once."),
        (("POOL", "--budgets", "x"), "Use integers from 1 to 100000, e.g. 2,4,8 or 1-16."),
        (("POOL", "--budgets", "200"), "needs 67 samples of model"),
        (("POOL", "--n-replays", "0"), "--n-replays: 0 is out of range. Use an integer from 1"),
        (("POOL", "--resamples", "0"), "--resamples: 0 is out of range. Use an integer from 1"),
        (("POOL", "--clusters", "topics"), "clusters: no column 'topics'. Did you mean 'topic'"),
        (("POOL", "--confidence-level", "95"), "is not between 0 and 1"),
        (("POOL", "--min-samples", "99"), "--min-samples: 99 leaves no questions: "),
        (("POOL", "--tokens", "input"), "--tokens: 'input' is not valid. Choose from 'all', 'output'"),
        (("POOL", "--price", "x=1"), "--price: model 'y' has no price"),
        (("POOL", "--extrapolate", "x"), "--extrapolate: 'x' is not a list of budgets"),
        (("POOL", "--extrapolate", "64", "--resamples", "9"), "--resamples: 9 is out of range. Use an integer from 20"),
    ],
)
def test_bad_input_to_theory_is_one_line(run, pool_path, arguments, says):
    given = [pool_path if a == "POOL" else a for a in arguments]
    test_cli.bad(run("theory", *given[:1], *FAST, *given[1:]), says)
