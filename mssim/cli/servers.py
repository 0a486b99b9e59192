"""Options of commands that request samples from servers, and the plan that they make."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mssim.cli.language import keep_names
from mssim.errors import MssimError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mssim.recorder import Plan

__all__ = ["OF_PLAN", "plan_of"]

OF_PLAN: tuple[str, ...] = (
    "samples_per_request",
    "template",
    "system",
    "settings",
    "logprobs",
    "seed",
    "key_env",
    "concurrency",
)
OF_PLAN += ("timeout", "prices")  # arguments that a plan file sets under the same names

Models = Annotated[
    list[str] | None,
    typer.Option("--model", help="NAME in the pool, or NAME=MODEL_ID if the server's differs. Repeatable."),
]
BaseUrl = Annotated[str | None, typer.Option(help="Base URL of the server, e.g. http://127.0.0.1:8000/v1.")]
SamplesPerRequest = Annotated[
    int | None, typer.Option(help="Samples per request (n). Fewer if the server refuses so many. [default: 1]")
]
Template = Annotated[
    Path | None, typer.Option(help="Prompt template: a text file with {{question}}, {{choices}} or any other column.")
]
System = Annotated[Path | None, typer.Option(help="Text file with the system prompt.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="KEY=VALUE to send with each request. Repeatable. [default: temperature=1.0]"),
]
Logprobs = Annotated[bool | None, typer.Option("--logprobs", help="Record the mean log-probability as confidence.")]
SampleSeed = Annotated[int | None, typer.Option(help="Base seed; every sample gets its own seed derived from it.")]
KeyEnv = Annotated[
    str | None, typer.Option(help="Environment variable with the API key. [default for openai.com: OPENAI_API_KEY]")
]
Concurrency = Annotated[int | None, typer.Option(help="Concurrent requests. [default: 32]")]
Timeout = Annotated[float | None, typer.Option(help="Timeout of one whole reply in seconds. [default: 600]")]
PricesOfPlan = Annotated[Path | None, typer.Option(help="TOML file with dated prices of tokens.")]
PlanFile = Annotated[Path | None, typer.Option(help="TOML file with these settings for several models.")]
MaxCost = Annotated[float | None, typer.Option(help="Cost limit over all runs of this pool.")]
MaxTokensInAll = Annotated[int | None, typer.Option(help="Token limit over all runs, prompts included.")]
MaxRequests = Annotated[int | None, typer.Option(help="Request limit over all runs.")]
RetryFailed = Annotated[bool, typer.Option("--retry-failed", help="Retry samples that were given up.")]
NewServer = Annotated[bool, typer.Option("--new-server", help="Accept a changed server address.")]


def plan_of(
    path: Path | None,
    models: list[str] | None,
    base_url: str | None,
    options: Mapping[str, Any],
    *,
    samples: int | None,
    default: int,
    besides: str,
) -> Plan:
    """Return the plan of a file, or of options for models of one server.

    Parameters
    ----------
    path : Path, optional
        A plan file.
    models, base_url, options
        Models, their server, and other options by the names of `OF_PLAN`, None if not given. They are refused with
        `path`, which sets them under the same names.
    samples : int, optional
        Samples per question, which override the file.
    default : int
        Samples per question without a file.
    besides : str
        Sentence that names the options that are allowed with a file.
    """
    from mssim.recorder import plan_from_options, read_plan

    given = {name: value for name, value in options.items() if value is not None}
    if path is None:
        if not models or base_url is None:
            raise MssimError(
                "--model, --base-url: both are required without --plan. Add --model NAME and --base-url URL, or use "
                "--plan FILE for several servers."
            )
        return plan_from_options(models, base_url=base_url, samples=default if samples is None else samples, **given)
    if models or base_url is not None:
        raise MssimError(f"--plan: {path} already names models and servers. Remove --model and --base-url.")
    if given:
        name = "set" if "settings" in given else next(iter(given)).replace("_", "-")
        raise MssimError(f"--{name}: not allowed with --plan. Set it in {path}. {besides}")
    keep_names(["base_url", "model_id", *(["samples"] if samples is None else []), *options])
    return read_plan(path, samples=samples)
