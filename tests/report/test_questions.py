"""Questions: differences, groups, and the answers of every model."""

from collections import Counter

import numpy as np
import pytest

from mssim import Pool
from mssim.report import questions
from mssim.report.answer import paired_counts
from mssim.report.questions import answers_of, explorer_section, group_columns, wins_section
from mssim.report.study import make_study
from tests.conftest import make_pool
from tests.engine.test_evaluate import random_pool
from tests.report.pools import FAST, small_study


def test_answers_are_counted_like_the_rows_of_the_table():
    pool = random_pool(n_questions=5, n_samples=9)
    frame = pool.to_frame()
    for question, found in zip(pool.question_ids, answers_of(pool), strict=True):
        assert found["right"] == [text == "a" for text in found["answers"]]
        for m, model in enumerate(pool.models):
            rows = frame[(frame["question_id"] == question) & (frame["model"] == model)]
            counts = Counter(rows["answer"].dropna())
            shown = dict(zip(found["answers"], found["counts"][m], strict=True))
            assert shown == {text: counts[text] for text in found["answers"]}
            assert found["none"][m] == rows["answer"].isna().sum()
            assert sum(shown.values()) + found["others"][m] + found["none"][m] == 9


def test_the_right_answer_is_shown_however_rare():
    given = [*"bbccddeeffgg", "a"]
    found = answers_of(make_pool({("m", "q"): given}))[0]
    assert found["answers"][-1] == "a"
    assert found["right"] == [False] * 5 + [True]
    assert found["others"] == [2]


def test_a_question_without_any_answer_has_no_bars():
    found = answers_of(make_pool({("m", "q"): [None, None], ("m", "p"): ["a", "b"]}))
    assert found[0] == {"answers": [], "right": [], "counts": [[]], "others": [0], "none": [2]}


def test_columns_that_divide_the_questions_are_groups():
    answers = {("m", f"q{q}"): ["a"] for q in range(8)}
    frame = make_pool(answers).to_frame()
    frame["topic"] = ["even" if q % 2 else "odd" for q in range(8)]
    frame["one"], frame["each"], frame["truth"] = "x", range(8), "a"
    frame["mapping"], frame["array"] = [{"a": q % 2} for q in range(8)], [["a", "b"][: 1 + q % 2] for q in range(8)]
    assert group_columns(make_pool(answers).from_frame(frame)) == ["topic"]


@pytest.fixture
def grouped():
    pool = random_pool(n_questions=16, n_samples=8)
    frame = pool.to_frame()
    frame["topic"] = ["low" if int(q[1:]) < 6 else "high" for q in frame["question_id"]]
    return make_study(pool.from_frame(frame), strategies=["ms:x+y,vote=plurality"], **FAST)


def test_means_of_groups_are_those_of_their_questions(grouped):
    chosen, rival = grouped.chosen("samples_used", 1), grouped.rival("samples_used", 1)
    table = wins_section(grouped).parts[-1]
    difference = 100 * (chosen.accuracy - rival.accuracy)
    low = np.array([int(q[1:]) < 6 for q in grouped.pool.question_ids])
    for row, members in zip(table.rows, (~low, low), strict=True):
        assert row[1] == str(members.sum())
        assert abs(float(row[4].split()[0]) - difference[members].mean()) < 0.051


def test_bars_are_sorted_and_those_of_many_questions_are_means(grouped, monkeypatch):
    frame = questions._bars(grouped, *grouped.shown_pair())
    assert frame["difference"].is_monotonic_decreasing
    assert sorted(frame["position"]) == list(range(16))
    monkeypatch.setattr(questions, "_MOST_BARS", 5)
    few = questions._bars(grouped, *grouped.shown_pair())
    assert len(few) == 5
    assert few["end"].iloc[-1] == 16
    assert np.isclose((few["difference"] * (few["end"] - few["rank"])).sum(), frame["difference"].sum())


def test_the_index_and_the_details_are_in_the_same_order(monkeypatch):
    monkeypatch.setattr(questions, "_CHUNK", 5)
    explorer = explorer_section(small_study()).parts[1]
    assert [len(chunk) for chunk in explorer.chunks] == [5, 5, 5, 1]
    assert explorer.index["chunk"] == 5
    answers = answers_of(small_study().pool)
    details = [detail for chunk in explorer.chunks for detail in chunk]
    assert [detail["answers"] for detail in details] == [found["answers"] for found in answers]
    assert explorer.index["ids"] == small_study().pool.question_ids


def test_without_a_rival_there_is_no_difference():
    study = make_study(random_pool().select(models=["x"]), budgets=[1, 2], limits=[2], n_replays=20)
    assert len(wins_section(study).parts) == 1
    index = explorer_section(study).parts[1].index
    assert len(index["strategies"]) == 1
    assert set(index["difference"]) == {0.0}
    assert set(index["equal"]) == {True}


def test_lines_of_questions_are_kept_and_other_control_characters_escaped():
    frame = make_pool({("m", f"q{q}"): ["a", "b"] for q in range(2)}).to_frame().assign(question="Which?\nA: \u202e1")
    study = make_study(Pool.from_frame(frame), budgets=[1])
    assert explorer_section(study).parts[1].index["questions"] == ["Which?\nA: \\u202e1"] * 2


def test_the_list_the_bars_and_the_answer_agree_about_equal_questions():
    answers = {("x", f"q{q}"): "aaaa" if q < 4 else "aabb" for q in range(8)}
    other = {("y", f"q{q}"): "aaab" if q == 7 else "aaaa" if q < 4 else "bbba" for q in range(8)}
    study = make_study(make_pool(answers | other), budgets=[1], limits=[1], strategies=[])
    index = explorer_section(study).parts[1].index
    counts = paired_counts(study.chosen("samples_used", 0), study.rival("samples_used", 0))
    assert counts == (3, 4, 1)
    assert index["equal"] == [True] * 4 + [False] * 4
    bars = wins_section(study).parts[1].spec["datasets"].values()
    assert [one["result"] for bar in bars for one in bar if "result" in one].count("equal") == counts[1]
