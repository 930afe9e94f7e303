"""Avatars' frames as backgrounds of the encoded pictures."""

import mmap
from collections.abc import Iterator
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from session.overlaid_picture import Background
from warm.avatars.avatar import Avatar


class MappedFrames:
    """Frames of an avatar whose memory pages this process can release.

    The frames of an open avatar are a mapped file. Reading a few lines of a frame may bring that
    frame and its neighbours into the memory of the process.
    """

    def __init__(self, frames: NDArray[np.uint8]) -> None:
        """`frames`: (n, h, w, 3)."""
        mapped = [base for base in bases(frames) if isinstance(base, mmap.mmap)]
        self._mapped = mapped[0] if mapped else None
        self._frame_bytes = frames[0].nbytes
        if self._mapped is not None:
            start = np.frombuffer(self._mapped, np.uint8).ctypes.data
            self._first_byte = frames.ctypes.data - start

    def forget(self, frame: int) -> None:
        """Remove a frame's pages from the memory of this process.

        They stay in the page cache and are mapped again when they are read.
        """
        if self._mapped is None:
            return
        first = self._first_byte + frame * self._frame_bytes
        begin = -(-first // mmap.PAGESIZE) * mmap.PAGESIZE
        end = (first + self._frame_bytes) // mmap.PAGESIZE * mmap.PAGESIZE
        if begin < end:
            self._mapped.madvise(mmap.MADV_DONTNEED, begin, end - begin)


class AvatarBackgrounds:
    """Backgrounds of one avatar; any thread may use them."""

    def __init__(self, frames: NDArray[np.uint8]) -> None:
        """`frames`: (n, h, w, 3) BGR."""
        self._frames, self._mapped = frames, MappedFrames(frames)

    def of(self, frame: int) -> Background:
        """The background of a frame, which is forgotten whenever it has been converted."""
        return Background(self._frames[frame], lambda: self.forget(frame))

    def forget(self, frame: int) -> None:
        """Remove a frame from the memory of this process until it is read again."""
        self._mapped.forget(frame)


class Backgrounds:
    """Backgrounds of all avatars that are referenced. Owned by one thread."""

    def __init__(self) -> None:
        self._of_avatar: WeakKeyDictionary[Avatar, AvatarBackgrounds] = WeakKeyDictionary()

    def __len__(self) -> int:
        """Number of avatars."""
        return len(self._of_avatar)

    def of(self, avatar: Avatar) -> AvatarBackgrounds:
        """The backgrounds of an avatar."""
        known = self._of_avatar.get(avatar)
        if known is None:
            known = self._of_avatar[avatar] = AvatarBackgrounds(avatar.frames)
        return known


def bases(array: object) -> Iterator[object]:
    """Yield an array and the objects whose memory it uses."""
    while array is not None:
        yield array
        array = getattr(array, "base", None)
