"""Budget of a recording: limits, spending, and reservations of pending requests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mssim.prices import Prices
from mssim.recorder.plan import ModelPlan

EXCEEDS = "the next request might exceed the limit"
_FRAME = 16  # tokens per message in addition to its text


@dataclass(frozen=True, slots=True)
class Need:
    """Upper bounds of the tokens and cost of a request, None if unknown."""

    tokens: int | None
    cost: float | None


@dataclass
class Budget:
    """Limits over all runs of a recording. A request starts only if its upper bound is within the limits.

    Attributes
    ----------
    max_requests, max_tokens : int, optional
        Limits of the number of requests and of the number of tokens, of prompts and answers together.
    max_cost : float, optional
        Limit of the cost, in the currency of the prices.
    prices : Prices, optional
        Prices of tokens.
    requests, tokens : int
        Spending so far, as reported by the servers.
    cost : float
        Cost of the reported tokens.
    in_flight : int
        Number of pending requests.
    unreported : int
        Number of requests that returned samples but no number of tokens.
    """

    max_requests: int | None = None
    max_tokens: int | None = None
    max_cost: float | None = None
    prices: Prices | None = None
    requests: int = 0
    tokens: int = 0
    cost: float = 0.0
    in_flight: int = 0
    unreported: int = 0
    _of_model: Counter[str] = field(default_factory=Counter)  # pending requests
    _reserved_tokens: int = 0
    _reserved_cost: float = 0.0
    _largest: dict[str, tuple[int, int]] = field(default_factory=dict)

    def need(self, plan: ModelPlan, messages: Sequence[Mapping[str, str]], n: int) -> Need:
        """Return upper bounds of a request. A token has at least one byte; answers have max_tokens or the most seen."""
        seen_input, seen_output = self._largest.get(plan.name, (0, 0))
        inputs = max(seen_input, sum(len(m["content"].encode()) + _FRAME for m in messages))
        most = plan.most_tokens() or seen_output
        if not most:
            return Need(None, None)
        cost = self.cost_of(plan, inputs, n * most)
        return Need(inputs + n * most, cost)

    def cost_of(self, plan: ModelPlan, input_tokens: int | None, output_tokens: int | None) -> float | None:
        """Return the cost of a request, or None if prices or tokens are unknown."""
        if self.prices is None or input_tokens is None or output_tokens is None:
            return None
        return self.prices.cost((plan.name, plan.model_id), input_tokens, output_tokens)

    def take(self, need: Need, model: str) -> bool:
        """Reserve a request if it is within the limits. Return whether it is."""
        if self.reached() or not self._fits(need, model):
            return False
        self.in_flight += 1
        self._of_model[model] += 1
        self.requests += 1
        self._reserved_tokens += need.tokens or 0
        self._reserved_cost += need.cost or 0.0
        return True

    def _fits(self, need: Need, model: str) -> bool:
        for limit, spent, reserved, wanted in (
            (self.max_tokens, self.tokens, self._reserved_tokens, need.tokens),
            (self.max_cost, self.cost, self._reserved_cost, need.cost),
        ):
            if limit is None:
                continue
            if wanted is None:  # no answer of this model was seen: run one request alone
                if self._of_model[model]:
                    return False
            elif spent + reserved + wanted > limit:
                return False
        return True

    def end(
        self, need: Need, plan: ModelPlan, samples: int, tokens: tuple[int | None, int | None], *, asked: int = 1
    ) -> float | None:
        """Release the reservation of a request, add its tokens and return its cost. `samples` of `asked` arrived."""
        self.in_flight -= 1
        self._of_model[plan.name] -= 1
        self._reserved_tokens -= need.tokens or 0
        self._reserved_cost -= need.cost or 0.0
        inputs, outputs = tokens
        cost = self.cost_of(plan, inputs, outputs)
        self.unreported += bool(samples and (inputs is None or outputs is None))
        self.tokens += (inputs or 0) + (outputs or 0)
        self.cost += cost or 0.0
        if samples or outputs:
            seen_input, seen_output = self._largest.get(plan.name, (0, 0))
            self._largest[plan.name] = (
                max(seen_input, inputs or 0),
                max(seen_output, -(-(outputs or 0) // (samples or asked))),
            )
        return cost

    def forget(self) -> None:
        """Do not count a request that reached no server."""
        self.requests -= 1

    def reached(self) -> str | None:
        """Return a message if a limit is reached, else None."""
        for name, limit, spent in (
            ("max_requests", self.max_requests, self.requests),
            ("max_tokens", self.max_tokens, self.tokens),
            ("max_cost", self.max_cost, self.cost),
        ):
            if limit is not None and spent >= limit:
                return f"The limit {name}={limit:g} is reached ({spent:g} in all runs)."
        if self.unreported and (self.max_tokens is not None or self.max_cost is not None):
            return (
                f"The server did not report tokens for {self.unreported} requests, so max_tokens= and max_cost= "
                "cannot be enforced. Use max_requests= instead."
            )
        return None

    def why(self) -> str:
        """Return why no request may start although none is pending."""
        return self.reached() or (
            f"{EXCEEDS} (spent {self.tokens} tokens"
            + (f", cost {self.cost:g}" if self.prices else "")
            + " in all runs)."
        )
