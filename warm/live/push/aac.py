"""AAC-LC, encoded from the sound of a feed: what RTMP and MPEG-TS carry."""

from collections.abc import Iterator
from typing import NamedTuple

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from numpy.typing import NDArray

RATE_HZ = 48_000
FRAME_SAMPLES = 1024
BIT_RATE = 128_000
MAX_GAP_SAMPLES = 2 * RATE_HZ
"""A longer gap in the feed's clock is a gap in the encoded sound as well."""
ADTS_RATE_INDEX = 3
"""Index of 48 kHz in the headers of AAC (ISO/IEC 14496-3, table 1.18)."""


class AacFrame(NamedTuple):
    """1024 samples of encoded sound."""

    sample: int
    """Position of the first sample on the clock of the feed."""
    data: bytes
    """A raw frame, without header."""


class AacEncoder:
    """Encodes the sound of one feed. Positions are kept over gaps in its clock. One thread."""

    def __init__(self) -> None:
        self._codec = open_encoder()
        self._waiting = np.zeros(0, np.float32)
        self._sample: int | None = None
        """Position of the first waiting sample."""
        self.configuration = bytes(self._codec.extradata or b"")
        """The AudioSpecificConfig of the stream."""

    def encode(self, sample: int, pcm: NDArray[np.float32]) -> Iterator[AacFrame]:
        """Yield the frames that are complete with these samples, `(n,) float32` from -1 to 1."""
        self._append(sample, pcm)
        while len(self._waiting) >= FRAME_SAMPLES and self._sample is not None:
            frame = av.AudioFrame.from_ndarray(
                np.clip(self._waiting[None, :FRAME_SAMPLES], -1, 1), "fltp", "mono"
            )
            frame.sample_rate, frame.pts = RATE_HZ, self._sample
            self._waiting = self._waiting[FRAME_SAMPLES:]
            self._sample += FRAME_SAMPLES
            for packet in self._codec.encode(frame):
                yield AacFrame(packet.pts or 0, bytes(packet))

    def _append(self, sample: int, pcm: NDArray[np.float32]) -> None:
        """Add samples at their position; a short gap becomes silence."""
        expected = sample if self._sample is None else self._sample + len(self._waiting)
        gap = sample - expected
        if self._sample is None or not 0 <= gap <= MAX_GAP_SAMPLES:
            self._waiting, self._sample, gap = np.zeros(0, np.float32), sample, 0
        silence = np.zeros(gap, np.float32)
        self._waiting = np.concatenate([self._waiting, silence, pcm.astype(np.float32)])


def open_encoder() -> AudioCodecContext:
    """Return an encoder of mono sound that is ready."""
    codec = av.CodecContext.create("aac", "w")
    assert isinstance(codec, AudioCodecContext)
    codec.sample_rate, codec.layout, codec.format = RATE_HZ, "mono", av.AudioFormat("fltp")
    codec.bit_rate = BIT_RATE
    codec.open()
    return codec


def adts_header(frame_bytes: int) -> bytes:
    """Return the ADTS header of a frame of mono AAC-LC (ISO/IEC 14496-3, 1.A.2)."""
    length = frame_bytes + 7
    return bytes(
        (
            0xFF,
            0xF1,  # MPEG-4, no checksum
            (1 << 6) | (ADTS_RATE_INDEX << 2),  # AAC-LC
            (1 << 6) | (length >> 11),  # one channel
            (length >> 3) & 0xFF,
            ((length & 7) << 5) | 0x1F,
            0xFC,
        )
    )
