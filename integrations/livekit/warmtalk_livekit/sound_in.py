"""Sound of an agent, converted to mono in a sample rate of the live socket."""

import numpy as np
from livekit import rtc
from warmtalk_client import RATES_HZ

FALLBACK_HZ = 24_000
"""Rate to which sound is converted whose own rate the socket does not have."""


class SoundIn:
    """The sound of one segment."""

    def __init__(self, rate: int) -> None:
        """`rate` is that of the sound that comes in."""
        self.rate = rate if rate in RATES_HZ else FALLBACK_HZ
        self._in_rate = rate
        self._resampler = (
            None if self.rate == rate else rtc.AudioResampler(rate, self.rate, num_channels=1)
        )

    def convert(self, pcm: bytes, channels: int) -> bytes:
        """Return sound at `rate` of this object."""
        pcm = mono(pcm, channels)
        if self._resampler is None:
            return pcm
        frame = rtc.AudioFrame(pcm, self._in_rate, 1, len(pcm) // 2)
        return joined(self._resampler.push(frame))

    def rest(self) -> bytes:
        """Return the sound that the conversion holds back, at the end."""
        return b"" if self._resampler is None else joined(self._resampler.flush())


def joined(frames: list[rtc.AudioFrame]) -> bytes:
    """Return the sound of frames."""
    return b"".join(bytes(frame.data) for frame in frames)


def mono(pcm: bytes, channels: int) -> bytes:
    """Return s16le sound as one channel: the mean of all channels."""
    if channels == 1:
        return pcm
    whole = len(pcm) - len(pcm) % (2 * channels)
    samples = np.frombuffer(pcm[:whole], "<i2").reshape(-1, channels)
    return bytes(samples.mean(axis=1).round().astype("<i2").tobytes())
