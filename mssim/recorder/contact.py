"""Contact with a server: whether it has answered, and since when it does not."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

__all__ = ["PATIENCE", "Contact"]

PATIENCE = 3600.0  # seconds to wait for a server that answered before
_FIRST = 3  # attempts to reach a server that never answered


@dataclass
class Contact:
    """State of the contact with one server during a run.

    Attributes
    ----------
    answered : bool
        Whether the server has answered in this run.
    attempts : int
        Number of attempts since its last answer.
    silent_since : float, optional
        Time of the first of these attempts, in seconds since 1970 UTC.
    patience : float, default 3600
        Seconds to wait for a server that answered before.

    Examples
    --------
    >>> contact = Contact()
    >>> [contact.lost("nothing answers at http://127.0.0.1:9/v1") for _ in range(3)]
    [None, None, 'nothing answers at http://127.0.0.1:9/v1. Start the server, or correct the base URL.']
    """

    answered: bool = False
    attempts: int = 0
    silent_since: float | None = None
    patience: float = field(default_factory=lambda: PATIENCE)

    def reached(self) -> None:
        """Note an answer of any kind."""
        self.answered, self.attempts, self.silent_since = True, 0, None

    def lost(self, reason: str) -> str | None:
        """Note an attempt that nothing answered. Return why to stop, or None to wait."""
        now = time.time()
        self.attempts += 1
        if self.silent_since is None:
            self.silent_since = now
        if not self.answered:
            return f"{reason}. Start the server, or correct the base URL." if self.attempts >= _FIRST else None
        minutes = (now - self.silent_since) / 60
        return f"{reason} for {minutes:.0f} minutes. Start the server." if minutes * 60 >= self.patience else None
