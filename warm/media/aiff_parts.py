"""AIFF files as parts, with corrected sizes."""

import struct
from pathlib import Path
from typing import BinaryIO

from warm.media.audio_part import AudioPart
from warm.media.pcm_length import PcmLength

FORM_HEAD_BYTES, CHUNK_HEAD_BYTES = 12, 8
OFFSET_BYTES = 8
"""Offset and block size between the head of an SSND chunk and its samples."""
MAX_CHUNKS = 10_000
EXTENDED_BIAS = 16383 + 63
"""Exponent of the last bit of a mantissa, in the 80-bit numbers of sample rates."""


def aiff_parts(path: Path, start: int) -> list[AudioPart]:
    """Return an AIFF as one part; sizes that FFmpeg refuses are corrected."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(start)
        (form_bytes,) = struct.unpack(">4xI4x", file.read(FORM_HEAD_BYTES).ljust(12, b"\0"))
        chunks = _read_chunks(file, start + FORM_HEAD_BYTES, size)
        sound_at = chunks.get(b"SSND")
        common = _read_common(file, chunks.get(b"COMM"))
        announced = _read_size(file, sound_at)
    if sound_at is None or common is None:
        return [AudioPart(demuxer="aiff", start=start, end=size)]
    block, rate_hz = common
    data_at = sound_at + CHUNK_HEAD_BYTES + OFFSET_BYTES
    length = PcmLength(
        announced=max(0, announced - OFFSET_BYTES),
        available=max(0, size - data_at),
        before=data_at - start,
        outer=form_bytes + CHUNK_HEAD_BYTES,
        block=block,
        byte_rate=block * rate_hz,
    )
    corrections = {}
    if not length.is_complete:
        corrections = {
            4: struct.pack(">I", min(size - start - CHUNK_HEAD_BYTES, 0x7FFFFFFF)),
            chunks[b"COMM"] - start + 10: struct.pack(">I", length.available // max(1, block)),
            sound_at - start + 4: struct.pack(">I", min(length.available + 8, 0x7FFFFFFF)),
        }
    return [
        AudioPart(
            demuxer="aiff",
            start=start,
            end=size,
            corrections=corrections,
            present_share=length.present_share,
            notes=length.notes,
        )
    ]


def _read_chunks(file: BinaryIO, at: int, size: int) -> dict[bytes, int]:
    """Return the positions of the chunks by their names, up to the samples."""
    found: dict[bytes, int] = {}
    for _ in range(MAX_CHUNKS):
        file.seek(at)
        head = file.read(CHUNK_HEAD_BYTES)
        if len(head) < CHUNK_HEAD_BYTES or at > size:
            return found
        name, bytes_ = struct.unpack(">4sI", head)
        found.setdefault(name, at)
        if name == b"SSND" and b"COMM" in found:
            return found
        at += CHUNK_HEAD_BYTES + bytes_ + bytes_ % 2
    return found


def _read_common(file: BinaryIO, at: int | None) -> tuple[int, int] | None:
    """Return the bytes of a sample of all channels, and the rate in Hz."""
    if at is None:
        return None
    file.seek(at + CHUNK_HEAD_BYTES)
    content = file.read(18)
    if len(content) < 18:
        return None
    channels, bits, exponent, mantissa = struct.unpack(">H4xHHQ", content)
    shift = EXTENDED_BIAS - (exponent & 0x7FFF)
    rate_hz = mantissa >> shift if 0 <= shift < 64 else 0
    return channels * -(-bits // 8), rate_hz


def _read_size(file: BinaryIO, at: int | None) -> int:
    if at is None:
        return 0
    file.seek(at + 4)
    return int.from_bytes(file.read(4), "big")
