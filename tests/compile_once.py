"""Kernels are compiled once, also if several processes of a test run need one at the same time.

Numba looks into its cache on disk before it compiles, but two processes that find nothing there both compile. Here the
second one waits for the first and then reads the cache.
"""

import fcntl
import functools
from pathlib import Path

from numba.core.compiler_lock import global_compiler_lock
from numba.core.dispatcher import Dispatcher


def install():
    """Let every kernel that has a cache on disk be compiled by one process at a time."""
    plain, held = Dispatcher.compile, set()

    @functools.wraps(plain)
    def compile_once(self, sig):
        folder, kernel = self._cache.cache_path, self.py_func
        path = folder and Path(folder, f"{kernel.__module__}.{kernel.__qualname__}.lock")
        # Numba's own lock comes first: threads that take the two locks in different orders wait for each other. Between
        # processes that cannot happen, since no kernel calls one that calls it.
        with global_compiler_lock:
            if path is None or path in held:
                return plain(self, sig)
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("w") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                held.add(path)
                try:
                    return plain(self, sig)
                finally:
                    held.remove(path)

    Dispatcher.compile = compile_once
