"""Plans from command line options or a TOML file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mssim._toml import check_keys, check_table, read_toml
from mssim._validation import choose_from
from mssim.errors import MssimError
from mssim.recorder.plan import ModelPlan, Plan, Server, check_text

__all__ = ["plan_from_options", "read_plan"]

_PER_MODEL = ("samples", "samples_per_request", "template", "system", "logprobs", "seed")
_INFO = ("title", "source", "licence")


def plan_from_options(
    models: Sequence[str],
    *,
    base_url: str,
    samples: int,
    samples_per_request: int = 1,
    template: Path | None = None,
    system: Path | None = None,
    settings: Sequence[str] = (),
    logprobs: bool = False,
    seed: int | None = None,
    key_env: str | None = None,
    concurrency: int = 32,
    timeout: float = 600.0,
    prices: Path | None = None,
) -> Plan:
    """Create a plan for models of one server with the same settings, as on the command line.

    Parameters
    ----------
    models : sequence of str
        Models as NAME or NAME=MODEL_ID, with the name in the pool and the name on the server.
    base_url : str
        Address of the server, such as "http://127.0.0.1:8000/v1".
    samples : int
        Number of samples per question.
    samples_per_request : int, default 1
        Number of samples per request.
    template, system : Path, optional
        Text files with the templates of prompt and system message. One line break at the end of a file is ignored.
    settings : sequence of str
        Settings as KEY=VALUE, where VALUE is JSON or text, such as ``temperature=0.7``, ``stop=["END"]`` and
        ``reasoning_effort=low``. A setting with the value null, as ``top_p=null``, is not sent.
    logprobs : bool, default False
        Whether to request log-probabilities.
    seed : int, optional
        Base from which the seed of each sample is derived.
    key_env : str, optional
        Name of the environment variable that contains the key, see `Server`.
    concurrency : int, default 32
        Maximum number of concurrent requests.
    timeout : float, default 600
        Maximum duration of a request in seconds.
    prices : Path, optional
        Path of a price table, see `read_prices`.

    Returns
    -------
    Plan
        The plan.

    Examples
    --------
    >>> from mssim.recorder import plan_from_options
    >>> plan = plan_from_options(["small=org/Small-7B"], base_url="http://127.0.0.1:8000/v1", samples=512)
    >>> plan.models[0].model_id, dict(plan.models[0].settings)
    ('org/Small-7B', {'temperature': 1.0})
    """
    server = Server(base_url, key_env=key_env, concurrency=concurrency, timeout=timeout)
    asked: dict[str, Any] = {
        "samples": samples,
        "samples_per_request": samples_per_request,
        "settings": _settings_from_options(settings),
        "template": None if template is None else _read_text("template", template),
        "system": None if system is None else _read_text("system", system),
        "logprobs": logprobs,
        "seed": seed,
    }
    named = [_name_and_id(text) for text in models]
    plans = tuple(ModelPlan(name, model_id, server, **asked) for name, model_id in named)
    return Plan(plans, prices=None if prices is None else _present("prices", prices))


def _name_and_id(text: str) -> tuple[str, str]:
    name, equals, model_id = (part.strip() for part in text.partition("="))
    if not name or (equals and not model_id):
        raise MssimError(f"model {text!r} is not of the form NAME or NAME=MODEL_ID.")
    return name, model_id or name


def _settings_from_options(given: Sequence[str]) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        name = name.strip()
        if not name or not equals:
            raise MssimError(f"setting {text!r} is not of the form KEY=VALUE, such as temperature=0.7.")
        if name in settings:
            raise MssimError(f"setting {name!r} appears twice. Remove one of them.")
        settings[name] = _json_or_text(name, value)
    return settings


def _json_or_text(name: str, text: str) -> Any:
    try:
        return json.loads(text, parse_constant=float)  # NaN and Infinity are rejected later
    except (ValueError, RecursionError):
        if text.lstrip().startswith(("[", "{", '"')):  # the shell may have removed quotes
            raise MssimError(f"setting {name}={text!r} is not valid JSON. Enclose it in single quotes.") from None
        return text


def read_plan(path: str | os.PathLike[str], *, samples: int | None = None) -> Plan:
    r"""Read a plan for several models and servers.

    Parameters
    ----------
    path : path
        A TOML file::

            samples = 512                # for all models; entries of a model take precedence
            samples_per_request = 8
            template = "prompt.txt"      # paths are relative to this file
            system = "system.txt"
            logprobs = true
            seed = 7
            prices = "prices.toml"
            [pool]                       # for pool.json
            title = "..."
            [settings]                   # for all models; a setting with the value "null" is not sent
            temperature = 1.0
            [servers.local]
            base_url = "http://127.0.0.1:8000/v1"
            key_env = "MY_KEY"
            [models.llama]
            server = "local"             # optional if there is one server
            model_id = "meta-llama/Llama-3.1-8B-Instruct"    # default: the name
            settings = {max_tokens = 512}

        The value "" for template or system stands for the default template or no system message.
    samples : int, optional
        Number of samples per question, which overrides the file.

    Returns
    -------
    Plan
        The plan.

    Raises
    ------
    MssimError
        If a file is missing or damaged, a key is unknown, or a value is not allowed. The message names file and key.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from mssim.recorder import read_plan
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "plan.toml"
    ...     _ = path.write_text('[servers.local]\nbase_url = "http://127.0.0.1:8000/v1"\n[models.llama]\n')
    ...     read_plan(path, samples=512).models[0].name
    'llama'
    """
    given = read_toml(Path(path))
    try:
        return _plan_of(given, Path(path).parent, samples)
    except MssimError as error:
        raise MssimError(f"{path}: {error}") from error


def _plan_of(given: Mapping[str, Any], folder: Path, samples: int | None) -> Plan:
    tables = ("pool", "settings", "servers", "models")
    check_keys("", given, (*_PER_MODEL, "prices", *tables))
    pool, settings, servers, models = (check_table(name, given.get(name, {})) for name in tables)
    check_keys("pool", pool, _INFO)
    for name, value in pool.items():
        check_text(f"pool.{name}", value)
    known = {name: _server(f"servers.{name}", one) for name, one in servers.items()}
    shared = {name: given[name] for name in _PER_MODEL if name in given}
    shared["settings"] = settings
    plans = tuple(_model(name, one, shared, known, folder, samples) for name, one in models.items())
    prices = given.get("prices")
    return Plan(plans, pool, None if prices is None else _present("prices", folder / _file_name("prices", prices)))


def _server(where: str, given: Any) -> Server:
    check_keys(where, check_table(where, given), ("base_url", "key_env", "concurrency", "timeout"))
    try:
        return Server(**{"base_url": None, **given})
    except MssimError as error:
        raise MssimError(f"{where}: {error}") from error


def _model(
    name: str, given: Any, shared: Mapping[str, Any], servers: Mapping[str, Server], folder: Path, samples: int | None
) -> ModelPlan:
    where = f"models.{name}"
    check_keys(where, check_table(where, given), ("server", "model_id", "settings", *_PER_MODEL))
    settings = shared["settings"] | check_table(f"{where}.settings", given.get("settings", {}))
    options = {"model_id": name, **shared, **given}
    options["settings"] = {key: None if value == "null" else value for key, value in settings.items()}
    try:
        options["server"] = _chosen_server(options.get("server"), servers)
        if samples is not None:
            options["samples"] = samples
        if "samples" not in options:
            raise MssimError(
                "samples is missing. Set it for this model, for all models, or with read_plan(..., samples=N)."
            )
        for key in ("template", "system"):
            file = _file_name(key, options.get(key, ""))
            options[key] = _read_text(key, folder / file) if file else None
        return ModelPlan(name=name, **options)
    except MssimError as error:
        raise MssimError(f"{where}: {error}") from error


def _chosen_server(name: Any, servers: Mapping[str, Server]) -> Server:
    if name is None and len(servers) == 1:
        return next(iter(servers.values()))
    if not servers:
        raise MssimError("the plan has no servers. Add a table [servers.NAME] with base_url.")
    if not isinstance(name, str) or name not in servers:
        said = "server is missing" if name is None else f"server={name!r} is not defined"
        raise MssimError(f"{said}. {choose_from(str(name or ''), servers)}, or add a table [servers.NAME].")
    return servers[name]


def _file_name(key: str, given: Any) -> str:
    if not isinstance(given, str) or "\0" in given:
        raise MssimError(f"{key}={given!r} is not a file name. Use a path relative to the plan.")
    return given


def _present(key: str, given: Any) -> Path:
    if not isinstance(given, str | os.PathLike):
        raise MssimError(f"{key}={given!r:.80} is not a file name. Use the path of a file.")
    path = Path(given)
    try:
        present = path.is_file()
    except (OSError, ValueError) as error:  # a name that no file system allows
        raise MssimError(f"{key}: {str(path)[:80]}... is not a file name ({type(error).__name__}).") from error
    if not present:
        raise MssimError(f"{key}: the file {path} does not exist. Correct the path.")
    return path


def _read_text(key: str, path: Path) -> str:
    try:
        text = _present(key, path).read_text(encoding="utf-8-sig").removesuffix("\n")  # added by editors
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MssimError(f"{key}: {path} cannot be read ({reason}). It must be UTF-8 text.") from error
    if not text.strip():
        raise MssimError(f"{key}: {path} is empty. Add text, or omit {key}.")
    return text
