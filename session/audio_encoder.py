"""AAC encoder of a film; one instance runs through all clips, so that no boundary is audible."""

from fractions import Fraction
from typing import Final, Literal

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.codec.context import Flags
from numpy.typing import NDArray

from session.film import SAMPLE_RATE_HZ, SAMPLES_PER_PACKET

CODEC: Final = "aac"
Layout = Literal["mono", "stereo"]
BIT_RATES: Final[dict[Layout, int]] = {"mono": 128_000, "stereo": 192_000}
"""Bits per second. Mono at 128 kbit/s with the fast coder has a signal-to-noise ratio of 48 dB on
speech and takes a third of the time that the two-loop coder needs at 96 kbit/s."""
LOOK_AHEAD = 2048
"""Samples that the encoder buffers before it returns a packet."""
REENCODED_PACKETS = 2
"""Number of packets at the end of a film that are encoded again when a clip is appended: the last
overlaps the appended samples, and the window shape of the one before depends on the last."""


def set_up(context: AudioCodecContext, layout: Layout = "mono") -> None:
    """Set the parameters that all audio encoders of a film share, before `open`."""
    context.sample_rate = SAMPLE_RATE_HZ
    context.layout = layout
    context.format = "fltp"
    context.bit_rate = BIT_RATES[layout]
    context.time_base = Fraction(1, SAMPLE_RATE_HZ)
    context.flags |= Flags.global_header
    context.options = {"aac_coder": "fast"}


class AudioEncoder:
    """AAC encoder that starts at a packet boundary of a film. One thread at a time.

    `lead_in` zeros precede the first sample: they stand for sound that belongs to committed
    pictures but has no packets yet. The encoder's priming packet is dropped, so the next packet
    starts exactly at the first of these zeros.

    `before`, (channels, n) in whole packets, are the samples that precede these: the last
    `REENCODED_PACKETS` of them are encoded again and returned first. AAC overlaps each packet with
    the next and adapts its window to it, so the boundary is only inaudible if both packets are
    replaced.
    """

    def __init__(
        self, *, lead_in: int, layout: Layout = "mono", before: NDArray[np.float32] | None = None
    ) -> None:
        context = av.CodecContext.create(CODEC, "w")
        assert isinstance(context, AudioCodecContext)
        set_up(context, layout)
        context.open()
        self._context: AudioCodecContext | None = context
        self._layout = layout
        channels = context.layout.nb_channels
        self._carried: NDArray[np.float32] = np.zeros((channels, lead_in), dtype=np.float32)
        self._first_pts = 0
        if before is not None:
            self._carried = np.concatenate((before, self._carried), axis=1)
            self._first_pts = before.shape[1] - REENCODED_PACKETS * SAMPLES_PER_PACKET
        self._next_pts = 0

    @property
    def audio_config(self) -> bytes:
        """AudioSpecificConfig of the encoded packets."""
        return bytes(self._open_context.extradata or b"")

    def encode(self, samples: NDArray[np.float32]) -> list[bytes]:
        """Return the packets, 1024 samples each, that these float32 samples complete; may be empty.

        `samples` are (n,) mono or (channels, n). The encoder looks ahead: the last 2048 samples
        and an incomplete block are returned by a later call.
        """
        waiting = np.concatenate((self._carried, np.atleast_2d(samples)), axis=1)
        whole = waiting.shape[1] - waiting.shape[1] % SAMPLES_PER_PACKET
        self._carried = waiting[:, whole:]
        packets: list[bytes] = []
        for start in range(0, whole, SAMPLES_PER_PACKET):
            packets += self._encode_block(waiting[:, start : start + SAMPLES_PER_PACKET])
        return packets

    def flush(self, packets: int) -> list[bytes]:
        """Pad with silence and return the next `packets` packets; call it last."""
        silence = np.zeros((len(self._carried), LOOK_AHEAD + SAMPLES_PER_PACKET), dtype=np.float32)
        return self.encode(silence)[:packets]

    def close(self) -> None:
        """End the native encoder and its threads now, although something may refer to this object
        until a garbage collection. Nothing can be encoded any more."""
        self._context = None

    @property
    def _open_context(self) -> AudioCodecContext:
        assert self._context is not None, "the encoder is closed"
        return self._context

    def _encode_block(self, block: NDArray[np.float32]) -> list[bytes]:
        plain = np.ascontiguousarray(block)
        frame = av.AudioFrame.from_ndarray(plain, format="fltp", layout=self._layout)
        frame.sample_rate = SAMPLE_RATE_HZ
        frame.time_base = Fraction(1, SAMPLE_RATE_HZ)
        frame.pts = self._next_pts
        self._next_pts += SAMPLES_PER_PACKET
        encoded = self._open_context.encode(frame)
        return [
            bytes(packet)
            for packet in encoded
            if packet.pts is not None and packet.pts >= self._first_pts
        ]
