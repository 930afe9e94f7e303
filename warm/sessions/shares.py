"""Fair shares of limited places: between clients, and between the sessions of one client."""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

CLIENT_PART = Fraction(7, 10)
"""A client may take this part of the places that other clients leave. However many clients take
their part, a part of the rest is left for the next one."""
FEW_PLACES = 4
"""Fewer places than this are not divided between clients."""
SESSION_PART = Fraction(1, 3)
"""A session may take this part of the places that the other sessions of its client leave."""
LEAST_PLACES = 2
"""Places that a session may take in any case: a client that sends sentence by sentence needs one
text ahead of the one that is being spoken."""

Scope = Literal["all", "client", "session"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """The sender of requests, as far as the server can distinguish senders."""

    address: str = ""
    """Normalised address; empty for callers in this process, which have no share."""
    key: str | None = None
    """Name of an API key, which identifies the client better than its address."""
    max_queued: int | None = None
    """Most places of the queue that the key may take, if its share is larger."""

    @property
    def name(self) -> str:
        """Name by which places are counted."""
        return self.address if self.key is None else f"key {self.key}"


IN_PROCESS = Client()


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A limit that a request has reached."""

    setting: str
    value: int
    """Value of the setting."""
    scope: Scope
    """all: the setting itself; else the share of the client or the session."""
    share: int
    """Places that this scope may take at present."""
    used: int
    """Places that it has taken."""
    name: str = ""
    """Name of the client or the session."""

    def describe(self, things: str) -> str:
        """Describe the limit; `things` names what it counts, such as "requests are waiting"."""
        if self.scope == "all":
            return f"{self.used} {things}, which is the limit ({self.setting} = {self.value})"
        owner = "session" if self.scope == "session" else "client"
        return (
            f"{self.used} {things} for {owner} {self.name!r}, and its share of {self.setting} = "
            f"{self.value} is {self.share} at present; the rest is kept for others"
        )


def client_share(total: int, others: int) -> int:
    """Places that a client may take of `total` if other clients have taken `others`."""
    if total < FEW_PLACES:
        return total
    return max(1, math.floor(CLIENT_PART * (total - others)))


def session_share(total: int, others: int) -> int:
    """Places that a session may take of its client's `total` if the client's other sessions have
    taken `others`."""
    return max(LEAST_PLACES, math.ceil(SESSION_PART * max(0, total - others)))
