"""Feed of one session: endless pictures and sound, on one clock, for any number of viewers."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from threading import Thread
from typing import Any

from warm.live.feed.feed_place import FeedPlace
from warm.live.feed.producer import Media, Producer
from warm.live.feed.subscriber import (
    SAMPLE_RATE_HZ,
    LiveEvent,
    LiveSound,
    Subscriber,
    Subscription,
    Wants,
)
from warm.live.feed.ticks import Ticks

LINGER_S = 30.0
"""A feed without subscribers ends after this time."""
MAX_UNDELIVERED = 38
"""Pictures and packets of sound, 500 ms at 25 fps, that may wait for the loop; further ones are
dropped."""

log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Seat:
    """A subscriber's place in a feed. Implements `Subscription`."""

    feed: "Feed"
    subscriber: Subscriber
    wants: Wants
    awaits_key: bool
    """True until it has received its first picture, which must be a key frame."""

    def close(self) -> None:
        """See `Subscription`."""
        self.feed.leave(self)

    def request_key_frame(self) -> None:
        """See `Subscription`."""
        self.feed.request_key_frame()

    def pass_on(self, each: Media) -> None:
        """Give the subscriber what it wants."""
        if isinstance(each, LiveEvent):
            self.subscriber.on_event(each)
        elif isinstance(each, LiveSound):
            if self.wants.packets or self.wants.pcm:
                self.subscriber.on_sound(each)
        elif self.wants.pictures or self.wants.packets:
            self.awaits_key = self.awaits_key and not each.is_key
            if not self.awaits_key:
                self.subscriber.on_picture(each)


class Feed:
    """A session's live pictures and sound. Its methods are for the loop's thread, except `take`.

    The feed exists while it has subscribers, and for `LINGER_S` after the last one.
    """

    def __init__(
        self,
        place: FeedPlace,
        *,
        loop: asyncio.AbstractEventLoop,
        on_closed: Callable[["Feed"], None],
        linger_s: float = LINGER_S,
        ticks: Ticks | None = None,
    ) -> None:
        self.session_id = place.session_id
        self.undelivered = 0
        """Ticks of which media were dropped because the loop was busy."""
        self._last_undelivered = -1
        """The last of these ticks."""
        self._loop, self._on_closed, self._linger_s = loop, on_closed, linger_s
        self._seats: list[Seat] = []
        self._waiting = 0
        """Pictures and packets of sound that wait for the loop."""
        self._is_closed = False
        self._producer = Producer(place, ticks=ticks or Ticks(), deliver=self._hand_over)
        self._closing: asyncio.TimerHandle | None = None
        self._let_linger()
        name = f"feed-{self.session_id}"
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def avatar_key(self) -> str:
        """Identity of the avatar that it shows."""
        return self._producer.place.avatar_key

    @property
    def fps(self) -> int:
        """Pictures per second."""
        return self._producer.place.fps

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the pictures. Packets may be smaller, and have even sides."""
        return self._producer.place.avatar.size

    @property
    def rate_hz(self) -> int:
        """Rate of its samples."""
        return SAMPLE_RATE_HZ

    @property
    def epoch(self) -> int:
        """Number of interruptions; media of earlier epochs are not played."""
        return self._producer.epoch

    @property
    def is_watched(self) -> bool:
        """True if it has a subscriber."""
        return bool(self._seats)

    def subscribe(self, subscriber: Subscriber, wants: Wants) -> Subscription:
        """Give media to a subscriber from now on; packets begin with a key frame."""
        seat = Seat(self, subscriber, wants, awaits_key=wants.packets)
        if self._is_closed:
            self._loop.call_soon(subscriber.on_end, "the feed has ended")
            return seat
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None
        self._seats.append(seat)
        self._update_wants()
        if wants.packets:
            self.request_key_frame()
        return seat

    def leave(self, seat: Seat) -> None:
        """Give nothing more to a subscriber."""
        if seat in self._seats:
            self._seats.remove(seat)
            self._update_wants()
            if not self._seats:
                self._let_linger()

    def request_key_frame(self) -> None:
        """Have the next picture encoded as a key frame; at most one is made in 500 ms."""
        self._producer.request_key_frame()

    def set_bitrate(self, bps: int) -> None:
        """Limit the bit rate of the packets; a key frame follows a change."""
        self._producer.bps = bps

    @property
    def bitrate(self) -> int:
        """Limit of the bit rate, bits per second."""
        return self._producer.bps

    def show(self, place: FeedPlace) -> None:
        """Change the avatar if it is another one."""
        self._producer.show(place)

    def take(self, header: Mapping[str, Any], payload: memoryview) -> None:
        """Take a message of the worker about a clip. Any thread."""
        self._producer.take(header, payload)

    def clear(self, epoch: int, *, is_reset: bool = False) -> int | None:
        """Stop the speech; return the position in the film, None if nothing was spoken.

        `is_reset`: the frames of the film are counted from 0 again.
        """
        return self._producer.clear(epoch, is_reset=is_reset)

    def state(self) -> dict[str, Any]:
        """Numbers for `/stats`."""
        return {
            "subscribers": len(self._seats),
            "epoch": self.epoch,
            "bitrate": self.bitrate,
            "dropped_ticks": self.undelivered,
            **self._producer.state(),
        }

    def close(self, reason: str) -> None:
        """End the feed; its subscribers learn the reason."""
        if self._is_closed:
            return
        self._is_closed = True
        self._producer.stop()
        seats, self._seats = self._seats, []
        for seat in seats:
            seat.subscriber.on_end(reason)
        self._on_closed(self)

    def _let_linger(self) -> None:
        self._closing = self._loop.call_later(self._linger_s, self.close, "nobody watches")

    def _update_wants(self) -> None:
        wants = [seat.wants for seat in self._seats]
        self._producer.wants = Wants(
            packets=any(each.packets for each in wants),
            pictures=any(each.pictures for each in wants),
            pcm=any(each.pcm for each in wants),
        )

    def _run(self) -> None:
        try:
            self._producer.run()
        except Exception:
            log.exception("a live feed failed")
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self.close, "the feed failed")

    def _hand_over(self, media: list[Media]) -> None:
        """Give media to the loop. The feed's thread."""
        if not media:
            return
        if self._waiting >= MAX_UNDELIVERED:
            self._note_undelivered()
            media = [each for each in media if isinstance(each, LiveEvent)]
        if not media:
            return
        self._waiting += 1
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._pass_on, media)

    def _note_undelivered(self) -> None:
        tick = self._producer.ticks_done
        self.undelivered += tick != self._last_undelivered
        self._last_undelivered = tick
        self._producer.request_key_frame()

    def _pass_on(self, media: list[Media]) -> None:
        self._waiting -= 1
        for each in media:
            for seat in list(self._seats):
                self._pass_to(seat, each)

    def _pass_to(self, seat: Seat, each: Media) -> None:
        try:
            seat.pass_on(each)
        except Exception:
            log.exception("a live subscriber failed")
            self.leave(seat)
            seat.subscriber.on_end("it failed")
