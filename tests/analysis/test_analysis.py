"""Every analysis says what the library says when it is asked directly."""

import runpy
import sys

import numpy as np
import pandas as pd
import pytest

from analysis import __main__ as command_line
from analysis import (
    consistency,
    equal_budget,
    extrapolation,
    number_and_order,
    predictions,
    published,
    reward,
    running,
    savings,
    scaling,
    simulated,
    theory,
    weights,
)
from analysis.options import plain_errors
from analysis.sources import Source, embedded, named
from mssim import ModelSwitch, MssimError, Pool, PoolError, SelfConsistency, Vote, evaluate, tune
from mssim.results.bands import mean_band
from mssim.simulate import AnswerModel
from mssim.theory import consistency as correlate
from mssim.theory import extrapolate
from tests.analysis import stand_ins

pytestmark = pytest.mark.slow


def drawn(models=("x", "y", "z"), n_questions=60, n_samples=20, **options):
    model = AnswerModel(models, 0.2, 0.8, 0.9, 1.5, correlation=0.6, shared_distractors=0.5, separation=1.0)
    pool = model.draw(n_questions, n_samples, seed=5)
    return Source("drawn", "drawn (simulated)", tuple(models), pool.fingerprint, lambda: pool, **options)


SOURCE = drawn()
DEMO = named("tests/demo-synthetic")


def rows(frame, **where):
    for column, value in where.items():
        frame = frame[frame[column] == value]
    return frame


def assert_bands(found, expected):
    assert found[["band_low", "band_high"]].to_numpy().tolist() == expected[["low", "high"]].to_numpy().tolist()


def test_scaling_doubles_as_far_as_was_recorded():
    frame = scaling.run(SOURCE, n_replays=50)
    assert set(frame["source"]) == {"drawn"}
    assert frame["synthetic"].all()
    assert rows(frame, strategy="x")["budget"].tolist() == [1, 2, 4, 8, 16]
    assert rows(frame, strategy="ModelSwitch")["budget"].tolist() == [2, 4, 8, 16, 32]
    strict = evaluate(SOURCE.pool, "ms:x+y,agreement=0.85,strict=true", [2, 4, 8, 16, 32], n_replays=50)
    found, expected = rows(frame, strategy=scaling.STRICT), strict.to_frame()
    assert found["accuracy"].tolist() == expected["accuracy"].tolist()
    assert found["samples_used"].tolist() == expected["samples_used"].tolist()
    assert_bands(found, strict.to_frame(band="simultaneous"))
    assert (found["band_low"] < found["low"]).all()
    alone = scaling.run(drawn(["x"]), n_replays=50)
    assert set(alone["strategy"]) == {"x"}


def test_equal_budgets_are_compared_with_the_best_model_alone():
    frame = equal_budget.run(SOURCE, n_replays=100)
    strategies = {"x": SelfConsistency("x"), "y": SelfConsistency("y"), "ms": ModelSwitch(["x", "y"])}
    direct = evaluate(SOURCE.pool, strategies, [8], n_replays=100)
    best = max("xy", key=lambda name: direct.accuracy[list(strategies).index(name), 0].mean())
    compared = direct.compare("ms", best, budget=8)
    one = evaluate(SOURCE.pool, "sc:x", equal_budget.BUDGETS).to_frame(band="simultaneous")
    assert_bands(rows(frame, strategy="x"), one)
    row = rows(frame, strategy="ModelSwitch", budget=8).iloc[0]
    assert row["control"] == best
    found = row[["difference", "difference_low", "difference_high"]].astype(float).to_numpy()
    assert found == pytest.approx([compared.difference, compared.low, compared.high])
    assert rows(frame, strategy=best)["difference"].isna().all()
    itself = rows(frame, strategy=equal_budget.SELF)
    assert (itself["samples_used"] <= itself["budget"]).all()
    assert rows(itself, budget=16)["samples_used"].item() < 16


def test_three_models_use_the_released_weights():
    released = published.weights("MMLU-Pro")
    source = drawn(tuple(released), dataset="MMLU-Pro", pair="closed")
    frame = equal_budget.three_models(source, n_replays=100)
    vote = Vote.entropy(prior=tuple(released.values()))
    direct = evaluate(source.pool, ModelSwitch(source.models, vote=vote), [15], n_replays=100).to_frame()
    assert rows(frame, strategy="ModelSwitch")["accuracy"].item() == direct["accuracy"].item()
    single = evaluate(source.pool, [f"sc:{model}" for model in source.models], [1, 15]).to_frame()
    assert rows(frame, strategy="one sample")["accuracy"].item() == rows(single, budget=1)["accuracy"].max()
    assert rows(frame, strategy="Self-Consistency")["accuracy"].item() == rows(single, budget=15)["accuracy"].max()
    plain = equal_budget.three_models(drawn(tuple(released)), n_replays=100)
    assert rows(plain, strategy="ModelSwitch")["accuracy"].item() != direct["accuracy"].item()


def test_models_join_in_both_orders():
    frame = number_and_order.run(SOURCE, n_replays=100)
    assert rows(frame, order="strong first")["added"].tolist() == ["x", "y", "z"]
    assert rows(frame, order="weak first")["added"].tolist() == ["z", "y", "x"]
    assert ((frame["band_low"] < frame["low"]) & (frame["high"] < frame["band_high"])).all()
    listed = ["sc:x", "ms:x+y,test_last=false", "ms:x+y+z,test_last=false"]
    teams = evaluate(SOURCE.pool, listed, [16], n_replays=100)
    low, high = mean_band(teams.accuracy[:, 0], band="simultaneous")
    strong = rows(frame, order="strong first")
    assert (strong["band_low"].tolist(), strong["band_high"].tolist()) == (low.tolist(), high.tolist())
    team = evaluate(SOURCE.pool, "ms:z+y,test_last=false", [16], n_replays=100).to_frame()
    assert rows(frame, order="weak first", n_models=2)["accuracy"].item() == team["accuracy"].item()
    alone = evaluate(SOURCE.pool, "sc:y", [1]).to_frame()
    assert set(rows(frame, added="y")["alone"]) == {alone["accuracy"].item()}
    six = simulated.team("DATE", simulated.six_models())
    assert list(number_and_order.orders(six)) == ["closed first", "open first"]
    assert sorted(number_and_order.orders(six)["open first"]) == sorted(six.models)


def test_weights_are_compared_and_the_best_are_scored_elsewhere():
    frame = weights.run(SOURCE, n_replays=100, n_runs=10)
    default = rows(frame, part="default").iloc[0]
    assert default["budget"] == 15
    row = rows(frame, part="prior", setting="2/1/1").iloc[0]
    direct = evaluate(SOURCE.pool, "ms:x+y+z,prior=2/1/1", [15], n_replays=100).to_frame()
    assert row["accuracy"] == direct["accuracy"].item()
    assert row["difference"] == pytest.approx(row["accuracy"] - default["accuracy"])
    best = rows(frame, setting="best")
    assert best["part"].tolist() == ["within", "prior", "agreement", "switch"]
    assert best["optimism"].to_numpy() == pytest.approx((best["in_sample"] - best["held_out"]).to_numpy())
    some = {"default": ModelSwitch(SOURCE.models)} | {
        f"a{share}": ModelSwitch(SOURCE.models, agreement=share) for share in weights.AGREEMENT
    }
    tuned = tune(SOURCE.pool, some, [15], limits=[15], spend="budget", n_runs=10).to_frame()
    assert rows(best, part="agreement")["in_sample"].item() == tuned["in_sample"].item()
    assert weights.run(drawn(("x", "y")), n_replays=20, n_runs=3)["setting"].isin(["2/1"]).any()


def test_reward_models_choose_where_there_are_scores():
    frame = reward.run(SOURCE, n_replays=100)
    switch = evaluate(SOURCE.pool, "ms:x+y,vote=best_of_n", [8], n_replays=100).to_frame()
    assert rows(frame, strategy=reward.SWITCH_BEST, budget=8)["accuracy"].item() == switch["accuracy"].item()
    one = evaluate(SOURCE.pool, "sc:x", equal_budget.BUDGETS).to_frame(band="simultaneous")
    assert_bands(rows(frame, strategy="x"), one)
    gain = rows(frame, strategy=reward.BEST, budget=16)["accuracy"].item()
    assert gain > rows(frame, strategy="x", budget=16)["accuracy"].item() + 0.05
    with pytest.raises(PoolError, match=r"no column 'score', which best-of-N requires. Record"):
        reward.run(DEMO)


def test_consistency_is_that_of_theory():
    frame = consistency.run(SOURCE)
    direct = correlate(SOURCE.pool, SOURCE.models).to_frame()
    pd.testing.assert_frame_equal(frame.drop(columns=["source", "synthetic"]), direct)
    points = consistency.points(SOURCE)
    r = rows(direct, model="y", version="same samples", statistic="pearson")["r"].item()
    some = rows(points, model="y")
    assert np.corrcoef(some["entropy"], some["accuracy"])[0, 1] == pytest.approx(r)


def test_savings_are_those_of_evaluate():
    frame = savings.run(SOURCE)
    for n, text in ((2, "ms:x+y"), (3, "ms:x+y+z")):
        some = rows(frame, n_models=n)
        direct = evaluate(SOURCE.pool, text, some["budget"].tolist(), n_replays=10).to_frame()
        assert some["samples_used"].to_numpy() == pytest.approx(direct["samples_used"].to_numpy())
    assert rows(frame, n_models=3)["budget"].min() == 4


# Theory against experiment, on all pools ------------------------------------------------------------------------------


def theory_agrees(source, *, replays=1000):
    frame = theory.run(source, n_replays=replays)
    keys = ["strategy", "budget"]
    found = {way: part.set_index(keys) for way, part in frame.groupby("way")}
    exact = found[theory.EXACT]["accuracy"]
    # Every interval is 95 %, 1.96 errors: 5.5 errors, beyond which is one case in 26 million, are 2.8 times as wide.
    for way in (theory.REPLAYS, theory.PASS):
        half = (found[way]["high"] - found[way]["low"]) / 2
        off = (found[way]["accuracy"] - exact).abs()
        clipped = (found[way]["high"] == 1) | (found[way]["low"] == 0)
        assert (off <= 5.5 / 1.96 * half + 1e-9)[~clipped].all(), (source.name, way)
    assert (found[theory.EXACT]["low"] == exact).all()
    budgets = frame["budget"].unique().tolist()
    infinite = evaluate(
        source.pool, f"sc:{source.models[0]}", budgets, method="monte_carlo", replacement=True, n_replays=replays
    ).to_frame()
    law = found[theory.INFINITE].loc[source.models[0]]["accuracy"].to_numpy()
    assert (np.abs(infinite["accuracy"] - law) <= 5.5 * infinite["mc_error"] + 1e-9).all()


def test_theory_is_replayed_on_the_pools_that_ship():
    for source in embedded():
        theory_agrees(source)


@pytest.mark.parametrize("kind", list(simulated.PAIRS))
@pytest.mark.parametrize("dataset", simulated.DATASETS)
def test_theory_is_replayed_on_simulated_pools(dataset, kind):
    models = published.pair(dataset, kind)
    answer_model = simulated.fitted(dataset, kind).answer_model
    pool = answer_model.draw(100, 20, seed=1)
    theory_agrees(Source("fitted", "fitted (simulated)", models, pool.fingerprint, lambda: pool), replays=300)
    assert_as_shipped(predictions._fitted(dataset, kind))


def test_theory_is_replayed_on_recorded_pools(shared_pools):
    from analysis.sources import named

    with pytest.warns(UserWarning, match="no answer"):
        exam = named(shared_pools / "exam-nine-models" / "samples.parquet", where={"temperature": 1.0})
    theory_agrees(exam)


# Predictions ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def predicted():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulated, "DATASETS", ("MATH", "MMLU-Pro"))
        return predictions.run()


def assert_as_shipped(made):
    """The table that ships has these rows, to a hundredth of a point."""
    shipped, keys = pd.read_csv("figures/predictions.csv").fillna({"rule": "", "note": ""}), predictions._COLUMNS[:7]
    assert shipped.columns.tolist() == predictions._COLUMNS
    found = made[keys].merge(shipped, "left", keys, validate="one_to_one")
    numbers = ["published", "ours", "residual", "error", "naive"]
    np.testing.assert_allclose(found[numbers].astype(float), made[numbers].astype(float), rtol=1e-4, atol=2e-5)
    for column in ("fits", "note"):
        assert found[column].tolist() == made[column].tolist()


def test_the_table_that_ships_is_what_is_computed(predicted):
    assert_as_shipped(predicted)
    shipped = pd.read_csv("figures/predictions.csv")
    pairs = shipped[["dataset", "pair"]].drop_duplicates().apply(tuple, axis=1).tolist()
    assert pairs == [(dataset, kind) for kind in simulated.PAIRS for dataset in simulated.DATASETS]
    switched = shipped[shipped["role"] != "fitted"]
    for (dataset, kind), part in switched.groupby(["dataset", "pair"]):
        given = published.points(figure=simulated.PAIRS[kind], dataset=dataset, strategy="ModelSwitch").set_index(
            "budget"
        )
        for quantity, own in part.groupby("quantity"):
            assert own["published"].tolist() == given.loc[own["budget"], quantity].tolist()


def test_predictions_stand_beside_published_numbers(predicted):
    assert (predicted["residual"] == predicted["ours"] - predicted["published"]).all()
    switched = rows(predicted, dataset="MATH", pair="closed", quantity="accuracy", role="predicted")
    assert switched[["budget", "rule"]].apply(tuple, axis=1).tolist() == [
        (4, "either"),
        (12, "either"),
        (16, "unanimity"),
        (16, "> 85 %"),
    ]
    given = published.curves("fig4", "MATH", strategy="ModelSwitch")["Gemini 1.5 Flash+GPT-4o mini"]
    assert [given[budget] for budget in (4, 12, 16, 16)] == switched["published"].tolist()
    assert rows(predicted, role="coupling")["budget"].unique().tolist() == [simulated.COUPLING_BUDGET]
    fitted = rows(predicted, role="fitted")
    assert set(fitted["quantity"]) == {"accuracy", "agreement"}
    assert set(rows(fitted, quantity="agreement")["budget"]) == {4, 8, 12}


def test_predictions_are_near(predicted):
    within_reach = predicted[~predicted["note"].str.startswith("no correlation")]
    accuracy = rows(within_reach, quantity="accuracy", role="predicted")
    assert accuracy["residual"].abs().mean() < 0.015
    assert accuracy["residual"].abs().max() < 0.03
    rates = rows(predicted, quantity="agreement")
    assert rates["residual"].abs().max() < 0.04
    used = rows(predicted, quantity="samples_used").pivot_table(
        index=["dataset", "pair"], columns="rule", values="residual"
    )
    assert (used["> 85 %"].abs() < used["unanimity"].abs()).all()  # what the released code has explains the published


def test_the_table_says_where_the_answer_model_cannot_follow(predicted):
    out_of_reach = predicted[predicted["note"].str.startswith("no correlation")]
    found = set(out_of_reach[["dataset", "pair"]].apply(tuple, axis=1))
    unreached = {
        (dataset, kind)
        for dataset in ("MATH", "MMLU-Pro")
        for kind in simulated.PAIRS
        if not simulated.coupled(dataset, kind).within_reach
    }
    assert found == unreached != set()
    off = predicted[~predicted["fits"]]
    assert (off["note"] != "").all()
    share = rows(off[off["quantity"] != "samples_used"], role="fitted")
    assert (share["residual"].abs() > predictions.TOLERANCE).all()


def test_the_summary_counts_the_rule_of_the_released_code(predicted):
    table = predictions.summary(predicted).set_index(["pair", "quantity", "role"])
    some = predicted[(predicted["rule"] != "unanimity") & (predicted["quantity"] == "accuracy")]
    some = rows(some, pair="closed", role="predicted")
    row = table.loc["closed", "accuracy", "predicted"]
    assert row["numbers"] == 6
    assert row["mean_residual"] == pytest.approx(100 * some["residual"].abs().mean())
    assert row["fits"] == some["fits"].mean()


def test_hidden_samples_are_extrapolated_and_compared():
    source = drawn(["x"], n_questions=40, n_samples=128)
    frame = extrapolation.run(source, n_resamples=20)
    assert frame["quantity"].tolist() == ["pass@k"] * 4 + ["maj@k"] * 4
    assert frame["budget"].tolist() == [32, 64, 128, 128] * 2
    assert frame["n_samples"].tolist() == [16, 16, 16, 64] * 2
    assert set(frame["method"]) == {"extrapolated"}
    pool = source.pool
    for quantity, rule in (("pass@k", "cov:x"), ("maj@k", "sc:x")):
        some = rows(frame, quantity=quantity)
        exact = evaluate(pool, rule, [32, 64, 128]).to_frame()["accuracy"].to_numpy()
        assert some["recorded"].to_numpy() == pytest.approx(exact[[0, 1, 2, 2]])
        known = pool.to_frame().query("sample_index < 16")
        found = extrapolate(Pool.from_frame(known), "x", [32, 64, 128], quantity=quantity[:-2], n_resamples=20)
        same = 1e-9 if quantity == "pass@k" else 0.05  # votes are drawn in the order of classes, which differs
        assert some["accuracy"].to_numpy()[:3] == pytest.approx(found["accuracy"].to_numpy(), abs=same)
    assert frame["error"].to_numpy() == pytest.approx((frame["accuracy"] - frame["recorded"]).to_numpy())
    inside = (frame["low"] <= frame["recorded"] + 1e-9) & (frame["recorded"] <= frame["high"] + 1e-9)
    assert (frame["covered"] == inside).all()
    with pytest.raises(PoolError, match=r"extrapolation: drawn has 20 samples of some question\. Use a pool with 128"):
        extrapolation.run(SOURCE)
    assert set(extrapolation.IN_FILE) < set(frame)


# Running --------------------------------------------------------------------------------------------------------------


def test_every_analysis_runs_by_name():
    for name in running.ANALYSES:
        if name not in ("predictions", "claims", "weights", "extrapolation", "protocols", "live"):
            assert set(running.run(name, [SOURCE])["source"]) == {"drawn"}
    assert set(running.run("protocols", [stand_ins.source("drawn")])["source"]) == {"drawn"}
    with pytest.raises(MssimError, match=r"no analysis 'savigs'\. Did you mean 'savings'"):
        running.run("savigs")
    with pytest.raises(
        MssimError, match=r"--pool: predictions compares with published numbers and uses no pool. Remove --pool"
    ):
        running.run("predictions", [SOURCE])
    with pytest.raises(PoolError, match="no column 'score'"):
        running.run("reward", [DEMO])


def test_without_sources_an_analysis_runs_over_all_that_suit(monkeypatch):
    monkeypatch.setattr(simulated, "paper", lambda _: [SOURCE])
    monkeypatch.setattr(running, "embedded", lambda: [DEMO])
    done = []
    frame = running.run("reward", progress=lambda *numbers: done.append(numbers))
    assert set(frame["source"]) == {"drawn"}  # the other has no scores
    assert done == [(1, 2), (2, 2)]
    assert set(running.run("savings")["source"]) == {"drawn", "demo-synthetic"}
    monkeypatch.setattr(simulated, "paper", lambda _: [])
    with pytest.raises(
        MssimError, match=r"reward: none of the pools in recorded/ has the required data. Name a pool with"
    ):
        running.run("reward")


def test_what_the_command_line_leaves_out_is_in_the_table():
    for name in (
        "scaling",
        "equal_budget",
        "number_and_order",
        "weights",
        "reward",
        "consistency",
        "theory",
        "savings",
    ):
        module = running.find(name)
        columns = set(module.run(drawn(("x", "y"))))
        assert set(module.IN_FILE) < columns, name
    assert set(predictions.IN_FILE) < set(predictions._COLUMNS)
    assert set(running.find("claims").IN_FILE) < set(running.find("claims").COLUMNS)


def test_the_command_line_prints_the_table_and_writes_it(tmp_path, monkeypatch, capfd):
    arguments = ["savings", "--pool", "tests/demo-synthetic", "--models", "strong,weak", "--out", f"{tmp_path / 'o'}"]
    monkeypatch.setattr(sys, "argv", ["analysis", *arguments])
    monkeypatch.delitem(sys.modules, command_line.__name__)
    with pytest.raises(SystemExit) as stop:
        runpy.run_module("analysis", run_name="__main__")
    out, err = capfd.readouterr()
    assert not stop.value.code, err
    assert "samples_used_independent" in out
    assert "n_questions" not in out
    assert out.endswith(f"All columns: {tmp_path / 'o' / 'savings.csv'}\n")
    written = pd.read_csv(tmp_path / "o" / "savings.csv")
    assert written["samples_used"].to_numpy() == pytest.approx(
        savings.run(DEMO).query("n_models == 2")["samples_used"].to_numpy(), rel=1e-5
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["savings", "--pool", "tests/demo-synthetic", "--out", "README.md"],
            "--out: README.md cannot be created (File exists). Choose another folder.",
        ),
        (["savings", "--pool", "tests/demo-synthetic", "--models", "strong,weeak"], "Did you mean 'weak'?"),
        (
            ["savings", "--models", "a,b"],
            "--models, --where: these select from a pool, but no --pool is given. Add --pool PATH",
        ),
        (["nothing"], "no analysis 'nothing'. Choose from 'by_cost'"),
        (["savings", "--pool", "nowhere"], "nowhere"),
    ],
)
def test_bad_input_ends_with_one_line(arguments, message, monkeypatch, capfd):
    monkeypatch.setattr(sys, "argv", ["analysis", *arguments])
    with pytest.raises(SystemExit) as stop:
        plain_errors(command_line.app, "analysis")
    out, err = capfd.readouterr()
    assert (stop.value.code, out) == (2, "")
    assert err.startswith("analysis: error: ")
    assert message in err
    assert err.count("\n") == 1
