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

NOT_KEPT = """compiled kernels cannot be kept (no folder is writable), so every run compiles them again. Set \
NUMBA_CACHE_DIR to a folder that is writable.
"""
NO_PLACE = """
import sys, warnings
warnings.showwarning = lambda message, *_, **__: print(message, file=sys.stderr)
from numba.core import caching
for impl in (caching.CompileResultCacheImpl, caching.CodeLibraryCacheImpl):
    impl._locator_classes = []
import numpy as np
from mssim.kernels import compiling, streams
assert not compiling.KEPT
print(int(streams.word(np.uint64(7), 3)))
"""
MIX = "import numpy as np; from mssim.kernels import streams; print(int(streams.mix(np.uint64(7))))"

COMPILE_TOGETHER = """
import time
from pathlib import Path
import numpy as np
from numba.core import event
from mssim.kernels import streams
from tests import compile_once
compile_once.install()
plain = streams.mix._compiler.compile
streams.mix._compiler.compile = lambda *given: (time.sleep(1), plain(*given))[1]  # long enough to meet the other
Path(f"ready{time.time_ns()}").touch()
while len(list(Path().glob("ready*"))) < 2:
    time.sleep(0.01)
with event.install_recorder("numba:compile") as recorder:
    streams.mix(np.uint64(7))
print(len(recorder.buffer))
"""


def environment_of(given):
    return {**os.environ, "PYTHONPATH": str(ROOT), "NUMBA_DISABLE_JIT": "0", **given}


def python(code, says="", **environment):
    given = environment_of(environment)
    done = subprocess.run([sys.executable, "-c", code], env=given, capture_output=True, text=True, check=True)
    assert done.stderr == says
    return int(done.stdout)


@pytest.mark.slow
def test_no_place_for_a_cache_is_no_error():
    word = getattr(streams.word, "py_func", streams.word)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "mix", getattr(streams.mix, "py_func", streams.mix))
        with np.errstate(over="ignore"):
            assert python(NO_PLACE, NOT_KEPT) == int(word(np.uint64(7), 3))


@pytest.mark.slow
def test_another_processor_compiles_again_without_a_word(tmp_path):
    """The cache of one processor is not that of another; both give the same bits."""
    here = python(MIX, NUMBA_CACHE_DIR=str(tmp_path))
    files = set(tmp_path.rglob("*.nbc"))
    assert files
    assert python(MIX, NUMBA_CACHE_DIR=str(tmp_path)) == here
    assert set(tmp_path.rglob("*.nbc")) == files
    assert python(MIX, NUMBA_CACHE_DIR=str(tmp_path), NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES="") == here
    assert set(tmp_path.rglob("*.nbc")) > files


@pytest.mark.slow
def test_of_two_processes_that_start_together_one_compiles(tmp_path):
    """tests/compile_once.py: the other one waits and reads the cache."""
    given = environment_of({"NUMBA_CACHE_DIR": str(tmp_path / "cache")})
    command = [sys.executable, "-c", COMPILE_TOGETHER]
    both = [subprocess.Popen(command, env=given, cwd=tmp_path, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    none, some = sorted(int(process.communicate(timeout=120)[0]) for process in both)
    assert none == 0 < some


def test_kernels_release_the_lock():
    assert numba.config.DISABLE_JIT or streams.mix.targetoptions["nogil"]
    assert compiling.KEPT


@pytest.mark.slow
@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is compiled")
def test_a_damaged_cache_is_compiled_again(tmp_path):
    here = python(MIX, NUMBA_CACHE_DIR=str(tmp_path))
    for path in tmp_path.rglob("*.nb[ic]"):
        path.write_bytes(b"damaged")
    assert python(f"import warnings; warnings.simplefilter('ignore'); {MIX}", NUMBA_CACHE_DIR=str(tmp_path)) == here


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is compiled")
def test_a_cache_that_cannot_be_written_warns_once(monkeypatch):
    cache = compiling._Cache(streams.mix.py_func)
    monkeypatch.setattr(compiling._Cache, "works", True)
    monkeypatch.setattr(cache._impl, "check_cachable", lambda _: 1 / 0)
    with pytest.warns(UserWarning, match="cannot be kept .division by zero., .* Set NUMBA_CACHE_DIR"):
        cache.save_overload((), None)
    cache.save_overload((), None)  # a second warning would be an error
    assert cache.load_overload((), None) is None


@pytest.mark.slow
@pytest.mark.compiled
def test_an_array_without_an_owner_has_the_same_numbers():
    @numba.njit
    def written(array):
        compiling.unowned(array)[1, 2] = 7
        return compiling.unowned(array)[1].sum()

    array = np.arange(6.0).reshape(2, 3)
    assert written(array) == 3 + 4 + 7
    assert array[1, 2] == 7
    assert compiling.unowned(array) is array
