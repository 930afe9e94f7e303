"""Pictures of half the size and rate, for viewers on slow networks: an encode of their own."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
from numpy.typing import NDArray

from warm.live.feed.feed import Feed
from warm.live.feed.h264 import LiveVideoEncoder
from warm.live.feed.subscriber import (
    SAMPLE_RATE_HZ,
    LiveEvent,
    LivePicture,
    LiveSound,
    Wants,
)
from warm.live.webrtc.h264_payloads import h264_payloads
from warm.live.webrtc.outbox import Medium

SCALE = 2
"""Sides, and pictures a second, are divided by it."""
SHIFT_SAMPLES = 960
"""Added to the places of small pictures: no two pictures of a viewer have one timestamp when it
changes from full to small ones."""
KEY_FRAME_S = 0.5
"""Shortest time between two key frames."""

log = logging.getLogger(__name__)


class SmallPictures:
    """Encodes small pictures of a feed until it is closed. Loop thread, and one of its own.

    A picture that comes while another one is being encoded is left out.
    """

    def __init__(self, feed: Feed, bps: float, send: Callable[[Medium], None]) -> None:
        """`send` is called on the loop thread."""
        self._send = send
        self._encoder = LiveVideoEncoder(max(1, feed.fps // SCALE), round(bps))
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, "small-pictures")
        self._is_busy = False
        self._is_closed = False
        self._wants_key = True
        self._key_sample: int | None = None
        self._subscription = feed.subscribe(self, Wants(pictures=True))

    def request_key_frame(self) -> None:
        """Have a picture encoded as a key frame soon."""
        self._wants_key = True

    def close(self) -> None:
        """Encode nothing more."""
        self._is_closed = True
        self._subscription.close()
        self._thread.shutdown(wait=False)

    def on_picture(self, picture: LivePicture) -> None:
        """Encode every second picture."""
        if picture.bgr is None or picture.tick % SCALE or self._is_busy or self._is_closed:
            return
        self._is_busy = True
        encoding = self._loop.run_in_executor(
            self._thread, self._encode, picture.bgr, self._is_key_due(picture.sample)
        )
        encoding.add_done_callback(lambda done: self._pass_on(done, picture.sample))

    def on_sound(self, sound: LiveSound) -> None:
        """Do nothing."""

    def on_event(self, event: LiveEvent) -> None:
        """Do nothing."""

    def on_end(self, reason: str) -> None:
        """Do nothing: the broadcast ends the viewers."""

    def _is_key_due(self, sample: int) -> bool:
        if not self._wants_key:
            return False
        least = round(KEY_FRAME_S * SAMPLE_RATE_HZ)
        return self._key_sample is None or sample - self._key_sample >= least

    def _encode(self, bgr: NDArray[np.uint8], is_key: bool) -> tuple[bytes, bool]:
        height, width = bgr.shape[:2]
        size = max(2, width // SCALE), max(2, height // SCALE)
        small = np.asarray(cv2.resize(bgr, size, interpolation=cv2.INTER_AREA), np.uint8)
        return self._encoder.encode(small, is_key=is_key)

    def _pass_on(self, done: "asyncio.Future[tuple[bytes, bool]]", sample: int) -> None:
        self._is_busy = False
        if done.cancelled() or self._is_closed:
            return
        if (error := done.exception()) is not None:
            log.error("small pictures cannot be encoded", exc_info=error)
            self.close()
            return
        packet, is_key = done.result()
        if is_key:
            self._wants_key, self._key_sample = False, sample
        medium = Medium(
            kind="video",
            payloads=h264_payloads(packet),
            sample=sample + SHIFT_SAMPLES,
            is_key=is_key,
            rung="small",
        )
        self._send(medium)
