"""What the recorder asks of a client: one coroutine. Write your own for another service or a model in this process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Request:
    """One request: `n` samples for one prompt.

    Attributes
    ----------
    model_id : str
        What the server calls the model.
    messages : sequence of {"role": ..., "content": ...}
    n : int
    settings : mapping
        Sent as they are: temperature, max_tokens, ...
    logprobs : bool
        Whether log-probabilities are wanted, for `Choice.confidence`.
    seed : int, optional
        Differs from request to request.
    """

    model_id: str
    messages: Sequence[Mapping[str, str]]
    n: int = 1
    settings: Mapping[str, Any] = field(default_factory=dict)
    logprobs: bool = False
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """One sample: its text, why it ended, the mean log-probability of its tokens (nats), and how many, if known."""

    text: str
    finish_reason: str | None = None
    confidence: float | None = None
    output_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What a request brought; the tokens are those of the whole request, as it is billed."""

    choices: tuple[Choice, ...]
    input_tokens: int | None = None
    output_tokens: int | None = None
    served_model: str | None = None
    fingerprint: str | None = None
    request_id: str | None = None


class RequestFailed(Exception):  # noqa: N818 - an outcome that the recorder handles, not an error of its caller
    """A request that brought no reply.

    Parameters
    ----------
    reason : str
        One line, without secrets: it is kept in the journal and shown.
    transient : bool, default True
        Whether the same request may succeed later.
    everywhere : bool, default False
        Whether every other request would fail alike (a wrong key): the model is not asked again.
    retry_after : float, optional
        Seconds for which the server wants to be left alone.
    """

    def __init__(
        self, reason: str, *, transient: bool = True, everywhere: bool = False, retry_after: float | None = None
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.transient = transient
        self.everywhere = everywhere
        self.retry_after = retry_after


class Sampler(Protocol):
    """A client of one server. Called by many tasks of one event loop at the same time."""

    async def sample(self, request: Request) -> Reply:
        """Ask for samples; fewer than asked for are fine. `RequestFailed` says what went wrong."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...
