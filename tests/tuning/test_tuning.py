"""The package of tuning: its names, which are imported when first used."""

import subprocess
import sys

import pytest

import mssim.tuning
from mssim.tuning import grid as by_package
from mssim.tuning.grid import grid


def test_every_name_can_be_imported():
    assert {name for name in mssim.tuning.__all__ if hasattr(mssim.tuning, name)} == set(mssim.tuning.__all__)
    assert set(mssim.tuning.__all__) <= set(dir(mssim.tuning))
    assert by_package is grid
    with pytest.raises(AttributeError, match=r"module 'mssim\.tuning' has no attribute 'tunes'"):
        _ = mssim.tuning.tunes


@pytest.mark.slow
def test_options_are_checked_without_loading_the_engine():
    script = "import sys, mssim.tuning.options; print([m for m in ('numba', 'pandas', 'pyarrow') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "[]\n"
