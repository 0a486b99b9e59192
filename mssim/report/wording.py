"""Numbers and quantities in words."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["Quantity", "percent", "points", "probability", "quantity_of", "with_interval"]

_LABELS = {"samples_used": "samples", "tokens": "tokens", "cost": "money", "latency": "seconds"}
_PER = {1: "question", 1000: "1,000 questions", 1_000_000: "million questions"}
_LEAST_MONEY = 0.01  # largest mean cost that is written per question


@dataclass(frozen=True)
class Quantity:
    """What is spent: samples, tokens, money or seconds.

    Attributes
    ----------
    key : str
        Name of the column: samples_used, tokens, cost or latency.
    label : str
        Name of the quantity.
    unit : str
        Unit of its numbers, such as "USD".
    per : int
        Number of questions to which numbers refer. Small amounts of money are written per 1,000 or million questions.
    """

    key: str
    label: str
    unit: str
    per: int = 1

    @property
    def axis(self) -> str:
        """Title of an axis."""
        name = f"{self.label} used" if self.key == "samples_used" else self.label
        unit = f", {self.unit}" if self.key == "cost" else ""
        return f"{name} per {_PER[self.per]} (mean{unit})"

    def number(self, value: float) -> str:
        """Return an amount per question as a number, to four digits."""
        scaled = value * self.per
        if scaled >= 10_000:
            return f"{scaled:,.0f}"
        return f"{float(f'{scaled:.4g}'):,.10g}" if scaled >= 1e-4 else f"{scaled:.3g}"

    def amount(self, value: float) -> str:
        """Return an amount with its unit.

        Examples
        --------
        >>> quantity_of("samples_used", 64).amount(1)
        '1 sample per question'
        >>> quantity_of("cost", 6e-5, "USD").amount(1.6e-5)
        '0.016 USD per 1,000 questions'
        """
        text = self.number(value)
        unit = self.unit[:-1] if text == "1" and self.key != "cost" else self.unit
        return f"{text} {unit} per {_PER[self.per]}"


def quantity_of(key: str, largest: float, currency: str | None = None) -> Quantity:
    """Return how a quantity is written whose largest mean per question is given."""
    if key != "cost":
        return Quantity(key, _LABELS[key], _LABELS[key])
    per = next((per for per in _PER if largest * per >= _LEAST_MONEY), 1_000_000)
    return Quantity(key, _LABELS[key], currency or "units of cost", per)


def percent(share: float) -> str:
    """Return a share in percent, with one decimal.

    Examples
    --------
    >>> percent(0.6161)
    '61.6%'
    """
    return f"{100 * share:.1f}%"


def points(difference: float) -> str:
    """Return a difference of shares in points, with its sign.

    Examples
    --------
    >>> points(0.041), points(-0.00001)
    ('+4.1', '0.0')
    """
    text = f"{100 * difference:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text


def with_interval(value: float, low: float, high: float, *, difference: bool = False) -> str:
    """Return a share or a difference with its interval.

    Examples
    --------
    >>> with_interval(0.616, 0.48, 0.738)
    '61.6% [48.0, 73.8]'
    >>> with_interval(0.041, -0.012, 0.094, difference=True)
    '+4.1 points [-1.2, +9.4]'
    """
    if difference:
        limits = f" [{points(low)}, {points(high)}]" if math.isfinite(low) else ""
        return f"{points(value)} points{limits}"
    limits = f" [{100 * low:.1f}, {100 * high:.1f}]" if math.isfinite(low) else ""
    return f"{percent(value)}{limits}"


def probability(p_value: float) -> str:
    """Return a p-value.

    Examples
    --------
    >>> probability(0.0312), probability(0.00002)
    ('p = 0.031', 'p < 0.0001')
    """
    return "p < 0.0001" if p_value < 1e-4 else f"p = {p_value:.2g}"
