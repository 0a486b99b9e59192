"""The package of importers: public names, which are loaded when they are first used."""

import subprocess
import sys

import pytest

import mssim.importers


def test_importers_are_loaded_when_first_used():
    assert set(mssim.importers.__all__) <= set(dir(mssim.importers))
    with pytest.raises(AttributeError, match=r"module 'mssim\.importers' has no attribute 'from_nothing'"):
        mssim.importers.from_nothing  # noqa: B018


@pytest.mark.slow
def test_names_of_formats_need_no_table_library():
    code = "import sys, mssim.importers; print(sorted({'pandas', 'pyarrow', 'numba'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
