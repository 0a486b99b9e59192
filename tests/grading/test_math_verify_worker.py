"""The process that runs math-verify, asked over its pipes as the judge asks it."""

import json
import subprocess
import sys

import pytest

pytest.importorskip("math_verify")


@pytest.fixture(scope="module")
def worker():
    command = [sys.executable, "-m", "mssim.grading.math_verify_worker"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        yield process
        process.stdin.close()


def ask(worker, *texts):
    worker.stdin.write(json.dumps(texts) + "\n")
    worker.stdin.flush()
    return json.loads(worker.stdout.readline())


@pytest.mark.parametrize(
    ("text", "value", "is_number"),
    [
        (r"\frac{1}{2}", 0.5, True),
        (r"\sqrt{4}", 2, True),
        ("x = 5", 5, False),
        (r"\text{13}", 13, False),  # a symbol whose name is a number
        (r"\{1, 2\}", 3, False),  # of a set, the sum
        ("(1, 2, 4)", 7, False),
        (r"\begin{pmatrix}1\\2\end{pmatrix}", 3, False),
    ],
)
def test_equal_texts_share_a_number(worker, text, value, is_number):
    readable, (real, imaginary), plain = ask(worker, text)
    assert readable
    assert (real, imaginary) == pytest.approx((value, 0))
    assert plain is is_number


def test_variables_are_numbers_that_their_names_decide(worker):
    one, other, third = (ask(worker, text)[1] for text in ("(x+1)^2", "x^2+2x+1", "(y+1)^2"))
    assert one == pytest.approx(other)
    assert one != pytest.approx(third)


def test_what_has_no_number_says_so(worker):
    assert ask(worker, "") == [False, None, False]
    assert ask(worker, r"\int_0^1 x dx") == [True, None, False]  # never evaluated: it may take for ever


@pytest.mark.slow
def test_equal_in_either_direction(worker):
    assert ask(worker, "1/2", "0.5") is True
    assert ask(worker, "1<x<2", "(1,2)") is True
    assert ask(worker, "(1,2)", "1<x<2") is True
    assert ask(worker, "1/2", "0.6") is False
    assert ask(worker, "", "1") is False


@pytest.mark.slow
def test_what_takes_too_long_has_no_verdict_and_the_next_is_answered(worker):
    assert ask(worker, "9^{9^{9^9}}", "9^{9^{9^8}}") is None
    assert ask(worker, "2", "2.0") is True
