"""Orientation of a photo as its metadata state it: the EXIF tag, or `tiff:Orientation` of XMP.

Only this one tag is read, straight from the bytes, so that no other tag can do harm: cameras and
editors write EXIF with wrong types, counts and offsets.
"""

import re
import struct
from collections.abc import Sequence

from session.orientation import AS_STORED, Orientation

EXIF_PREFIX = b"Exif\0\0"
BYTE_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
"""First bytes of a TIFF header, and the byte order for `struct`."""
HEADER_WITHIN_BYTES = 64
"""Some programs write a few bytes between the prefix and the TIFF header."""
ORIENTATION_TAG = 0x112
ENTRY_BYTES = 12
INTEGERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i"}
"""TIFF types that are whole numbers, and their `struct` codes (TIFF 6.0, section 2)."""
ASCII, RATIONAL = 2, 5
XMP_ORIENTATION = re.compile(rb"""tiff:Orientation\s*(?:=\s*["']|>)\s*([0-9]+)""")
RAW_PROFILE_NAMES = (b"Raw profile type exif", b"Raw profile type APP1")
"""Keys of PNG texts in which ImageMagick stores EXIF as hexadecimal digits."""

ORIENTATIONS = {
    1: AS_STORED,
    2: Orientation(flips_x=True),
    3: Orientation(flips_x=True, flips_y=True),
    4: Orientation(flips_y=True),
    5: Orientation(is_transposed=True),
    6: Orientation(is_transposed=True, flips_x=True),
    7: Orientation(is_transposed=True, flips_x=True, flips_y=True),
    8: Orientation(is_transposed=True, flips_y=True),
}
"""Transformation to upright, by the value of the tag (EXIF 2.32, section 4.6.4)."""


def photo_orientation(
    from_exif: int | None, xmp: Sequence[bytes]
) -> tuple[Orientation, tuple[str, ...]]:
    """Return the orientation by the value of the EXIF tag and by XMP, and notes for the user.

    EXIF takes precedence, as in the programs that write both.
    """
    from_xmp = next((n for n in map(xmp_orientation, xmp) if n in ORIENTATIONS), None)
    notes: tuple[str, ...] = ()
    if from_exif is not None and from_exif not in ORIENTATIONS:
        notes = (f"The photo's EXIF orientation is {from_exif}; only 1 to 8 exist. It is ignored.",)
        from_exif = None
    value = from_exif or from_xmp or 1
    if from_xmp not in (None, value):
        notes += (
            f"The photo's EXIF and XMP contradict each other: orientation {value} and {from_xmp}. "
            "EXIF is used.",
        )
    return ORIENTATIONS[value], notes


def first_orientation(exif: Sequence[bytes]) -> int | None:
    """Return the value of the first EXIF block that has a readable orientation tag."""
    return next((n for n in map(exif_orientation, exif) if n is not None), None)


def exif_orientation(block: bytes) -> int | None:
    """Return the value of the orientation tag of an EXIF block; None if it cannot be read."""
    start = next(
        (at for mark in BYTE_ORDERS if (at := block.find(mark, 0, HEADER_WITHIN_BYTES)) >= 0), None
    )
    if start is None:
        return None
    tiff = block[start:]
    order = BYTE_ORDERS[tiff[:4]]
    try:
        (offset,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, offset)
        for entry in range(offset + 2, offset + 2 + count * ENTRY_BYTES, ENTRY_BYTES):
            tag, kind, length = struct.unpack_from(order + "HHI", tiff, entry)
            if tag == ORIENTATION_TAG:
                return _first_value(tiff, entry + 8, order, kind, length)
    except (struct.error, ValueError, ZeroDivisionError):
        pass  # cut off, or not a number: the same as no tag
    return None


def _first_value(tiff: bytes, at: int, order: str, kind: int, count: int) -> int:
    """Return the first value of an entry whose value or offset is stored at `at`.

    Raises struct.error, ValueError or ZeroDivisionError if there is none.
    """
    if kind == ASCII:
        return int(tiff[at : at + min(count, 4)].strip(b"\0 "))
    if kind == RATIONAL:
        (offset,) = struct.unpack_from(order + "I", tiff, at)
        numerator, denominator = struct.unpack_from(order + "2I", tiff, offset)
        return int(numerator // denominator)
    code = INTEGERS.get(kind, "H")
    if count > 1 and count * struct.calcsize(code) > 4:
        (at,) = struct.unpack_from(order + "I", tiff, at)
    return int(struct.unpack_from(order + code, tiff, at)[0])


def xmp_orientation(packet: bytes) -> int | None:
    """Return the orientation that an XMP packet states; None if it states none."""
    found = XMP_ORIENTATION.search(packet)
    return int(found[1][:9]) if found else None


def raw_profile(text: bytes) -> bytes:
    """Decode a raw profile: a name and a length, each on a line, then hexadecimal digits."""
    digits = b"".join(text.split(b"\n")[3:])
    try:
        return bytes.fromhex(digits.decode("ascii"))
    except ValueError:
        return b""
