"""Where compiled kernels are kept, and what happens where they cannot be."""

import os
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest

from mssim.kernels import compiling, streams

ROOT = Path(__file__).parents[2]

NO_PLACE = """
from numba.core import caching
for impl in (caching.CompileResultCacheImpl, caching.CodeLibraryCacheImpl):
    impl._locator_classes = []
import numpy as np
from mssim.kernels import compiling, streams
assert not compiling._CACHE
print(int(streams.word(np.uint64(7), 3)))
"""
MIX = "import numpy as np; from mssim.kernels import streams; print(int(streams.mix(np.uint64(7))))"


def python(code, **environment):
    given = {**os.environ, "PYTHONPATH": str(ROOT), "NUMBA_DISABLE_JIT": "0", **environment}
    done = subprocess.run([sys.executable, "-c", code], env=given, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return int(done.stdout)


def test_no_place_for_a_cache_is_no_error():
    word = getattr(streams.word, "py_func", streams.word)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "mix", getattr(streams.mix, "py_func", streams.mix))
        with np.errstate(over="ignore"):
            assert python(NO_PLACE) == int(word(np.uint64(7), 3))


def test_another_processor_compiles_again_without_a_word(tmp_path):
    """The cache of one processor is not that of another; both give the same bits."""
    here = python(MIX, NUMBA_CACHE_DIR=str(tmp_path))
    files = set(tmp_path.rglob("*.nbc"))
    assert files
    assert python(MIX, NUMBA_CACHE_DIR=str(tmp_path)) == here
    assert set(tmp_path.rglob("*.nbc")) == files
    assert python(MIX, NUMBA_CACHE_DIR=str(tmp_path), NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES="") == here
    assert set(tmp_path.rglob("*.nbc")) > files


def test_kernels_release_the_lock():
    assert numba.config.DISABLE_JIT or streams.mix.targetoptions["nogil"]
    assert compiling._CACHE
