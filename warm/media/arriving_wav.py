"""Decoding of a WAV that is still arriving.

FFmpeg's demuxer reads 64 KB before it returns the first sample, which may be seconds of sound.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame

from warm.media.arriving_bytes import Rewound
from warm.media.pcm_length import PLACEHOLDER_BYTES, UNSET_BYTES
from warm.media.wav_parts import ORDERS, WavHeader, read_header

PCM, FLOAT, ALAW, MULAW = 1, 3, 6, 7
CODECS = {
    **{(PCM, 8): "pcm_u8", (PCM, 16): "pcm_s16{}", (PCM, 24): "pcm_s24{}", (PCM, 32): "pcm_s32{}"},
    **{(FLOAT, 32): "pcm_f32{}", (FLOAT, 64): "pcm_f64{}"},
    **{(ALAW, 8): "pcm_alaw", (MULAW, 8): "pcm_mulaw"},
}
"""FFmpeg's decoders by format tag and bits; `{}` is the byte order."""
LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
PIECE_S = 0.1
"""Longest piece that is decoded at once."""
LARGEST_PIECE_BYTES = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivingWav:
    """The format of a WAV, and the position of its samples."""

    codec: str
    rate_hz: int
    channels: int
    block: int
    """Bytes of one sample of all channels."""
    start: int
    """Position of the first sample."""
    data_bytes: int | None
    """Size of the samples; None if it is unknown."""

    @property
    def announced_s(self) -> float | None:
        """Duration by the header; None if it states none."""
        if self.data_bytes is None:
            return None
        return self.data_bytes / self.block / self.rate_hz

    def frames(self, source: Rewound) -> Iterator[AudioFrame]:
        """Yield the frames of a WAV from its first byte on; raises FFmpegError."""
        decoder = cast(AudioCodecContext, av.CodecContext.create(self.codec, "r"))
        decoder.sample_rate, decoder.layout = self.rate_hz, LAYOUTS[self.channels]
        for piece in self._pieces(source):
            yield from decoder.decode(av.Packet(piece))
        yield from decoder.decode(None)

    def _pieces(self, source: Rewound) -> Iterator[bytes]:
        """Yield the samples as they arrive, in whole blocks."""
        skipped = self.start
        while skipped:
            skipped -= len(source.read(skipped))
        size = min(LARGEST_PIECE_BYTES, self.block * max(1, int(PIECE_S * self.rate_hz)))
        left, held = self.data_bytes, b""
        while left is None or left > 0:
            piece = source.read(size if left is None else min(size, left))
            if not piece:
                return
            left = None if left is None else left - len(piece)
            held += piece
            whole = len(held) - len(held) % self.block
            if whole:
                yield held[:whole]
            held = held[whole:]


def arriving_wav(head: bytes) -> ArrivingWav | None:
    """Return the format of a WAV; None if its head is incomplete or its codec is not PCM."""
    order = "le" if ORDERS[head[:4]] == "<" else "be"
    header = read_header(io.BytesIO(head), 0, len(head))
    if header is None or header.data_at > len(head):
        return None
    tag, channels, rate_hz, bits = header.tag, header.channels, header.rate_hz, header.bits
    codec = CODECS.get((tag, bits))
    block = channels * bits // 8
    if codec is None or channels not in LAYOUTS or not rate_hz or header.block != block:
        return None
    return ArrivingWav(
        codec=codec.format(order),
        rate_hz=rate_hz,
        channels=channels,
        block=block,
        start=header.data_at,
        data_bytes=credible_bytes(header),
    )


def credible_bytes(header: WavHeader) -> int | None:
    """Return the announced size of the samples; None for a placeholder."""
    size = header.data_bytes
    return None if size in UNSET_BYTES or size >= PLACEHOLDER_BYTES else size


def has_samples(head: bytes) -> bool:
    """Return True if a head of a WAV reaches its samples."""
    return read_header(io.BytesIO(head), 0, len(head)) is not None
