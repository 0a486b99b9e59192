"""Selection of strategies by cross-validation over questions.

`tune` compares candidates, `grid` lists strategies to compare, and `Tuning` is the result.
"""

from mssim.tuning._tune import tune
from mssim.tuning.grid import grid
from mssim.tuning.result import Tuning

__all__ = ["Tuning", "grid", "tune"]
