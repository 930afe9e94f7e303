"""Live sockets that the live process holds: the places they take here, and their ends."""

import logging
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Literal

from api.audience import Audience
from isolation.protocol import Payload
from warm.live.hub import ENDED, LiveHub
from warm.render.jobs import ANONYMOUS, Origin
from warm.sessions.shares import Client

Policy = Literal["auto", "continue", "cancel"]
"""Values of the setting `on_disconnect`."""
LOST = 1006
"""Code of a connection that ended without a closing handshake."""

log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False, kw_only=True)
class OpenSocket:
    """A live socket, from its handshake to its end."""

    id: str
    session_id: str
    client: Client
    request_id: str
    held: ExitStack
    """What is given back at its end."""
    opened_s: float = field(default_factory=time.monotonic)
    is_open: bool = True
    was_watched: bool = False
    """True if other live viewers of its session were there at its end."""


class OpenSockets:
    """All live sockets. Any thread."""

    def __init__(self, live: LiveHub, audience: Audience, policy: Policy) -> None:
        self._audience, self._policy = audience, policy
        self._open: dict[str, OpenSocket] = {}
        self._lock = Lock()
        live.on_event("socket.closed", self._on_closed)
        live.on_event(ENDED, self._on_ended)

    def add(self, each: OpenSocket) -> None:
        """Note a socket whose handshake succeeds."""
        with self._lock:
            self._open[each.id] = each

    def origin(self, socket_id: str) -> Origin:
        """Return the sender of what a socket speaks."""
        found = self._open.get(socket_id)
        if found is None:
            return ANONYMOUS
        return Origin(
            client=found.client,
            request_id=found.request_id,
            is_wanted=lambda: self._is_wanted(found),
        )

    def close(self, socket_id: str, code: int, reason: str, **facts: Any) -> None:
        """Note the end of a socket, and give back its places."""
        with self._lock:
            found = self._open.pop(socket_id, None)
        if found is None:
            return
        found.was_watched = bool(facts.pop("watched", False))
        found.is_open = False
        found.held.close()
        log.info(
            "a live socket has ended",
            extra={
                "request_id": found.request_id,
                "session": found.session_id,
                "code": code,
                "reason": reason,
                "took_s": round(time.monotonic() - found.opened_s, 3),
                **facts,
            },
        )

    def _is_wanted(self, each: OpenSocket) -> bool:
        """True if its speech is still to be rendered: see the setting `on_disconnect`."""
        if each.is_open or self._policy == "continue":
            return True
        is_watched = each.was_watched or self._audience.is_watched(each.session_id)
        return self._policy == "auto" and is_watched

    def _on_closed(self, data: dict[str, Any], _payload: Payload) -> None:
        self.close(data.pop("socket"), data.pop("code"), data.pop("reason"), **data)

    def _on_ended(self, data: dict[str, Any], _payload: Payload) -> None:
        """End all sockets of a live process that has ended."""
        for each in [*self._open.values()]:
            if each.opened_s <= data["time_s"]:
                self.close(each.id, LOST, "the live process has ended")
