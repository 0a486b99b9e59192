"""Fits find what curves and pools were made from; expectations are those of forms worked out by hand."""

import numpy as np
import pytest

from mssim import MssimError
from mssim.simulate import AnswerModel, fit_curves

pytestmark = pytest.mark.slow

TWO = AnswerModel(["x", "y"], [0.3, 0.1], [0.5, 0.8], [0.7, 0.6], [1.5, 2.5], correlation=0.6, shared_distractors=0.4)


KS = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64]


def sharply(values):
    """Published numbers that are known nearly without error, so that the prior says nothing."""
    return {k: (float(value), 1e-5) for k, value in zip(KS, values, strict=True)}


def test_exact_curves_give_back_what_they_were_made_from():
    curves = {m: sharply(TWO.accuracy_at_k(m, KS)) for m in "xy"}
    agreement = {m: sharply(TWO.agreement_at_k(m, KS, agreement=0.85, strict=True)) for m in "xy"}
    fit = fit_curves(curves, agreement, threshold=0.85, strict=True)
    for name in ("sure", "a", "b", "spread"):
        assert getattr(fit.answer_model, name) == pytest.approx(getattr(TWO, name), rel=0.01)
    frame = fit.to_frame()
    assert frame["residual"].abs().max() < 1e-4
    assert frame["fits"].all()
    assert frame.columns.tolist() == ["model", "quantity", "k", "given", "error", "fitted", "residual", "fits"]
    assert frame["k"].tolist() == KS * 4
    assert np.array(fit.answer_model.correlation).tolist() == [[1, 0], [0, 1]]
    assert repr(fit) == "CurveFit(2 models, 44 of 44 numbers within tolerance)"


def test_the_right_rule_of_agreement_fits_better():
    """Seven of eight are more than 85 %, so more questions stop at 8 than at 6: unanimity excludes that."""
    curves = {"x": dict(zip(KS, TWO.accuracy_at_k("x", KS), strict=True))}
    stops = TWO.agreement_at_k("x", [2, 4, 6, 8], agreement=0.85, strict=True)
    agreement = {"x": dict(zip([2, 4, 6, 8], stops, strict=True))}
    right, wrong = fit_curves(curves, agreement, threshold=0.85, strict=True), fit_curves(curves, agreement)
    assert stops[3] > stops[2]
    assert right.to_frame()["fits"].all()
    assert not wrong.to_frame()["fits"].all()


def test_few_numbers_leave_the_spread_near_its_prior():
    fit = fit_curves({"x": {1: 0.6, 8: 0.7}})
    assert fit.to_frame()["residual"].abs().max() < 0.005
    assert 0.7 < fit.answer_model.spread[0] < 4


def test_a_curve_that_no_answer_model_has_is_marked():
    frame = fit_curves({"good": {1: 0.5, 4: 0.6}, "bad": {4: 0.7, 1: 0.5, 8: 0.5}}).to_frame()
    assert frame.set_index(["model", "k"])["fits"].groupby("model").all().to_dict() == {"bad": False, "good": True}
    assert frame["k"].tolist() == [1, 4, 1, 4, 8]
    wide = {"bad": {1: (0.5, 0.2), 4: (0.7, 0.2), 8: (0.5, 0.2)}}
    assert fit_curves(wide).to_frame()["fits"].all()
    assert fit_curves({"bad": {4: 0.7, 1: 0.5, 8: 0.5}}, tolerance=0.2).to_frame()["fits"].all()


def test_the_spread_follows_rates_of_agreement():
    curve = {1: 0.4, 4: 0.45, 16: 0.5}
    few, many = (fit_curves({"x": curve}, {"x": {2: agreed, 4: agreed**2}}) for agreed in (0.5, 0.8))
    assert few.answer_model.spread[0] > 3 * many.answer_model.spread[0]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"curves": {}}, r"curves=\{\} contains no accuracies. Pass them by model"),
        ({"curves": {"x": {}}}, r"curves\['x'\]=\{\} contains no shares. Map numbers of samples"),
        ({"curves": {"x": [0.5]}}, r"curves\['x'\]=\[0.5\] contains no shares. Map numbers of samples"),
        ({"curves": {"x": {0: 0.5}}}, r"curves\['x'\]: k=0 is out of range. Use an integer from 1 to 1024"),
        ({"curves": {"x": {1: 50}}}, r"curves\['x'\]: 50 at k=1 is not a share. Use a number from 0 to 1, or a pair"),
        ({"curves": {"x": {1: "0.5"}}}, "'0.5' at k=1 is not a share"),
        ({"curves": {"x": {1: (0.5, 0.0)}}}, r"\(0.5, 0.0\) at k=1 is not a share"),
        ({"curves": {"x": {1: (0.5, 0.1, 0.1)}}}, r"a pair \(share, standard error\)"),
        ({"agreement": {"y": {2: 0.5}}}, "agreement: model 'y' has no curve. Choose from 'x'"),
        ({"agreement": {"x": {2: 1.5}}}, r"agreement\['x'\]: 1.5 at k=2 is not a share"),
        ({"threshold": -1}, "agreement=-1 must be a number of at least 0"),
        ({"error": 0}, "error=0 is not a number between 0 and 1"),
        ({"tolerance": "2"}, "tolerance='2' is not a number between 0 and 1"),
        ({"n_starts": 0}, "n_starts=0 is out of range. Use an integer from 1"),
        ({"seed": -1}, "seed=-1 is out of range. Use an integer from 0"),
    ],
)
def test_curves_that_cannot_be_fitted(options, says):
    with pytest.raises(MssimError, match=says):
        fit_curves(**{"curves": {"x": {1: 0.5, 8: 0.6}}, **options})
