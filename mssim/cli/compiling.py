"""A line for the first run, which waits for compilation."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["compiling_notice"]


@contextmanager
def compiling_notice() -> Iterator[None]:
    """Print one line on stderr when kernels are compiled, and nothing when they come from the cache.

    Where they cannot be kept, a warning says so when they are imported.
    """
    from numba.core import event

    from mssim.kernels.compiling import KEPT

    class Notice(event.Listener):
        told = not KEPT

        def on_start(self, event: Any) -> None:  # noqa: ARG002
            if not self.told:
                self.told = True
                print("mssim: compiling, once; later runs start at once", file=sys.stderr)

        def on_end(self, event: Any) -> None:
            """Say nothing."""

    with event.install_listener("numba:compile", Notice()):
        yield
