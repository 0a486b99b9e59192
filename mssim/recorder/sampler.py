"""Interface between the recorder and a client. Implement `Sampler` for other services or for models in this process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Request:
    """A request for `n` samples of one prompt.

    Attributes
    ----------
    model_id : str
        Name of the model on the server.
    messages : sequence of mapping
        Messages with the keys role and content.
    n : int, default 1
        Number of samples.
    settings : mapping
        Settings such as temperature and max_tokens, sent unchanged.
    logprobs : bool, default False
        Whether log-probabilities are requested, for `Choice.confidence`.
    seed : int, optional
        Seed, which differs between requests.

    Examples
    --------
    >>> from mssim.recorder import Request
    >>> Request("org/Small-7B", [{"role": "user", "content": "1 + 1 = ?"}], n=8).n
    8
    """

    model_id: str
    messages: Sequence[Mapping[str, str]]
    n: int = 1
    settings: Mapping[str, Any] = field(default_factory=dict)
    logprobs: bool = False
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """One sample of a reply.

    Attributes
    ----------
    text : str
        Text of the sample.
    finish_reason : str, optional
        Reason why the sample ended, such as stop or length.
    confidence : float, optional
        Mean log-probability of the tokens, in nats.
    output_tokens : int, optional
        Number of tokens of the sample.
    reasoning : str, optional
        Text of the reasoning that preceded the sample and is not part of it.
    refusal : str, optional
        Text by which the model refused to answer.
    tool_calls : str, optional
        Calls of tools, as JSON.

    Examples
    --------
    >>> from mssim.recorder import Choice
    >>> Choice("It is 2.", finish_reason="stop").text
    'It is 2.'
    """

    text: str
    finish_reason: str | None = None
    confidence: float | None = None
    output_tokens: int | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """Reply to a request.

    Attributes
    ----------
    choices : tuple of Choice
        The samples, at most as many as requested.
    input_tokens, output_tokens : int, optional
        Numbers of tokens of the whole request, as billed.
    served_model, fingerprint, request_id : str, optional
        Model, configuration and request, as named by the server.
    error : str, optional
        Reason why there are fewer choices than requested, if some generations failed.

    Examples
    --------
    >>> from mssim.recorder import Choice, Reply
    >>> len(Reply((Choice("2"), Choice("3")), input_tokens=9, output_tokens=2).choices)
    2
    """

    choices: tuple[Choice, ...]
    input_tokens: int | None = None
    output_tokens: int | None = None
    served_model: str | None = None
    fingerprint: str | None = None
    request_id: str | None = None
    error: str | None = None


class RequestFailed(Exception):  # noqa: N818 - the recorder handles it, callers do not see it
    """Exception of a `Sampler` whose request failed.

    Parameters
    ----------
    reason : str
        Reason in one line. It is stored and displayed, so it must not contain secrets.
    transient : bool, default True
        Whether the same request may succeed later.
    everywhere : bool, default False
        Whether all requests to the model fail, as with an invalid key. Requests to the model are stopped.
    retry_after : float, optional
        Seconds to wait before the next request to this server.
    attempts : int, optional
        Number of attempts after which the samples are given up, if it is less than that of `Retry`.
    fewer : bool, default False
        Whether a request for fewer samples may succeed.
    unreachable : bool, default False
        Whether no server answered. Such a request is repeated until the server answers, and gives up no sample.
    tokens : tuple of int, optional
        Numbers of input and output tokens that the server reported in spite of the failure.

    Examples
    --------
    >>> from mssim.recorder import RequestFailed
    >>> RequestFailed("HTTP 429: slow down", retry_after=2.0).transient
    True
    """

    def __init__(
        self,
        reason: str,
        *,
        transient: bool = True,
        everywhere: bool = False,
        retry_after: float | None = None,
        attempts: int | None = None,
        fewer: bool = False,
        unreachable: bool = False,
        tokens: tuple[int | None, int | None] = (None, None),
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.transient = transient
        self.everywhere = everywhere
        self.retry_after = retry_after
        self.attempts = attempts
        self.fewer = fewer
        self.unreachable = unreachable
        self.tokens = tokens


class Sampler(Protocol):
    """Protocol of the client of one server, which many tasks of one event loop call concurrently.

    Examples
    --------
    >>> import asyncio
    >>> from mssim.recorder import Choice, Reply, Request
    >>> class Parrot:
    ...     async def sample(self, request):
    ...         return Reply((Choice(request.messages[-1]["content"]),) * request.n)
    ...     async def close(self):
    ...         pass
    >>> asyncio.run(Parrot().sample(Request("parrot", [{"role": "user", "content": "Hello"}]))).choices[0].text
    'Hello'
    """

    async def sample(self, request: Request) -> Reply:
        """Request samples.

        Parameters
        ----------
        request : Request
            The prompt, the settings and the number of samples.

        Returns
        -------
        Reply
            The samples. There may be fewer than requested.

        Raises
        ------
        RequestFailed
            If the request failed.
        """
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...
