"""Protocols of several agents. Each is one module with its source, its prompts and the calls that it makes."""

from mssim.live.protocols.agents import Agent
from mssim.live.protocols.base import PROTOCOLS, Call, Calls, Final, Protocol, Task
from mssim.live.protocols.parsing import parse_protocol
from mssim.live.protocols.prompts import prompts_for, read_prompts
from mssim.live.protocols.templates import Template

__all__ = [
    "PROTOCOLS",
    "Agent",
    "Call",
    "Calls",
    "Final",
    "Protocol",
    "Task",
    "Template",
    "parse_protocol",
    "prompts_for",
    "read_prompts",
]
