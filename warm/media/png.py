"""PNG files, parsed so that a decoder gets only the chunks that define the picture.

Texts, time stamps and animations are left out, and damaged chunks of little importance are ignored,
as in browsers.
"""

import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import IO

from warm.media.exif import RAW_PROFILE_NAMES, raw_profile

SIGNATURE = b"\x89PNG\r\n\x1a\n"
HEADER_BYTES, CHECKSUM_BYTES = 8, 4
METADATA = {b"eXIf", b"iTXt", b"tEXt", b"zTXt"}
COLOURS = {b"PLTE", b"tRNS", b"iCCP"}
SMALL_BYTES = 1 << 22
"""Longest chunk other than IDAT that is read."""
TEXT_BYTES = 1 << 20
"""Most that a compressed text or profile may expand to."""
XMP_KEY = b"XML:com.adobe.xmp"
PALETTE = 3
"""Colour type of pictures with a palette."""
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Samples per pixel, by colour type."""
INTERLACED_PASSES = [
    ((0, 8), (0, 8)),
    ((4, 8), (0, 8)),
    ((0, 4), (4, 8)),
    ((2, 4), (0, 4)),
    ((0, 2), (2, 4)),
    ((1, 2), (0, 2)),
    ((0, 1), (1, 2)),
]
"""((first, step) of columns, (first, step) of rows) of Adam7 (PNG, section 8.2)."""
FEED_BYTES = 4096
"""Damaged data is expanded in pieces of this size, so that little is lost before the fault."""


class PngError(ValueError):
    """A chunk without which there is no picture is missing or damaged."""


class SplicedFile:
    """Read-only binary file made of bytes and of (offset, length) ranges of another file."""

    def __init__(self, file: IO[bytes], parts: Sequence[bytes | tuple[int, int]]) -> None:
        self._file, self._parts, self._at = file, parts, 0
        self._lengths = [len(p) if isinstance(p, bytes) else p[1] for p in parts]

    def tell(self) -> int:
        """Return the position."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Set the position."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: sum(self._lengths)}
        self._at = base[whence] + offset
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Read up to `size` bytes; all if it is negative."""
        left = sum(self._lengths) if size < 0 else size
        pieces = []
        start = 0
        for part, length in zip(self._parts, self._lengths, strict=True):
            if left and start <= self._at < start + length:
                pieces.append(self._piece(part, self._at - start, left))
                self._at += len(pieces[-1])
                left -= len(pieces[-1])
            start += length
        return b"".join(pieces)

    def _piece(self, part: bytes | tuple[int, int], skip: int, size: int) -> bytes:
        if isinstance(part, bytes):
            return part[skip : skip + size]
        self._file.seek(part[0] + skip)
        return self._file.read(min(size, part[1] - skip))


@dataclass(slots=True)
class PngFile:
    """A parsed PNG."""

    head: bytes = b""
    """Signature, IHDR, palette, transparency and colour profile, with valid checksums."""
    size: tuple[int, int] = (0, 0)
    bits: int = 8
    """Bits of a sample."""
    colour_type: int = 2
    is_interlaced: bool = False
    exif: list[bytes] = field(default_factory=list)
    xmp: list[bytes] = field(default_factory=list)
    runs: list[tuple[int, int]] = field(default_factory=list)
    """(offset, length) of each run of IDAT chunks, with their headers and checksums."""
    frames: int = 1
    """Number of pictures, more than 1 in an animation."""
    has_end: bool = False
    """False if the end mark is missing."""
    ignored: list[str] = field(default_factory=list)
    """Names of damaged chunks that are left out."""

    def spliced(self, file: IO[bytes]) -> SplicedFile:
        """Return the file without the chunks that are not needed."""
        return SplicedFile(file, [self.head, *self.runs, _chunk(b"IEND", b"")])

    @property
    def raw_bytes(self) -> int:
        """Length of the picture's data when expanded: filter bytes and samples of all rows."""
        return sum(rows * (1 + self._row_bytes(width)) for width, rows in self._passes())

    @property
    def row_bytes(self) -> int:
        """Length of one expanded row with its filter byte."""
        return 1 + self._row_bytes(self.size[0])

    def _row_bytes(self, width: int) -> int:
        return (width * CHANNELS.get(self.colour_type, 4) * self.bits + 7) // 8

    def _passes(self) -> Iterator[tuple[int, int]]:
        """Yield (width, rows) of each pass that has pixels."""
        for columns, rows in INTERLACED_PASSES if self.is_interlaced else [((0, 1), (0, 1))]:
            sides = [
                max(0, -(-(side - first) // step))
                for side, (first, step) in zip(self.size, (columns, rows), strict=True)
            ]
            if all(sides):
                yield sides[0], sides[1]


def parse_png(file: IO[bytes]) -> PngFile:
    """Parse a file; raises PngError if it has no valid IHDR, PLTE or no IDAT."""
    png, head = PngFile(), [SIGNATURE]
    for name, start, length in _chunks(file):
        if name == b"IEND":
            png.has_end = True
        elif name == b"IDAT":
            _add_run(png, start, HEADER_BYTES + length + CHECKSUM_BYTES)
        elif name == b"IHDR" or name in COLOURS:
            body = _checked_body(file, png, name, length)
            _read_header(png, body) if name == b"IHDR" else None
            head += [_chunk(name, body)] if body else []
        elif name in METADATA and length <= SMALL_BYTES:
            _read_metadata(png, name, file.read(length))
        elif name == b"acTL":
            png.frames = max(1, int.from_bytes(file.read(4)))
    if not all(png.size) or not png.runs:
        raise PngError("it ends before its first row")
    if png.colour_type == PALETTE and not any(each[4:8] == b"PLTE" for each in head):
        raise PngError("its palette is missing")
    png.head = b"".join(head)
    return png


def _chunks(file: IO[bytes]) -> Iterator[tuple[bytes, int, int]]:
    """Yield (name, offset, length) of each chunk; the file's position is then at its body."""
    at, end = len(SIGNATURE), file.seek(0, os.SEEK_END)
    while at + HEADER_BYTES <= end:
        file.seek(at)
        length, name = struct.unpack(">I4s", file.read(HEADER_BYTES))
        yield name, at, length
        if name == b"IEND":
            return
        at += HEADER_BYTES + length + CHECKSUM_BYTES


def _add_run(png: PngFile, start: int, length: int) -> None:
    if png.runs and sum(png.runs[-1]) == start:
        start, length = png.runs[-1][0], png.runs[-1][1] + length
        png.runs.pop()
    png.runs.append((start, length))


def _checked_body(file: IO[bytes], png: PngFile, name: bytes, length: int) -> bytes:
    """Return the body of a chunk; empty for a damaged one that is not needed."""
    body = file.read(length) if length <= SMALL_BYTES else b""
    stored = file.read(CHECKSUM_BYTES)
    is_valid = bool(body) and stored == _checksum(name, body)
    if is_valid and (name != b"iCCP" or _expands(body[body.find(b"\0") + 2 :])):
        return body
    if name in {b"IHDR", b"PLTE"}:
        raise PngError(f"the checksum of its {name.decode()} chunk is wrong")
    png.ignored.append(name.decode())
    return b""


def _read_header(png: PngFile, body: bytes) -> None:
    if len(body) != 13:
        raise PngError(f"its header has {len(body)} bytes instead of 13")
    width, height, png.bits, png.colour_type, _, _, interlace = struct.unpack(">IIBBBBB", body)
    png.size, png.is_interlaced = (width, height), interlace == 1


def _read_metadata(png: PngFile, name: bytes, body: bytes) -> None:
    if name == b"eXIf":
        png.exif.append(body)
        return
    key, _, text = body.partition(b"\0")
    if key == XMP_KEY and name == b"iTXt":
        is_compressed = text[:1] == b"\1"
        packet = b"\0".join(text[2:].split(b"\0", 2)[2:])
        png.xmp.append(_expanded(packet) if is_compressed else packet)
    elif key in RAW_PROFILE_NAMES and name in {b"tEXt", b"zTXt"}:
        png.exif.append(raw_profile(_expanded(text[1:]) if name == b"zTXt" else text))


def _expanded(data: bytes) -> bytes:
    """Expand up to TEXT_BYTES of zlib data; empty if it is damaged."""
    try:
        return zlib.decompressobj().decompress(data, TEXT_BYTES)
    except zlib.error:
        return b""


def _expands(data: bytes) -> bool:
    """Return True for whole zlib data of moderate length."""
    expander = zlib.decompressobj()
    try:
        return bool(expander.decompress(data, TEXT_BYTES)) and expander.eof
    except zlib.error:
        return False


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body), name) + body + _checksum(name, body)


def _checksum(name: bytes, body: bytes) -> bytes:
    return zlib.crc32(body, zlib.crc32(name)).to_bytes(4)


def expand_intact(png: PngFile, file: IO[bytes]) -> bytes:
    """Expand the picture's data up to the first damaged place, at most `raw_bytes`."""
    expander, expanded, total = zlib.decompressobj(), [], 0
    try:
        for piece in _intact_pieces(png, file):
            if total < png.raw_bytes:
                expanded.append(expander.decompress(piece, png.raw_bytes - total))
                total += len(expanded[-1])
    except zlib.error:
        pass
    return b"".join(expanded)


def _intact_pieces(png: PngFile, file: IO[bytes]) -> Iterator[bytes]:
    """Yield the compressed data in short pieces, up to the first chunk with a wrong checksum."""
    for start, length in png.runs:
        at, end = start, start + length
        while at < end:
            file.seek(at)
            (size,) = struct.unpack(">I4x", file.read(HEADER_BYTES))
            body, stored = file.read(size), file.read(CHECKSUM_BYTES)
            if len(stored) == CHECKSUM_BYTES and stored != _checksum(b"IDAT", body):
                return
            yield from (body[k : k + FEED_BYTES] for k in range(0, len(body), FEED_BYTES))
            at += HEADER_BYTES + size + CHECKSUM_BYTES


def completed(png: PngFile, raw: bytes) -> BytesIO:
    """Return the picture as a whole file, from expanded data whose end may be missing."""
    padded = raw + bytes(png.raw_bytes - len(raw))
    return BytesIO(png.head + _chunk(b"IDAT", zlib.compress(padded, 1)) + _chunk(b"IEND", b""))
