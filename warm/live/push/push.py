"""One push: it connects, sends what the feed has, and starts again after failures."""

import asyncio
import logging
import time
import traceback
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import NamedTuple

from warm.live.feed.feed import Feed
from warm.live.feed.subscriber import (
    LiveEvent,
    LivePicture,
    LiveSound,
    Subscription,
    Wants,
)
from warm.live.push.aac import RATE_HZ, AacFrame
from warm.live.push.backoff import Backoff
from warm.live.push.connection import PushConnection
from warm.live.push.destination import Destination
from warm.live.push.errors import PushFailed
from warm.live.push.media_clock import MediaClock
from warm.live.push.push_state import PushState, State
from warm.live.push.sound_encoders import SoundEncoders

KEY_INTERVAL_SAMPLES = 2 * RATE_HZ
"""Longest distance of key frames; platforms cut their segments there."""
KEY_MARGIN_SAMPLES = RATE_HZ // 5
"""A key frame is requested this much earlier: encoding takes a few pictures."""
KEY_RETRY_SAMPLES = RATE_HZ // 2
CHECK_S = 0.25
GUARD_CHARS = 8
"""Secrets of this length are removed from all reasons, where none should be; shorter ones could be
parts of words. Texts of servers are masked where they arrive."""
CLOSE_S = 1.5
SOON_S = 3.0
"""Servers that reject a key often accept the stream and close it soon after."""
FEED_S = 10.0
"""Longest wait for a feed that was asked for."""

Open = Callable[[Destination], Awaitable[PushConnection]]
log = logging.getLogger(__name__)


class Source(NamedTuple):
    """Where the media of a push come from."""

    find_feed: Callable[[], Feed | None]
    ask_for_feed: Callable[[], None]
    """Has the worker make the feed exist."""
    sounds: SoundEncoders


class Past(NamedTuple):
    """What has happened to a push in an earlier live process."""

    age_s: float
    """Time since it was first started."""
    was_live: bool
    state: PushState


class Push:
    """Sends the feed of a session to a server until it is stopped. The loop's thread owns it."""

    def __init__(
        self,
        destination: Destination,
        source: Source,
        open_connection: Open,
        past: Past,
        on_change: Callable[[PushState], None],
    ) -> None:
        self.state = state = past.state
        self._destination, self._source, self._open = destination, source, open_connection
        self._backoff, self._on_change = Backoff(was_live=past.was_live), on_change
        self._started_s = time.monotonic() - past.age_s
        self._clock = MediaClock()
        self._sent_before, self._dropped_before = state.bytes, state.dropped
        self._task = asyncio.create_task(self._run())

    async def stop(self, reason: str) -> None:
        """End the push, within about a second and a half."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        if self.state.state != "failed":
            self._enter("stopped", reason)

    @property
    def age_s(self) -> float:
        """Seconds since it was first started."""
        return time.monotonic() - self._started_s

    async def _run(self) -> None:
        """Connect and send repeatedly, until the push is given up."""
        self._enter("connecting", self.state.reason)
        while True:
            begun_s = time.monotonic()
            try:
                await self._attempt()
            except PushFailed as failure:
                lived_s = time.monotonic() - begun_s if self.state.state == "live" else 0.0
                delay_s = self._backoff.delay_s(failure, lived_s=lived_s, age_s=self.age_s)
                reason = self._destination.masked(str(failure), shortest=GUARD_CHARS)
                reason += hint(lived_s)
            except Exception as error:  # noqa: BLE001 - the top of a task
                details = traceback.format_exc()
                details = self._destination.masked(details, shortest=GUARD_CHARS)
                log.error("push to %s failed: %s", self._destination, details)  # noqa: TRY400
                self._enter("failed", f"internal error ({type(error).__name__}); see the log")
                return
            log.warning("push to %s: %s", self._destination, reason)
            if delay_s is None:
                self._enter("failed", reason)
                return
            self._enter("waiting", reason, delay_s)
            await asyncio.sleep(delay_s)
            self.state.restarts += 1
            self._enter("connecting", reason)

    async def _attempt(self) -> None:
        """Send over one connection until it ends; raises PushFailed."""
        await self._feed()  # before a server has to wait for it
        connection = await self._open(self._destination)
        try:
            sending = Sending(connection, self._clock, lambda: self.age_s)
            while True:
                feed = await self._feed()
                self._enter("live", None)
                sending.begin(feed, self._source.sounds)
                try:
                    await self._watch(connection, sending)
                finally:
                    sending.end()
        finally:
            self._count(connection)
            self._sent_before, self._dropped_before = self.state.bytes, self.state.dropped
            await closed(connection)

    async def _feed(self) -> Feed:
        """Return the feed, and have it made if it is gone; raises PushFailed."""
        deadline_s = time.monotonic() + FEED_S
        feed = self._source.find_feed()
        if feed is None:
            self._source.ask_for_feed()
        while feed is None:
            if time.monotonic() > deadline_s:
                raise PushFailed("the session has no live feed at the moment")
            await asyncio.sleep(CHECK_S / 5)
            feed = self._source.find_feed()
        return feed

    async def _watch(self, connection: PushConnection, sending: "Sending") -> None:
        """Return when the feed has ended; raises PushFailed when the connection has."""
        while not sending.feed_ended.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(connection.ended), CHECK_S)
                raise connection.ended.result()
            connection.outbox.require_progress()
            self._count(connection)
            self._on_change(self.state)

    def _count(self, connection: PushConnection) -> None:
        self.state.bytes = self._sent_before + connection.outbox.sent_bytes
        self.state.dropped = self._dropped_before + connection.outbox.dropped

    def _enter(self, state: State, reason: str | None, next_try_s: float | None = None) -> None:
        if state == "live" and self.state.state != "live":
            log.info("push to %s is live", self._destination)
        self.state.state, self.state.reason = state, reason
        self.state.since, self.state.next_try_s = time.time(), next_try_s
        self._on_change(self.state)


class Sending:
    """Passes the media of a feed to a connection. Implements `Subscriber`."""

    def __init__(
        self, connection: PushConnection, clock: MediaClock, age_s: Callable[[], float]
    ) -> None:
        self.feed_ended = asyncio.Event()
        self._connection, self._clock, self._age_s = connection, clock, age_s
        self._feed: Feed | None = None
        self._sounds: SoundEncoders | None = None
        self._subscription: Subscription | None = None
        self._last_key = self._last_request = 0

    def begin(self, feed: Feed, sounds: SoundEncoders) -> None:
        """Send what a feed has from now on."""
        self.feed_ended.clear()
        self._clock.restart()
        self._feed, self._sounds = feed, sounds
        self._subscription = feed.subscribe(self, Wants(packets=True))
        if self._connection.sound == "aac":
            sounds.join(feed, self.on_aac)

    def end(self) -> None:
        """Send nothing more."""
        if self._subscription is not None:
            self._subscription.close()
        if self._feed is not None and self._sounds is not None:
            self._sounds.leave(self._feed, self.on_aac)

    def on_picture(self, picture: LivePicture) -> None:
        """See `Subscriber`."""
        if picture.packet is None:
            return
        if picture.is_key:
            self._clock.begin(picture.sample, self._age_s())
            self._last_key = picture.sample
        time = self._clock.at(picture.sample)
        if time is not None:
            self._connection.picture(time, picture.packet, is_key=picture.is_key)
        self._request_key(picture.sample)

    def on_sound(self, sound: LiveSound) -> None:
        """See `Subscriber`."""
        time = self._clock.at(sound.sample)
        if self._connection.sound == "opus" and sound.opus is not None and time is not None:
            self._connection.sound_frame(time, sound.opus)

    def on_aac(self, frame: AacFrame) -> None:
        """Send a frame of AAC."""
        time = self._clock.at(frame.sample)
        if time is not None:
            self._connection.sound_frame(time, frame.data)

    def on_event(self, event: LiveEvent) -> None:
        """See `Subscriber`."""

    def on_end(self, reason: str) -> None:  # noqa: ARG002 - a new feed is asked for
        """See `Subscriber`."""
        self.feed_ended.set()

    def _request_key(self, sample: int) -> None:
        """Request a key frame if the last one is too old, or if one is missing."""
        is_missing = self._connection.outbox.wants_key or self._connection.key_is_requested
        is_old = sample - self._last_key >= KEY_INTERVAL_SAMPLES - KEY_MARGIN_SAMPLES
        was_asked = 0 <= sample - self._last_request < KEY_RETRY_SAMPLES
        if (is_missing or is_old) and not was_asked and self._subscription is not None:
            self._last_request = sample
            self._subscription.request_key_frame()


def hint(lived_s: float) -> str:
    """Return a hint at the likely cause if a server has ended a stream soon after its start."""
    return " soon after the start; is the key right?" if 0 < lived_s < SOON_S else ""


async def closed(connection: PushConnection) -> None:
    """Close a connection; also while the task is being cancelled, and for a limited time."""
    closing = asyncio.ensure_future(connection.close())
    with suppress(TimeoutError):
        await asyncio.wait_for(asyncio.shield(closing), CLOSE_S)
    closing.cancel()
