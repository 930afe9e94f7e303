"""One client of a live socket: its messages, what it receives, and its limits."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from websockets.frames import CloseCode

from warm.live.feed.subscriber import (
    PACKET_SAMPLES,
    SAMPLE_RATE_HZ,
    LiveEvent,
    LivePicture,
    LiveSound,
    Subscription,
    Wants,
)
from warm.live.socket.connection import Connection
from warm.live.socket.decimator import Decimator
from warm.live.socket.line import Line, Refusal
from warm.live.socket.outbox import Kind, Outbox
from warm.live.socket.packet import PICTURE, SOUND, Place, packed
from warm.live.socket.pictures import Jpegs, PictureForm, rgb_bytes
from warm.live.socket.requests import BadMessage, Begin, Clear, End, read_message
from warm.live.socket.utterance import Utterance

AHEAD_S = 60.0
"""Sound that is accepted before its playback."""
RESUMED_S = AHEAD_S - 1.0
CHECK_S = 0.1
"""Interval of checks, and of pings to a client that receives pictures or sound."""
QUIET_PING_S = 5.0
"""Interval of pings to other clients."""
NO_PONG_S = 20.0
MAX_FAULTS = 64
"""Invalid messages in a row."""
DROPPED_S = 1.0
"""Interval of the messages about what was dropped."""
SESSION_DELETED = 4404


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """Options that a client has chosen."""

    pictures: PictureForm
    has_sound: bool
    rate_hz: int
    may_speak: bool

    @property
    def wants(self) -> Wants:
        """Media that the feed delivers: always its sound, which shows how far it has come."""
        return Wants(
            packets=self.pictures == "h264",
            pictures=self.pictures in {"raw", "jpeg"},
            pcm=True,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of an utterance."""

    stall_s: float
    """Longest pause in its sound (recording_stall_s)."""
    longest_s: float
    """Its longest duration (max_session_s)."""


class FeedOfClient(Protocol):
    """The feed, as a client uses it."""

    @property
    def epoch(self) -> int:
        """Number of interruptions."""
        ...

    def clear(self, epoch: int) -> float | None:
        """Stop the current speech."""
        ...


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ClientParts:
    """Objects that a client needs."""

    line: Line
    feed: FeedOfClient
    limits: Limits
    origin: Mapping[str, Any]
    """Facts about the client for the worker, which go along with its utterances."""
    jpegs: Jpegs
    on_gone: Callable[["LiveClient", Line, int, str], None]


class LiveClient:
    """A connected client. A subscriber of its feed, and the receiver of its connection."""

    def __init__(self, parts: ClientParts, wishes: Wishes) -> None:
        self.connection: Connection
        """Set before anything else is called."""
        self._loop = asyncio.get_running_loop()
        self._parts, self._wishes = parts, wishes
        self._line, self._feed = parts.line, parts.feed
        self._outbox = Outbox(self._send, self._loop.time, has_keys=wishes.pictures == "h264")
        self._decimator = Decimator(wishes.rate_hz)
        self._subscription: Subscription | None = None
        self._open: Utterance | None = None
        self._is_refused = False
        """The open utterance was refused: its sound is ignored."""
        self._faults = 0
        self._captions: list[dict[str, Any]] = []
        self._pinged_s = self._told_dropped_s = self._loop.time()
        self._told_dropped = (0, 0)
        self._check: asyncio.TimerHandle | None = None

    @property
    def dropped(self) -> tuple[int, int]:
        """Pictures and packets of sound that were not sent, because it was too slow."""
        return self._outbox.dropped_pictures, self._outbox.dropped_sounds

    def start(self, hello: Mapping[str, Any], subscribe: Callable[..., Subscription]) -> None:
        """Greet the client, and subscribe it."""
        self._line.listeners[self] = None
        self.tell("hello", {**hello, "rate": self._wishes.rate_hz, "ahead_s": AHEAD_S})
        self._subscription = subscribe(self, self._wishes.wants)
        self._check = self._loop.call_later(CHECK_S, self._check_limits)
        self.connection.start()

    def close(self, code: int, reason: str) -> None:
        """Close the connection."""
        self.connection.close(code, reason)

    def tell(self, kind: str, members: Mapping[str, Any]) -> None:
        """Send a text message."""
        self._outbox.put_text(json.dumps({"type": kind, **members}).encode())

    # From the feed

    def on_sound(self, sound: LiveSound) -> None:
        """Send a packet of sound, after the messages about the changes that it brings."""
        own = self._line.hear(sound)
        self._tell_captions()
        if self._wishes.has_sound:
            self._outbox.put_sound(packed(SOUND, self._place(sound), self._pcm(sound, own)))
        self._resume()

    def on_picture(self, picture: LivePicture) -> None:
        """Send a picture in the form that was asked for."""
        place = self._place(picture)
        match self._wishes.pictures:
            case "h264" if picture.packet is not None:
                data = packed(PICTURE, place, picture.packet, is_key=picture.is_key)
                self._put_picture(data, is_key=picture.is_key)
            case "raw" if picture.bgr is not None:
                data = packed(PICTURE, place, rgb_bytes(picture.bgr), is_key=True)
                self._put_picture(data, is_key=True)
            case "jpeg":
                self._parts.jpegs.encode(
                    self._feed, picture, lambda data: self._put_jpeg(place, data)
                )

    def on_event(self, event: LiveEvent) -> None:
        """Note an event of the feed; a caption waits for the sound of the same tick."""
        self._line.note(event)
        if event.kind == "caption" and event.data.get("text"):
            self._captions.append(event.data)

    def on_end(self, reason: str) -> None:
        """Close the connection: the feed has ended."""
        is_deleted = "deleted" in reason
        self.close(SESSION_DELETED if is_deleted else CloseCode.GOING_AWAY, reason)

    def _tell_captions(self) -> None:
        captions, self._captions = self._captions, []
        for data in captions:
            facts = self._line.facts_of(data.get("utterance"), self)
            self.tell("caption", {"text": data["text"], **facts})

    # From the client

    def on_text(self, data: bytes) -> None:
        """Handle a message."""
        try:
            data.decode()
            message = read_message(data)
        except UnicodeDecodeError:
            self.connection.fail(CloseCode.INVALID_DATA, "a text message is not UTF-8")
            return
        except BadMessage as error:
            if error.is_begin:
                self._close_utterance(is_refused=True)
            self._refuse(Refusal("ValidationError", str(error)), error.utterance)
            return
        try:
            self._obey(message)
            self._faults = 0
        except Refusal as refusal:
            self._refuse(refusal, message.utterance if isinstance(message, Begin) else None)

    def on_binary(self, data: bytes) -> None:
        """Take sound."""
        found = self._open
        if found is None:
            if not self._is_refused:
                self._is_refused = True
                detail = "sound outside an utterance; send `begin` first: docs/live-socket.md"
                self._refuse(Refusal("ValidationError", detail))
            return
        found.add(data, self._loop.time())
        if found.sound.samples > self._parts.limits.longest_s * found.sound.rate_hz:
            self._end_early(
                found, "RecordingError", f"it is longer than {self._parts.limits.longest_s:g} s"
                " (max_session_s); raise that setting, or send it as several utterances",
            )  # fmt: skip
        if self._line.ahead_s(self) > AHEAD_S:
            self._outbox.lag.suspend()
            self.connection.pause("ahead")

    def on_pong(self, payload: bytes) -> None:
        """Note that the client has read up to a ping."""
        self._outbox.lag.pong(payload, self._loop.time())

    def on_blocked(self, *, is_blocked: bool) -> None:
        """Stop sending, or go on."""
        if is_blocked:
            self._outbox.block()
        else:
            self._outbox.unblock()

    def on_closed(self, code: int, reason: str) -> None:
        """End: the connection is closed."""
        if self._subscription is not None:
            self._subscription.close()
        if self._check is not None:
            self._check.cancel()
        self._line.leave(self)
        self._parts.on_gone(self, self._line, code, reason)

    def _obey(self, message: Begin | End | Clear) -> None:
        if not self._wishes.may_speak:
            raise Refusal("PermissionError", "the key lacks the scope 'speak', which sending needs")
        match message:
            case Begin():
                self._begin(message)
            case End():
                self._end()
            case Clear():
                self._clear()

    def _begin(self, message: Begin) -> None:
        self._close_utterance(is_refused=True)
        self._open = self._line.begin(
            self,
            name=message.utterance,
            rate_hz=message.rate or self._wishes.rate_hz,
            facts={"text": message.text, **self._parts.origin},
        )
        self._is_refused = False

    def _close_utterance(self, *, is_refused: bool) -> None:
        """End the open utterance, if there is one; `is_refused`: ignore the sound that follows."""
        found, self._open, self._is_refused = self._open, None, is_refused
        if found is None or found.sound.is_complete:
            return
        if found.sound.has_partial_sample:
            detail = "the sound ended within a sample, whose first byte was left out"
            self._line.tell_error(self, {"kind": "ValidationError", "detail": detail}, found)
        found.end()

    def _end(self) -> None:
        if self._open is None and not self._is_refused:
            raise Refusal("ValidationError", "`end` outside an utterance; send `begin` first")
        self._close_utterance(is_refused=False)

    def _clear(self) -> None:
        self._open, self._is_refused = None, False
        epoch = self._feed.epoch + 1
        self._feed.clear(epoch)
        self._line.clear(epoch)
        self.tell("cleared", {})
        self._resume()

    def _end_early(self, found: Utterance, kind: str, detail: str) -> None:
        """End an utterance for the client; its further sound is ignored."""
        self._line.tell_error(self, {"kind": kind, "detail": detail}, found)
        self._close_utterance(is_refused=True)

    def _refuse(self, refusal: Refusal, utterance: str | None = None) -> None:
        """Report that a message has no effect; `utterance`: its name in a `begin`."""
        self._faults += 1
        problem = {"kind": refusal.kind, "detail": refusal.detail}
        self.tell("error", {"problem": problem, "utterance": utterance, "number": None})
        if self._faults > MAX_FAULTS:
            self.connection.fail(
                CloseCode.POLICY_VIOLATION, f"{self._faults} invalid messages in a row"
            )

    # To the client

    def _place(self, media: LiveSound | LivePicture) -> Place:
        """Return the place of a picture or of a packet at the rate of this socket."""
        number = self._line.number_of(media.utterance)
        position = 0
        if number and media.position is not None:
            before = media.offset if isinstance(media, LiveSound) else 0
            position = self._own_rate(media.position - before)
        clock = self._own_rate(media.sample)
        return Place(number=number, position=position, clock=clock, epoch=media.epoch)

    def _pcm(self, sound: LiveSound, own: Utterance | None) -> bytes:
        """Return the client's own samples where they are heard, else those of the feed."""
        rate_hz = self._wishes.rate_hz
        assert sound.pcm is not None
        converted = self._decimator.convert(sound.pcm)
        if own is None or own.sound.rate_hz != rate_hz or sound.position is None:
            return converted
        step = SAMPLE_RATE_HZ // rate_hz
        origin = sound.sample + sound.offset - sound.position  # where it began, on the clock
        start = sound.sample // step - origin // step
        return own.sound.read(start, PACKET_SAMPLES // step)

    def _own_rate(self, samples: int) -> int:
        return samples * self._wishes.rate_hz // SAMPLE_RATE_HZ

    def _put_picture(self, data: bytes, *, is_key: bool) -> None:
        self._outbox.put_picture(data, is_key=is_key)
        if self._outbox.needs_key and self._subscription is not None:
            self._subscription.request_key_frame()

    def _put_jpeg(self, place: Place, data: bytes | None) -> None:
        if data is None:
            self._outbox.count_dropped_picture()
        elif self.connection.is_open:
            self._put_picture(packed(PICTURE, place, data, is_key=True), is_key=True)

    def _send(self, kind: Kind, data: bytes) -> None:
        match kind:
            case "text":
                self.connection.send_text(data)
            case "ping":
                self.connection.send_ping(data)
            case _:
                self.connection.send_binary(data)

    # Limits

    def _resume(self) -> None:
        if not self.connection.is_reading and self._line.ahead_s(self) < RESUMED_S:
            self.connection.resume("ahead")
            if self.connection.is_reading:
                self._outbox.lag.resume()

    def _check_limits(self) -> None:
        """Send a ping if one is due, and check the limits."""
        self._check = self._loop.call_later(CHECK_S, self._check_limits)
        now_s = self._loop.time()
        has_media = self._wishes.has_sound or self._wishes.pictures != "none"
        if now_s - self._pinged_s >= (0.0 if has_media else QUIET_PING_S):
            self._pinged_s = now_s
            self._outbox.put_ping()
        self._tell_dropped(now_s)
        self._end_stalled(now_s)
        if self._outbox.is_overfull or (
            self.connection.is_reading and now_s - self.connection.heard_s > NO_PONG_S
        ):
            self.connection.fail(CloseCode.INTERNAL_ERROR, f"no pong for {NO_PONG_S:g} s")

    def _tell_dropped(self, now_s: float) -> None:
        if self.dropped != self._told_dropped and now_s - self._told_dropped_s >= DROPPED_S:
            self._told_dropped, self._told_dropped_s = self.dropped, now_s
            pictures, sounds = self.dropped
            self.tell("dropped", {"pictures": pictures, "sounds": sounds})

    def _end_stalled(self, now_s: float) -> None:
        """End an open utterance whose sound has stopped arriving."""
        found, stall_s = self._open, self._parts.limits.stall_s
        if found is None or not self.connection.is_reading:
            return
        if now_s - found.fed_s > stall_s:
            self._end_early(
                found, "RequestTimeoutError", f"nothing arrived for {stall_s:g} s "
                "(recording_stall_s); what had arrived is spoken: send `end` in time",
            )  # fmt: skip
