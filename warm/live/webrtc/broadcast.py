"""The viewers of one session: one subscription to its feed, encoded and divided once for all."""

import time
from collections.abc import Callable
from typing import Any

from warm.live.feed.feed import Feed
from warm.live.feed.subscriber import (
    SAMPLE_RATE_HZ,
    LiveEvent,
    LivePicture,
    LiveSound,
    Subscription,
    Wants,
)
from warm.live.webrtc.film_position import FilmPosition
from warm.live.webrtc.h264_payloads import h264_payloads
from warm.live.webrtc.outbox import Medium
from warm.live.webrtc.shared_rate import PictureRates
from warm.live.webrtc.silence import Silence
from warm.live.webrtc.small_pictures import SmallPictures
from warm.live.webrtc.viewer import Viewer

CHECK_SOUNDS = 50
"""Packets of sound between two reports to a viewer, and checks of it: one second."""


class Broadcast:
    """Passes the feed of one session on to its viewers. Loop thread."""

    def __init__(self, feed: Feed, rates: PictureRates, on_end: Callable[[str], None]) -> None:
        """`on_end`: called with the reason when the feed ends."""
        self.rates = rates
        self._feed = feed
        self._on_end = on_end
        self._viewers: list[Viewer] = []
        self._turns: dict[str, int] = {}
        """Packet of sound of each second at which a viewer is checked."""
        self._sounds = 0
        self._silence = Silence()
        self._position = FilmPosition(feed.fps)
        self._last_position: tuple[int, int | None] = (0, None)
        self._caption: LiveEvent | None = None
        self._subscription: Subscription | None = None
        """Exists from the first connected viewer on, so that its first picture is a key frame."""
        self._small: SmallPictures | None = None
        """Exists while a viewer should get small pictures."""

    @property
    def viewers(self) -> list[Viewer]:
        """The connected viewers."""
        return self._viewers

    def facts(self) -> dict[str, Any]:
        """Return the numbers of the session's viewers."""
        return {
            "connected": len(self._viewers),
            "small": sum(viewer.rung == "small" for viewer in self._viewers),
            "bitrate_bps": round(self.rates.full.bps),
            "repeated": sum(viewer.repeated for viewer in self._viewers),
            "dropped": sum(viewer.dropped for viewer in self._viewers),
        }

    def add(self, viewer: Viewer) -> None:
        """Send the feed to a connected viewer from its next key frame on."""
        self._viewers.append(viewer)
        self._turns[viewer.id] = self._sounds % CHECK_SOUNDS
        if self._subscription is None:
            self._subscription = self._feed.subscribe(self, Wants(packets=True))
        else:
            self._subscription.request_key_frame()

    def remove(self, viewer: Viewer) -> None:
        """Send nothing more to a viewer."""
        if viewer in self._viewers:
            self._viewers.remove(viewer)
            del self._turns[viewer.id]

    def greet(self, viewer: Viewer) -> None:
        """Send what a viewer should know that opens its channel now."""
        viewer.send_position(*self._last_position)
        if self._caption is not None:
            viewer.channel.send("caption", self._caption.data)

    def close(self) -> None:
        """Leave the feed."""
        self._close_small()
        if self._subscription is not None:
            self._subscription.close()

    def request_key_frame(self, viewer: Viewer) -> None:
        """Have the next picture for a viewer be one that can be decoded without others."""
        if viewer.choice.rung == "small" and self._small is not None:
            self._small.request_key_frame()
        if viewer.rung == "full" and self._subscription is not None:
            self._subscription.request_key_frame()

    def on_picture(self, picture: LivePicture) -> None:
        """Send a picture to all viewers."""
        if picture.packet is None:
            return
        self._note_position(picture)
        medium = Medium(
            kind="video",
            payloads=h264_payloads(picture.packet),
            sample=picture.sample,
            is_key=picture.is_key,
        )
        self._send(medium)

    def on_sound(self, sound: LiveSound) -> None:
        """Send a packet of sound to all viewers, and check those whose turn it is."""
        if sound.opus is None or sound.pcm is None:
            return
        self._send_sound(sound.opus, self._silence.shorten(sound.opus, sound.pcm), sound.sample)
        self._sounds += 1
        late_s = time.monotonic() - sound.time_s
        self._check(sound.sample + round(late_s * SAMPLE_RATE_HZ))

    def on_event(self, event: LiveEvent) -> None:
        """Send an event to all viewers."""
        if event.kind == "caption":
            self._caption = event
        elif event.kind in ("finished", "interrupted"):
            self._caption = None
        for viewer in self._viewers:
            viewer.channel.send(event.kind, event.data)

    def on_end(self, reason: str) -> None:
        """The feed has ended."""
        self._on_end(reason)

    def _send(self, medium: Medium) -> None:
        unix_s = time.time()
        for viewer in self._viewers:
            viewer.send(medium, unix_s)

    def _send_sound(self, opus: bytes, short: bytes, sample: int) -> None:
        """`short`: what viewers get that ask for pauses; empty if that is nothing."""
        unix_s = time.time()
        whole = Medium(kind="audio", payloads=[opus], sample=sample)
        part = Medium(kind="audio", payloads=[short], sample=sample)
        for viewer in self._viewers:
            if not viewer.wants_pauses:
                viewer.send(whole, unix_s)
            elif short:
                viewer.send(part, unix_s)

    def _check(self, sample: int) -> None:
        """`sample`: the present, on the feed's clock."""
        turn = self._sounds % CHECK_SOUNDS
        unix_s = time.time()
        for viewer in [each for each in self._viewers if self._turns[each.id] == turn]:
            viewer.report(sample, unix_s)
            viewer.check(CHECK_SOUNDS / 50)
            self._choose_pictures(viewer)
        if turn == 0:
            self._follow_viewers()

    def _choose_pictures(self, viewer: Viewer) -> None:
        """Have a viewer get pictures of the size that its network carries."""
        before = viewer.choice.rung
        bandwidth = viewer.bandwidth
        if viewer.choice.follow(bandwidth.limit_bps, bandwidth.congested_s) == before:
            return
        if viewer.choice.rung == "full":
            assert self._subscription is not None
            self._subscription.request_key_frame()
        elif self._small is None:
            self._small = SmallPictures(self._feed, self.rates.small_bps, self._send)
        else:
            self._small.request_key_frame()

    def _follow_viewers(self) -> None:
        """Fit the rate of the full pictures to the viewers that get them, once a second."""
        limits = (each.bandwidth.limit_bps for each in self._viewers if each.choice.rung == "full")
        bearable = [limit for limit in limits if limit >= self.rates.least_full_bps]
        if self.rates.full.follow(bearable):
            self._feed.set_bitrate(round(self.rates.full.bps))
        if all(viewer.rung == viewer.choice.rung == "full" for viewer in self._viewers):
            self._close_small()

    def _close_small(self) -> None:
        if self._small is not None:
            self._small.close()
            self._small = None

    def _note_position(self, picture: LivePicture) -> None:
        if self._position.note(picture):
            self._last_position = picture.sample, picture.frame
            for viewer in self._viewers:
                viewer.send_position(picture.sample, picture.frame)
