"""A feed without a film: pictures that count, and a beep with each white picture."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from warm.live.feed.h264 import LiveVideoEncoder
from warm.live.feed.opus import OpusEncoder
from warm.live.feed.subscriber import (
    PACKET_SAMPLES,
    SAMPLE_RATE_HZ,
    LiveEvent,
    LivePicture,
    LiveSound,
    Subscriber,
    Wants,
)

FPS = 25
PICTURE_SAMPLES = SAMPLE_RATE_HZ // FPS
WIDTH, HEIGHT = 96, 80
FLASH_PICTURES = 12
"""Every twelfth picture is white, and a beep begins with it."""
KEY_FRAME_S = 0.5
"""Shortest time between two key frames."""


class SyntheticFeed:
    """Sends pictures and sound to its subscribers until it is closed. Loop thread."""

    def __init__(
        self, session_id: str = "default", size: tuple[int, int] = (WIDTH, HEIGHT)
    ) -> None:
        self.session_id = session_id
        self.fps = FPS
        self.bitrates: list[int] = []
        self.key_frames = 0
        self.subscribers: list[Subscriber] = []
        self._wanting_pictures: list[Subscriber] = []
        self.frame: int | None = None
        """Frame of the film in the next picture; None while idle."""
        self._size = size
        self._wants_key = True
        self._key_s = float("-inf")
        self._task: asyncio.Task[None] | None = None
        self._video, self._audio = LiveVideoEncoder(FPS), OpusEncoder()

    def subscribe(self, subscriber: Subscriber, wants: Wants) -> "SyntheticSubscription":
        self.subscribers.append(subscriber)
        if wants.pictures:
            self._wanting_pictures.append(subscriber)
        self.request_key_frame()
        if self._task is None:
            self._task = asyncio.ensure_future(self._run())
        return SyntheticSubscription(self, subscriber)

    def set_bitrate(self, bps: int) -> None:
        self.bitrates.append(bps)

    def request_key_frame(self) -> None:
        self._wants_key = True

    def emit(self, event: LiveEvent) -> None:
        for subscriber in list(self.subscribers):
            subscriber.on_event(event)

    def end(self, reason: str) -> None:
        for subscriber in list(self.subscribers):
            subscriber.on_end(reason)

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        start_s = time.monotonic()
        sample = 0
        while True:
            due_s = start_s + sample / SAMPLE_RATE_HZ
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            self._each(lambda each, s=sample, t=due_s: each.on_sound(self._sound(s, t)))
            if sample % PICTURE_SAMPLES == 0:
                picture = self._picture(sample, due_s)
                for each in list(self.subscribers):
                    each.on_picture(self._as_wanted(each, picture))
            sample += PACKET_SAMPLES

    def _as_wanted(self, subscriber: Subscriber, picture: LivePicture) -> LivePicture:
        if subscriber in self._wanting_pictures:
            return replace(picture, packet=None)
        return replace(picture, bgr=None)

    def _each(self, send: Callable[[Subscriber], None]) -> None:
        for subscriber in list(self.subscribers):
            send(subscriber)

    def _sound(self, sample: int, time_s: float) -> LiveSound:
        at = sample + np.arange(PACKET_SAMPLES)
        beeps = at // PICTURE_SAMPLES % FLASH_PICTURES == 0
        pcm = (0.5 * np.sin(2 * np.pi * 1000 * at / SAMPLE_RATE_HZ) * beeps).astype(np.float32)
        return LiveSound(
            sample=sample, time_s=time_s, opus=self._audio.encode(pcm), pcm=pcm,
            utterance=None, position=None, offset=0, epoch=0,
        )  # fmt: skip

    def _picture(self, sample: int, time_s: float) -> LivePicture:
        number = sample // PICTURE_SAMPLES
        shade = 255 if number % FLASH_PICTURES == 0 else 40
        pixels: NDArray[np.uint8] = np.full((*self._size[::-1], 3), shade, np.uint8)
        asked = self._wants_key and time_s - self._key_s >= KEY_FRAME_S
        packet, is_key = self._video.encode(pixels, is_key=asked)
        if is_key:
            self.key_frames += 1
            self._wants_key, self._key_s = False, time_s
        frame = self.frame
        if frame is not None:
            self.frame = frame + 1
        return LivePicture(
            tick=number, time_s=time_s, sample=sample, packet=packet, is_key=is_key, bgr=pixels,
            frame=frame, utterance=None, position=None, epoch=0,
        )  # fmt: skip


class SyntheticSubscription:
    """A subscriber's place in the feed."""

    def __init__(self, feed: SyntheticFeed, subscriber: Subscriber) -> None:
        self._feed, self._subscriber = feed, subscriber

    def close(self) -> None:
        if self._subscriber in self._feed.subscribers:
            self._feed.subscribers.remove(self._subscriber)

    def request_key_frame(self) -> None:
        self._feed.request_key_frame()
