"""The package: every public name is there, and imported when it is first used."""

import importlib
import subprocess
import sys

import pytest

import mssim


def test_help_imports_nothing_heavy():
    code = """if True:
        import atexit, sys
        atexit.register(lambda: print(*sys.modules))
        from mssim.cli import main
        sys.argv = ["mssim", "--help"]
        main()
        """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split("\n")[-2].split())
    assert "Replay ModelSwitch" in done.stdout
    assert not loaded & {"numpy", "pandas", "numba", "scipy", "pyarrow", "matplotlib"}


def test_all_public_names_can_be_imported():
    assert {name for name in mssim.__all__ if getattr(mssim, name) is None} == set()
    assert set(mssim.__all__) <= set(dir(mssim))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        mssim.nothing  # noqa: B018


def test_names_are_those_of_their_modules():
    for name, home in mssim._HOME_OF.items():
        assert getattr(mssim, name) is getattr(importlib.import_module(f"mssim.{home}"), name)
    assert set(mssim._HOME_OF) == set(mssim.__all__)


@pytest.mark.slow
def test_a_name_is_imported_when_it_is_first_used():
    code = "import sys, mssim; before = 'pandas' in sys.modules; mssim.Pool; print(before, 'pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
