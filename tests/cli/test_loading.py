"""The pool of a command: questions with enough samples of the models that take part, and warnings about these."""

import pytest

from mssim import PoolError
from mssim.cli.loading import load, models_of
from tests.conftest import make_pool

RAGGED = {("a", "q1"): "aba", ("a", "q2"): "ab", ("a", "q3"): "a", ("b", "q1"): "a", ("c", "q2"): "aa"}


@pytest.fixture
def path(tmp_path):
    make_pool({key: list(answers) for key, answers in RAGGED.items()}).to_frame().to_csv(tmp_path / "p.csv")
    return str(tmp_path / "p.csv")


def test_all_models_take_part_by_default(path, capsys):
    load(path)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("mssim: warning: samples per question and model range from 1 to 3")
    assert len(lines) == 3
    with pytest.raises(PoolError, match=r"min_samples=1 leaves no questions: none has more than 0 samples of each of"):
        load(path, min_samples=1)


@pytest.mark.parametrize(
    ("strategies", "least", "questions", "warnings"),
    [
        (["sc:a"], 0, ["q1", "q2", "q3"], 1),
        (["sc:a"], 2, ["q1", "q2"], 1),
        (["sc:a", "cov:a"], 3, ["q1"], 0),
        (["sc:a", "mix:a+c"], 1, ["q2"], 0),
        ("sc:b", 1, ["q1"], 0),
        ({"B": "ms:b+a"}, 1, ["q1"], 1),  # of q1, three samples of a and one of b
    ],
)
def test_other_models_neither_remove_questions_nor_cause_warnings(path, capsys, strategies, least, questions, warnings):
    pool = load(path, min_samples=least, models=models_of(strategies))
    assert pool.question_ids == questions
    assert pool.models == ("a", "b", "c")
    assert capsys.readouterr().err.count("mssim: warning: ") == warnings


def test_a_number_that_leaves_nothing_says_which_would(path):
    with pytest.raises(PoolError) as error:
        load(path, min_samples=4, models=models_of("sc:a", "sc:a"))
    assert str(error.value) == "min_samples=4 leaves no questions: none has more than 3 samples of 'a'. Use at most 3."


def test_conditions_come_first(path, capsys):
    assert load(path, {"question_id": "q2"}, models=models_of("sc:a")).question_ids == ["q2"]
    assert capsys.readouterr().err == ""
