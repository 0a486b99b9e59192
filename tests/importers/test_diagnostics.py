"""What is odd about an imported pool is said, once, and refused where asked for."""

import pandas as pd
import pytest

from mssim import Pool, PoolError, PoolWarning, load_pool
from mssim.importers import Common, diagnose
from mssim.importers.pipeline import to_pool
from tests.conftest import make_pool
from tests.importers.readers import LONG, both, imported, rows

ODD = {
    "a failure": (both(rows({"answer": "1"}), lambda _, sink: sink.fail("timeout", 2)), "2 samples failed and are not"),
    "a note": (both(rows({"answer": "1"}), lambda _, sink: sink.note("odd it is")), "odd it is"),
    "no answer": (rows({"answer": None}, {"answer": "1"}), "'m' gives no answer in 50.0%"),
    "identical texts": (rows({"answer": "1", "text": LONG}, {"answer": "1", "text": LONG}), "1 of 2 long texts repeat"),
    "a missing question": (
        both(rows({"answer": "1"}), rows({"answer": "1"}, model="n"), rows({"answer": "1"}, question_id="r")),
        "'n' has no samples for 1 of 2 questions",
    ),
    "ragged": (both(rows({"answer": "1"}), rows({"answer": "1"}, {"answer": "1"}, model="n")), "range from 1 to 2"),
    "mixed settings": (
        rows({"answer": "1", "temperature": 0.0}, {"answer": "1", "temperature": 1.0}), "column 'temperature' varies"
    ),
}  # fmt: skip


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("texts", [True, False])
def test_what_is_odd_is_said_and_refused_where_strict(tmp_path, odd, texts):
    read, message = ODD[odd]
    found = imported(tmp_path, read, texts=texts)
    assert [message in warning for warning in found.warnings].count(True) == 1
    with pytest.raises(PoolError, match="strict: the import has 1 warning"):
        to_pool("made up", read, [], Common(strict=True, texts=texts))
    with pytest.warns(PoolWarning) as caught:
        to_pool("made up", read, [], Common(texts=texts))
    assert [str(warning.message) for warning in caught] == list(found.warnings)


def test_diagnostics_are_counts_and_a_frame(tmp_path):
    read = both(rows({"answer": "1"}, {"answer": None}), rows({"answer": "2"}, model="n", question_id="r", truth="1"))
    found = imported(tmp_path, both(read, lambda _, sink: sink.fail("timeout")))
    assert (found.questions, found.samples, found.models, found.failed) == (2, 3, ("m", "n"), {"timeout": 1})
    frame = found.to_frame()
    shown = ["model", "questions", "missing", "samples_min", "samples_max", "no_answer", "accuracy"]
    assert frame[shown].values.tolist() == [
        ["m", 1, 1, 2, 2, 0.5, 0.5],
        ["n", 1, 1, 1, 1, 0.0, 0.0],
    ]  # fmt: skip
    with pytest.warns(PoolWarning):
        again = diagnose(load_pool(tmp_path / "pool"))
    assert (again.warnings, repr(again)) == (found.warnings, repr(found))
    assert repr(found) == f"Diagnostics(2 questions, 2 models, 3 samples, {len(found.warnings)} warnings)"
    pd.testing.assert_frame_equal(again.to_frame(), frame)


@pytest.mark.parametrize("differ", [0, 1, 2])
def test_verdicts_that_differ_are_counted(differ):
    pool = make_pool({("x", "q"): ["a"] * 100}, correct_in_source=[True] * (100 - differ) + [False] * differ)
    found = [warning for warning in diagnose(pool).warnings if "verdicts of the file" in warning]
    assert len(found) == bool(differ)
    assert not differ or found[0].startswith(
        f"the grades and the verdicts of the file disagree on {differ} of 100 samples, e.g. question q: answer 'a', "
        "truth 'a', right by the rule and wrong in the file. "
    )


def test_of_many_reasons_of_failures_five_are_named():
    failed = {f"reason {i}": i for i in range(1, 8)}
    pool = Pool.from_frame(make_pool({("x", "q"): ["a"]}).to_frame(), info={"import": {"failed": failed}})
    (warning,) = diagnose(pool).warnings
    assert warning.startswith("28 samples failed and are not in the pool: 1 reason 1, 2 reason 2")
    assert warning.endswith("5 reason 5 and 2 more reasons.")
