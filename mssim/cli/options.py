"""Options shared by the commands, and their parsers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mssim._files import usable_path
from mssim._validation import choose_from
from mssim.cli.formats import FORMATS
from mssim.cli.language import name_by
from mssim.errors import BudgetError, MssimError, StrategyError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


Json = Annotated[bool, typer.Option("--json", help="Print only JSON; short for --format json.")]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        help="table (for a terminal), json, csv, md (Markdown) or latex (booktabs). All but table print all columns "
        "and nothing else. [default: table]",
    ),
]
WhereOption = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        help="Select rows: COLUMN=VALUE, !=, <, <=, >, >=. Repeatable; several = on a column mean any.",
    ),
]
ReasoningOption = Annotated[str, typer.Option("--reasoning", help="Reasoning, as in <think>...</think>: drop or keep.")]
Confidence = Annotated[
    float, typer.Option("--confidence-level", help="Level of the confidence intervals over questions.")
]
Clusters = Annotated[
    str | None,
    typer.Option("--clusters", help="Question column that marks dependent questions. [default: cluster, if present]"),
]
PricePerSample = Annotated[
    list[str] | None, typer.Option("--price", help="Price of one sample: MODEL=PRICE. Repeatable.")
]
PriceTable = Annotated[
    Path | None, typer.Option("--prices", help="TOML file with dated prices of input and output tokens.")
]
Tokens = Annotated[
    str | None,
    typer.Option(
        "--tokens",
        help="Tokens of a sample: all (output tokens and its share of recorded input tokens) or output. [default: all]",
    ),
]
Parallel = Annotated[
    int | None,
    typer.Option("--parallel", help="Samples requested at once, for latency. [default: all between two decisions]"),
]
MaxTokens = Annotated[
    str | None,
    typer.Option(
        "--max-tokens",
        help="Cut off samples at these output tokens: 256,1024. A longer sample becomes no answer. Every strategy "
        "without a limit of its own (sc:M,max_tokens=512) is evaluated at each. --per max_tokens plots the curve.",
    ),
]
SharesDraws = Annotated[
    list[str] | None,
    typer.Option(
        "--shares-draws",
        help="Models that are parts of one recorded run, in order, e.g. rounds of a debate: round1,round2. They are "
        "drawn together, and a run is paid once. Repeatable.",
    ),
]
Band = Annotated[
    str,
    typer.Option(help="pointwise: each interval covers on its own; simultaneous: all budgets of a strategy together."),
]
Quantiles = Annotated[
    str | None,
    typer.Option(
        "--quantiles",
        help="Add quantiles over questions and draws of tokens, cost and latency, e.g. 0.5,0.95 for the columns "
        "cost_p50 and cost_p95.",
    ),
]
TokensExceed = Annotated[
    float | None,
    typer.Option("--tokens-exceed", help="Add the share of questions and draws that take more than this many tokens."),
]
CostExceeds = Annotated[
    float | None,
    typer.Option("--cost-exceeds", help="Add the share of questions and draws that cost more than this."),
]
LatencyExceeds = Annotated[
    float | None,
    typer.Option(
        "--latency-exceeds", help="Add the share of questions and draws that take more than this many seconds."
    ),
]

_AXES = (
    "x-axis of the plot: samples_used, budget, tokens, cost or latency. Several (samples_used,tokens) are panels side "
    "by side. {}[default: samples_used]"
)
Per = Annotated[
    str | None,
    typer.Option("--per", "--x", help=_AXES.format("max_tokens is the axis of the limits of --max-tokens. ")),
]
PerOfMerge = Annotated[str | None, typer.Option("--per", "--x", help=_AXES.format(""))]

_PER = ("samples_used", "budget", "tokens", "cost", "latency")
_BANDS = ("pointwise", "simultaneous")
_OPERATORS = ("!=", "<=", ">=", "=", "<", ">")


def read_format(json: bool, given: str | None) -> str:
    """Return the format of the tables by --json and --format; raise if it does not exist or both disagree."""
    if given is not None and given not in FORMATS:
        raise MssimError(f"--format: {given!r} is not valid. {choose_from(given, FORMATS)}.")
    if json and given not in (None, "json"):
        raise MssimError(
            f"--json, --format: --json is short for --format json, but --format {given} is given. Remove one of them."
        )
    return "json" if json else given or "table"


def check_table(table: str | None, form: str, names: Collection[str]) -> None:
    """Raise if a command has no table of this name, or if several would be printed as CSV."""
    if table is not None and table not in names:
        raise MssimError(f"--table: {table!r} is not valid. {choose_from(table, names)}.")
    if table is None and form == "csv":
        raise MssimError(
            f"--format: csv holds one table, but there are several: {', '.join(names)}. Add e.g. --table "
            f"{next(iter(names))}, or use another format."
        )


def parse_where(given: Sequence[str]) -> list[tuple[str, str, Any]]:
    """Parse conditions such as COLUMN=VALUE; several = on one column become one membership test."""
    equal: dict[str, list[str]] = {}
    others: list[tuple[str, str, Any]] = []
    for text in given:
        found = [(text.find(op), -len(op), op) for op in _OPERATORS if op in text]
        if not found or min(found)[0] == 0:
            raise MssimError(
                f"--where: {text!r} is not a condition. Write COLUMN=VALUE. The operators !=, <, <=, > and >= are also "
                "allowed."
            )
        operator = min(found)[2]
        column, value = (part.strip() for part in text.split(operator, 1))
        if operator == "=":
            equal.setdefault(column, []).append(value)
        else:
            others.append((column, operator, value))
    return [(column, "in", values) for column, values in equal.items()] + others


def parse_budgets(given: str, option: str = "--budgets") -> list[int]:
    """Parse budgets such as 2,4,8 or 1-16 or 1,2,4-8."""
    from mssim.engine import budgets

    found = budgets.parse_budgets(given, option)
    if found.limits:
        limit = found.limits[0]
        raise BudgetError(
            f"{option}: {limit.quantity}={limit.most:g} is a budget of one strategy. Write it after the strategy, as "
            f"in --strategy sc:MODEL@{limit.quantity}={limit.most:g}."
        )
    return list(found.budgets)


def parse_max_tokens(given: str) -> list[int]:
    """Parse limits of output tokens such as 256,1024."""
    try:
        limits = [int(part) for part in given.split(",")]
    except ValueError:
        limits = [0]
    if min(limits) < 1:
        raise MssimError(f"--max-tokens: {given!r} is not a list of positive integers. Use e.g. --max-tokens 256,1024.")
    return limits


def parse_groups(given: Sequence[str] | None) -> list[list[str]] | None:
    """Parse groups of models such as round1,round2; names that contain a comma are in quotes."""
    from mssim.rules.names import split_names

    try:
        groups = [split_names(group, ",") for group in given] if given else None
    except StrategyError as error:
        raise MssimError(f"--shares-draws: {error}") from None
    for group, text in zip(groups or (), given or (), strict=True):
        if len(set(group)) < max(len(group), 2):
            raise MssimError(
                f"--shares-draws: {text!r} is not a group of at least two different models. Use e.g. --shares-draws "
                "round1,round2."
            )
    return groups


def parse_pair(given: str, option: str = "--budget") -> tuple[int, int]:
    """Parse one budget for both strategies (16) or one for each (8,16)."""
    budgets = [number for part in given.split(",") for number in parse_budgets(part, option)]
    if len(budgets) > 2 or "-" in given:
        raise BudgetError(
            f"{option}: {given!r} is not one or two budgets. Use {option} 16 for both strategies, or {option} 8,16 "
            "for one budget each."
        )
    return budgets[0], budgets[-1]


def parse_numbers(given: str, option: str, example: str) -> list[float]:
    """Parse a list of numbers such as 0.02,0.05."""
    try:
        return [float(part) for part in given.split(",")]
    except ValueError:
        raise MssimError(f"{option}: {given!r} is not a list of numbers. Use e.g. {example}.") from None


def spread_options(
    quantiles: str | float | Sequence[float] | None,
    tokens_exceed: float | None,
    cost_exceeds: float | None,
    latency_exceeds: float | None,
) -> dict[str, Any]:
    """Return the arguments of `Evaluation.to_frame` about distributions; raise if one is invalid."""
    from mssim.results.summary import read_spread_options

    values = parse_numbers(quantiles, "--quantiles", "0.5,0.95") if isinstance(quantiles, str) else quantiles
    read_spread_options(values, {"tokens": tokens_exceed, "cost": cost_exceeds, "latency": latency_exceeds})
    given = {
        "quantiles": values,
        "tokens_exceed": tokens_exceed,
        "cost_exceeds": cost_exceeds,
        "latency_exceeds": latency_exceeds,
    }
    return {name: value for name, value in given.items() if value is not None}


def parse_models(given: str, known: Collection[str], separators: str = ",") -> list[str]:
    """Parse names of models, in quotes where they contain a separator; say so if only quotes are lacking."""
    from mssim.rules.names import split_names, with_quotes

    try:
        names = split_names(given, separators)
    except StrategyError as error:
        raise MssimError(f"--models: {error}") from None
    text = with_quotes(given, known, separators)
    if text != given and not set(names) <= set(known) and set(split_names(text, separators)) <= set(known):
        raise MssimError(f"--models: {given!r}: a name of a model needs quotes. Write {text!r}.")
    return names


def parse_renames(given: Sequence[str] | None) -> dict[str, str] | None:
    """Parse repeated NEW=OLD; the old name may contain "="."""
    renames: dict[str, str] = {}
    for text in given or ():
        new, _, old = (part.strip() for part in text.partition("="))
        if not new or not old:
            raise MssimError(f"--rename: {text!r} is not NEW=OLD. Use e.g. --rename llama=hf/llama,dtype=auto.")
        if new in renames:
            raise MssimError(
                f"--rename: {renames[new]!r} and {old!r} would both be called {new!r}. Use different names."
            )
        renames[new] = old
    return renames or None


def prices_of(price: list[str] | None, prices: Path | None) -> dict[str, float] | str | None:
    """Return the prices of --price per sample, or the path of --prices; raise if both are given."""
    if price and prices is not None:
        raise MssimError(
            "--price, --prices: both are given. Use --price for prices per sample, or --prices for a table of prices "
            "per token."
        )
    if price:
        name_by("prices", "price")
    return parse_prices(price) if prices is None else str(prices)


def parse_prices(given: list[str] | None) -> dict[str, float] | None:
    """Parse repeated MODEL=PRICE."""
    if not given:
        return None
    prices = {}
    for text in given:
        model, _, price = text.rpartition("=")
        try:
            prices[_without_quotes(model)] = float(price)
        except ValueError:
            raise MssimError(f"--price: {text!r} is not MODEL=PRICE. Use e.g. --price gpt-4o=0.002.") from None
    return prices


def _without_quotes(name: str) -> str:
    from mssim.rules.names import first_name

    try:
        return first_name(name, "")[0]
    except StrategyError:
        return name


def check_output(path: Path, option: str, *, figure: bool = False) -> None:
    """Raise if an output file cannot be written, before any work starts."""
    if figure and path.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise MssimError(f"{option}: {path} has no supported image format. Use a name that ends in .png, .svg or .pdf.")
    usable_path(path, option)
    if path.is_dir():
        raise MssimError(f"{option}: {path} is a folder. Use the name of a file.")
    if path.exists() and not path.is_file():
        raise MssimError(f"{option}: {path} is a device or a pipe. Use the name of a file.")
    if not path.absolute().parent.is_dir():
        raise MssimError(f"{option}: the folder {path.absolute().parent} does not exist. Create it first.")


def check_texts(strategies: Sequence[str]) -> None:
    """Raise if the text of a strategy names a kind, option, vote or stop rule that does not exist.

    Other mistakes can be missing quotes around the name of a model, which only the models of a pool can tell.
    """
    from mssim.rules.parsing import parse_strategy

    for text in strategies:
        try:
            parse_strategy(text.rpartition("@")[0] or text)
        except StrategyError as error:
            if ": unknown " in str(error):
                raise


def check_band(band: str) -> str:
    """Return the kind of intervals; raise if it does not exist."""
    if band not in _BANDS:
        raise MssimError(f"--band: {band!r} is not valid. {choose_from(band, _BANDS)}.")
    return band


def check_per(given: str | list[str] | None, *, plotted: bool = True, limited: bool | None = None) -> list[str]:
    """Return the quantities of the x-axes, of which several are separated by commas; raise if one does not exist.

    With `limited`, samples are cut off at several lengths, which can be the only x-axis; None: the command has no such
    limits.
    """
    parts = ("samples_used" if given is None else given).split(",") if not isinstance(given, list) else given
    names = list(dict.fromkeys(str(name).strip() for name in parts)) or [""]
    if limited is not None and "max_tokens" in names:
        if not limited:
            raise MssimError("--per: max_tokens needs limits to plot. Add e.g. --max-tokens 256,1024.")
        if len(names) > 1:
            raise MssimError("--per: max_tokens is an axis of its own. Use --per max_tokens, without other quantities.")
    else:
        for name in names:
            if name not in _PER:
                raise MssimError(f"--per: {name!r} is not valid. {choose_from(name, _PER)}.")
    if given is not None and not plotted:
        raise MssimError("--per: there is no plot whose x-axis it could name. Add --plot FILE, or drop --per.")
    return names
