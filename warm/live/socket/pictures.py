"""Pictures of a feed in the forms that clients ask for; each JPEG is encoded once."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from warm.live.feed.subscriber import LivePicture

PictureForm = Literal["none", "raw", "jpeg", "h264"]
JPEG_QUALITY = 88
MAX_PENDING = 3
"""Pictures that wait to be encoded; further ones are dropped."""

OnJpeg = Callable[[bytes | None], None]
"""Receives the JPEG on the loop's thread; None if the picture was dropped."""


def rgb_bytes(bgr: NDArray[np.uint8]) -> bytes:
    """Return a picture as RGB, rows from the top."""
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB).tobytes()


def jpeg_bytes(bgr: NDArray[np.uint8]) -> bytes:
    """Return a picture as JPEG."""
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return data.tobytes()


class Jpegs:
    """Encodes the pictures of all feeds on a thread of its own. The loop's thread owns it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="live-jpeg")
        self._pending: dict[tuple[Any, int], list[OnJpeg]] = {}

    def encode(self, feed: object, picture: LivePicture, on_jpeg: OnJpeg) -> None:
        """Have a picture encoded, or use the JPEG that is being made of it for another client."""
        key = (feed, picture.tick)
        if key in self._pending:
            self._pending[key].append(on_jpeg)
        elif len(self._pending) >= MAX_PENDING or picture.bgr is None:
            on_jpeg(None)
        else:
            self._pending[key] = [on_jpeg]
            self._pool.submit(self._run, key, picture.bgr)

    def close(self) -> None:
        """End the thread."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _run(self, key: tuple[Any, int], bgr: NDArray[np.uint8]) -> None:
        data = jpeg_bytes(bgr)
        self._loop.call_soon_threadsafe(self._finish, key, data)

    def _finish(self, key: tuple[Any, int], data: bytes) -> None:
        for on_jpeg in self._pending.pop(key):
            on_jpeg(data)
