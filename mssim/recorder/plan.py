"""Plans of recordings: servers, models, settings and numbers of samples."""

from __future__ import annotations

import hashlib
import ipaddress
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa

from mssim._validation import is_number, whole_number
from mssim.errors import MssimError
from mssim.recorder.http_client import is_openai
from mssim.recorder.prompts import check_prompts, default_template
from mssim.recorder.settings_hash import canonical

__all__ = ["ModelPlan", "Plan", "Server"]

_ENVIRONMENT = "Store the key in an environment variable and name the variable with key_env=NAME."
_RESERVED = {  # settings that the recorder sends itself
    "model": "is part of the plan. Use model_id=MODEL_ID instead.",
    "messages": "is derived from the questions. Use template=FILE instead.",
    "n": "is part of the plan. Use samples_per_request=N instead.",
    "stream": "is not supported, since only complete samples are stored. Remove it.",
    "logprobs": "is part of the plan. Use logprobs=True instead.",
    "top_logprobs": "is part of the plan. Use logprobs=True instead.",
    "seed": "would be the same for all samples and repeat them. Use seed=BASE of the plan instead, from which "
    "each sample gets its own seed.",
    "api_key": f"is a credential. {_ENVIRONMENT}",
}
_TOKEN_LIMITS = ("max_tokens", "max_completion_tokens")


@dataclass(frozen=True)
class Server:
    """A server with an OpenAI-compatible API.

    Parameters
    ----------
    base_url : str
        Address such as "http://127.0.0.1:8000/v1". It must not contain credentials, since it is stored and displayed.
    key_env : str, optional
        Name of the environment variable that contains the key. By default, OPENAI_API_KEY is used for servers of
        openai.com, and no key for others.
    concurrency : int, default 32
        Maximum number of concurrent requests, from 1 to 1000.
    timeout : float, default 600
        Maximum duration of a request in seconds.

    Examples
    --------
    >>> from mssim.recorder import Server
    >>> Server("http://127.0.0.1:8000/v1/", concurrency=8).base_url
    'http://127.0.0.1:8000/v1'
    """

    base_url: str
    key_env: str | None = None
    concurrency: int = 32
    timeout: float = 600.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "base_url", _checked_url(self.base_url))
        # Names must be upper case, so that a key given by mistake is not accepted as a name and displayed.
        if self.key_env is not None and not (
            isinstance(self.key_env, str) and re.fullmatch(r"[A-Z_][A-Z0-9_]*", self.key_env)
        ):
            raise MssimError(
                "key_env: the given text is not the name of an environment variable. It is not shown, since it may "
                "be a key. Use a name of upper-case letters, digits and _, such as OPENAI_API_KEY."
            )
        object.__setattr__(self, "concurrency", whole_number("concurrency", self.concurrency, 1, 1000))
        if not is_number(self.timeout) or not 0 < self.timeout < math.inf:
            raise MssimError(f"timeout={self.timeout!r} is not allowed. It must be a positive number of seconds.")

    def key(self) -> str | None:
        """Return the key from the environment. It is not stored."""
        if self.key_env is None and not is_openai(self.base_url):
            return None  # do not send OPENAI_API_KEY to other servers
        name = self.key_env or "OPENAI_API_KEY"
        key = os.environ.get(name, "").strip()
        if not key and self.key_env:
            raise MssimError(f"The environment variable {name} is not set or blank. Run `export {name}=...` first.")
        if not key.isascii() or not key.isprintable() or " " in key:
            raise MssimError(
                f"The environment variable {name} (not shown) contains spaces or characters that a key cannot have. "
                "Set it to the key alone."
            )
        return key or None


def _checked_url(given: Any) -> str:
    """Return the URL of a server. Error messages do not show it, since it may contain credentials."""
    url = given if isinstance(given, str) else ""
    try:
        parts = urlsplit(url)
        if "[" in parts.netloc:
            ipaddress.IPv6Address(parts.hostname)
        whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # its message contains a part of the URL
        whole = False
    if "@" in url:
        raise MssimError(f"base_url contains user:password@. Remove it. {_ENVIRONMENT}")
    if not whole or not url.isprintable() or " " in url:
        raise MssimError(
            "base_url: the given text is not the URL of a server. It is not shown, since it may contain a key. Use "
            "http:// or https:// and a host, such as http://127.0.0.1:8000/v1."
        )
    if "?" in url or "#" in url:
        raise MssimError(f"base_url contains ? or #. Remove this part. {_ENVIRONMENT}")
    return url.rstrip("/")


@dataclass(frozen=True)
class ModelPlan:
    """Settings and number of samples of one model.

    Parameters
    ----------
    name : str
        Name of the model in the pool, without + and commas.
    model_id : str
        Name of the model on the server.
    server : Server
        Server of the model.
    samples : int
        Number of samples per question, from 1 to 100,000.
    samples_per_request : int, default 1
        Number of samples per request, from 1 to 1024.
    settings : mapping, optional
        JSON values such as top_p, max_tokens and stop, which are sent unchanged with each request. temperature defaults
        to 1.0. A setting with the value None is not sent.
    template : str, optional
        Template of the prompt, see `render`. By default, the question is followed by its choices, if any.
    system : str, optional
        Template of the system message. By default, none is sent.
    logprobs : bool, default False
        Whether to request log-probabilities.
    seed : int, optional
        Base from which the seed of each sample is derived, see `sample_seed`. By default, no seed is sent.

    Examples
    --------
    >>> from mssim.recorder import ModelPlan, Server
    >>> model = ModelPlan("small", "org/Small-7B", Server("http://127.0.0.1:8000/v1"), samples=512)
    >>> dict(model.settings)
    {'temperature': 1.0}
    """

    name: str
    model_id: str
    server: Server
    samples: int
    samples_per_request: int = 1
    settings: Mapping[str, Any] = field(default_factory=dict)
    template: str | None = None
    system: str | None = None
    logprobs: bool = False
    seed: int | None = None

    def __post_init__(self) -> None:
        for key in ("name", "model_id", "template", "system"):
            check_text(key, getattr(self, key), optional=key in ("template", "system"))
        if "+" in self.name or "," in self.name:
            raise MssimError(
                f"name: {self.name!r} contains + or a comma, which separate models in strategies. Use another name "
                "for the model."
            )
        if not isinstance(self.server, Server):
            raise MssimError(f"server={self.server!r} is not a Server. Pass mssim.recorder.Server(base_url).")
        object.__setattr__(self, "samples", whole_number("samples", self.samples, 1, 100_000))
        per_request = whole_number("samples_per_request", self.samples_per_request, 1, 1024)
        object.__setattr__(self, "samples_per_request", per_request)
        if not isinstance(self.logprobs, bool):
            raise MssimError(f"logprobs={self.logprobs!r} is not allowed. It must be true or false.")
        if self.seed is not None:
            object.__setattr__(self, "seed", whole_number("seed", self.seed, 0, 2**63 - 1))
        object.__setattr__(self, "settings", MappingProxyType(_checked_settings(self.settings)))

    def identity(self) -> dict[str, Any]:
        """Return everything that affects the answers, as JSON.

        Returns
        -------
        dict
            The entries model_id, settings, template, system and seed.
        """
        if self.template is None:
            raise MssimError(f"model {self.name!r} has no template. Use the plan that Plan.resolve(questions) returns.")
        return self._asked()

    def _asked(self) -> dict[str, Any]:
        return {
            "model_id": self.model_id,
            "settings": _json("settings", self.settings),
            "template": self.template,
            "system": self.system,
            "seed": self.seed,
        }

    def sample_seed(self, question_id: str, sample_index: int, name: str | None = None) -> int | None:
        """Return the seed of a sample.

        Parameters
        ----------
        question_id : str
            The question.
        sample_index : int
            Index of the sample. A request for several samples uses the seed of the first.
        name : str, optional
            Name of the model in the journal. By default, it is that of the plan.

        Returns
        -------
        int or None
            Seed from 0 to 2**31 - 1, or None if the plan has no seed.

        Notes
        -----
        The seed is the first 31 bits of SHA-256 over base, model, question and sample. Seeds of distinct samples differ
        up to collisions, which have probability 6e-5 among 512 samples of a question. Seeds of models differ, so that
        models on the same server do not draw alike.
        """
        if self.seed is None:
            return None
        digest = hashlib.sha256(canonical([self.seed, name or self.name, question_id, sample_index]).encode()).digest()
        return int.from_bytes(digest[:4], "big") >> 1

    def most_tokens(self) -> int | None:
        """Return the maximum number of output tokens of a sample.

        Returns
        -------
        int or None
            The setting max_tokens or max_completion_tokens, or None if neither is set.
        """
        return min((self.settings[name] for name in _TOKEN_LIMITS if name in self.settings), default=None)


def check_text(name: str, value: Any, *, optional: bool = False) -> None:
    """Raise if a value is not text. Optional text may have several lines, other text has one."""
    if optional and value is None:
        return
    if not isinstance(value, str) or not value.strip() or not (optional or value.isprintable()):
        kind = "text that is not empty, or omitted" if optional else "one line of text that is not empty"
        raise MssimError(f"{name}={value!r:.100} is not allowed. It must be {kind}.")
    _json(name, value)


def _checked_settings(given: Any) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise MssimError(f"settings={given!r:.100} is not a mapping. Pass names and values, such as {{'top_p': 0.9}}.")
    # A mapping proxy was checked before (dataclasses.replace), so a removed temperature is not added again.
    settings = dict(given) if isinstance(given, MappingProxyType) else {"temperature": 1.0, **given}
    if settings.get("stream") is False:  # as every request says
        del settings["stream"]
    for name in settings:
        check_text("name of a setting", name)
        if name in _RESERVED:
            raise MssimError(f"setting {name!r} {_RESERVED[name]}")
    settings = {name: _json(f"setting {name}", value) for name, value in settings.items() if value is not None}
    temperature = settings.get("temperature", 0)
    if not is_number(temperature) or temperature < 0:
        raise MssimError(f"setting temperature={temperature!r} is not allowed. It must be a number of at least 0.")
    for name in _TOKEN_LIMITS:
        if name in settings:
            whole_number(f"setting {name}", settings[name], 1, 2**31 - 1)
    return settings


def _json(name: str, value: Any) -> Any:
    """Return a copy of a JSON value. Raise if the value cannot be written as JSON."""
    match value:
        case None | bool() | int():
            return value
        case str():
            if not any("\ud800" <= letter <= "\udfff" for letter in value):
                return value
        case float():
            if math.isfinite(value):
                return value
        case list() | tuple():
            return [_json(name, one) for one in value]
        case Mapping():
            if all(isinstance(key, str) for key in value):
                return {key: _json(name, one) for key, one in value.items()}
    raise MssimError(
        f"{name}={value!r:.100} cannot be written as JSON. Use text, finite numbers, true, false, lists and tables."
    )


@dataclass(frozen=True)
class Plan:
    """Plan of a recording.

    Parameters
    ----------
    models : sequence of ModelPlan
        At least one model. Names must be distinct.
    info : mapping, optional
        Metadata for pool.json, such as title, source and licence.
    prices : Path, optional
        Path of a price table, see `read_prices`.

    Examples
    --------
    >>> from mssim.recorder import ModelPlan, Plan, Server
    >>> server = Server("http://127.0.0.1:8000/v1")
    >>> plan = Plan([ModelPlan(name, name, server, samples=512) for name in ("small", "large")])
    >>> [model.name for model in plan.models]
    ['small', 'large']
    """

    models: tuple[ModelPlan, ...]
    info: Mapping[str, Any] = field(default_factory=dict)
    prices: Path | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "models", tuple(self.models))
        object.__setattr__(self, "info", MappingProxyType(_json("info", self.info)))
        names = [model.name for model in self.models]
        if not names:
            raise MssimError("models: the plan has no models. Add at least one.")
        for name in names:
            if names.count(name) > 1:
                raise MssimError(f"model {name!r} appears {names.count(name)} times. Rename models with NAME=MODEL_ID.")

    def resolve(self, questions: pa.Table) -> Plan:
        """Return a plan in which every model has a template that was checked with all questions.

        Parameters
        ----------
        questions : Table
            Questions, as returned by `read_questions`.

        Returns
        -------
        Plan
            The plan, with the default template for models without one.

        Raises
        ------
        MssimError
            If a question lacks a value that a template needs.
        """
        template = default_template(questions.column_names)
        models = tuple(replace(model, template=model.template or template) for model in self.models)
        for model in models:
            assert model.template is not None
            try:
                check_prompts(model.template, model.system, questions)
            except MssimError as error:
                raise MssimError(f"model {model.name!r}: {error}") from error
        return replace(self, models=models)

    def warnings(self) -> list[str]:
        """Return warnings about settings that are probably mistakes.

        Returns
        -------
        list of str
            One warning for each model with temperature 0, and for each pair of models with identical requests.
        """
        found = [
            f"model {model.name!r} has temperature 0, so its {model.samples} samples per question are nearly equal. "
            "Use a higher temperature or samples=1."
            for model in self.models
            if model.settings.get("temperature") == 0 and model.samples > 1
        ]
        first: dict[str, str] = {}
        for model in self.models:
            known = first.setdefault(canonical([model._asked(), model.server.base_url]), model.name)
            if known != model.name:
                found.append(f"models {known!r} and {model.name!r} have identical requests. Remove one of them.")
        return found
