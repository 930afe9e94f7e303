"""JPEG files, parsed so that a decoder gets only the parts that define the picture.

The decoder never reads EXIF, thumbnails or other application data, so they cannot make it fail.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from warm.media.exif import EXIF_PREFIX

SOI, EOI = b"\xff\xd8", b"\xff\xd9"
SOS, DHT, JFIF, APP1, APP2, ADOBE = 0xDA, 0xC4, 0xE0, 0xE1, 0xE2, 0xEE
FRAMES = {*range(0xC0, 0xD0)} - {DHT, 0xC8, 0xCC}
PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}
NEEDED = FRAMES | {DHT, 0xCC, 0xDB, 0xDC, 0xDD, JFIF, ADOBE}
"""Markers of segments that define the picture, apart from ICC profiles."""
WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD9)}
XMP_PREFIX = b"http://ns.adobe.com/xap/1.0/\0"
ICC_PREFIX = b"ICC_PROFILE\0"
MARKER = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])")
"""A marker in coded data, where 0xFF is followed by 0, a restart marker or another 0xFF."""
COEFFICIENTS = 64
FILL_LEVELS = {127, 128}
"""libjpeg draws what is missing in mid-grey; 127 where the levels are inverted (CMYK)."""
BLOCK_ROWS = 16
"""Most rows that are coded together."""
BLENDED_ROWS = 2
"""Rows at the upper edge of the missing part that share colours with their neighbours."""
BAND_ROWS = 256
"""Rows compared at a time, to save memory."""
BEHIND = {2: (1,), 3: (1, 2)}
"""Axes after the rows, by the number of dimensions."""


class JpegError(ValueError):
    """The header of the file is incomplete."""


@dataclass(frozen=True, slots=True)
class Scan:
    """Header of one scan."""

    components: tuple[int, ...]
    coefficients: range
    """Positions in zigzag order; 0 is the mean of a block."""
    is_refinement: bool
    """True if it only adds precision to what an earlier scan has."""


@dataclass(slots=True)
class JpegFile:
    """A parsed JPEG."""

    size: tuple[int, int] = (0, 0)
    """(width, height) as stored."""
    sampling: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Horizontal and vertical sampling of each component, by its number."""
    is_progressive: bool = False
    exif: list[bytes] = field(default_factory=list)
    xmp: list[bytes] = field(default_factory=list)
    scans: list[Scan] = field(default_factory=list)
    has_end: bool = False
    """False if the end marker is missing; `data` has one in any case."""
    data: bytes = b""
    """The file without application data, except the colour profile and Adobe's marker."""

    @property
    def buffered_bytes(self) -> int:
        """Memory for coefficients that a decoder keeps until all scans are read."""
        if not self.is_progressive and self.scans and len(self.scans[0].components) > 1:
            return 0
        if len(self.sampling) == 1 and not self.is_progressive:
            return 0
        width, height = self.size
        most = [max(sides[axis] for sides in self.sampling.values()) for axis in (0, 1)]
        shares = ((h * v) / (most[0] * most[1]) for h, v in self.sampling.values())
        return round(2 * width * height * sum(shares))

    @property
    def missing_detail(self) -> float:
        """Share of a progressive picture's brightness coefficients that no scan contains.

        The last scan of a file without an end counts only if it refines what others have.
        """
        if not self.is_progressive or self.has_end:
            return 0.0
        luma = next(iter(self.sampling))
        last = self.scans[-1]
        is_partial = luma in last.components and not last.is_refinement
        read = self.scans[:-1] if is_partial else self.scans
        found = {k for scan in read if luma in scan.components for k in scan.coefficients}
        return 1 - len(found) / COEFFICIENTS


def parse_jpeg(data: bytes) -> JpegFile:
    """Parse a file; raises JpegError if it ends before its first scan."""
    jpeg, kept, at = JpegFile(), [SOI], len(SOI)
    for marker, start, body in _segments(data):
        at = start
        if marker == SOS:
            break
        _read_segment(jpeg, marker, body)
        if marker in NEEDED or (marker == APP2 and body.startswith(ICC_PREFIX)):
            kept.append(data[start : start + 4 + len(body)])
    else:
        raise JpegError("it ends before its first scan")
    if not jpeg.sampling or not all(jpeg.size):
        raise JpegError("it has no frame header")
    end = _read_scans(jpeg, data, at)
    coded = data[at:end] if jpeg.has_end else data[at:end].rstrip(b"\0")
    jpeg.data = b"".join([*kept, coded, EOI])
    return jpeg


def _segments(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield (marker, offset, body) of every whole segment; bytes between segments are skipped."""
    at = len(SOI)
    while (at := data.find(b"\xff", at)) >= 0 and at + 4 <= len(data):
        marker = data[at + 1]
        if marker in {0, 0xFF} | WITHOUT_LENGTH:
            at += 1 if marker == 0xFF else 2
            continue
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4])
        if end > len(data) or end < at + 4:
            return
        yield marker, at, data[at + 4 : end]
        at = end


def _read_segment(jpeg: JpegFile, marker: int, body: bytes) -> None:
    if marker in FRAMES and len(body) >= 6:
        jpeg.size = int.from_bytes(body[3:5]), int.from_bytes(body[1:3])
        jpeg.is_progressive = marker in PROGRESSIVE
        parts = [body[k : k + 2] for k in range(6, min(len(body) - 2, 6 + 3 * body[5]), 3)]
        jpeg.sampling = {part[0]: (part[1] >> 4 or 1, part[1] & 15 or 1) for part in parts}
    elif marker == APP1 and body.startswith(EXIF_PREFIX):
        jpeg.exif.append(body)
    elif marker == APP1 and body.startswith(XMP_PREFIX):
        jpeg.xmp.append(body)


def _read_scans(jpeg: JpegFile, data: bytes, at: int) -> int:
    """Collect the scans from the first one at `at`; return the end of the whole coded data."""
    while (found := MARKER.search(data, at)) is not None:
        marker, start = found[1][0], found.start()
        if marker == EOI[1]:
            jpeg.has_end = True
            return start
        length = int.from_bytes(data[start + 2 : start + 4])
        if start + 2 + length > len(data):
            return start
        if marker == SOS:
            jpeg.scans.append(_scan(data[start + 4 : start + 2 + length]))
        has_length = marker not in WITHOUT_LENGTH and length >= 2
        at = start + (2 + length if has_length else 2)
    return len(data)


def _scan(header: bytes) -> Scan:
    count = header[0] if header else 0
    if len(header) < 4 + 2 * count:
        raise JpegError("a scan has no complete header")
    first, last, approximation = header[1 + 2 * count : 4 + 2 * count]
    components = tuple(header[1 : 1 + 2 * count : 2])
    return Scan(components, range(first, last + 1), approximation >> 4 > 0)


def missing_rows(picture: NDArray[np.uint8]) -> int:
    """Count the rows at the bottom of (h, w) or (h, w, c) that libjpeg filled in mid-grey.

    The lowest row of blocks may be drawn in part: then only its right end is grey.
    """
    level = picture[-1, -1].ravel()[0]
    if level not in FILL_LEVELS:
        return 0
    rows = len(picture)
    empty = _grey_rows(picture, level)
    partial = _grey_rows(picture[max(0, rows - empty - BLOCK_ROWS) : rows - empty, -8:], level)
    missing = empty + partial
    return min(rows, missing + BLENDED_ROWS) if missing else 0


def _grey_rows(picture: NDArray[np.uint8], level: np.uint8) -> int:
    """Count the rows at the bottom that have this level everywhere."""
    drawn = [
        top + int(np.flatnonzero(is_drawn)[-1]) + 1
        for top in range(0, len(picture), BAND_ROWS)
        if (
            is_drawn := (picture[top : top + BAND_ROWS] != level).any(axis=BEHIND[picture.ndim])
        ).any()
    ]
    return len(picture) - (drawn[-1] if drawn else 0)
