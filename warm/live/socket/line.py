"""Line of a session: the utterances of its clients, other speech, and messages about both."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

from warm.live.feed.subscriber import PACKET_SAMPLES, SAMPLE_RATE_HZ, LiveEvent, LiveSound
from warm.live.socket.kept_sound import KeptSound
from warm.live.socket.utterance import Listener, Outcome, Utterance

KEY_PREFIX = "sound:"
"""Beginning of the ids of utterances of clients."""
MAX_UTTERANCES = 16
"""Utterances of one client that are not finished."""
PROGRESS_S = 1.0
"""Interval of the messages about progress."""
GIVEN_UP_S = 2.0
"""Time after which an utterance that was rendered counts as finished if nothing more of it is
heard: the feed had to skip its end."""
REMEMBERED = 64
"""Finished utterances whose ids are remembered: the end of a clip, after its sound, has them."""
KEPT_S = 1
"""Sound before the playback position that is kept, seconds."""

Emit = Callable[[str, Mapping[str, Any]], bool]
"""Sends an event to the worker; False if it cannot be sent now."""


class Refusal(ValueError):
    """A message of a client cannot be obeyed."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind, self.detail = kind, detail


@dataclass(slots=True)
class Other:
    """Speech that is not an utterance of a client of this line."""

    key: str
    number: int
    stop: int
    """Where what was heard of it ends, at the feed's rate."""
    is_cut: bool | None = None
    """Set when the feed has announced its end: True if it was interrupted. The packet of that
    moment may still have its last samples."""


class Line:
    """The speech of one session, as its live clients see it. The loop's thread owns it."""

    def __init__(
        self, session_id: str, emit: Emit, *, clock: Callable[[], float], keys: Callable[[], str]
    ) -> None:
        """`keys` returns a new id for each utterance, unique in this process."""
        self.session_id = session_id
        self.listeners: dict[Listener, None] = {}
        """In the order in which they came."""
        self._emit, self._clock, self._keys = emit, clock, keys
        self._numbers = count(1)
        self._own: dict[str, Utterance] = {}
        self._past: deque[str] = deque(maxlen=REMEMBERED)
        self._other: Other | None = None
        self._sample = self._epoch = -1

    @property
    def is_unused(self) -> bool:
        """True if it has neither clients nor utterances."""
        return not self.listeners and not self._own

    def utterance(self, key: str | None) -> Utterance | None:
        """Return the utterance of an id that is not finished; None if there is none."""
        return self._own.get(key) if key is not None else None

    def number_of(self, key: str | None) -> int:
        """Return the number of what the feed calls by this id; 0 for silence."""
        own = self.utterance(key)
        if own is not None:
            return own.number
        return self._other.number if self._other is not None and self._other.key == key else 0

    def facts_of(self, key: str | None, listener: Listener) -> dict[str, Any]:
        """Return the members by which messages to a client identify what is spoken."""
        own = self.utterance(key)
        if own is not None:
            return own.facts(listener)
        name = None if key is None or key.startswith(KEY_PREFIX) else key or None
        return {"utterance": name, "number": self.number_of(key), "own": False}

    def ahead_s(self, owner: Listener) -> float:
        """Return how much sound of a client waits to be heard."""
        return sum(each.ahead_s for each in self._of(owner))

    def begin(
        self, owner: Listener, *, name: str | None, rate_hz: int, facts: Mapping[str, Any]
    ) -> Utterance:
        """Begin an utterance of a client; raises Refusal. `facts` go to the worker."""
        self._check_floor(owner)
        if len(self._of(owner)) >= MAX_UTTERANCES:
            raise Refusal(
                "QueueFullError",
                f"{MAX_UTTERANCES} utterances of this client are not finished, which is the limit;"
                " begin the next one after a `finished`",
            )
        key, now_s = f"{KEY_PREFIX}{self._keys()}", self._clock()
        event = {"session_id": self.session_id, "stream": key, "rate": rate_hz, **facts}
        if not self._emit("speech.begin", event):
            raise Refusal("NotReadyError", "the server does not take sound at present; try again")
        number = next(self._numbers)
        found = Utterance(
            key=key, name=name or f"u{number}", number=number, owner=owner,
            sound=KeptSound(rate_hz), began_s=now_s, fed_s=now_s,
        )  # fmt: skip
        self._own[key] = found
        owner.tell("queued", {"utterance": found.name, "number": number})
        return found

    def clear(self, epoch: int) -> None:
        """Stop everything, and report it; the feed has been cleared, and has this epoch."""
        self._epoch = epoch
        for each in list(self._own.values()):
            self._finish(each, was_interrupted=True)
        self._finish_other(was_interrupted=True)
        self._emit("speech.clear", {"session_id": self.session_id, "epoch": epoch})

    def leave(self, listener: Listener) -> None:
        """Forget a client; its open utterance ends where its sound ends."""
        self.listeners.pop(listener, None)
        for each in self._of(listener):
            each.end()
            each.owner = None
        if not self.listeners:
            for each in list(self._own.values()):
                self._drop_if_over(each)

    def hear(self, sound: LiveSound) -> Utterance | None:
        """Note a packet of the feed, and report what it changes; later calls for it do nothing.

        Returns the client's utterance that it belongs to.
        """
        own = self.utterance(sound.utterance)
        if sound.sample <= self._sample:
            return own
        self._sample = sound.sample
        self._note_epoch(sound.epoch)
        for each in list(self._own.values()):
            self._settle(each, sound.utterance)
        own = self.utterance(sound.utterance)
        if own is not None and sound.position is not None:
            self._finish_other()
            self._hear_own(own, sound.position + PACKET_SAMPLES - sound.offset)
        elif sound.utterance not in (None, *self._past) and sound.position is not None:
            self._hear_other(str(sound.utterance), sound.position, sound.offset)
        if self._other is not None and self._other.is_cut is not None:
            self._finish_other()
        return own

    def note(self, event: LiveEvent) -> None:
        """Note an event of the feed that ends something."""
        if event.kind not in {"finished", "interrupted"}:
            return
        key = event.data.get("utterance")
        own = self.utterance(key)
        if own is not None:
            own.is_past = own.is_past or event.kind == "finished"
        elif self._other is not None and key == self._other.key:
            self._other.is_cut = event.kind == "interrupted"

    def done(self, key: str, outcome: Outcome, problem: Mapping[str, Any] | None) -> None:
        """Note that the worker has ended the clip of an utterance; `problem` is reported."""
        found = self._own.get(key)
        if found is None:
            return
        found.outcome, found.ended_s = outcome, self._clock()
        if problem is not None and found.owner is not None:
            self.tell_error(found.owner, problem, found)
        if outcome == "interrupted":
            self._finish(found, was_interrupted=True)
        elif outcome == "silent":
            found.heard = found.sound.samples
        self._drop_if_over(found)

    def tell_error(self, listener: Listener, problem: Mapping[str, Any], found: Utterance) -> None:
        """Report a problem of its utterance to a client."""
        named = {"utterance": found.name, "number": found.number}
        listener.tell("error", {"problem": dict(problem), **named})

    def _of(self, owner: Listener) -> list[Utterance]:
        return [each for each in self._own.values() if each.owner is owner]

    def _check_floor(self, owner: Listener) -> None:
        """Raise Refusal while another client speaks."""
        if any(each.owner not in (owner, None) for each in self._own.values()):
            raise Refusal(
                "SessionError",
                f"another client speaks in session {self.session_id!r}; begin when its utterances"
                " are finished, or send `clear` first",
            )

    def _note_epoch(self, epoch: int) -> None:
        """Finish what an interruption has stopped, as far as it was rendered.

        The worker reports the rest.
        """
        if epoch > self._epoch >= 0:
            for each in list(self._own.values()):
                if each.outcome is not None:
                    self._finish(each, was_interrupted=True)
            self._finish_other(was_interrupted=True)
        self._epoch = max(epoch, self._epoch)

    def _hear_own(self, own: Utterance, stop: int) -> None:
        now_s = self._clock()
        if own.heard_s is None:
            own.told_s = now_s
            self._tell(own, "started", {})
        own.hear(stop, now_s)
        own.sound.drop_before(own.heard - KEPT_S * own.sound.rate_hz)
        if now_s - own.told_s >= PROGRESS_S and not own.is_heard:
            own.told_s = now_s
            self._tell(own, "progress", {"position_s": own.position_s})

    def _settle(self, each: Utterance, heard: str | None) -> None:
        """Finish an utterance of which nothing more will be heard; `heard` is what is heard now.

        Called for each packet, so that the end is reported after the last one.
        """
        if each is not next(iter(self._own.values())):
            return
        is_passed = each.is_past and each.outcome == "complete" and heard != each.key
        if is_passed:  # its end may have been skipped in a stall
            each.heard = each.sound.samples
        if is_passed or self._is_over(each):
            self._finish(each, was_interrupted=each.outcome == "cut")

    def _is_over(self, each: Utterance) -> bool:
        """True if an utterance was heard, or will not be heard to its end."""
        if each.is_heard and (each.heard_s is not None or each.outcome is not None):
            return True
        if each.ended_s is None:
            return False
        return self._clock() - max(each.ended_s, each.heard_s or each.ended_s) > GIVEN_UP_S

    def _drop_if_over(self, each: Utterance) -> None:
        """Forget an utterance that was rendered and that nobody listens to."""
        if each.outcome is not None and not self.listeners:
            self._own.pop(each.key, None)

    def _finish(self, own: Utterance, *, was_interrupted: bool) -> None:
        """Report the end of an utterance, and forget it."""
        del self._own[own.key]
        self._past.append(own.key)
        own.end()  # the worker waits for nothing more
        members = {"position_s": own.position_s, "interrupted": was_interrupted}
        self._tell(own, "finished", members)

    def _tell(self, own: Utterance, kind: str, members: Mapping[str, Any]) -> None:
        for each in list(self.listeners):
            each.tell(kind, {**own.facts(each), **members})

    def _hear_other(self, key: str, position: int, offset: int) -> None:
        other = self._other
        if other is not None and (other.key != key or position + PACKET_SAMPLES < other.stop):
            self._finish_other()
            other = None
        if other is None:
            other = self._other = Other(key, next(self._numbers), position)
            self._tell_other("started", {})
        other.stop = max(other.stop, position + PACKET_SAMPLES - offset)

    def _finish_other(self, *, was_interrupted: bool = False) -> None:
        """Report the end of speech that is not a client's, if there is any."""
        other = self._other
        if other is not None:
            position_s = other.stop / SAMPLE_RATE_HZ
            was_interrupted = was_interrupted or bool(other.is_cut)
            self._tell_other("finished", {"position_s": position_s, "interrupted": was_interrupted})
            self._other = None

    def _tell_other(self, kind: str, members: Mapping[str, Any]) -> None:
        assert self._other is not None
        for each in list(self.listeners):
            each.tell(kind, {**self.facts_of(self._other.key, each), **members})
