"""`mssim serve`: a strategy or a protocol behind an endpoint like OpenAI's."""

from __future__ import annotations

import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mssim.cli.language import as_options, name_by
from mssim.cli.options import ReasoningOption
from mssim.cli.output import printable
from mssim.cli.servers import MaxCost, MaxRequests, MaxTokensInAll, NewServer
from mssim.errors import MssimError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mssim.recorder import Plan


def serve(
    plan: Annotated[Path, typer.Option(help="TOML file with models and servers, as for mssim record.")],
    out: Annotated[Path, typer.Option(help="Pool folder. Samples that it has are used first after a restart.")],
    rule: Annotated[str, typer.Option(help="Rule of grading that decides which answers are equal, as in mssim grade.")],
    strategy: Annotated[str | None, typer.Option(help="Strategy, e.g. ms:strong+weak,agreement=0.75.")] = None,
    budget: Annotated[int | None, typer.Option(help="Samples allowed per request.")] = None,
    protocol: Annotated[
        str | None, typer.Option(help="Protocol of several agents instead of a strategy, e.g. debate:smol+gemma.")
    ] = None,
    prompts: Annotated[
        Path | None, typer.Option(help="TOML file with templates that replace those of the protocol.")
    ] = None,
    reasoning: ReasoningOption = "drop",
    seed: Annotated[int, typer.Option(help="Seed of random choices, such as ties.")] = 0,
    use_recorded: Annotated[
        bool, typer.Option("--use-recorded", help="Accept an --out in which another strategy was served.")
    ] = False,
    model_name: Annotated[str, typer.Option(help="Name of the model for clients.")] = "mssim",
    host: Annotated[str, typer.Option(help="Address to listen on. Any but loopback requires --key-env.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 = any free port.")] = 8000,
    key_env: Annotated[
        str | None, typer.Option(help="Environment variable with the API key that clients must send.")
    ] = None,
    max_cost: MaxCost = None,
    max_tokens: MaxTokensInAll = None,
    max_requests: MaxRequests = None,
    new_server: NewServer = False,
) -> None:
    """Serve a strategy, or a protocol of several agents, as a model by an endpoint like OpenAI's.

    Clients and evaluation tools use it as the base URL http://127.0.0.1:8000/v1 and the model mssim. Each chat
    completion runs the strategy with the messages of the request, and returns the text of a sample that has the answer.
    The usage is the sum over all calls. Every sample is written to disk as it arrives. Ctrl-C ends the endpoint and
    writes the pool.

    Example: mssim serve --plan plan.toml --strategy ms:smol+gemma,agreement=0.75 --budget 16 --rule number --out served
    """
    from mssim.live import serve as serve_strategy
    from mssim.live import serve_protocol
    from mssim.recorder import read_plan

    _check_kind(protocol, {"strategy": strategy, "budget": budget, "seed": seed, "use_recorded": use_recorded}, prompts)
    asked = read_plan(plan, samples=1)
    _warn(asked)
    name_by("name", "model_name")
    if protocol is None:
        run = partial(serve_strategy, asked, strategy or "", budget or 0, seed=seed, use_recorded=use_recorded)
    else:
        run = partial(serve_protocol, asked, protocol, prompts=prompts)
    run(
        out=out,
        rule=rule,
        reasoning=reasoning,
        host=host,
        port=port,
        key_env=key_env,
        name=model_name,
        log=_log,
        max_requests=max_requests,
        max_tokens=max_tokens,
        max_cost=max_cost,
        new_server=new_server,
    )


def _check_kind(protocol: str | None, of_strategy: Mapping[str, Any], prompts: Path | None) -> None:
    """Raise unless the options are those of a strategy or those of a protocol."""
    if protocol is None:
        if prompts is not None:
            raise MssimError("--prompts: only for --protocol. Remove it.")
        if of_strategy["strategy"] is None or of_strategy["budget"] is None:
            raise MssimError(
                "--strategy, --budget: both are required without --protocol. Add e.g. --strategy sc:MODEL --budget 16."
            )
        return
    for name, value in of_strategy.items():
        if value:
            raise MssimError(f"--{name.replace('_', '-')}: not used with --protocol. Remove it.")


def _warn(plan: Plan) -> None:
    """Print warnings of a plan, and that its templates are not used."""
    found = plan.warnings()
    if any(model.template is not None for model in plan.models):
        found.append("templates of the plan are not used: the messages of requests are the prompts")
    for warning in found:
        print(f"mssim: warning: {as_options(warning)}", file=sys.stderr)


def _log(line: str) -> None:
    print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {printable(as_options(line))}", file=sys.stderr, flush=True)
