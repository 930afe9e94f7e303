"""Sound of a voice service, converted to mono in a sample rate of the live socket."""

import numpy as np
from pipecat.audio.resamplers.base_audio_resampler import BaseAudioResampler
from pipecat.audio.utils import create_stream_resampler
from warmtalk_client import RATES_HZ

FALLBACK_HZ = 24_000
"""Rate to which sound is converted whose own rate the socket does not have."""


def socket_rate(rate: int) -> int:
    """Return the rate in which sound of this rate is sent."""
    return rate if rate in RATES_HZ else FALLBACK_HZ


class SoundIn:
    """The sound of one utterance, which may have any rate and number of channels."""

    def __init__(self, rate: int) -> None:
        """`rate` is that of the sound that comes in."""
        self.rate = socket_rate(rate)
        self._in_rate = rate
        self._resampler = None if rate == self.rate else new_resampler()

    async def convert(self, pcm: bytes, rate: int, channels: int) -> bytes:
        """Return sound at `rate` of this object; the rate that comes in may change."""
        pcm = mono(pcm, channels)
        if rate == self.rate and self._resampler is None:
            return pcm
        if rate != self._in_rate or self._resampler is None:
            self._in_rate, self._resampler = rate, new_resampler()
        return await self._resampler.resample(pcm, rate, self.rate)

    async def rest(self) -> bytes:
        """Return the sound that the conversion holds back, at the end."""
        return b"" if self._resampler is None else await self._resampler.flush()


def new_resampler() -> BaseAudioResampler:
    """Return a resampler of Pipecat's that keeps its state between calls."""
    return create_stream_resampler(clear_after_secs=None)


def mono(pcm: bytes, channels: int) -> bytes:
    """Return s16le sound as one channel: the mean of all channels."""
    if channels == 1:
        return pcm
    whole = len(pcm) - len(pcm) % (2 * channels)
    samples = np.frombuffer(pcm[:whole], "<i2").reshape(-1, channels)
    return bytes(samples.mean(axis=1).round().astype("<i2").tobytes())
