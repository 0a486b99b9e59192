"""Importers: recorded samples in the files of other tools, as pools.

All take one path: a reader puts samples into a `Sink`; the long table that they make is checked and, if a rule is
given, graded; diagnostics say what is odd; and a pool folder appears whole or not at all. A new format is one module
with a function `read(sources, sink, *, options)`, and one line of `registry.FORMATS`.
"""

from mssim.importers.diagnostics import Diagnostics, diagnose
from mssim.importers.formats.evalplus import from_evalplus
from mssim.importers.formats.helm import from_helm
from mssim.importers.formats.human_eval import from_human_eval
from mssim.importers.formats.inspect import from_inspect
from mssim.importers.formats.lm_eval import from_lm_eval
from mssim.importers.formats.modelswitch import from_modelswitch
from mssim.importers.formats.monkeys import from_monkeys
from mssim.importers.formats.openai_batch import from_openai_batch
from mssim.importers.formats.table import from_table
from mssim.importers.formats.vllm import from_vllm
from mssim.importers.pipeline import Common

__all__ = [
    "Common",
    "Diagnostics",
    "diagnose",
    "from_evalplus",
    "from_helm",
    "from_human_eval",
    "from_inspect",
    "from_lm_eval",
    "from_modelswitch",
    "from_monkeys",
    "from_openai_batch",
    "from_table",
    "from_vllm",
]
