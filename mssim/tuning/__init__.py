"""Selection of strategies by cross-validation over questions.

`tune` compares candidates, `grid` lists strategies to compare, and `Tuning` is the result. `FAMILIES` names groups of
candidates, and a `Learner` is a candidate that is fitted to training questions.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from mssim.tuning.grid import grid  # at once: later, the import of the module would replace the function

if TYPE_CHECKING:
    from mssim.tuning._tune import tune
    from mssim.tuning.learners import Learner
    from mssim.tuning.options import FAMILIES
    from mssim.tuning.result import Tuning

_HOMES = {"FAMILIES": "options", "Learner": "learners", "Tuning": "result", "tune": "_tune"}

__all__ = ["FAMILIES", "Learner", "Tuning", "grid", "tune"]


def __getattr__(name: str) -> Any:
    # Names are imported when first used, so that the command line can check options without loading the engine.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
