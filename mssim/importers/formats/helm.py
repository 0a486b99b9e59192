"""HELM: scenario_state.json, the requests and results of one run (Stanford CRFM, crfm-helm).

A run folder, benchmark_output/runs/<suite>/<scenario>:<arguments>,model=<model>, holds it beside run_spec.json. Samples
of an instance are the completions of its requests (`num_outputs`), its trials with other examples in the prompt
(`num_train_trials`) and those with another seed (`num_trials`). per_instance_stats.json is no source of verdicts: its
exact_match is that of the likeliest completion, and exact_match@k that of the best. The shapes are the dataclasses
ScenarioState, RequestState, Instance, Request and RequestResult of stanford-crfm/helm.
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from mssim.importers.fields import Fields, as_text
from mssim.importers.patterns import Pattern
from mssim.importers.pipeline import Common, Paths, as_paths, to_pool
from mssim.importers.safe_files import Source, expand
from mssim.importers.sink import Sink
from mssim.pools.pool import Pool

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from mssim.importers.pipeline import CommonOptions

__all__ = ["from_helm"]

PATTERNS = ("scenario_state.json",)

_SCORED = ("language_modeling", "multiple_choice_separate", "ranking_")  # methods in which nothing is sampled


def from_helm(paths: Paths, *, model: str | None = None, **common: Unpack[CommonOptions]) -> Pool:
    """Import scenario states of HELM.

    Parameters
    ----------
    paths : path or sequence of path
        Files scenario_state.json, or folders in which they are looked for, such as a suite of runs.
    model : str, optional
        Name of the model of all files; default: what each file says.
    **common
        rule, where, texts, strict, info: see `mssim.importers.Common`. Without a rule the answer is as in HELM's own
        exact_match: the text without white space around it, or the choice that stands for it in `output_mapping` (none
        = no answer), is right if it is a reference that is tagged correct. Chains of thought need a rule, such as
        choice; it compares with the first correct reference.

    Raises
    ------
    PoolError
        If a file is damaged, empty or in another format, holds likelihoods of choices, or has another question under
        the same id than a file before.

    Notes
    -----
    A question is named by the id of its instance; with several scenarios, after the scenario; with a perturbation,
    before it, and then all that come from one instance are one `cluster`.
    """
    return to_pool("helm", partial(read, model=model), expand(as_paths(paths), *PATTERNS), Common(**common))


def read(sources: Sequence[Source], sink: Sink, *, model: str | None = None) -> None:
    """Read runs one after the other."""
    scenarios = [_scenario(source) for source in sources]
    several = len(set(scenarios)) > 1
    sink.verdicts = False  # HELM has scores per instance, not per sample
    known = _Known()
    for source, scenario in zip(sources, scenarios, strict=True):
        adapter = source.part("adapter_spec")
        if (adapter.text("method") or "").startswith(_SCORED):
            _no_samples(adapter)
        prefix = f"{scenario}/" if several and scenario else ""
        run = _Run(adapter, prefix, model, _pattern(adapter), sink, known)
        for state in source.items("request_states"):
            _read_state(state, run)
    known.tell(sink)


# Files ----------------------------------------------------------------------------------------------------------------


@dataclass
class _Known:
    """What was seen of all files."""

    instances: dict[str, str] = field(default_factory=dict)  # by question
    inputs: dict[str, int] = field(default_factory=dict)  # hash of the text, by question
    requests: set[int] = field(default_factory=set)  # hashes
    copies: int = 0
    several: set[str] = field(default_factory=set)  # questions with more than one correct reference

    def tell(self, sink: Sink) -> None:
        """Tell what only all files together show."""
        if any(instance != question for question, instance in self.instances.items()):
            for question, instance in self.instances.items():
                sink.describe(question, {"cluster": instance})
        if self.several:
            sink.note(
                f"{len(self.several)} questions have several correct references: each of them is right without a rule, "
                "a rule compares with the first"
            )
        if self.copies:
            sink.note(
                f"{self.copies} requests repeat an earlier one, seed and all, and HELM answered them from its cache: "
                "their samples are copies"
            )


@dataclass(frozen=True)
class _Run:
    """What is the same for all requests of a file."""

    adapter: Fields
    prefix: str
    model: str | None
    pattern: Pattern | None
    sink: Sink
    known: _Known


def _scenario(source: Source) -> str:
    """Name what the questions of a run are, as run_spec.json beside it or, without it, the folder says; else ""."""
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
        state.refuse("nothing says which model answered; give model (--model)")
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
    question = {**_question(instance, request, mapping), "truth": right[0]}
    run.sink.add(question_id, model, samples, question=question, settings=_settings(state, request, run.adapter))


def _no_samples(place: Fields) -> None:
    place.refuse(
        "choices or texts are scored one by one there, so nothing was sampled that could vote; give runs of the "
        "methods generation, chat or multiple_choice_joint"
    )


def _failed(request: Fields, result: Fields, sink: Sink) -> bool:
    """Count what was asked for and not had; an empty completion stands for it if the error was not fatal."""
    if result.value and result.flag("success") is not False and result.values("completions"):
        return False
    reason = result.text("error") or ("request without completions" if result.value else "request without a result")
    sink.fail((reason.splitlines() or [""])[0][:80], request.count("num_completions") or 1)
    return True


def _right(instance: Fields) -> list[str]:
    """Texts of the references that are tagged correct."""
    correct = [one for one in instance.parts("references") if "correct" in one.texts("tags")]
    if not correct:
        instance.refuse("no reference is tagged correct, so nothing says which answers are right")
    return [(_text_of(one, "output") or "").strip() for one in correct]


def _question_id(instance: Fields, run: _Run) -> str:
    """Name the question, and refuse another one of the same name."""
    base, perturbation = run.prefix + instance.name("id"), instance.part("perturbation")
    about = ("name", "robustness", "fairness", "computed_on")  # which scores it counts for; the others are its options
    options = sorted(name for name, value in perturbation.value.items() if _is_plain(value) and name not in about)
    names = [perturbation.text("name") or "", *(f"{name}={perturbation.text(name)}" for name in options)]
    question_id = as_text(f"{base}/{','.join(names)}", "") if perturbation.value else base
    run.known.instances[question_id] = base
    given = hash(_text_of(instance, "input"))
    if run.known.inputs.setdefault(question_id, given) != given:
        instance.refuse(
            f"question {question_id!r} was another one before: the runs are of several scenarios that nothing tells "
            "apart (keep run_spec.json beside each), or of other data; import them apart"
        )
    return question_id


def _question(instance: Fields, request: Fields, mapping: Fields | None) -> dict[str, Any]:
    choices = [] if mapping is None else [mapping.text(name) or "" for name in mapping.value]
    lettered = mapping is not None and list(mapping.value) == list(string.ascii_uppercase[: len(choices)])
    return {
        "question": _text_of(instance, "input") or request.text("prompt"),
        "choices": choices if lettered and choices else None,
        "split": instance.text("split"),
        "sub_split": instance.text("sub_split"),
    }


def _text_of(place: Fields, name: str) -> str | None:
    """Text that stands there or, since late 2022, in an object with media and messages beside it."""
    if isinstance(place.value.get(name), str):
        return place.text(name)
    given = place.part(name)
    contents = [message.value.get("content") for message in given.parts("messages")]
    told = "\n\n".join(as_text(content, "") for content in contents if isinstance(content, str))
    return given.text("text") or told or None


def _answer(completion: Fields, mapping: Fields | None, pattern: Pattern | None) -> str | None:
    """Find the answer as HELM's exact_match does."""
    answer = (completion.text("text") or "").strip()
    if mapping is None:
        return answer or None
    if pattern:
        match = pattern.search(answer)
        answer = (match[min(pattern.groups, 1)] or "") if match else ""
    return (mapping.text(answer) or "").strip() or None


def _sample(completion: Fields, result: Fields, answer: str | None, right: list[str]) -> dict[str, Any]:
    tokens, logprob = len(completion.values("tokens")), completion.number("logprob")
    reason = completion.value.get("finish_reason")
    return {
        "text": completion.text("text") or "",
        "answer": answer,
        "correct": answer in right,
        "mean_logprob": logprob / tokens if logprob and tokens else None,  # 0 where the API gives none
        "output_tokens": tokens or None,
        "latency": result.number("request_time"),
        "finish_reason": completion.part("finish_reason").text("reason") if isinstance(reason, dict) else None,
    }


def _settings(state: Fields, request: Fields, adapter: Fields) -> dict[str, Any]:
    shots, trial = adapter.count("max_train_instances"), state.count("train_trial_index")
    prompt = [adapter.text("method"), f"{shots}-shot" if shots is not None else None]
    prompt += [f"trial {trial}"] if shots and trial is not None else []  # other examples in the prompt
    asked = {name: request if name in request else adapter for name in ("temperature", "max_tokens")}
    return {
        "prompt": " ".join(filter(None, prompt)) or None,
        "temperature": asked["temperature"].number("temperature"),
        "top_p": request.number("top_p"),
        "max_tokens": asked["max_tokens"].count("max_tokens"),
    }
