"""Importers that convert files of other tools to pools.

All formats share one pipeline. A reader adds samples to a `Sink`. The resulting long table is checked and, if a rule
is given, graded. Diagnostics report problems as warnings. The pool folder is written atomically. CONTRIBUTING.md says
how to add a format.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from mssim.importers.registry import FORMATS

if TYPE_CHECKING:
    from mssim.importers.diagnostics import Diagnostics, diagnose
    from mssim.importers.formats.deepconf import from_deepconf
    from mssim.importers.formats.evalplus import from_evalplus
    from mssim.importers.formats.evalscope import from_evalscope
    from mssim.importers.formats.feval_ttc import from_feval_ttc
    from mssim.importers.formats.helm import from_helm
    from mssim.importers.formats.human_eval import from_human_eval
    from mssim.importers.formats.inspect import from_inspect
    from mssim.importers.formats.lighteval import from_lighteval
    from mssim.importers.formats.livecodebench import from_livecodebench
    from mssim.importers.formats.llmrouterbench import from_llmrouterbench
    from mssim.importers.formats.lm_eval import from_lm_eval
    from mssim.importers.formats.math_harness import from_math_harness
    from mssim.importers.formats.matharena import from_matharena
    from mssim.importers.formats.modelswitch import from_modelswitch
    from mssim.importers.formats.monkeys import from_monkeys
    from mssim.importers.formats.nemo_skills import from_nemo_skills
    from mssim.importers.formats.openai_batch import from_openai_batch
    from mssim.importers.formats.opencompass import from_opencompass
    from mssim.importers.formats.routerbench import from_routerbench
    from mssim.importers.formats.strategic_ttc import from_strategic_ttc
    from mssim.importers.formats.table import from_table
    from mssim.importers.formats.tau_bench import from_tau_bench
    from mssim.importers.formats.vllm import from_vllm
    from mssim.importers.pipeline import Common
    from mssim.importers.recognition import recognise

__all__ = [
    "Common",
    "Diagnostics",
    "diagnose",
    "from_deepconf",
    "from_evalplus",
    "from_evalscope",
    "from_feval_ttc",
    "from_helm",
    "from_human_eval",
    "from_inspect",
    "from_lighteval",
    "from_livecodebench",
    "from_llmrouterbench",
    "from_lm_eval",
    "from_math_harness",
    "from_matharena",
    "from_modelswitch",
    "from_monkeys",
    "from_nemo_skills",
    "from_openai_batch",
    "from_opencompass",
    "from_routerbench",
    "from_strategic_ttc",
    "from_table",
    "from_tau_bench",
    "from_vllm",
    "recognise",
]

_HOMES = {f"from_{module}": f"formats.{module}" for module in (*FORMATS.values(), "vllm")}
_HOMES |= {"Common": "pipeline", "Diagnostics": "diagnostics", "diagnose": "diagnostics", "recognise": "recognition"}


def __getattr__(name: str) -> Any:
    # Names are imported when first used, so that the command line can list the formats without loading pandas.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
