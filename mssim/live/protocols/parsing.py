"""Protocols from text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Each module registers its protocol.
import mssim.live.protocols.agentverse
import mssim.live.protocols.best_of_n
import mssim.live.protocols.chateval
import mssim.live.protocols.debate
import mssim.live.protocols.mad
import mssim.live.protocols.moa  # noqa: F401
from mssim._validation import choose_from
from mssim.errors import StrategyError
from mssim.live.protocols.base import PROTOCOLS, Protocol
from mssim.rules.text import read_options, split

__all__ = ["parse_protocol"]


def parse_protocol(given: str | Mapping[str, Any] | Protocol) -> Protocol:
    """Read a protocol from one line of text, or from a mapping as in a TOML file.

    Parameters
    ----------
    given : str or mapping
        Text ``kind:model+model,option=value``, or a mapping with the keys kind, models and the options. In text, a name
        that contains "+" or "," needs quotes, double or single: ``moa:"a+b"``. The options are the fields of the
        protocol's class.

    Returns
    -------
    Protocol

    Raises
    ------
    StrategyError
        If the kind or an option does not exist, or a value is invalid.

    Examples
    --------
    >>> from mssim.live.protocols import parse_protocol
    >>> parse_protocol("moa:smollm2+gemma3,layers=3,aggregator=gemma3").calls()
    Calls(least=5, most=5)
    >>> str(parse_protocol({"kind": "debate", "models": ["gemma3"], "agents": 3, "rounds": 2}))
    'debate:gemma3,agents=3'
    """
    if isinstance(given, Protocol):
        return given
    kind, models, options = split(given, "protocol", "debate:gpt-4")
    if kind not in PROTOCOLS:
        raise StrategyError(f"protocol {given!r}: unknown kind {kind!r}. {choose_from(kind, PROTOCOLS)}.")
    cls: Any = PROTOCOLS[kind]
    try:
        built: Protocol = cls(tuple(models), **read_options(cls, options))
    except StrategyError as error:
        raise StrategyError(f"protocol {given!r}: {error}") from None
    return built
