"""What the benchmarks compare does the same work, and what they print is right; how fast it is they say themselves."""

import re
import shutil
import subprocess
from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest

from benchmarks import commits, floor, guard, packages, plain, vectorised
from benchmarks.engines import Engine, Task, check
from benchmarks.guard import Ratio, until_ok
from benchmarks.measuring import Timed, interleaved, slope
from benchmarks.pools import make_pool
from benchmarks.report import cell, header, table
from benchmarks.sections import Section, exceeded, measured
from mssim import __version__, evaluate, pass_at_k
from mssim.kernels.streams import draw, word
from tests.conftest import make_pool as make_recorded

pytestmark = pytest.mark.slow

N_SAMPLES, MOST = 12, 8


@pytest.fixture(scope="module")
def pool():
    return make_pool(8, N_SAMPLES, easy_share=0.0)


def drawn(samples, key, depth, replay):
    """The classes that the replays' own function draws."""
    order, scratch = np.zeros((1, depth), np.uint16), samples[None].copy()
    state = np.uint64(word(np.uint64(key), replay))
    draw(order, 0, depth, np.zeros(depth, np.uint32), scratch, samples[None], 0, samples.size, state, False)
    return order[0].astype(int)


@pytest.mark.parametrize("name", floor.FLOORS)
@pytest.mark.parametrize("n_replays", [1, 4, 7])
def test_floors_make_the_draws_of_replays(name, n_replays):
    """The sum over more and more draws tells each of them; samples are all different."""
    samples = np.arange(1, 2 * 10 + 1, dtype=np.uint16).reshape(2, 1, 10) ** 2
    keys = np.array([[3], [2**64 - 5]], np.uint64)
    orders = [[drawn(samples[m, 0], keys[m, 0], 10, r) for r in range(n_replays)] for m in (0, 1)]
    for first, second in ((depth, 10 - depth) for depth in range(11)):
        expected = sum(order[:first].sum() for order in orders[0]) + sum(order[:second].sum() for order in orders[1])
        depths, replays = np.array([[first], [second]]), np.full((2, 1), n_replays)
        assert floor.FLOORS[name](samples, keys, depths, replays) == expected


def test_the_floor_of_a_strategy_has_the_draws_that_it_used(pool):
    result = evaluate(pool, "ms:one+two", [6], method="monte_carlo", n_replays=400)
    draws = floor.draws_as_used(pool, ["one", "two"], [3, 3], result, 400)
    assert draws.total == pytest.approx(400 * result.samples_used[0, -1].sum())
    assert np.array_equal(draws.samples, pool.codes)
    result = evaluate(pool, "sc:one,stop=beta", [8], method="monte_carlo", n_replays=400)
    draws = floor.draws_as_used(pool, ["one"], [8], result, 400)
    assert np.abs(draws.depths - result.samples_used[0, -1]).max() <= 0.5


@pytest.mark.parametrize("module", [plain, vectorised])
@pytest.mark.parametrize(
    ("function", "spec", "budgets"),
    [
        ("self_consistency", "sc:one", range(1, MOST + 1)),
        ("model_switch", "ms:one+two", range(2, MOST + 1)),
        ("model_switch", "ms:one+two", range(3, MOST + 1, 2)),
        ("adaptive_consistency", "sc:one,stop=beta", [MOST]),
    ],
)
def test_the_loops_find_what_mssim_finds(pool, module, function, spec, budgets):
    """Six standard errors of the difference, at each of at most eight budgets: fails once in ten million."""
    n, n_ours = 300, 20_000
    given = budgets[0] if function == "adaptive_consistency" else budgets
    found = getattr(module, function)(pool, given, n, 0)
    expected = evaluate(pool, spec, budgets, method="monte_carlo", n_replays=n_ours).to_frame()
    error = expected["replay_sd"] * np.sqrt(1 / n + 1 / n_ours)
    assert (np.abs(found - expected["accuracy"]) < 6 * error + 1e-9).all()


def test_the_released_analysis_counts_the_first_recorded_answers():
    recorded = make_recorded({("one", "q"): list("bcaaaa"), ("two", "q"): list("bbcccc")})
    assert plain.released_self_consistency(recorded, [1, 4, 5]).tolist() == [0, 1, 1]
    assert plain.released_self_consistency(recorded, [2, 3]).tolist() == [0, 0]  # ties: the answer seen first
    # b alone; b with 3 votes; b with 3 of 6; then b and c have 0.79 each and b was seen first
    assert plain.released_model_switch(recorded, [2, 4, 6, 8]).tolist() == [0, 0, 0, 0]
    agreed = make_recorded({("one", "q"): list("aab"), ("two", "q"): list("bbb")})
    assert plain.released_model_switch(agreed, [4, 6]).tolist() == [1, 0]


def test_closed_forms_agree(pool):
    ks, c = range(1, N_SAMPLES + 1), vectorised.right_samples(pool)
    expected = pass_at_k(N_SAMPLES, c, ks).mean(axis=0)
    found = [plain.pass_at_k(pool, ks), vectorised.pass_at_k(pool, ks)]
    if packages.installed("scorio"):
        found.append(packages.scorio_pass_at_k(pool, ks))
        assert packages.scorio_maj_at_k(pool, ks) == pytest.approx(vectorised.strict_majority(pool, ks))
    for curve in found:
        assert curve == pytest.approx(expected)


def test_engines_that_disagree_are_refused():
    task = Task("a task", [1, 2], 2, [], None, 0.1)
    engine = Engine("odd", lambda _: None, 100)
    check(task, engine, Timed(1.0, [[0.9, 0.55]]), 0.5, 100, 1000)
    with pytest.raises(SystemExit, match=r"a task: odd finds 0.65000, mssim 0.50000"):
        check(task, engine, Timed(1.0, [[0.5, 0.65]]), 0.5, 100, 1000)


def test_the_best_of_all_rounds_counts():
    clock = iter([0.0, 5.0, 5.0, 6.0, 6.0, 8.0, 8.0, 9.0]).__next__
    timed = interleaved({"a": lambda turn: turn, "b": lambda turn: -turn}, 2, clock)
    assert timed == {"a": Timed(2.0, [0, 1]), "b": Timed(1.0, [0, -1])}


@pytest.mark.parametrize("exponent", [-1.0, 0.0, 0.5, 2.0])
def test_the_exponent_of_a_power_law(exponent):
    sizes = np.array([1, 2, 8, 30])
    assert slope(sizes, 7 * sizes**exponent) == pytest.approx(exponent, abs=1e-12)


def test_tables_are_markdown():
    frame = pd.DataFrame({"what": ["a|b", "a|b", "c"], "n": [1000.0, np.nan, 2], "x": [0.01234, 1234.5, 9.999]})
    assert table(frame).splitlines() == [
        "| what | n | x |",
        "| --- | ---: | ---: |",
        "| a\\|b | 1,000 | 0.0123 |",
        "|  |  | 1,234 |",
        "| c | 2 | 10 |",
    ]


@pytest.mark.parametrize(
    ("value", "text"), [(np.nan, ""), (None, ""), (0.0, "0"), (1e-5, "0.00001"), (99.96, "100"), (np.int64(7), "7")]
)
def test_cells(value, text):
    assert cell(value) == text


def test_the_header_names_versions_but_no_place():
    text = header(smoke=True)
    assert f"numpy {np.__version__}" in text
    assert re.search(
        rf"All figures were measured on \d{{4}}-\d\d-\d\d with mssim {re.escape(__version__)}, commit ", text
    )
    assert "SYNTHETIC" in text
    assert "/home" not in text


def test_what_takes_more_than_allowed_is_a_failure():
    frame = pd.DataFrame({"what": ["a", "b", "c"], "s": [1.0, 3.0, 9.0], "allowed": [2.0, 2.0, np.nan], "n": 1})
    assert exceeded(frame) == ["b: s 3, allowed 2"]
    assert exceeded(frame[["s"]]) == []
    frame = pd.DataFrame({"what": ["a", "b", "c"], "x": [1.8, 2.0, 1.0], "at least": [1.9, 1.9, np.nan]})
    assert exceeded(frame) == ["a: x 1.8, at least 1.9"]


def test_a_section_that_ends_is_a_failure_of_its_own():
    assert measured("no_section", smoke=True) == Section(
        "no_section", "no_section", failures=["no_section: No module named 'benchmarks.no_section'"]
    )


# The guard ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def few(monkeypatch):
    """One case, whose ratios are given instead of measured."""

    def give(*ratios):
        monkeypatch.setattr(guard, "CASES", guard.CASES[:1])
        monkeypatch.setattr(guard, "ratios", lambda *_: list(ratios))

    return give


def test_a_ratio_beyond_its_limit_fails_with_one_line(few, capsys):
    few(Ratio("a task", "mssim / floor", 4.5, 4.0), Ratio("a task", "NumPy / mssim", 30.0, 40.0, at_least=True))
    assert guard.check(False, None) == 1
    printed = capsys.readouterr()
    assert [line for line in printed.err.splitlines() if line.startswith("failed")] == [
        "failed: a task: mssim / floor is 4.5, allowed is at most 4 within 10%",
        "failed: a task: NumPy / mssim is 30, allowed is at least 40 within 10%",
    ]
    assert printed.out.splitlines()[2:] == [
        "| a task | mssim / floor | 4.5 | at most 4 | no |",
        "|  | NumPy / mssim | 30 | at least 40 | no |",
    ]


def test_ratios_within_the_tolerance_or_without_a_limit_pass(few, capsys):
    few(
        Ratio("a", "mssim / floor", 4.3, 4.0),
        Ratio("b", "NumPy / mssim", 37.0, 40.0, at_least=True),
        Ratio("c", "mssim / floor", 99.0, np.nan),
        Ratio("d", "NumPy / mssim", 0.1, np.nan, at_least=True),
    )
    assert guard.check(False, None) == 0
    assert "failed" not in capsys.readouterr().err
    assert not Ratio("e", "mssim / mssim at HEAD", 1.16, 1.15, tolerance=0.0).ok


@pytest.mark.parametrize(("times", "n_measured"), [([3.0], 1), ([9.0, 8.0, 3.0, 3.0], 3), ([9.0] * 5, 3)])
def test_a_ratio_beyond_its_limit_is_measured_again(times, n_measured):
    rest = iter(times)
    (found,) = until_ok(lambda: [Ratio("a task", "mssim / floor", next(rest), 4.0)])
    assert len(times) - len(list(rest)) == n_measured
    assert found.ratio == times[n_measured - 1]


def test_every_case_has_its_ratios(capsys):
    assert guard.check(True, None) == 0
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines()[2:]]
    n_numpy = sum(bool(case.in_numpy) for case in guard.CASES)
    assert len(rows) == len(guard.CASES) + n_numpy
    assert all(float(row[2].replace(",", "")) > 0 for row in rows)


def test_an_unknown_commit_is_one_error(few):
    few()
    with pytest.raises(
        SystemExit, match=r"^--against: 'no-such' is not a commit of this repository\. Use e\.g\. HEAD~1"
    ):
        guard.check(True, "no-such")
    with pytest.raises(SystemExit, match=r"^--against: '--help' is not a commit"):
        guard.check(True, "--help")


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository whose only commit has a library that fails, with benchmarks as they are now."""
    (tmp_path / "mssim").mkdir()
    (tmp_path / "mssim" / "__init__.py").write_text("raise SystemExit(3)")
    shutil.copytree(commits.ROOT / "benchmarks", tmp_path / "benchmarks")
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.example"]
    for command in (["init", "-q"], ["add", "mssim"], ["commit", "-q", "-m", "Fail"]):
        subprocess.run([*git, *command], check=True)
    monkeypatch.setattr(commits, "ROOT", tmp_path)


@pytest.mark.usefixtures("repository")
def test_the_library_of_the_commit_is_measured():
    with commits.checked_out("HEAD") as tree, commits.Timer(tree, "HEAD", smoke=True) as timer:
        assert tree != commits.ROOT
        with pytest.raises(SystemExit, match=r"^benchmarks\.timed failed with HEAD$"):
            timer.finish()
    assert not tree.exists()


def test_tasks_of_two_folders_are_compared(few, capsys, monkeypatch):
    """The folders are the same, because a new one compiles anew."""
    few()
    monkeypatch.setattr(commits, "checked_out", lambda _: nullcontext(commits.ROOT))
    assert guard.check(True, "HEAD") == 0
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines()[2:]]
    assert len(rows) > 5
    assert all(row[1] == "mssim / mssim at HEAD" and float(row[2]) > 0 for row in rows)
