"""Equal answers as math-verify sees them: classes, hostile texts, the cache."""

import importlib.metadata
import random
import shutil
import sqlite3
import time
from itertools import combinations
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mssim import MssimError
from mssim.grading import equivalence
from mssim.grading.equivalence import Judge, equal_answers
from mssim.grading.latex import as_latex
from tests.conftest import examples

pytestmark = pytest.mark.slow

math_verify = pytest.importorskip("math_verify")
VERSION = importlib.metadata.version("math-verify")

EQUAL = [
    ["1/2", r"\frac{1}{2}", "0.5", r"\int_0^1 x dx"],
    ["5", "x=5", r"5\text{ cm}", r"\$5"],
    ["(x+1)^2", "x^2+2x+1"],
    ["y = 2x+3", "2x+3"],
    [r"\sqrt{2}/2", r"\frac{\sqrt2}{2}"],
    ["(1,2)", r"\{1,2\}", "1<x<2"],
    ["[1,2]", r"x \in [1,2]"],
    ["1.414214", r"\sqrt{2}"],
    ["0.00000141421356", r"\frac{\sqrt{2}}{1000000}"],
    ["1000000000000000000", r"(10^9)^2", r"10^{18}"],
    [r"\frac{1}{2^{99}}", "2^{-99}"],
    ["602000000000000000000000", r"6.02\times 10^{23}"],
    ["1, 250", "250, 1", r"1 \text{ and } 250", r"\{1, 250\}", "x=1, x=250"],
    ["1-e^{-1}", r"1-\frac{1}{e}"],
    ["yes", r"\text{Yes}"],
    ["e", r"\text{E}"],
    [r"\pm 2", "2,-2", r"x=2\text{ or }x=-2"],
    ["1,2,3", "(1,2,3)"],
    ["(3,\\infty)", "x>3"],
    [r"\begin{pmatrix}1/2\\2\end{pmatrix}", r"\begin{pmatrix}0.5\\2\end{pmatrix}"],
    ["2+3i", "3i+2"],
    ["90", r"90^\circ"],
    ["10,000", "10000"],
]
EVERY = [text for group in EQUAL for text in group]
DIFFERENT = [
    ["0.333333", r"\frac13"],
    [r"1.6\times 10^{-19}", r"9.1\times 10^{-31}", "0", r"1.7\times 10^{-19}"],
    [r"\frac{1}{2004!}", r"\frac{1}{2006!}", "0"],
    [r"e^{-30}", r"e^{-31}", r"\sqrt{2}e^{-30}"],
    [r"\sqrt{10^{18}+1}", "1000000000"],
    [r"\sqrt{2}", "1.4142"],
    ["1, 250", "1250"],
    ["(0.0000001, 1)", "(0.0000002, 1)"],
    [r"\{0.0000003, 1\}", r"\{0.0000004, 1\}"],
    ["x=0.0000005", "x=0.0000006"],
]
HOSTILE = ["9^{9^{9^9}}", r"\prod_{k=1}^{10^9} k"]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("verdicts") / "equivalence.sqlite"


@pytest.fixture(scope="module")
def judge(cache):
    with Judge(VERSION, cache) as judge:
        yield judge


def partition(found):
    return {frozenset(text for text in found if found[text] == head) for head in set(found.values())}


@pytest.mark.parametrize("group", EQUAL)
def test_what_math_verify_finds_equal_is_one_class(judge, group):
    assert partition(equal_answers(group, None, judge)) == {frozenset(group)}


@pytest.mark.parametrize("group", DIFFERENT)
def test_different_numbers_of_any_size_are_different_classes(judge, group):
    assert len(set(equal_answers(group, None, judge).values())) == len(group)


def test_numbers_with_several_units_differ_from_their_first_number(judge):
    group = [r"3\text{ hours }20\text{ min}", r"3\text{ hours }30\text{ min}", "3", "20"]
    assert len(set(equal_answers(map(as_latex, group), None, judge).values())) == len(group)


def test_texts_whose_values_differ_are_not_asked_about_and_never_equal(judge):
    hidden = []
    for a, b in random.Random(0).sample([*combinations(EVERY, 2)], 500):
        difference, scale = abs(judge.value(a) - judge.value(b)), max(abs(judge.value(a)), abs(judge.value(b)))
        if difference > 1e-5 + 1e-6 * scale and judge.equal(a, b):
            hidden.append((a, b))
    assert hidden == []
    assert sum(judge.value(text) == judge.value(text) for text in EVERY) > 0.8 * len(EVERY)


@settings(max_examples=examples(25))
@given(st.data())
def test_the_classes_are_a_partition_that_the_order_does_not_change(judge, data):
    texts = data.draw(st.lists(st.sampled_from([*EVERY, r"50\%", "50", "6", "not math", ""]), unique=True))
    truth = data.draw(st.none() | st.sampled_from(EVERY))
    found = equal_answers(texts, truth, judge)
    assert set(found) == {*texts, *([] if truth is None else [truth])}
    assert all(found[head] == head for head in found.values())
    assert equal_answers(data.draw(st.permutations(texts)), truth, judge) == found


def test_a_lenient_verdict_does_not_join_two_classes(judge):
    assert judge.equal(r"50\%", "50")
    assert judge.equal(r"50\%", "1/2")
    assert partition(equal_answers([r"50\%", "50", "1/2"], "50", judge)) == {
        frozenset(["50", r"50\%"]),
        frozenset(["1/2"]),
    }


@pytest.mark.parametrize("text", ["x" * 1001, "{" * 100 + "x" + "}" * 100, "x\0", "", "\\", "}{", "\u202e", "\n", "$"])
def test_what_no_one_should_read_equals_nothing(judge, text):
    before = judge.undecided
    assert not judge.equal(text, "1")
    assert judge.undecided == before


def test_hostile_texts_cost_a_limited_time_and_are_counted(monkeypatch):
    monkeypatch.setattr(equivalence, "_SECONDS", 2.0)
    with Judge(VERSION) as judge:
        start = time.monotonic()
        found = equal_answers([*HOSTILE, "x", "x^2", "1", "1.0"], None, judge)
        assert time.monotonic() - start < 12
        assert len(set(found.values())) == 5
        assert found["1.0"] == found["1"]
        assert judge.undecided > 0
        assert judge.equal("1/2", "0.5")  # and it goes on


def test_a_process_that_does_not_answer_is_killed_and_another_one_begins(monkeypatch):
    with Judge(VERSION) as judge:
        assert judge.equal("1/2", r"\frac12")
        first = judge._process
        monkeypatch.setattr(equivalence, "_SECONDS", 0.2)
        assert not judge.equal("9^{9^{9^9}}", "9^{9^{9^8}}")
        assert judge.undecided > 0
        assert first.dead
        monkeypatch.setattr(equivalence, "_SECONDS", 30.0)
        assert judge.equal("2/3", r"\frac23")
        assert judge._process is not first


def test_a_process_that_dies_is_replaced():
    with Judge(VERSION) as judge:
        judge.value("x")
        judge._process._process.kill()
        judge._process._process.wait()
        assert not judge.equal("x+1", "1+x")
        assert judge.undecided == 1
        assert judge.equal("x+2", "2+x")


def test_math_verify_that_does_not_start_is_an_error(monkeypatch, tmp_path):
    (tmp_path / "worker.py").write_text("raise SystemExit")
    monkeypatch.setattr(equivalence.math_verify_worker, "__file__", str(tmp_path / "worker.py"))
    with Judge(VERSION) as judge, pytest.raises(MssimError, match=r"math-verify does not start\. Reinstall it"):
        judge.value("x")


# The cache ------------------------------------------------------------------------------------------------------------


class _NoProcess:
    def __init__(self):
        raise AssertionError("math-verify was asked")


def fill(path):
    with Judge(VERSION, path) as judge:
        found = equal_answers(EVERY[:8], "1/2", judge)
        return found, judge.undecided


def test_nothing_is_asked_twice(tmp_path, monkeypatch, filled):
    path, first = tmp_path / "e.sqlite", filled[1]
    shutil.copy(filled[0], path)
    monkeypatch.setattr(equivalence, "_Process", _NoProcess)
    assert fill(path) == first
    with Judge("another version", path) as judge, pytest.raises(AssertionError, match="was asked"):
        judge.value("x=5")


def test_no_verdict_is_kept_too(tmp_path, monkeypatch):
    path = tmp_path / "e.sqlite"
    monkeypatch.setattr(equivalence, "_SECONDS", 0.2)
    with Judge(VERSION, path) as judge:
        judge.equal("9^{9^{9^9}}", "9^{9^{9^8}}")
        undecided = judge.undecided
    monkeypatch.setattr(equivalence, "_Process", _NoProcess)
    with Judge(VERSION, path) as judge:
        assert not judge.equal("9^{9^{9^9}}", "9^{9^{9^8}}")
        assert judge.undecided == undecided > 0


def damage_header(path):
    path.write_bytes(b"no database" * 100)


def damage_middle(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 3 :] = b"\xff" * (len(data) - len(data) // 3)
    path.write_bytes(data)


def other_table(path):
    path.unlink()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE asked (x)")
    connection.commit()
    connection.close()


@pytest.fixture(scope="module")
def process():
    """One process for several judges, which do not end it: each takes most of a second to begin."""
    process = equivalence._Process()
    yield SimpleNamespace(dead=False, ask=process.ask, kill=lambda: None)
    process.kill()


@pytest.fixture(scope="module")
def filled(tmp_path_factory, process):
    path = tmp_path_factory.mktemp("cache") / "e.sqlite"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(equivalence, "_Process", lambda: process)
        return path, fill(path)


@pytest.mark.parametrize("damage", [damage_header, damage_middle, other_table, lambda path: path.unlink()])
def test_a_damaged_cache_is_replaced(tmp_path, monkeypatch, damage, process, filled):
    monkeypatch.setattr(equivalence, "_Process", lambda: process)
    path, first = tmp_path / "e.sqlite", filled[1]
    shutil.copy(filled[0], path)
    damage(path)
    assert fill(path) == first
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT count(*) FROM asked").fetchone()[0] > 0
    connection.close()


def test_a_cache_that_cannot_be_written_is_an_error(tmp_path):
    with pytest.raises(MssimError, match="cannot be written"):
        Judge(VERSION, tmp_path / "no folder" / "e.sqlite")
