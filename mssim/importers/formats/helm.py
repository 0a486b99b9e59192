"""HELM: scenario_state.json, the requests and results of one run (Stanford CRFM, crfm-helm).

A run folder, benchmark_output/runs/<suite>/<scenario>:<arguments>,model=<model>, contains it beside run_spec.json. The
samples of an instance are the completions of its requests (`num_outputs`), its trials with other in-context examples
(`num_train_trials`) and its trials with other seeds (`num_trials`). per_instance_stats.json has no verdicts of samples:
exact_match refers to the most likely completion, exact_match@k to the best. The schema is defined by the dataclasses
ScenarioState, RequestState, Instance, Request and RequestResult of stanford-crfm/helm.
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from mssim._validation import counted
from mssim.importers.fields import Fields, as_text, is_logprob
from mssim.importers.glance import beginning
from mssim.importers.patterns import Pattern
from mssim.importers.pipeline import Common, Paths, as_paths, to_pool
from mssim.importers.safe_files import Source, expand
from mssim.importers.sink import Sink
from mssim.pools.pool import Pool

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from mssim.importers.pipeline import CommonOptions

__all__ = ["from_helm"]

PATTERNS = ("scenario_state.json", "scenario_state.json.gz", "scenario_state.json.zst")
TOOL = "HELM, scenario_state.json"
VOTES = "as HELM compares them, or by --rule"
EXAMPLE = "mssim import helm benchmark_output/runs/my-suite --rule choice --out my-pool"

_SCORED = ("language_modeling", "multiple_choice_separate", "ranking_")  # methods without sampling


def from_helm(paths: Paths, *, model: str | None = None, **common: Unpack[CommonOptions]) -> Pool:
    """Import scenario states of HELM.

    Parameters
    ----------
    paths : path or sequence of path
        Files scenario_state.json, or folders that are searched for them, such as a suite of runs.
    model : str, optional
        Name of the model of all files. By default it is read from each file.
    **common
        The options rule, where, texts, strict and others, see `mssim.importers.Common`. Without a rule, answers are
        those of HELM's exact_match: the stripped text, or the choice that `output_mapping` assigns to it. An answer is
        correct if it equals a reference tagged correct. Chains of thought require a rule, such as choice, which
        compares with the first correct reference.

    Returns
    -------
    Pool
        The imported pool.

    Raises
    ------
    PoolError
        If a file is damaged, empty or in another format, if it contains likelihoods of choices, or if two files have
        different questions under the same id.

    Notes
    -----
    The question_id is the id of the instance, prefixed by the scenario if there are several scenarios and followed by
    the perturbation, if any. If there are perturbations, questions of the same instance form a `cluster`. The columns
    scenario, split, sub_split and perturbation are those that HELM reports separately.

    Examples
    --------
    >>> import json, tempfile
    >>> from pathlib import Path
    >>> from mssim.importers import from_helm
    >>> state = {
    ...     "instance": {"id": "id0", "input": "2 + 2?", "references": [{"output": "4", "tags": ["correct"]}]},
    ...     "request": {"model": "org/llama", "temperature": 0.7},
    ...     "result": {"completions": [{"text": " 4"}, {"text": " 5"}]},
    ... }
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "scenario_state.json"
    ...     _ = path.write_text(json.dumps({"adapter_spec": {"method": "generation"}, "request_states": [state]}))
    ...     from_helm(path)
    Pool(1 question, 1 model, 2 samples each: org/llama)
    """
    return to_pool("helm", partial(read, model=model), expand(as_paths(paths), *PATTERNS), Common(**common))


def is_own(source: Source) -> bool:
    """Return whether a file is a scenario state."""
    head = beginning(source)
    return isinstance(head, dict) and isinstance(head.get("adapter_spec"), dict) and "request_states" in head


def read(sources: Sequence[Source], sink: Sink, *, model: str | None = None) -> None:
    """Read all runs."""
    scenarios = [_scenario(source) for source in sources]
    several = len(set(scenarios)) > 1
    sink.verdicts = False  # HELM has scores per instance, not per sample
    for column in ("scenario", "split", "sub_split", "perturbation"):
        sink.apart(column)
    sink.tell_apart = "Keep run_spec.json beside each file to distinguish scenarios, import the runs separately"
    known = _Known()
    for source, scenario in zip(sources, scenarios, strict=True):
        adapter = source.part("adapter_spec")
        if (adapter.text("method") or "").startswith(_SCORED):
            _no_samples(adapter)
        prefix = f"{scenario}/" if several and scenario else ""
        run = _Run(adapter, scenario, prefix, model, _pattern(adapter), sink, known)
        for state in source.items("request_states"):
            _read_state(state, run)
    known.tell(sink)


# Files ----------------------------------------------------------------------------------------------------------------


@dataclass
class _Known:
    """State that is shared by all files."""

    instances: dict[str, str] = field(default_factory=dict)  # by question
    requests: set[int] = field(default_factory=set)  # hashes
    copies: int = 0
    several: set[str] = field(default_factory=set)  # questions with more than one correct reference

    def tell(self, sink: Sink) -> None:
        """Add clusters and warnings that depend on all files."""
        if any(instance != question for question, instance in self.instances.items()):
            for question, instance in self.instances.items():
                sink.describe(question, {"cluster": instance})
        if self.several:
            sink.note(
                f"{counted(len(self.several), 'question has', 'questions have')} several correct references. "
                "Without a rule, each of them is accepted. A rule compares with the first."
            )
        if self.copies:
            sink.note(
                f"{counted(self.copies, 'request repeats', 'requests repeat')} an earlier request with the same seed "
                "and came from the cache of HELM. Such samples are copies."
            )


@dataclass(frozen=True)
class _Run:
    """Values that all requests of a file share."""

    adapter: Fields
    scenario: str  # "" = not known
    prefix: str
    model: str | None
    pattern: Pattern | None
    sink: Sink
    known: _Known


def _scenario(source: Source) -> str:
    """Return the scenario of a run, from run_spec.json or else from the folder name; "" if unknown."""
    path = source.path.absolute().with_name("run_spec.json")
    if not path.is_file():
        folder = path.parent.name
        arguments = [part for part in re.split("[:,]", folder) if not part.startswith("model")]
        return as_text(",".join(arguments), "") if "model=" in folder else ""
    spec = Fields.of(Source(path).document(), str(path)).part("scenario_spec")
    given = spec.part("args")
    arguments = [f"{name}={given.text(name)}" for name, value in given.value.items() if _is_plain(value)]
    return as_text(",".join([spec.name("class_name").rpartition(".")[2], *sorted(arguments)]), "")


def _pattern(adapter: Fields) -> Pattern | None:
    pattern = adapter.text("output_mapping_pattern")
    return Pattern(pattern, adapter) if pattern else None


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float)


# Requests -------------------------------------------------------------------------------------------------------------


def _read_state(state: Fields, run: _Run) -> None:
    if "reference_index" in state or "request_mode" in state:
        _no_samples(state)
    instance, request, result = state.part("instance"), state.part("request"), state.part("result")
    if _failed(request, result, run.sink):
        return
    model = run.model or request.text("model") or run.adapter.text("model") or ""
    if not model.strip():
        state.refuse("does not name a model. Pass model=NAME.")
    right = _right(instance)
    question_id = _question_id(instance, run)
    if len(set(right)) > 1:
        run.known.several.add(question_id)
    asked = hash((question_id, model, request.text("prompt"), request.text("random")))
    run.known.copies += asked in run.known.requests and bool(result.flag("cached"))
    run.known.requests.add(asked)
    mapping = state.part("output_mapping") if "output_mapping" in state else None
    completions = result.parts("completions")
    samples = [_sample(one, result, _answer(one, mapping, run.pattern), right) for one in completions]
    question = {**_question(instance, mapping), "truth": right[0], "scenario": run.scenario or None}
    settings, prompt = _settings(state, request, run.adapter), request.text("prompt")
    run.sink.add(question_id, model, samples, question=question, settings=settings, prompt=prompt)


def _no_samples(place: Fields) -> None:
    place.refuse(
        "contains likelihoods of choices or texts, not samples. Pass runs with the method generation, chat or "
        "multiple_choice_joint."
    )


def _failed(request: Fields, result: Fields, sink: Sink) -> bool:
    """Count a request without completions. HELM stores an empty completion for errors that are not fatal."""
    if result.value and result.flag("success") is not False and result.values("completions"):
        return False
    reason = result.text("error") or ("request without completions" if result.value else "request without a result")
    sink.fail((reason.splitlines() or [""])[0][:80], request.count("num_completions") or 1)
    return True


def _right(instance: Fields) -> list[str]:
    """Return the texts of the references that are tagged correct."""
    correct = [one for one in instance.parts("references") if "correct" in one.texts("tags")]
    if not correct:
        instance.refuse("has no reference that is tagged correct. Exclude this run, or repair its references.")
    return [(_text_of(one, "output") or "").strip() for one in correct]


def _question_id(instance: Fields, run: _Run) -> str:
    """Return the question_id."""
    base, perturbation = run.prefix + instance.name("id"), _perturbation(instance)
    question_id = base if perturbation is None else f"{base}/{perturbation}"
    run.known.instances[question_id] = base
    return question_id


def _perturbation(instance: Fields) -> str | None:
    """Return the name and the options of a perturbation, None if the instance is not perturbed."""
    given = instance.part("perturbation")
    about = ("name", "robustness", "fairness", "computed_on")  # metadata; other keys are options of the perturbation
    options = sorted(name for name, value in given.value.items() if _is_plain(value) and name not in about)
    names = [given.text("name") or "", *(f"{name}={given.text(name)}" for name in options)]
    return as_text(",".join(names), "") if given.value else None


def _question(instance: Fields, mapping: Fields | None) -> dict[str, Any]:
    choices = [] if mapping is None else [mapping.text(name) or "" for name in mapping.value]
    lettered = mapping is not None and list(mapping.value) == list(string.ascii_uppercase[: len(choices)])
    return {
        "question": _text_of(instance, "input") or None,
        "choices": choices if lettered and choices else None,
        "split": instance.text("split"),
        "sub_split": instance.text("sub_split"),
        "perturbation": _perturbation(instance),
    }


def _text_of(place: Fields, name: str) -> str | None:
    """Return a text, which since late 2022 may be an object with text, media and messages."""
    if isinstance(place.value.get(name), str):
        return place.text(name)
    given = place.part(name)
    contents = [message.value.get("content") for message in given.parts("messages")]
    told = "\n\n".join(as_text(content, "") for content in contents if isinstance(content, str))
    return given.text("text") or told or None


def _answer(completion: Fields, mapping: Fields | None, pattern: Pattern | None) -> str | None:
    """Extract the answer in the same way as HELM's exact_match."""
    answer = (completion.text("text") or "").strip()
    if mapping is None:
        return answer or None
    if pattern:
        match = pattern.search(answer)
        answer = (match[min(pattern.groups, 1)] or "") if match else ""
    return (mapping.text(answer) or "").strip() or None


def _sample(completion: Fields, result: Fields, answer: str | None, right: list[str]) -> dict[str, Any]:
    given, logprob = completion.values("tokens"), completion.number("logprob")
    tokens, own = len(given), [token["logprob"] for token in given if isinstance(token, dict) and "logprob" in token]
    if logprob is None or logprob >= 0 or not all(map(is_logprob, own)):  # 0 if the API did not report it
        logprob = None
    reason, thinking = completion.value.get("finish_reason"), completion.value.get("thinking")
    return {
        "text": completion.text("text") or "",
        "answer": answer,
        "correct": answer in right,
        "reasoning": completion.part("thinking").text("text") if isinstance(thinking, dict) else None,
        "mean_logprob": logprob / tokens if logprob and tokens else None,
        "output_tokens": tokens or None,
        "latency": result.number("request_time"),
        "finish_reason": completion.part("finish_reason").text("reason") if isinstance(reason, dict) else None,
    }


def _settings(state: Fields, request: Fields, adapter: Fields) -> dict[str, Any]:
    shots, trial = adapter.count("max_train_instances"), state.count("train_trial_index")
    prompt = [adapter.text("method"), f"{shots}-shot" if shots is not None else None]
    prompt += [f"trial {trial}"] if shots and trial is not None else []  # trials differ in their in-context examples
    asked = {name: request if name in request else adapter for name in ("temperature", "max_tokens")}
    return {
        "prompt": " ".join(filter(None, prompt)) or None,
        "temperature": asked["temperature"].number("temperature"),
        "top_p": request.number("top_p"),
        "max_tokens": asked["max_tokens"].count("max_tokens"),
    }
