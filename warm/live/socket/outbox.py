"""Messages on their way to one client; pictures and sound that it takes too late are dropped."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from warm.live.socket.lag import Lag

SHOWN_S = 0.3
"""Pictures are dropped for a client that is further behind."""
HEARD_S = 0.5
"""Sound is dropped for a client that is further behind."""
CAUGHT_UP_S = 0.1
"""A client has caught up when it is no further behind."""
MAX_TEXTS = 2048
"""Text messages that wait for a client."""

Kind = Literal["text", "ping", "sound", "picture"]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that waits."""

    kind: Kind
    data: bytes
    since_s: float


class Outbox:
    """Sends messages in order, as fast as a client takes them. The loop's thread owns it."""

    def __init__(
        self, send: Callable[[Kind, bytes], None], clock: Callable[[], float], *, has_keys: bool
    ) -> None:
        """`send` is called while the client takes messages; `has_keys`: some pictures need earlier
        ones, back to a key picture."""
        self.dropped_pictures = 0
        self.dropped_sounds = 0
        self.lag = Lag()
        self.is_overfull = False
        """True if the client has not taken even the text messages."""
        self._send, self._clock, self._has_keys = send, clock, has_keys
        self._waiting: deque[Waiting] = deque()
        self._is_blocked = False
        self._needs_key = has_keys
        self._is_dropping = False

    @property
    def needs_key(self) -> bool:
        """True if pictures are dropped until a key picture comes."""
        return self._needs_key

    @property
    def behind_s(self) -> float:
        """How far the client is behind."""
        now_s = self._clock()
        waiting_s = now_s - self._waiting[0].since_s if self._waiting else 0.0
        return max(waiting_s, self.lag.behind_s(now_s))

    def put_text(self, data: bytes) -> None:
        """Send a text message; it is never dropped."""
        if len(self._waiting) >= MAX_TEXTS:
            self.is_overfull = True
        else:
            self._put("text", data)

    def put_ping(self) -> None:
        """Send a ping, unless earlier ones suffice."""
        if self.lag.may_ping:
            self._put("ping", self.lag.ping(self._clock()))

    def put_sound(self, data: bytes) -> None:
        """Send sound, unless the client is too far behind."""
        if self.behind_s > HEARD_S:
            self._drop_late()
            self.dropped_sounds += 1
        else:
            self._put("sound", data)

    def put_picture(self, data: bytes, *, is_key: bool) -> None:
        """Send a picture, unless the client is behind."""
        behind_s = self.behind_s
        if behind_s > SHOWN_S and not self._is_dropping:
            self._is_dropping, self._needs_key = True, self._has_keys
            self._drop_pictures()
        self._is_dropping = self._is_dropping and behind_s > CAUGHT_UP_S
        if self._is_dropping or (self._needs_key and not is_key):
            self.dropped_pictures += self._is_dropping or self.dropped_pictures > 0
            return
        self._needs_key = False
        self._put("picture", data)

    def count_dropped_picture(self) -> None:
        """Count a picture that could not be encoded in time."""
        self.dropped_pictures += 1

    def block(self) -> None:
        """Send nothing until `unblock`: the client takes no more at present."""
        self._is_blocked = True

    def unblock(self) -> None:
        """Send what waits."""
        self._is_blocked = False
        self._drop_late()
        while self._waiting and not self._is_blocked:
            entry = self._waiting.popleft()
            self._send(entry.kind, entry.data)

    def _put(self, kind: Kind, data: bytes) -> None:
        if self._is_blocked or self._waiting:
            self._waiting.append(Waiting(kind, data, self._clock()))
        else:
            self._send(kind, data)

    def _drop_pictures(self) -> None:
        kept = [each for each in self._waiting if each.kind != "picture"]
        self.dropped_pictures += len(self._waiting) - len(kept)
        self._waiting = deque(kept)

    def _drop_late(self) -> None:
        """Drop the sound that waits for too long."""
        oldest_s = self._clock() - HEARD_S
        kept = [each for each in self._waiting if each.kind != "sound" or each.since_s >= oldest_s]
        self.dropped_sounds += len(self._waiting) - len(kept)
        self._waiting = deque(kept)
