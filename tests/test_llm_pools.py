"""The pools of language models that ship: complete, as graded, and what their cards say of them."""

import re
import unicodedata
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mssim import evaluate, load_pool
from mssim.grading import parse_rule
from recorded.llm import card, pairs
from recorded.llm.tasks import TASKS, questions
from recorded.llm.weights import WEIGHTS

pytestmark = pytest.mark.slow

RECORDED = Path(__file__).parents[1] / "recorded"
MODELS = ("smol", "smol-cool", "gemma")
SHIPPED = [name for name in TASKS if (RECORDED / f"llm-{name}").exists()]


@pytest.fixture(scope="module", params=SHIPPED)
def task(request):
    return TASKS[request.param]


@pytest.fixture(scope="module")
def folder(task):
    return RECORDED / f"llm-{task.name}"


@pytest.fixture(scope="module")
def pool(folder):
    return load_pool(folder)


@pytest.fixture(scope="module")
def rows(pool):
    return pool.to_frame()


def test_all_was_recorded(pool, task):
    assert pool.models == MODELS
    assert pool.lengths.min() == pool.lengths.max() >= 32
    asked = pd.DataFrame(questions(task))
    assert pool.questions[list(asked)].astype(str).equals(asked)


def test_where_it_comes_from(pool, task):
    info, text = pool.info, str(pool.info)
    assert info["failed_samples"] == 0
    assert info["grader"]["rule"] == task.rule
    assert info["grader"]["cannot_match"] == 0
    assert {name: weights["sha256"] for name, weights in info["weights"].items()} == {
        weights.name: weights.sha256 for weights in WEIGHTS.values()
    }
    assert not re.search(r"127\.0\.0\.1|localhost|/tmp|/home|/work", text)
    template = (task.plan.parent.parent / "prompts" / f"{task.name}.txt").read_text(encoding="utf-8").removesuffix("\n")
    for name in MODELS:
        assert info["models"][name]["template"] == template
        assert info["models"][name]["samples_per_request"] == 8
        assert info["speeds"][name]["samples"] >= (pool.lengths[pool.models.index(name)]).sum()


def test_answers_are_those_of_the_texts(rows, task):
    rule = parse_rule(task.rule)
    spelled = {text: rule.extract(text) for text in rows["text"].unique()}
    found = rows["text"].map(spelled).map(partial(unicodedata.normalize, "NFC"), na_action="ignore")  # as pools do
    assert (found.isna() == rows["answer"].isna()).all()
    pairs = pd.DataFrame({"found": found, "answer": rows["answer"], "truth": rows["truth"], "correct": rows["correct"]})
    pairs = pairs.dropna().drop_duplicates()
    assert all(rule.key(one) == rule.key(other) for one, other in zip(pairs["found"], pairs["answer"], strict=True))
    right = [rule.key(one) == rule.key(truth) for one, truth in zip(pairs["answer"], pairs["truth"], strict=True)]
    assert pairs["correct"].tolist() == right
    assert not rows.loc[rows["answer"].isna(), "correct"].any()


def test_numbers(rows, pool):
    written = rows["text"].str.strip() != ""
    assert rows["output_tokens"].notna().all()
    assert (rows.loc[written, "output_tokens"] > 0).all()
    assert (rows.loc[~written, "output_tokens"] <= 1).all()
    limit = pool.info["models"]["smol"]["settings"]["max_tokens"]
    assert rows["output_tokens"].max() <= limit
    assert (rows["confidence"].dropna() <= 0).all()
    assert rows.loc[written, "confidence"].notna().all()
    assert set(rows["finish_reason"]) <= {"stop", "length"}
    means = rows.groupby("correct")["confidence"].mean()
    assert means[True] > means[False]


def test_there_is_something_to_vote_on(pool, rows):
    accuracy = evaluate(pool, [f"sc:{model}" for model in MODELS], budgets=[1, 32]).accuracy.mean(axis=2)
    assert ((accuracy[:, 0] > 0.2) & (accuracy[:, 0] < 0.8)).all()
    assert (accuracy[[0, 2], 1] - accuracy[[0, 2], 0] > 0).all()
    assert (rows.groupby(["model", "question_id"])["answer"].nunique().groupby("model").mean() > 2).all()


def test_the_card_says_what_the_pool_says(pool, task, folder, rows):
    text = (folder / "README.md").read_text(encoding="utf-8")
    shown = pairs_of(text)
    again = card.card(folder.name, pool, task, shown, live=(folder / "live.csv").is_file())
    assert ALONE.sub("", again) == ALONE.sub("", text)
    result = evaluate(pool, [f"sc:{model}" for model in MODELS], budgets=[pairs.BUDGET])
    alone = result.to_frame().set_index("strategy")["accuracy"]
    best = alone.idxmax().removeprefix("sc:")
    assert ALONE.findall(text) == [f"`{best}` is the best with {alone.max():.1%}"]
    for place in ("first", "second"):
        of_one = [alone[f"sc:{model}"] for model in shown[place]]
        assert np.allclose(shown["accuracy"] - shown[f"over_{place}"], of_one, atol=0.0011)
    assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")
    models_by_other_ways(pool, rows, text)
    # The card has 10,000 replays. With 500 the scatter of a mean is 0.0009: half a point is five of it.
    keys = ["first", "second"]
    again = pairs.switching(pool, n_replays=500).set_index(keys)
    off = (shown.set_index(keys) - again).abs()
    assert off.pop("samples_used").max() < 0.05 + 1e-9  # these are computed, and shown to the tenth
    assert off.max(axis=None) < 0.0055
    assert (np.diff(shown[["over_first", "over_second"]].min(axis=1)) <= 1e-9).all()


# The pairs of a card say how good a model is alone to a tenth of a point, which may round to another one.
ALONE = re.compile(r"`[\w-]+` is the best with [\d.]+%")


def pairs_of(text):
    """The pairs of a card, as `pairs.switching` has them, to the tenth of a point."""
    columns = ["first", "second", "accuracy", "samples_used"]
    columns += [f"{what}_{place}" for place in ("first", "second") for what in ("over", "low", "high")]
    interval = r"([+-][\d.]+) \(([+-][\d.]+) to ([+-][\d.]+)\)"
    row = rf"\| `([\w-]+)`, `([\w-]+)` \| ([\d.]+)% \| ([\d.]+) \| {interval} \| {interval} \|"
    found = pd.DataFrame(re.findall(row, text), columns=columns)
    assert len(found) == len(MODELS) * (len(MODELS) - 1)
    found[columns[2:]] = found[columns[2:]].astype(float) / np.where(np.array(columns[2:]) == "samples_used", 1, 100)
    return found


def models_by_other_ways(pool, rows, text):
    for model in MODELS:
        own = rows[rows["model"] == model]
        row = rf"\| `{model}` \| [\w.-]+ \| [\d.]+ \| (?P<one>\S+) \| (?P<all>\S+) \| (?P<agreement>\S+) \|"
        shown = re.search(row, text)
        assert shown["one"] == f"{own['correct'].mean():.1%}"
        counts = own.groupby(["question_id", "answer"])["correct"].agg(["size", "first"]).reset_index()
        most = counts.groupby("question_id")["size"].transform("max")
        first = counts[counts["size"] == most].groupby("question_id")["first"].mean()  # ties: each as often
        assert shown["all"] == f"{first.sum() / len(pool.questions):.1%}"
        votes = most.groupby(counts["question_id"]).first().sum()
        assert shown["agreement"] == f"{votes / pool.lengths[pool.models.index(model)].sum():.1%}"


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
    assert pairs.verdict(won).startswith(
        "**1 of 2 ordered pairs beat both of their models alone.** The best is `a`, then `b`"
    )
    assert "+5.0 points over Self-Consistency of `a`, interval +2.0 to +8.0" in pairs.verdict(won)
    assert pairs.verdict(won).endswith("`a` is the best with 75.0%; of the pairs, `a`, then `b`, with 80.0%.")
    assert pairs.verdict(won[1:]).startswith("**No pair beats both of its models alone by a significant margin.**")
    assert "The nearest is `b`, then `a`" in pairs.verdict(won[1:])
    assert pairs.best_pair(won[::-1])["first"] == "a"  # it beats both, though the other came first


def test_what_ships_is_small():
    files = [path for path in RECORDED.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert sum(path.stat().st_size for path in files) < 25e6
    assert not [path for path in files if path.suffix in (".gguf", ".whl", ".sqlite")]
