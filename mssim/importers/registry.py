"""Registry of the formats that can be imported."""

from __future__ import annotations

import importlib
import inspect
from types import ModuleType

from mssim._validation import choose_from
from mssim.errors import MssimError

__all__ = ["FORMATS", "find", "listed", "options_of"]

FORMATS = {
    "inspect": "inspect",
    "lm-eval": "lm_eval",
    "openai-batch": "openai_batch",
    "modelswitch": "modelswitch",
    "monkeys": "monkeys",
    "human-eval": "human_eval",
    "evalplus": "evalplus",
    "helm": "helm",
    "math-harness": "math_harness",
    "livecodebench": "livecodebench",
    "nemo-skills": "nemo_skills",
    "matharena": "matharena",
    "evalscope": "evalscope",
    "lighteval": "lighteval",
    "opencompass": "opencompass",
    "tau-bench": "tau_bench",
    "routerbench": "routerbench",
    "llmrouterbench": "llmrouterbench",
    "feval-ttc": "feval_ttc",
    "strategic-ttc": "strategic_ttc",
    "deepconf": "deepconf",
    "table": "table",
}

_SEE = "mssim import --list prints all formats."


def find(name: str) -> ModuleType:
    """Return the module that reads a format."""
    if name not in FORMATS:
        raise MssimError(f"format: {name!r} is not known. {choose_from(name, FORMATS)}. {_SEE}")
    return importlib.import_module(f"mssim.importers.formats.{FORMATS[name]}")


def options_of(module: ModuleType) -> list[str]:
    """Return the names of the options that are specific to a format."""
    parameters = inspect.signature(module.read).parameters.values()
    return [parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY]


def listed() -> list[dict[str, str]]:
    """Return what every format reads: its name, whose files, one command, and what votes.

    Examples
    --------
    >>> [row["command"] for row in listed() if row["format"] == "human-eval"]
    ['mssim import human-eval llama_temp_0.8.jsonl_results.jsonl --out my-pool']
    """
    modules = {name: find(name) for name in FORMATS}
    return [
        {"format": name, "files": module.TOOL, "command": module.EXAMPLE, "votes": module.VOTES}
        for name, module in modules.items()
    ]
