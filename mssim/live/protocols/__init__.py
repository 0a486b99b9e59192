"""Protocols of several agents. Each is one module with its source, its prompts and the calls that it makes."""

from mssim.live.protocols.base import PROTOCOLS, Call, Final, Protocol, Task

__all__ = ["PROTOCOLS", "Call", "Final", "Protocol", "Task"]
