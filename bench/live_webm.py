"""WebM with Opus as the `MediaRecorder` of browsers writes it: block by block, without a length."""

import struct
from collections.abc import Iterator

import av
import numpy as np
from numpy.typing import NDArray

OPUS_RATE_HZ = 48_000
UNKNOWN_SIZE = b"\x01\xff\xff\xff\xff\xff\xff\xff"
CLUSTER_MS = 5_000
"""Length of a cluster, whose blocks have times of 16 bits."""


def element(name: int, content: bytes) -> bytes:
    """Return an EBML element."""
    size = len(content) | 1 << 28
    return name.to_bytes((name.bit_length() + 7) // 8) + size.to_bytes(4) + content


def number(name: int, value: int) -> bytes:
    """Return an element with a whole number."""
    return element(name, value.to_bytes(max(1, (value.bit_length() + 7) // 8)))


def webm_head(channels: int, opus_head: bytes) -> bytes:
    """Return the bytes before the first cluster."""
    ebml = element(
        0x1A45DFA3,
        number(0x4286, 1) + number(0x42F7, 1) + number(0x42F2, 4) + number(0x42F3, 8)
        + element(0x4282, b"webm") + number(0x4287, 4) + number(0x4285, 2),
    )  # fmt: skip
    info = element(
        0x1549A966,
        number(0x2AD7B1, 1_000_000) + element(0x4D80, b"Chrome") + element(0x5741, b"Chrome"),
    )
    audio = number(0x9F, channels) + element(0xB5, struct.pack(">f", OPUS_RATE_HZ))
    track = element(
        0xAE,
        number(0xD7, 1) + number(0x73C5, 1) + number(0x83, 2) + element(0x86, b"A_OPUS")
        + element(0x63A2, opus_head) + element(0xE1, audio),
    )  # fmt: skip
    return ebml + b"\x18\x53\x80\x67" + UNKNOWN_SIZE + info + element(0x1654AE6B, track)


def opus_packets(
    samples: NDArray[np.float32], rate_hz: int, *, frame_ms: int
) -> tuple[bytes, list[bytes]]:
    """Return the header of an Opus stream and its packets, of mono samples."""
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = OPUS_RATE_HZ, "mono", "flt"
    encoder.bit_rate, encoder.options = 64_000, {"frame_duration": str(frame_ms)}
    encoder.open()
    frame = av.AudioFrame.from_ndarray(
        np.ascontiguousarray(samples[np.newaxis]), format="flt", layout="mono"
    )
    frame.sample_rate = rate_hz
    resampler = av.AudioResampler(
        format="flt", layout="mono", rate=OPUS_RATE_HZ, frame_size=OPUS_RATE_HZ * frame_ms // 1000
    )
    frames = [*resampler.resample(frame), *resampler.resample(None)]
    packets = [bytes(packet) for each in [*frames, None] for packet in encoder.encode(each)]
    assert encoder.extradata is not None
    return bytes(encoder.extradata), packets


def live_webm(
    samples: NDArray[np.float32], rate_hz: int, *, frame_ms: int = 60
) -> Iterator[tuple[float, bytes]]:
    """Yield the blocks of a recording of mono samples, each with the time at which it is made.

    The first one comes with the header. Browsers encode 60 ms (Chromium) or 20 ms at once.
    """
    opus_head, packets = opus_packets(samples, rate_hz, frame_ms=frame_ms)
    head = webm_head(1, opus_head)
    for index, packet in enumerate(packets):
        at_ms = index * frame_ms
        if at_ms % CLUSTER_MS == 0:
            head += b"\x1f\x43\xb6\x75" + UNKNOWN_SIZE + number(0xE7, at_ms)
        block = b"\x81" + struct.pack(">h", at_ms % CLUSTER_MS) + b"\x80" + packet
        yield (at_ms + frame_ms) / 1000, head + element(0xA3, block)
        head = b""
