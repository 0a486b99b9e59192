"""The pools that ship: complete, as graded, and what their cards say of them."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mssim import evaluate, load_pool
from mssim.grading import parse_rule
from recorded.tiny import card
from recorded.tiny.tasks import TASKS, questions

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
RECORDED = ROOT / "recorded"
MODELS = ("gru-dates", "lstm-times", "tf-even", "tf-plus")


@pytest.fixture(scope="module", params=TASKS)
def task(request):
    return TASKS[request.param]


@pytest.fixture(scope="module")
def folder(task):
    return RECORDED / f"tiny-{task.name}"


@pytest.fixture(scope="module")
def pool(folder):
    return load_pool(folder)  # a warning is an error


@pytest.fixture(scope="module")
def rows(pool):
    return pool.to_frame()


def test_all_was_recorded(pool, task):
    assert pool.models == MODELS
    assert (pool.lengths == 512).all()
    asked = questions(task)
    wanted = [(p.question, p.truth, p.family) for p in asked]
    assert list(pool.questions[["question", "truth", "family"]].itertuples(index=False, name=None)) == wanted
    assert pool.question_ids == [f"{task.name}-{number:03d}" for number in range(len(asked))]


def test_where_it_comes_from(pool):
    info = pool.info
    assert info["licence"] == "MIT"
    assert info["failed_samples"] == 0
    assert "synthetic" not in info
    for name in MODELS:
        assert info["models"][name]["settings"] == {"temperature": 1.0}
        assert info["training"][name]["parameters"] > 0
    assert set(info["training"]) == {*MODELS, "verifier"}
    assert {"mssim", "torch", "python"} <= set(info["versions"])


def test_answers_are_those_of_the_texts(rows, task):
    rule = parse_rule(task.rule)
    texts = rows["text"].fillna(rows["answer"]).fillna("")
    spelled = {text: rule.extract(text) for text in texts.unique()}
    extracted = texts.map(spelled)
    pairs = pd.DataFrame({"extracted": extracted, "answer": rows["answer"]}).dropna().drop_duplicates()
    other = pairs[[rule.key(one) != rule.key(other) for one, other in pairs.itertuples(index=False)]]
    changed = rows[extracted.isin(other["extracted"]) & rows["answer"].isin(other["answer"])]
    # The data card says which texts the rule reads otherwise since the pool was graded.
    assert len(changed) == (17 if task.name == "arithmetic" else 0)
    assert not changed["correct"].any()
    assert (extracted.isna() == rows["answer"].isna()).all()
    assert (rows["correct"] == (rows["answer"] == rows["truth"])).all()
    if task.name == "arithmetic":  # by another way: what stands alone or behind the last =, if it is a number
        different = pd.Series(texts.unique())
        last = texts.map(dict(zip(different, different.str.extract(r"(?:^|=)(-?\d+)$")[0], strict=True)))
        assert last.notna().mean() > 0.99
        assert (last.dropna().map(int) == rows.loc[last.notna(), "answer"].map(int)).all()
    assert not (rows["text"] == rows["answer"]).any()


def test_numbers(rows):
    texts = rows["text"].fillna(rows["answer"]).fillna("")
    assert (rows["output_tokens"] == texts.str.len()).all()
    written = texts != ""
    assert rows.loc[written, "confidence"].notna().all()
    assert (rows["confidence"].dropna() <= 0).all()
    assert np.isfinite(rows["confidence"].dropna()).all()
    answered = rows["answer"].notna()
    assert (rows["score"].notna() == answered).all()
    assert (rows.loc[answered, "score"] <= 0).all()
    assert rows[answered].groupby(["question_id", "answer"])["score"].nunique().max() == 1
    # Right answers are the likelier ones, or there is nothing to choose by.
    means = rows[answered].groupby("correct")[["score", "confidence"]].mean()
    assert (means.loc[True] > means.loc[False]).all()


def test_there_is_something_to_vote_on(pool):
    strategies = [f"sc:{model}" for model in MODELS]
    accuracy = evaluate(pool, strategies, budgets=[1, 64]).accuracy.mean(axis=2)
    assert ((accuracy[:, 0] > 0.3) & (accuracy[:, 0] < 0.8)).all()
    assert (accuracy[:, 1] - accuracy[:, 0] > 0.03).all()


def test_the_card_says_what_the_pool_says(pool, task, folder, rows):
    text = (folder / "README.md").read_text(encoding="utf-8")
    pairs = pairs_of(text)
    assert ALONE.sub("", card.card(folder.name, pool, task, pairs)) == ALONE.sub("", text)
    alone = {model: evaluate(pool, f"sc:{model}", card.BUDGET).accuracy.mean() for model in MODELS}
    best = max(alone, key=alone.get)
    assert ALONE.findall(text) == [f"`{best}` is the best with {alone[best]:.1%}"]
    assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert not pool.warnings()
    numbers_by_other_ways(pool, rows, pairs, text)
    if task.name == "arithmetic":  # ModelSwitch beats both of its models
        assert ((pairs["low_first"] > 0) & (pairs["low_second"] > 0)).any()


# The pairs of a card say how good a model is alone to a tenth of a point, which may round to another one.
ALONE = re.compile(r"`[\w-]+` is the best with [\d.]+%")


def pairs_of(text, models=MODELS):
    """The pairs of a card, as `card.switching` has them, to the tenth of a point."""
    columns = ["first", "second", "accuracy", "samples_used"]
    columns += [f"{what}_{place}" for place in ("first", "second") for what in ("over", "low", "high")]
    interval = r"([+-][\d.]+) \(([+-][\d.]+) to ([+-][\d.]+)\)"
    row = rf"\| `([\w-]+)`, `([\w-]+)` \| ([\d.]+)% \| ([\d.]+) \| {interval} \| {interval} \|"
    pairs = pd.DataFrame(re.findall(row, text), columns=columns)
    assert len(pairs) == len(models) * (len(models) - 1)
    pairs[columns[2:]] = pairs[columns[2:]].astype(float) / np.where(np.array(columns[2:]) == "samples_used", 1, 100)
    return pairs


def numbers_by_other_ways(pool, rows, pairs, text):
    for model in MODELS:
        own = rows[rows["model"] == model]
        shown = re.search(rf"\| `{model}` \| [\d,]+ \| (?P<one>\S+) \| (?P<all>\S+) \| (?P<agreement>\S+) \|", text)
        assert shown["one"] == f"{own['correct'].mean():.1%}"
        counts = own.groupby(["question_id", "answer"])["correct"].agg(["size", "first"]).reset_index()
        most = counts.groupby("question_id")["size"].transform("max")
        first = counts[counts["size"] == most].groupby("question_id")["first"].mean()  # ties: each as often
        assert shown["all"] == f"{first.mean():.1%}"
        assert shown["agreement"] == f"{most.groupby(counts['question_id']).first().mean() / 512:.1%}"
    # The card has 10,000 replays. With 500 the scatter of a mean is 0.0007: half a point is seven of it.
    keys, found, again = ["first", "second"], pairs.set_index(["first", "second"]), card.switching(pool, n_replays=500)
    off = (found - again.set_index(keys).loc[found.index]).abs()
    assert off.pop("samples_used").max() < 0.05 + 1e-9  # these are computed, and shown to the tenth
    assert off.max(axis=None) < 0.0055
    assert (np.diff(pairs[["over_first", "over_second"]].min(axis=1)) <= 1e-9).all()
    best = card.best_pair(pairs)
    names = ["ms:{first}+{second}".format(**best), f"sc:{best['first']}", f"sc:{best['second']}"]
    result = evaluate(pool, names, budgets=[16], method="monte_carlo", n_replays=500)
    each = result.accuracy[:, 0]
    for place, other in (("first", each[1]), ("second", each[2])):
        difference = each[0] - other
        assert best[f"over_{place}"] == pytest.approx(difference.mean(), abs=0.005)
        # 24 intervals that together hold with 95 %: quantiles under random weights, with one more loss or win.
        rng, means = np.random.default_rng(0), []
        for _ in range(20):
            e = rng.exponential(size=(5000, difference.size + 1))
            means += [(e[:, 1:] @ difference + sign * e[:, 0]) / e.sum(axis=1) for sign in (-1, 1)]
        low, high = np.quantile(means[::2], 0.05 / 48), np.quantile(means[1::2], 1 - 0.05 / 48)
        assert best[f"low_{place}"] == pytest.approx(low, abs=0.005)
        assert best[f"high_{place}"] == pytest.approx(high, abs=0.005)


def test_the_verdict_of_a_card():
    won = pd.DataFrame(
        {
            "first": ["a", "b"],
            "second": ["b", "a"],
            "accuracy": [0.8, 0.75],
            "samples_used": [12.0, 11.0],
            "over_first": [0.05, 0.01],
            "low_first": [0.02, -0.02],
            "high_first": [0.08, 0.03],
            "over_second": [0.1, 0.02],
            "low_second": [0.05, -0.01],
            "high_second": [0.15, 0.04],
        }
    )
    assert card.verdict(won).startswith(
        "**1 of 2 ordered pairs beat both of their models alone.** The best is `a`, then `b`"
    )
    assert "+5.0 points over Self-Consistency of `a`, interval +2.0 to +8.0" in card.verdict(won)
    assert card.verdict(won).endswith("`a` is the best with 75.0%; of the pairs, `a`, then `b`, with 80.0%.")
    assert card.verdict(won[1:]).startswith("**No pair beats both of its models alone by a significant margin.**")
    assert "The nearest is `b`, then `a`" in card.verdict(won[1:])
    assert card.best_pair(won[::-1])["first"] == "a"  # it beats both, though the other came first


def test_what_ships_is_small():
    files = [path for path in RECORDED.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert sum(path.stat().st_size for path in files) < 25e6
    assert not [path for path in files if path.suffix in (".pt", ".sqlite")]
