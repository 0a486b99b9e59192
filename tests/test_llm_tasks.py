"""The questions of the pools of language models: right, distinct, and none of them in a prompt."""

import re
from collections import Counter

import pytest

from mssim.grading import parse_rule
from mssim.questions import read_questions
from mssim.recorder import read_plan
from recorded.llm.capitals import CAPITALS
from recorded.llm.steps import addresses, plan_of
from recorded.llm.tasks import PROMPTS, TASKS, place, questions, write_questions
from recorded.llm.weights import WEIGHTS

ALL = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)


def told(task):
    return {row["question"]: row["truth"] for row in questions(task)}


@ALL
def test_150_distinct_questions_or_more_that_are_always_the_same(task):
    rows = questions(task)
    assert len(rows) == len(told(task)) >= 150
    assert rows == questions(task)
    assert len({row["question_id"] for row in rows}) == len(rows)


def test_products():
    rows = questions(TASKS["products"])
    for row in rows:
        a, b = map(int, re.fullmatch(r"(\d+) x (\d+) =", row["question"]).groups())
        assert int(row["truth"]) == a * b
        assert row["cluster"] == " x ".join(map(str, sorted([a, b])))
        assert (row["family"] == "one digit") == (len(f"{a}{b}") == 2)
    assert max(Counter(row["cluster"] for row in rows).values()) == 2


def test_sums():
    triples = []
    for question, truth in told(TASKS["sums"]).items():
        numbers = [int(number) for number in re.fullmatch(r"(\d), (\d), (\d)", question).groups()]
        assert sum(numbers) == int(truth)
        triples.append(tuple(sorted(numbers)))
    assert len(set(triples)) == len(triples)


def test_capitals():
    assert {country: place(capital) for country, capital in CAPITALS.items()}.items() >= told(TASKS["capitals"]).items()
    assert not any(place(country) == place(capital) for country, capital in CAPITALS.items())
    assert Counter(CAPITALS.values()).most_common(1)[0][1] == 1
    assert all(name.isascii() for pair in CAPITALS.items() for name in pair)


@ALL
def test_no_question_is_in_its_prompt(task):
    prompt = (PROMPTS / f"{task.name}.txt").read_text(encoding="utf-8")
    numbers = [
        sorted(map(int, re.findall(r"\d+", line))) for line in prompt.splitlines() if "," in line and "+" not in line
    ]
    if task.name == "products":
        shown = [re.findall(r"\d+", line)[:2] for line in prompt.splitlines()]
        numbers = [sorted(map(int, pair)) for pair in shown if pair]
        assert len(numbers) == 5
    for question in told(task):
        assert f" {question}\n" not in f" {prompt.replace('{{question}}', '')}\n"
        assert sorted(map(int, re.findall(r"\d+", question))) not in numbers or task.name == "capitals"
    if task.name == "products":  # the solutions that are shown are right
        assert all(int(a) * int(b) == int(c) for a, b, c in re.findall(r"(\d+) x (\d+) = (\d+)", prompt))
    if task.name == "sums":
        assert len(numbers) == 4
        for a, b, first, again, c, total in re.findall(r"(\d+) \+ (\d+) = (\d+), and (\d+) \+ (\d+) = (\d+)", prompt):
            assert int(a) + int(b) == int(first) == int(again)
            assert int(again) + int(c) == int(total)
    if task.name == "capitals":
        shown = re.findall(r"Country: ([A-Z]\w+)\nCapital: (\w+)", prompt)
        assert len(shown) == 4
        assert all(CAPITALS[country] == capital for country, capital in shown)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (" Paris", "paris"),
        (" Port-au-Prince.", "port au prince"),
        ("São Tomé (city)", "sao tome"),
        ("N\N{RIGHT SINGLE QUOTATION MARK}Djamena, Chad", "n'djamena"),
        ("  ", None),
        (", none", None),
    ],
)
def test_names_of_places(text, name):
    assert place(text) == name


@ALL
def test_rules_read_the_truths(task, tmp_path):
    rule = parse_rule(task.rule)
    assert all(rule.extract(f" {truth}") == truth for truth in told(task).values())
    write_questions(task, tmp_path / "a" / "questions.jsonl", 3)
    assert read_questions(tmp_path / "a" / "questions.jsonl").to_pylist() == [dict(row) for row in questions(task)[:3]]


@ALL
def test_plans_have_two_models_and_a_control(task):
    plan = read_plan(task.plan)
    smol, cool, gemma = plan.models
    assert [model.name for model in plan.models] == ["smol", "smol-cool", "gemma"]
    assert smol.model_id == cool.model_id == WEIGHTS["smollm2"].name
    assert gemma.model_id == WEIGHTS["gemma3"].name
    assert dict(smol.settings) == dict(gemma.settings)
    assert dict(smol.settings) | {"temperature": cool.settings["temperature"]} == dict(cool.settings)
    assert cool.settings["temperature"] < smol.settings["temperature"]
    assert addresses(task) == {"smollm2": 8101, "gemma3": 8102}
    only = plan_of(task, {"smollm2": "http://127.0.0.1:9/v1"}, samples=8)
    assert [model.name for model in only.models] == ["smol", "smol-cool"]
    assert {(model.server.base_url, model.samples) for model in only.models} == {("http://127.0.0.1:9/v1", 8)}
    assert [model.identity() for model in only.models] == [model.identity() for model in plan.models[:2]]
