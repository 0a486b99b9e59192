"""The published numbers: what the article claims follows from them or is said not to, and none was lost."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from analysis import published
from analysis.published import (
    claims,
    consistency_bins,
    curves,
    dataset,
    datasets,
    disagreements,
    first_agreement,
    not_multiples,
    pair,
    point,
    points,
    saved,
    weights,
)
from mssim import MssimError
from tests.conftest import SHARED

MINI, FLASH, HAIKU = "GPT-4o mini", "Gemini 1.5 Flash", "Claude 3 Haiku"
FILE = json.loads(published._FILE.read_text(encoding="utf-8"))
SIX = ["GSM8K", "MATH", "MathBench", "MGSM", "DATE", "MMLU-Pro"]


# What the article claims ----------------------------------------------------------------------------------------------


def both(name):
    claim = next(claim for claim in claims() if claim["claim"] == name)
    return point(**claim["a"]), point(**claim["b"]), claim["says"]


def test_fourteen_times_fewer_samples():
    a, b, says = both("14 times fewer samples")
    assert (a["accuracy"], a["samples_used"], b["accuracy"], b["samples_used"]) == (0.81, 35, 0.798, 512)
    assert int(b["samples_used"] / a["samples_used"]) == says["times_fewer"] == 14
    assert round(100 * saved(a["samples_used"], b["samples_used"])) == says["saved"] == 93
    # With 64 samples the single model was as accurate as with 512.
    assert curves("fig1", "MATH")[FLASH][64] == b["accuracy"]


def test_ten_times_fewer_samples():
    a, b, says = both("10 times fewer samples")
    assert (a["accuracy"], a["samples_used"], b["accuracy"], b["samples_used"]) == (0.75, 48, 0.7367, 512)
    assert int(b["samples_used"] / a["samples_used"]) == says["times_fewer"] == 10
    assert curves("fig1", "MathBench")["Gemma-2-9B-it"][256] == b["accuracy"]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("+7 points from 1 to 16 samples", 7.0),
        ("+2.6 points from 1 to 16 samples", 2.66),
        ("+1 point from 1 to 16 samples", 1.0),
        ("a reward model adds 4 points", 4.0),
    ],
)
def test_gains_in_points(name, found):
    a, b, says = both(name)
    assert 100 * (a["accuracy"] - b["accuracy"]) == pytest.approx(found)
    assert says["difference"] == pytest.approx(found, abs=0.1)


def test_the_reward_model_is_credited_with_more_samples_too():
    a, b, says = both("a reward model adds 4 points, at equal samples used")
    assert says == {}
    assert a["samples_used"] == b["samples_used"] == 16
    assert 100 * (a["accuracy"] - b["accuracy"]) == pytest.approx(4.67)
    _, start, _ = both("a reward model adds 4 points")
    assert start["samples_used"] == 10.1


def mean_saved(figure, budget, closed=True):
    frame = points(figure=figure, strategy="ModelSwitch", budget=budget)
    frame = frame[frame["models"].str.contains(MINI) == closed]
    assert sorted(frame["dataset"]) == sorted(SIX)
    return round(100 * saved(frame["samples_used"], frame["budget"]).mean(), 1)


def test_of_all_means_of_six_data_sets_one_is_the_34_percent_saved_of_the_article():
    closed = {("table3", 32): 34.8, ("fig4", 4): 40.4, ("fig4", 8): 35.6, ("fig4", 12): 33.9, ("fig4", 16): 36.5}
    assert {(figure, budget): mean_saved(figure, budget) for figure, budget in closed} == closed
    says = next(claim["says"] for claim in claims() if claim["claim"] == "34 % saved on average")
    assert [at for at, mean in closed.items() if round(mean) == says["saved"]] == [("fig4", 12)]
    opened = {("table3", 32): 15.8} | {("fig4-open", b): m for b, m in ((4, 27.1), (8, 18.3), (12, 14.2), (16, 20.0))}
    assert {(figure, budget): mean_saved(figure, budget, closed=False) for figure, budget in opened} == opened


def test_what_is_used_implies_how_often_the_first_of_two_models_agreed():
    frame = points(figure=["fig4", "fig4-open", "table3"], strategy="ModelSwitch")
    rate = first_agreement(frame["samples_used"], frame["budget"])
    assert rate.between(0, 1).all()
    half = frame["budget"] / 2
    assert frame["samples_used"].to_numpy() == pytest.approx((rate * half + (1 - rate) * 2 * half).to_numpy())
    assert saved(frame["samples_used"], frame["budget"]).to_numpy() == pytest.approx(rate.to_numpy() / 2)


@pytest.mark.parametrize("claim", claims(), ids=lambda claim: claim["claim"])
def test_every_claim_names_its_source_and_its_numbers(claim):
    assert claim["source"] in FILE["sources"]
    assert ("a" in claim and "b" in claim) != ("figures" in claim)
    assert set(claim.get("figures", [])) <= set(FILE["figures"])
    for number in claim["says"].values():
        assert str(number) in claim["text"]


# Where it disagrees with itself ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("record", disagreements(), ids=lambda record: f"{record['quantity']} {record['a']}")
def test_every_disagreement_is_one(record):
    a, b = point(**record["a"]), point(**record["b"])
    values = a[record["quantity"]], b[record["quantity"]]
    assert not any(pd.isna(value) for value in values)
    assert values[0] != values[1]
    if record["quantity"] == "models":
        assert a["accuracy"] == b["accuracy"]
    if record["quantity"] == "accuracy":
        assert abs(values[0] - values[1]) > 0.0005  # more than rounding to a tenth of a point


def same_quantity():
    """All published numbers that should be equal: the same strategy, models and budget on the same data set."""
    frame = points(kind="experiment")
    alone = (frame["n_models"] == 1) & frame["strategy"].isin(["ModelSwitch", "single"])
    frame["strategy"] = frame["strategy"].mask(alone, "SC")
    frame["budget"] = frame["budget"].fillna(frame["figure"].str.contains("check").map({True: 15.0, False: np.nan}))
    frame["open"] = (frame["models"] == "") & frame["figure"].str.contains("open")
    return frame.groupby(["dataset", "strategy", "models", "budget", "open"])


@pytest.mark.parametrize(("column", "rounding"), [("accuracy", 0.000501), ("samples_used", 0.0501)])
def test_no_disagreement_is_left_out(column, rounding):
    listed = [record for record in disagreements() if record["quantity"] == column]
    pairs = [{float(point(**record[side])[column]) for side in "ab"} for record in listed]
    n = 0
    for _, part in same_quantity():
        values = sorted(part[column].dropna().unique())
        apart = {v for i, v in enumerate(values) if i == 0 or v - values[i - 1] > rounding}
        if len(apart) > 1:
            n += 1
            assert apart == {v for found in pairs if found <= apart for v in found}, part
    assert n == {"accuracy": 20, "samples_used": 2}[column]


def test_printed_accuracies_are_shares_of_the_questions():
    """Rounded to the digits that are printed; those that are not are listed, and no others."""
    frame = points(kind="experiment").dropna(subset=["accuracy"])
    frame["questions"] = frame["dataset"].map(lambda name: dataset(name)["n"])
    frame = frame.dropna(subset=["questions"])
    percent = (100 * frame["accuracy"]).round(6)
    digits = percent.map(lambda value: len(f"{value:g}".partition(".")[2]))
    nearest = 100 * (percent / 100 * frame["questions"]).round() / frame["questions"]
    odd = frame[(nearest - percent).abs() > 0.5 * 10.0**-digits + 1e-9]
    listed = [point(**{k: v for k, v in record.items() if k != "why"}) for record in not_multiples()]
    assert len(frame) > 500
    assert sorted(odd.index) == sorted(row.name for row in listed)


def test_one_and_two_samples_give_the_same_accuracy():
    """Ties go to the answer seen first, so the second of two samples changes nothing."""
    frame = points(strategy="SC", budget=[1, 2], kind="experiment")
    frame = frame[frame["figure"] != "article"]
    found = frame.pivot_table("accuracy", ["dataset", "models"], "budget", aggfunc=["min", "max"])
    assert (found["min"] == found["max"])[1].all()
    twice = found["min"].dropna()
    assert len(twice) == 7
    assert (twice[1] == twice[2]).all()


def test_other_rules_of_the_numbers():
    frame = points()
    assert frame["accuracy"].dropna().between(0, 1).all()
    assert frame["saved"].dropna().between(0, 1).all()
    assert (frame["accuracy"].notna() | frame["samples_used"].notna()).all()
    assert (frame["samples_used"] <= frame["budget"])[frame["budget"].notna() & frame["samples_used"].notna()].all()
    assert set(frame["source"]) <= set(FILE["sources"])
    assert set(frame["dataset"]) <= set(datasets())
    assert set(frame["kind"]) == {"experiment", "theory"}
    best = FILE["datasets"]["MathBench"]["ceiling"]
    assert 100 * frame.loc[frame["dataset"] == "MathBench", "accuracy"].max() < best
    assert best == pytest.approx(100 * (1 - dataset("MathBench")["gold_fractions"] / 300), abs=0.005)


# The file -------------------------------------------------------------------------------------------------------------


def test_one_record_a_line_and_every_source_used():
    text = published._FILE.read_text(encoding="utf-8")
    for part in ("points", "claims", "disagreements", "weights", "pairs", "not_multiples", "consistency_bins"):
        for record in FILE[part]:
            assert json.dumps(record, ensure_ascii=False) in text
    named = re.findall(r'"source": "([^"]+)"', text)
    assert set(named) | {"datasets"} == set(FILE["sources"])


def numbers(value):
    if isinstance(value, dict):
        return {n for part in value.values() for n in numbers(part)} | numbers(list(value))
    if isinstance(value, list):
        return {n for part in value for n in numbers(part)}
    if isinstance(value, str):
        return {float(n) for n in re.findall(r"\d+(?:\.\d+)?", value)}
    return set() if value is None or isinstance(value, bool) else {float(value)}


@pytest.fixture(scope="module")
def original():
    path = SHARED / "paper" / "published.json"
    if not path.is_file():
        pytest.skip("the file that the numbers were taken from is not beside the checkout")
    return json.loads(path.read_text(encoding="utf-8"))


def without_derived(value):
    if isinstance(value, dict):
        derived = re.compile(r"saved(_mean)?_pct$|implied|average_saved_pct")
        return {k: without_derived(v) for k, v in value.items() if k == "cost_saved_pct" or not derived.search(k)}
    return [without_derived(v) for v in value] if isinstance(value, list) else value


def test_every_number_is_somewhere(original):
    words = {"_about", "note", "shows", "statement", "derived_fields"}
    kept = {k: {a: b for a, b in v.items() if a not in words} for k, v in original.items() if k not in words}
    assert numbers(without_derived(kept)) - numbers(FILE) == set()


def accuracies(**where):
    return (100 * points(**where)["accuracy"]).round(6).tolist()


def same_curves(block, figure, name):
    for model, curve in block.items():
        found = curves(figure, name)[model]
        assert {str(b): round(100 * a, 6) for b, a in found.items()} == curve


def same_switch(rows, figure, name):
    found = points(figure=figure, dataset=name, strategy="ModelSwitch")
    assert (100 * found["accuracy"]).round(6).tolist() == [row["acc"] for row in rows]
    assert found["samples_used"].tolist() == [row["samples_used"] for row in rows]
    assert found["budget"].fillna(0).tolist() == [row.get("budget") or 0 for row in rows]


def test_curves_are_where_they_were(original):
    first = original["fig1_scaling_512"]
    panels = [("fig1", "MATH", first["MATH"]), ("fig1", "MathBench", first["MathBench"])]
    panels += [("fig1-earlier", "DATE", first["DATE_earlier_panel"])]
    panels += [("fig4", name, block) for name, block in original["fig4_closed_vs_SC"]["datasets"].items()]
    panels += [("fig4-open", name, block) for name, block in original["fig_open_vs_SC"]["datasets"].items()]
    assert len(panels) == 15
    for figure, name, block in panels:
        same_curves(block["SC"], figure, name)
        switch = next(rows for key, rows in block.items() if key.startswith("ModelSwitch"))
        if figure == "fig1":  # the star has no budget
            same_switch(switch, figure, name)
            assert points(figure=figure, dataset=name, strategy="ModelSwitch")["note"].notna().sum() == 1
        elif figure == "fig4":
            same_switch(switch, figure, name)
        for model, accuracy in block["single_sample_lines"].items():
            assert accuracies(figure=figure, dataset=name, strategy="single", models=model) == [accuracy]


def test_earlier_curves_are_where_they_were(original):
    n = 0
    for kind, figure in (("closed", "fig4-earlier"), ("open", "fig4-open-earlier")):
        for name, block in original["earlier_vs_SC_1_6_10_16"][kind].items():
            for label, values in block.items():
                if label == "ModelSwitch_mean_samples":
                    used = points(figure=figure, dataset=name, strategy="ModelSwitch", budget=[6, 10, 16])
                    assert used["samples_used"].tolist() == list(values.values())
                    continue
                where = {"strategy": label} if label == "ModelSwitch" else {"models": label}
                found = points(figure=figure, dataset=name, **where)
                assert (100 * found["accuracy"]).round(6).tolist() == np.atleast_1d(values).tolist()
                assert found["budget"].tolist() == ([1, 6, 10, 16] if isinstance(values, list) else [1])
                n += 1
    assert n == 6 * 5 + 6 * 4


def test_bars_are_where_they_were(original):
    tables = [("fig5", original["fig5_vs_debate_closed"]["table"]), ("fig5-open", original["fig_vs_MOA_open"]["table"])]
    for figure, table in tables:
        for label, row in table.items():
            strategy = label.split(" (")[0].replace("Best", "best")
            for name, accuracy in row.items():
                name = "MATH(700)" if (figure, name) == ("fig5-open", "MATH") else name
                assert accuracies(figure=figure, dataset=name, strategy=strategy) == [accuracy]
    block = original["fig_theory_vs_experiment"]
    for budget in (10, 16):
        for kind in ("experiment", "theory"):
            frame = points(figure="theory", budget=budget, kind=kind)
            found = frame["models"].where(frame["strategy"] == "SC", "ModelSwitch")
            assert dict(zip(found, (100 * frame["accuracy"]).round(6), strict=True)) == block[f"budget_{budget}"][kind]
    for kind in ("closed", "open"):
        for name, used in original["table3_savings"][f"{kind}_samples_used"].items():
            assert used in points(figure="table3", dataset=name)["samples_used"].tolist()


def test_numbers_of_models_and_rewards_are_where_they_were(original):
    block = original["fig6_number_and_order"]
    for name in ("MathBench", "DATE"):
        for order, key in (("order_strong_to_weak", "1"), ("order_open_first", "2")):
            models = block[order]
            for n, accuracy in block[name][f"ModelSwitch_order{key}"].items():
                where = {"figure": "fig6", "dataset": name, "strategy": "ModelSwitch"}
                assert accuracies(**where, models="+".join(models[: int(n)])) == [accuracy]
            for model, accuracy in zip(models, block[name][f"single_bars_order{key}"], strict=True):
                assert accuracies(figure="fig6", dataset=name, strategy="single", models=model) == [accuracy]
    strategies = ["SC", "best of N", "ModelSwitch", "ModelSwitch + best of N"]
    for strategy, curve in zip(strategies, original["fig7_reward_model"]["MathBench"].values(), strict=True):
        frame = points(figure="fig7", strategy=strategy)
        assert frame["samples_used"].tolist() == [float(x) for x in curve]
        assert (100 * frame["accuracy"]).round(6).tolist() == list(curve.values())


def test_weights_and_bins_are_where_they_were(original):
    block = original["weights_external"]
    names = {"gpt-4o-mini": MINI, "gemini": FLASH, "claude": HAIKU}
    for name, given in block["released_budget15"]["W_beta"].items():
        order = [names[model] for model in block["released_budget15"]["model_order"][name].split(",")]
        assert weights(name) == dict(zip(order, given, strict=True))
        assert list(weights(name)) == order
        assert pair(name, "closed") == tuple(order[:2])
    for form in ("older_full", "older_efficient"):
        found = sorted(record["prior"] for record in FILE["weights"] if record["form"] == form.replace("_", " "))
        assert found == sorted(given for name, given in block[form].items() if name != "source")
    bins = original["fig3_correlation"]["earlier_binned_form_GSM8K"]
    found = consistency_bins()
    for model in (FLASH, MINI):
        rows = found[found["model"] == model]
        assert dict(zip(rows["weight"], rows[["right", "questions"]].to_numpy().tolist(), strict=True)) == bins[model]
        assert rows["questions"].sum() == dataset("GSM8K")["n"]


# The reader -----------------------------------------------------------------------------------------------------------


def test_points_are_rows_and_the_reader_is_not_changed_through_them():
    frame = points(figure="fig4", dataset="MATH", strategy="SC")
    assert frame["models"].unique().tolist() == [MINI, FLASH]
    assert frame["samples_used"].tolist() == frame["budget"].tolist() == [1, 4, 8, 12, 16] * 2
    frame["accuracy"] = 0
    assert point(figure="fig4", dataset="MATH", models=FLASH, budget=16, strategy="SC")["accuracy"] == 0.788
    assert len(points(figure="fig4", dataset="MATH(700)")) == 0  # known names, not published together
    dataset("MATH")["n"] = 1
    claims()[0]["claim"] = ""
    assert dataset("MATH")["n"] == sum(dataset("MATH")["levels"].values()) == 500
    assert claims()[0]["claim"]


def test_the_order_of_a_team_is_that_of_the_first_models():
    frame = points(figure="fig6", dataset="DATE", strategy="ModelSwitch", n_models=2)
    assert frame["models"].tolist() == [f"{MINI}+{FLASH}", "Gemma-2-9B-it+Llama-3.1-8B-Instruct"]


def test_pairs():
    assert pair("MGSM", "closed") == (FLASH, MINI)
    for name in SIX:
        for kind, figure in (("closed", "fig4"), ("open", "fig4-open")):
            assert sorted(curves(figure, name)) == sorted(pair(name, kind))
            switch = points(figure=figure, dataset=name, strategy="ModelSwitch")["models"].unique()
            assert switch.tolist() == ["+".join(pair(name, kind))]


def test_weights_that_name_no_models():
    assert weights("MATH(700)", form="older full") == {"1": 5, "2": 3, "3": 2}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: points(data="MATH"), "no column 'data' of published numbers. Did you mean 'dataset'"),
        (lambda: points(dataset="MATHS"), "dataset: no published number has 'MATHS'. Did you mean 'MATH'"),
        (lambda: points(strategy=["SC", "Best"]), "strategy: no published number has 'Best'"),
        (lambda: points(budget=5), "budget: no published number has 5. Choose from"),
        (
            lambda: point(figure="fig4", strategy="SC"),
            "matches 60 published numbers. Use conditions that match exactly one",
        ),
        (lambda: point(figure="fig4", dataset="MATH(700)"), "matches 0 published numbers"),
        (lambda: dataset("GSM"), "no data set 'GSM'. Did you mean 'MGSM' or 'GSM8K'"),
        (lambda: pair("MATH", "opened"), "no pair 'opened'. Did you mean 'open'"),
        (lambda: pair("AIME24", "closed"), "no closed pair on the data set 'AIME24'. Choose from"),
        (lambda: weights("AIME24"), "no released weights for the data set 'AIME24'. Choose from"),
        (lambda: weights("MATH", form="new"), "no form of weights 'new'. Choose from"),
        (lambda: curves("fig44", "MATH"), "figure: no published number has 'fig44'"),
    ],
)
def test_what_is_not_there_is_refused(call, message):
    with pytest.raises(MssimError, match=message):
        call()


def test_lists_of_different_lengths_are_refused():
    record = {"figure": "fig4", "strategy": "SC", "models": ["x"], "budget": [1, 2], "accuracy": [3]}
    with pytest.raises(MssimError, match=r"lists of different lengths .* need one value per point"):
        list(published._expanded(record))
