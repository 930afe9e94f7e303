"""WAV files (RIFF, RF64, W64) as parts: one per file that was appended to another."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from warm.media.audio_part import AudioPart
from warm.media.pcm_length import UNSET_BYTES, PcmLength
from warm.media.sniff import DamagedMediaError

ORDERS = {b"RIFF": "<", b"RF64": "<", b"BW64": "<", b"RIFX": ">"}
"""Byte orders of `struct`, by the first bytes of a WAV."""
SCAN_BYTES = 1 << 20
RIFF_HEAD_BYTES = 12
CHUNK_HEAD_BYTES = 8
W64_RIFF = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"
W64_DATA = b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"
W64_FORMAT = b"fmt \xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"
W64_HEAD_BYTES = 24
FORMAT_BYTES, EXTENSIBLE = 26, 0xFFFE
"""Bytes of a format chunk that are read, and the tag of a format that its end names."""
SURPLUS_S = 0.1
"""Bytes after the samples are noted if they could be at least this much sound."""
MAX_CHUNKS = 10_000
"""Maximum number of chunks before the samples; a damaged header may have any number."""


@dataclass(slots=True)
class WavHeader:
    """Fields of a header."""

    data_at: int = 0
    data_bytes: int = 0
    riff_bytes: int = 0
    ds64_at: int = 0
    """Position of the 64-bit sizes; 0 if there are none."""
    block: int = 0
    byte_rate: int = 0
    tag: int = 0
    """Format of the samples; 1 for integers."""
    channels: int = 0
    rate_hz: int = 0
    bits: int = 0


def wav_parts(path: Path, start: int) -> list[AudioPart]:
    """Return the parts of a WAV that begins at `start`.

    Raises DamagedMediaError if no samples can be found; FFmpeg would look for them for seconds.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        parts = list(_parts(file, start, size))
    if not parts:
        raise DamagedMediaError(
            f"The header of the WAV {path} is damaged: it leads to no samples. Send the file again."
        )
    return parts


def is_wav(head: bytes) -> bool:
    """Return True if a WAV begins with these bytes."""
    return head[:4] in ORDERS and head[8:12] == b"WAVE"


def _parts(file: BinaryIO, start: int | None, size: int) -> Iterator[AudioPart]:
    while start is not None:
        header = read_header(file, start, size)
        if header is None:
            return
        successor = _find_successor(file, header, size)
        end = size if successor is None else successor
        yield _part(file, header, start, end)
        start = successor


def _part(file: BinaryIO, header: WavHeader, start: int, end: int) -> AudioPart:
    """Return a WAV as a part. What follows its samples is left out: FFmpeg might refuse it."""
    length = PcmLength(
        announced=header.data_bytes,
        available=end - header.data_at,
        before=header.data_at - start,
        outer=header.riff_bytes + CHUNK_HEAD_BYTES,
        block=header.block,
        byte_rate=header.byte_rate,
    )
    corrections, notes = {}, length.notes
    if length.is_complete and header.byte_rate:
        notes += _surplus_note(file, header, end)
        end = header.data_at + header.data_bytes
    if header.ds64_at and not length.is_complete:
        count = length.available // max(1, header.block)
        corrections[header.ds64_at - start + 8] = struct.pack("<QQ", length.available, count)
    return AudioPart(
        demuxer="wav",
        start=start,
        end=end,
        corrections=corrections,
        present_share=length.present_share,
        notes=notes,
    )


def read_header(file: BinaryIO, start: int, size: int) -> WavHeader | None:
    """Return the fields of the WAV at `start`; None if it has no samples."""
    file.seek(start)
    head = file.read(RIFF_HEAD_BYTES)
    order = ORDERS[head[:4]]
    header = WavHeader(riff_bytes=struct.unpack(f"{order}4xI4x", head)[0])
    at = start + RIFF_HEAD_BYTES
    for _ in range(MAX_CHUNKS):
        file.seek(at)
        chunk = file.read(CHUNK_HEAD_BYTES + FORMAT_BYTES)
        if len(chunk) < CHUNK_HEAD_BYTES:
            return None
        name, bytes_ = struct.unpack_from(f"{order}4sI", chunk)
        at += CHUNK_HEAD_BYTES
        if name == b"data":
            header.data_at = at
            is_long = header.ds64_at and bytes_ == 0xFFFFFFFF
            header.data_bytes = header.data_bytes if is_long else bytes_
            return header
        _read_chunk(header, name, chunk[CHUNK_HEAD_BYTES:], order, at)
        at += bytes_ + bytes_ % 2
        if at > size:
            return None
    return None


def _read_chunk(header: WavHeader, name: bytes, content: bytes, order: str, at: int) -> None:
    if name == b"fmt " and len(content) >= 16:
        fields = struct.unpack_from(f"{order}HHIIHH", content)
        header.tag, header.channels, header.rate_hz = fields[:3]
        header.byte_rate, header.block, header.bits = fields[3:]
        if header.tag == EXTENSIBLE and len(content) >= FORMAT_BYTES:
            (header.tag,) = struct.unpack_from(f"{order}24xH", content)
    elif name == b"ds64" and len(content) >= 16:
        header.riff_bytes, header.data_bytes = struct.unpack_from("<QQ", content)
        header.ds64_at = at


def _surplus_note(file: BinaryIO, header: WavHeader, end: int) -> tuple[str, ...]:
    """Return a remark if the samples are followed by bytes that are not a chunk.

    A recorder that crashed leaves such bytes.
    """
    data_end = header.data_at + header.data_bytes
    surplus = end - data_end
    if not header.byte_rate or surplus < SURPLUS_S * header.byte_rate:
        return ()
    file.seek(data_end)
    head = file.read(1 + CHUNK_HEAD_BYTES)
    if _is_chunk_name(head[:4]) or _is_chunk_name(head[1:5]) or not any(head):
        return ()
    return (
        f"{surplus / header.byte_rate:.2f} s of data follow the end that the header announces, and "
        "are ignored. If words are missing, save the file with another program.",
    )


def _is_chunk_name(name: bytes) -> bool:
    return len(name) == 4 and name.isascii() and name.decode("ascii").isprintable()


def _find_successor(file: BinaryIO, header: WavHeader, size: int) -> int | None:
    """Return the position of a WAV that was appended to this one; None if there is none."""
    data_end = header.data_at + header.data_bytes
    if header.data_bytes in UNSET_BYTES or data_end > size:
        return _search(file, header.data_at, size)
    for at in (data_end, data_end + 1):  # some programs do not pad an odd size
        if (found := _after_chunks(file, at, size)) is not None:
            return found
    return None


def _after_chunks(file: BinaryIO, at: int, size: int) -> int | None:
    """Return the position of the next WAV after the chunks that begin at `at`."""
    for _ in range(MAX_CHUNKS):
        if at + RIFF_HEAD_BYTES > size:
            return None
        file.seek(at)
        head = file.read(RIFF_HEAD_BYTES)
        if is_wav(head):
            return at
        if not _is_chunk_name(head[:4]):
            return None
        (bytes_,) = struct.unpack("<4xI4x", head)
        at += CHUNK_HEAD_BYTES + bytes_ + bytes_ % 2
    return None


def _search(file: BinaryIO, at: int, size: int) -> int | None:
    """Return the position of the first WAV header at or after `at`."""
    file.seek(at)
    carried = b""
    while at < size and (block := file.read(SCAN_BYTES)):
        data = carried + block
        found = data.find(b"WAVEfmt ", RIFF_HEAD_BYTES - 4)
        while found >= 0:
            if is_wav(data[found - 8 : found + 4]):
                return at - len(carried) + found - 8
            found = data.find(b"WAVEfmt ", found + 1)
        at += len(block)
        carried = data[-2 * RIFF_HEAD_BYTES :]
    return None


def w64_parts(path: Path) -> list[AudioPart]:
    """Return a W64 as one part; sizes that FFmpeg refuses are corrected."""
    size = path.stat().st_size
    with path.open("rb") as file:
        header = _read_w64_header(file, size)
    if header is None:
        return [AudioPart(demuxer="w64", start=0, end=size)]
    length = PcmLength(
        announced=max(0, header.data_bytes - W64_HEAD_BYTES),
        available=size - header.data_at,
        before=header.data_at,
        outer=header.riff_bytes,
        block=header.block,
        byte_rate=header.byte_rate,
    )
    corrections = {}
    if not length.is_complete:
        corrections[header.data_at - 8] = struct.pack("<Q", length.available + W64_HEAD_BYTES)
    return [
        AudioPart(
            demuxer="w64",
            start=0,
            end=size,
            corrections=corrections,
            present_share=length.present_share,
            notes=length.notes,
        )
    ]


def _read_w64_header(file: BinaryIO, size: int) -> WavHeader | None:
    (riff_bytes,) = struct.unpack("<16xQ16x", file.read(40).ljust(40, b"\0"))
    header, at = WavHeader(riff_bytes=riff_bytes), 40
    for _ in range(MAX_CHUNKS):
        file.seek(at)
        chunk = file.read(W64_HEAD_BYTES + 16)
        if len(chunk) < W64_HEAD_BYTES:
            return None
        (bytes_,) = struct.unpack_from("<16xQ", chunk)
        if chunk.startswith(W64_DATA):
            header.data_at, header.data_bytes = at + W64_HEAD_BYTES, bytes_
            return header
        if chunk.startswith(W64_FORMAT) and len(chunk) == W64_HEAD_BYTES + 16:
            header.byte_rate, header.block = struct.unpack_from("<8xIH", chunk, W64_HEAD_BYTES)
        at += max(W64_HEAD_BYTES, bytes_ + -bytes_ % 8)
        if at > size:
            return None
    return None
