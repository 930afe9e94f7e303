"""Samples to AAC: one encoder from a film's beginning to its end, so that no joint is heard."""

from fractions import Fraction
from typing import Final

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.codec.context import Flags
from numpy.typing import NDArray

from session.film import SAMPLE_RATE_HZ, SAMPLES_PER_PACKET

CODEC: Final = "aac"
BIT_RATE = 128_000
"""48 dB signal to noise on speech, at a third of the time that 96 kbit/s take the other coder."""


def set_up(context: AudioCodecContext) -> None:
    """Everything that an encoder of a film's sound must agree on, before it is opened."""
    context.sample_rate = SAMPLE_RATE_HZ
    context.layout = "mono"
    context.format = "fltp"
    context.bit_rate = BIT_RATE
    context.time_base = Fraction(1, SAMPLE_RATE_HZ)
    context.flags |= Flags.global_header
    context.options = {"aac_coder": "fast"}


class SoundEncoder:
    """An AAC encoder that begins at a packet's edge of a film. One thread at a time.

    `lead_in` zeros come before the first fed sample: what a film already shows pictures for but
    has no packets of. The encoder's priming packet is dropped, so the packet after it begins
    exactly at the first of these zeros.
    """

    def __init__(self, *, lead_in: int) -> None:
        context = av.CodecContext.create(CODEC, "w")
        assert isinstance(context, AudioCodecContext)
        set_up(context)
        context.open()
        self._context = context
        self._carried: NDArray[np.float32] = np.zeros(lead_in, dtype=np.float32)
        self._next_pts = 0

    @property
    def audio_config(self) -> bytes:
        """AudioSpecificConfig of what this encoder makes."""
        return bytes(self._context.extradata or b"")

    def encode(self, samples: NDArray[np.float32]) -> list[bytes]:
        """The packets, 1024 samples each, that these (n,) float32 samples complete; maybe none.

        The encoder looks ahead: the last 2048 samples and a remainder come with a later call.
        """
        waiting = np.concatenate((self._carried, samples))
        whole = len(waiting) - len(waiting) % SAMPLES_PER_PACKET
        self._carried = waiting[whole:]
        packets: list[bytes] = []
        for block in waiting[:whole].reshape(-1, 1, SAMPLES_PER_PACKET):
            packets.extend(self._encode_block(block))
        return packets

    def _encode_block(self, block: NDArray[np.float32]) -> list[bytes]:
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
        frame.sample_rate = SAMPLE_RATE_HZ
        frame.time_base = Fraction(1, SAMPLE_RATE_HZ)
        frame.pts = self._next_pts
        self._next_pts += SAMPLES_PER_PACKET
        encoded = self._context.encode(frame)
        return [bytes(packet) for packet in encoded if packet.pts is not None and packet.pts >= 0]
