"""Opus encoder of a feed: packets of 20 ms, mono."""

from fractions import Fraction

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from numpy.typing import NDArray

from warm.live.feed.subscriber import PACKET_SAMPLES, SAMPLE_RATE_HZ

CODEC = "libopus"
BPS = 48_000
SETTLED_PACKETS = 10
"""Silent packets after which the encoder is at rest."""


class OpusEncoder:
    """libopus; every call returns the packet of its samples. One thread at a time."""

    def __init__(self) -> None:
        context = av.CodecContext.create(CODEC, "w")
        assert isinstance(context, AudioCodecContext)
        context.sample_rate, context.layout, context.format = SAMPLE_RATE_HZ, "mono", "flt"
        context.bit_rate = BPS
        context.time_base = Fraction(1, SAMPLE_RATE_HZ)
        context.options = {"application": "lowdelay", "frame_duration": "20"}
        context.open()
        self._context = context
        self._next_pts = self._silent = 0
        self._last = b""

    def encode(self, samples: NDArray[np.float32], *, is_silent: bool = False) -> bytes:
        """Return the packet of (960,) float32 samples.

        In a long silence, which `is_silent` names, the last packet is repeated: the state of the
        encoder would not change any more.
        """
        self._silent = self._silent + 1 if is_silent else 0
        if self._silent > SETTLED_PACKETS:
            return self._last
        self._last = self._encode(samples)
        return self._last

    def _encode(self, samples: NDArray[np.float32]) -> bytes:
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="flt", layout="mono")
        frame.sample_rate, frame.time_base = SAMPLE_RATE_HZ, Fraction(1, SAMPLE_RATE_HZ)
        frame.pts = self._next_pts
        self._next_pts += PACKET_SAMPLES
        packets = [bytes(packet) for packet in self._context.encode(frame)]
        if len(packets) != 1:
            raise RuntimeError(f"libopus returned {len(packets)} packets for 20 ms.")
        return packets[0]
