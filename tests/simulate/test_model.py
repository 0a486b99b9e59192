"""The answer model as a value: saved, loaded, and refused where it cannot be."""

import json
from dataclasses import replace

import numpy as np
import pytest

from mssim import MssimError, StrategyError
from mssim.simulate import AnswerModel

TWO = AnswerModel(
    ["x", "y"],
    [0.3, 0.1],
    [0.5, 0.8],
    [0.7, 0.6],
    [1.5, 0.4],
    correlation=0.6,
    shared_distractors=0.4,
    no_answer=[0, 0.1],
)


# As files ----------------------------------------------------------------------------------------


def test_a_pool_says_that_it_is_simulated():
    info = TWO.draw(3, 2, title="like MATH").info
    assert info["title"] == "simulated like MATH"
    assert info["synthetic"] is True
    assert "no language model was asked" in info["source"]
    assert AnswerModel(**info["settings"]["answer_model"]) == TWO
    assert TWO.draw(3, 2, title="simulated MATH").info["title"] == "simulated MATH"


def test_answer_models_are_saved_and_loaded(tmp_path):
    TWO.save(tmp_path / "model.json")
    assert AnswerModel.load(tmp_path / "model.json") == TWO
    frame = TWO.to_frame()
    assert frame["model"].tolist() == ["x", "y"]
    assert frame["spread"].tolist() == [1.5, 0.4]
    assert frame["accuracy"].tolist() == pytest.approx([0.3 + 0.7 * 0.5 / 1.2, 0.9 * (0.1 + 0.9 * 0.8 / 1.4)])
    assert frame[["correlation_x", "correlation_y"]].to_numpy().tolist() == [[1, 0.6], [0.6, 1]]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not an answer model of mssim, or damaged"),
        ("[]", "not an answer model of mssim"),
        ('{"schema": 7}', "unknown schema version 7. This mssim reads version 1"),
        ('{"schema": 1, "answer_model": {"models": "x"}}', "not an answer model of mssim"),
        (json.dumps({"schema": 1, "answer_model": {"models": "x", "sure": 2, "a": 1, "b": 1, "spread": 1}}), "sure=2"),
    ],
)
def test_files_that_are_no_answer_model(tmp_path, text, says):
    path = tmp_path / "model.json"
    path.write_text(text)
    with pytest.raises(MssimError, match=says) as caught:
        AnswerModel.load(path)
    assert str(path) in str(caught.value)
    with pytest.raises(MssimError, match=r"none\.json: not an answer model"):
        AnswerModel.load(tmp_path / "none.json")


# Refusals ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"models": []}, r"AnswerModel: models=\[\] is not a list of different names"),
        ({"models": ["x", "x"]}, "is not a list of different names"),
        ({"models": ["x", ""]}, "is not a list of different names"),
        ({"sure": 1.1}, "AnswerModel: sure=1.1 is not valid. Use shares of questions from 0 to 1"),
        ({"sure": [0.1]}, r"AnswerModel: sure=\[0.1\] does not match the 2 models. Use one number, or one per"),
        ({"sure": None}, "sure=None does not match the 2 models. Use one number, or one per"),
        ({"a": 0}, "a=0 is not valid. Use numbers from 1e-6 to 1e6"),
        ({"b": float("nan")}, "b=nan is not valid. Use numbers from 1e-6 to 1e6"),
        ({"b": [1, "2"]}, "b='2' is not valid. Use numbers"),
        ({"spread": [1, 1e7]}, "spread=10000000.0 is not valid. Use numbers"),
        ({"no_answer": -0.1}, "no_answer=-0.1 is not valid. Use shares of samples from 0 to 1"),
        ({"shared_distractors": 2}, "shared_distractors=2 is not valid. Use a share from 0 to 1"),
        ({"separation": "high"}, "separation='high' is not valid. Use a number from -100 to 100, or None"),
        ({"sure": np.array(0.1)}, r"sure=array\(0.1\) does not match the 2 models. Use one number, or one per"),
        ({"correlation": 10**400}, "is not a correlation matrix. Use one number from -1 to 1"),
        ({"correlation": 1.5}, "correlation=1.5 is not possible. Correlations must be from -1 to 1"),
        ({"correlation": float("nan")}, "correlation=nan is not a correlation matrix. Use one number from -1 to 1"),
        ({"correlation": "high"}, "correlation='high' is not a correlation matrix. Use one number"),
        (
            {"correlation": [[1, 0.2], [0.3, 1]]},
            r"correlation=.* is not a correlation matrix. Use one number from -1 to 1, or",
        ),
        ({"correlation": [[1, 0.2]]}, r"a symmetric matrix of shape \(2, 2\) with ones on the diagonal"),
        ({"correlation": [[0.9, 0], [0, 1]]}, "with ones on the diagonal"),
        ({"models": list("xyz"), "correlation": -0.9}, "is not possible. .* form a positive semidefinite matrix"),
    ],
)
def test_answer_models_that_cannot_be(options, says):
    with pytest.raises(MssimError, match=says):
        AnswerModel(**{"models": ["x", "y"], "sure": 0, "a": 1, "b": 1, "spread": 1, **options})


@pytest.mark.parametrize(
    ("ask", "error", "says"),
    [
        (lambda m: m.accuracy_at_k("z", 1), MssimError, "no model 'z' in this answer model. Choose from 'x', 'y'"),
        (lambda m: m.accuracy_at_k("x", 0), MssimError, "k=0 is not valid. Use an integer from 1 to 1024"),
        (lambda m: m.accuracy_at_k("x", []), MssimError, r"k=\[\] is not valid. Use an integer from 1"),
        (lambda m: m.agreement_at_k("x", 1.5), MssimError, "k=1.5 is not valid. Use an integer from 1"),
        (lambda m: m.agreement_at_k("x", [[1]]), MssimError, r"k=\[\[1\]\] is not valid. Use an integer from 1"),
        (lambda m: m.agreement_at_k("x", [1, 1025]), MssimError, "from 1 to 1024, or a list of them"),
        (
            lambda m: m.agreement_at_k("x", 2, agreement=-1),
            StrategyError,
            "agreement=-1 must be a number of at least 0",
        ),
        (lambda m: m.agreement_at_k("x", 2, strict=2), StrategyError, "strict=2 is not a bool"),
        (lambda m: m.draw(0, 1), MssimError, "n_questions=0 is out of range. Use an integer from 1"),
        (lambda m: m.draw(1, 0), MssimError, "n_samples=0 is out of range. Use an integer from 1"),
        (lambda m: m.draw(1, 1, seed=-1), MssimError, "seed=-1 is out of range. Use an integer from 0"),
        (
            lambda m: replace(m, a=1e-6, b=1e6, sure=0.0, spread=1e6, no_answer=0).draw(1, 30_000),
            MssimError,
            "different answers, more than the maximum of 32766. Use a smaller spread, or draw fewer samples",
        ),
    ],
)
def test_what_cannot_be_asked(ask, error, says):
    with pytest.raises(error, match=says):
        ask(TWO)


def test_one_number_for_k_gives_one_number_back():
    assert np.ndim(TWO.accuracy_at_k("x", 3)) == np.ndim(TWO.agreement_at_k("x", np.int64(3))) == 0
    assert TWO.accuracy_at_k("x", [3]).shape == TWO.agreement_at_k("x", np.array([3])).shape == (1,)
