"""Versions that decide the bits of a result: where they differ, nothing is computed."""

import re
import sys
from concurrent.futures import Future

import numpy as np
import pytest

from mssim import MssimError
from mssim.engine.versions import check_versions, code_hash, mismatch, versions
from tests.long_runs import AtOnce, run


class Elsewhere(AtOnce):
    """A worker for whom the work was made with another NumPy."""

    def submit(self, function, task, made_with, attempt):
        future = Future()
        try:
            future.set_result(function(task, {**made_with, "numpy": "1.0"}, attempt))
        except MssimError as error:
            future.set_exception(error)
        return future


def test_a_worker_with_other_versions_is_named(pool):
    with pytest.raises(
        MssimError, match=r"executor: the worker on .* has other versions, .*numpy .* \(here 1\.0\)\. Install"
    ):
        run(pool, Elsewhere())


def test_versions_name_all_that_decides_bits_and_are_read_once():
    here = versions()
    assert {"mssim", "code of mssim", "numpy", "numba", "scipy", "python", "machine"} == set(here)
    assert here["numpy"] == np.__version__
    assert here["python"] == f"{sys.version_info.major}.{sys.version_info.minor}"
    assert versions() is here


def test_only_what_differs_is_named():
    here = {"numpy": "2.1", "numba": "0.61"}
    assert mismatch(here, here) == ""
    assert mismatch({"numpy": "2.0", "numba": "0.61", "other": "9"}, here) == "numpy 2.0 (here 2.1)"
    assert mismatch({"numba": "1"}, here) == "numpy unknown (here 2.1), numba 1 (here 0.61)"


def test_the_same_versions_are_accepted_and_others_refused():
    check_versions(versions())
    differs = re.escape(f"scipy {versions()['scipy']} (here 0.1)")
    says = rf"executor: the worker on .* has other versions, .*: {differs}\. Install the same versions there"
    with pytest.raises(MssimError, match=says):
        check_versions({**versions(), "scipy": "0.1"})


def test_the_hash_of_code_is_of_names_and_texts(tmp_path):
    def written(**files):
        home = tmp_path / str(len(list(tmp_path.iterdir())))
        for name, text in files.items():
            path = home / (name.replace("__", "/") + ".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return home

    one = code_hash(written(a__x="1", a__sub__y="2", b__z="3"), ["a"])
    assert len(one) == 12
    assert one == code_hash(written(a__sub__y="2", a__x="1", b__z="4"), ["a"])  # b is not asked for
    others = [{"a__x": "1", "a__sub__y": "3"}, {"a__x": "1", "a__y": "2"}, {"a__x": "12", "a__sub__y": ""}]
    assert len({one, *(code_hash(written(**files), ["a"]) for files in others)}) == 4
    packages = written(a__x="1", b__z="3")
    (packages / "a" / "notes.txt").write_text("not code", encoding="utf-8")
    assert code_hash(packages, ["a", "b"]) == code_hash(packages, ["b", "a"]) != code_hash(packages, ["a"])
