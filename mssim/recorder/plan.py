"""What is asked of whom: servers, models, settings and how many samples."""

from __future__ import annotations

import hashlib
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
from mssim.recorder.prompts import check_prompts, default_template
from mssim.recorder.settings_hash import canonical

__all__ = ["ModelPlan", "Plan", "Server"]

_ENVIRONMENT = "credentials come from the environment only: name the variable with key_env (--key-env)"
_RESERVED = {  # settings that the recorder itself sends
    "model": "the plan names the model; give model_id (--model NAME=MODEL_ID)",
    "messages": "they are made of the questions; give a template",
    "n": "give samples_per_request (--samples-per-request)",
    "stream": "a sample is stored when it is whole; leave it out",
    "logprobs": "use logprobs = true (--logprobs)",
    "top_logprobs": "use logprobs = true (--logprobs)",
    "seed": "a constant seed would give one sample over and over; give --seed BASE (seed in a plan), from which each "
    "sample gets its own seed",
    "api_key": _ENVIRONMENT,
}
_TOKEN_LIMITS = ("max_tokens", "max_completion_tokens")


@dataclass(frozen=True)
class Server:
    """A server that speaks OpenAI's protocol.

    Parameters
    ----------
    base_url : str
        E.g. "http://127.0.0.1:8000/v1", without credentials: nothing that is stored or shown may hold any.
    key_env : str, optional
        Environment variable with the key; without it servers of openai.com get that of OPENAI_API_KEY, others none.
    concurrency : int, default 32
        Most requests at a time.
    timeout : float, default 600
        Seconds for one request.
    """

    base_url: str
    key_env: str | None = None
    concurrency: int = 32
    timeout: float = 600.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "base_url", _checked_url(self.base_url))
        # Upper case, as is the custom, so that a key given in place of the name is not taken for one and shown.
        if self.key_env is not None and not (
            isinstance(self.key_env, str) and re.fullmatch(r"[A-Z_][A-Z0-9_]*", self.key_env)
        ):
            raise MssimError(
                "key_env (not shown, it may be a key) is not the name of an environment variable; give the name, in "
                "upper-case letters, digits and _, e.g. OPENAI_API_KEY"
            )
        object.__setattr__(self, "concurrency", whole_number("concurrency", self.concurrency, 1, 1000))
        if not is_number(self.timeout) or not 0 < self.timeout < math.inf:
            raise MssimError(f"timeout={self.timeout!r}; give seconds, a number above 0")

    def key(self) -> str | None:
        """Read the key from the environment, now; it is kept nowhere."""
        if self.key_env is None and not f".{urlsplit(self.base_url).hostname}".endswith(".openai.com"):
            return None  # a key is sent to no server but that which it is for
        name = self.key_env or "OPENAI_API_KEY"
        key = os.environ.get(name, "").strip()
        if not key and self.key_env:
            raise MssimError(f"environment variable {name} is not set or blank; export {name}=... before recording")
        if not key.isascii() or not key.isprintable() or " " in key:
            raise MssimError(f"environment variable {name} (not shown) holds what no key can; set it to the key alone")
        return key or None


def _checked_url(given: Any) -> str:
    """Refuse what is no plain URL of a server; it is never shown, since it may hold a credential."""
    url = given if isinstance(given, str) else ""
    try:
        parts = urlsplit(url)
        whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # its message shows a part of the URL
        whole = False
    if "@" in url:
        raise MssimError(f"base_url has user:password@ in it; {_ENVIRONMENT}")
    if not whole or not url.isprintable() or " " in url:
        raise MssimError(
            "base_url (not shown, it may hold a key) is no URL of a server; give one with http:// or https:// and a "
            "host, e.g. http://127.0.0.1:8000/v1"
        )
    if "?" in url or "#" in url:
        raise MssimError(f"base_url goes on after ? or #; end it before that, and if a key is there: {_ENVIRONMENT}")
    return url.rstrip("/")


@dataclass(frozen=True)
class ModelPlan:
    """What to ask of one model.

    Parameters
    ----------
    name : str
        In the pool.
    model_id : str
        What the server calls the model.
    server : Server
    samples : int
        Per question.
    samples_per_request : int, default 1
    settings : mapping
        JSON values that are sent with each request as they are: top_p, max_tokens, stop, ... temperature is 1.0 unless
        given; a setting that is None is not sent.
    template : str, optional
        Without it that of `default_template`, which `Plan.resolve` fills in.
    system : str, optional
    logprobs : bool, default False
        Whether to ask for log-probabilities.
    seed : int, optional
        Every sample is asked for with a seed of its own, which follows from this one; see `sample_seed`.
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
                f"name={self.name!r}: strategies are written with + and , between models; give one without them, "
                "e.g. NAME=MODEL_ID"
            )
        if not isinstance(self.server, Server):
            raise MssimError(f"server={self.server!r}; give a Server")
        object.__setattr__(self, "samples", whole_number("samples", self.samples, 1, 100_000))
        per_request = whole_number("samples_per_request", self.samples_per_request, 1, 1024)
        object.__setattr__(self, "samples_per_request", per_request)
        if not isinstance(self.logprobs, bool):
            raise MssimError(f"logprobs={self.logprobs!r}; give true or false")
        if self.seed is not None:
            object.__setattr__(self, "seed", whole_number("seed", self.seed, 0, 2**63 - 1))
        object.__setattr__(self, "settings", MappingProxyType(_checked_settings(self.settings)))

    def identity(self) -> dict[str, Any]:
        """Everything that changes the answer, as JSON: model_id, settings, template, system, seed."""
        if self.template is None:
            raise MssimError(f"model {self.name!r} has no template yet; take the plan that Plan.resolve returns")
        return self._asked()

    def _asked(self) -> dict[str, Any]:
        return {
            "model_id": self.model_id,
            "settings": _json("settings", self.settings),
            "template": self.template,
            "system": self.system,
            "seed": self.seed,
        }

    def sample_seed(self, question_id: str, sample_index: int) -> int | None:
        """Seed of one sample, from 0 to 2**31 - 1; None without a base.

        It is the first 31 bits of SHA-256 over base, model, question and sample, so that distinct samples have distinct
        seeds up to collisions: among 512 samples of a question there is one with chance 6e-5. Models have seeds of
        their own, or those on one server might draw alike. A request for several samples has one seed, by custom that
        of its first.
        """
        if self.seed is None:
            return None
        digest = hashlib.sha256(canonical([self.seed, self.name, question_id, sample_index]).encode()).digest()
        return int.from_bytes(digest[:4], "big") >> 1

    def most_tokens(self) -> int | None:
        """Most output tokens that a sample can have, by max_tokens or max_completion_tokens; None without a limit."""
        return min((self.settings[name] for name in _TOKEN_LIMITS if name in self.settings), default=None)


def check_text(name: str, value: Any, *, optional: bool = False) -> None:
    """Refuse what is no text; text that may be left out may have several lines, a name has one."""
    if optional and value is None:
        return
    if not isinstance(value, str) or not value.strip() or not (optional or value.isprintable()):
        kind = "text that is not empty, or leave it out" if optional else "one line of text that is not empty"
        raise MssimError(f"{name}={value!r:.100}; give {kind}")
    _json(name, value)


def _checked_settings(given: Any) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise MssimError(f"settings={given!r:.100}; give names and values")
    # A mapping proxy has been here before (dataclasses.replace): a temperature that was taken out must stay away.
    settings = dict(given) if isinstance(given, MappingProxyType) else {"temperature": 1.0, **given}
    for name in settings:
        check_text("name of a setting", name)
        if name in _RESERVED:
            raise MssimError(f"setting {name!r}: {_RESERVED[name]}")
    settings = {name: _json(f"setting {name}", value) for name, value in settings.items() if value is not None}
    temperature = settings.get("temperature", 0)
    if not is_number(temperature) or temperature < 0:
        raise MssimError(f"setting temperature={temperature!r}; give a number from 0")
    for name in _TOKEN_LIMITS:
        if name in settings:
            whole_number(f"setting {name}", settings[name], 1, 2**31 - 1)
    return settings


def _json(name: str, value: Any) -> Any:
    """Copy what JSON can hold; refuse anything else."""
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
        f"{name}={value!r:.100}; give what JSON can hold: text, finite numbers, true, false, lists, tables"
    )


@dataclass(frozen=True)
class Plan:
    """What to ask of which models.

    Parameters
    ----------
    models : sequence of ModelPlan
    info : mapping, optional
        What pool.json is to say of the pool: title, source, licence.
    prices : Path, optional
        A price table; see `read_prices`.
    """

    models: tuple[ModelPlan, ...]
    info: Mapping[str, Any] = field(default_factory=dict)
    prices: Path | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "models", tuple(self.models))
        object.__setattr__(self, "info", MappingProxyType(_json("info", self.info)))
        names = [model.name for model in self.models]
        if not names:
            raise MssimError("the plan has no model; give at least one")
        for name in names:
            if names.count(name) > 1:
                raise MssimError(f"model {name!r} is there {names.count(name)} times; give each a name of its own")

    def resolve(self, questions: pa.Table) -> Plan:
        """Give the default template to models without one, and check that every question can be put to every model."""
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
        """What may not be meant so."""
        found = [
            f"model {model.name!r} has temperature 0, which gives nearly the same sample over and over; "
            f"{model.samples} samples per question are asked for"
            for model in self.models
            if model.settings.get("temperature") == 0 and model.samples > 1
        ]
        first: dict[str, str] = {}
        for model in self.models:
            known = first.setdefault(canonical([model._asked(), model.server.base_url]), model.name)
            if known != model.name:
                found.append(f"models {known!r} and {model.name!r} are asked the same; this records the same twice")
        return found
