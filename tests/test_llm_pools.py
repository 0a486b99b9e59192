"""The pools of language models that ship: complete, as graded, and what their cards say of them."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mssim import evaluate, load_pool
from mssim.grading import parse_rule
from recorded.llm import card
from recorded.llm.tasks import TASKS, questions
from recorded.llm.weights import WEIGHTS
from tests.test_tiny_pools import ALONE, pairs_of

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
    found = rows["text"].map(spelled)
    assert (found.isna() == rows["answer"].isna()).all()
    pairs = pd.DataFrame({"found": found, "answer": rows["answer"], "truth": rows["truth"], "correct": rows["correct"]})
    pairs = pairs.dropna().drop_duplicates()
    assert all(rule.key(one) == rule.key(other) for one, other in zip(pairs["found"], pairs["answer"], strict=True))
    right = [rule.key(one) == rule.key(truth) for one, truth in zip(pairs["answer"], pairs["truth"], strict=True)]
    assert pairs["correct"].tolist() == right
    assert not rows.loc[rows["answer"].isna(), "correct"].any()


def test_numbers(rows, pool):
    written = rows["text"] != ""
    assert rows["output_tokens"].notna().all()
    assert ((rows["output_tokens"] > 0) == written).all()
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
    assert (rows.groupby(["model", "question_id"])["answer"].nunique().groupby("model").mean() > 3).all()


def test_the_card_says_what_the_pool_says(pool, task, folder):
    text = (folder / "README.md").read_text(encoding="utf-8")
    pairs = pairs_of(text, MODELS)
    assert ALONE.sub("", card.card(folder.name, pool, task, pairs)) == ALONE.sub("", text)
    result = evaluate(pool, [f"sc:{model}" for model in MODELS], budgets=[card.BUDGET])
    alone = result.to_frame().set_index("strategy")["accuracy"]
    best = alone.idxmax().removeprefix("sc:")
    assert ALONE.findall(text) == [f"`{best}` is the best with {alone.max():.1%}"]
    assert np.allclose(
        pairs["accuracy"] - pairs["over_first"], [alone[f"sc:{model}"] for model in pairs["first"]], atol=0.0011
    )
    assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")
