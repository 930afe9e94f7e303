"""Opening and decoding of photo files with Pillow, with a limit on memory instead of pixels.

JPEG and PNG are decoded without their metadata, in which most damaged files are damaged.
"""

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import IO

import numpy as np
from PIL import Image
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from session.orientation import AS_STORED, Orientation
from warm.media.exif import ORIENTATION_TAG, ORIENTATIONS, first_orientation, photo_orientation
from warm.media.jpeg import JpegFile, missing_rows, parse_jpeg
from warm.media.picture_size import scaled_size
from warm.media.png import PngFile, completed, expand_intact, parse_png

MAX_DECODED_BYTES = 800_000_000
"""Most memory that decoding may take: 200 megapixels in the colours of a PNG."""
MAX_REPAIRED_BYTES = 1 << 27
"""Largest damaged PNG, expanded, whose intact part is used."""
MAX_MISSING = 0.1
"""Photos of which more than this share is missing are refused."""
MAX_PADDED = 0.01
"""A WebP with a smaller share of its bytes missing is decoded as if they were zero."""
SINGLE_BYTE_MODES = {"1", "L", "P"}
WEBP_COPIES = 4
"""Pictures of four bytes a pixel that libwebp and Pillow hold at the same time."""
AVIF_COPIES = 3
"""Pictures of four bytes a pixel that libavif and Pillow hold at the same time."""
WEBP_HEADER_BYTES = 30
DRAFT_SCALE = 2
"""A JPEG is decoded at a half, a quarter or an eighth of its size if that leaves each side this
many times as long as needed."""
DECODER_ERRORS = (
    *(OSError, SyntaxError, ValueError, TypeError, AttributeError, LookupError),
    *(ArithmeticError, AssertionError, EOFError, struct.error, zlib.error, NotImplementedError),
)
"""Exceptions that Pillow raises for damaged files."""

ANIMATION_NOTE = (
    "The file is an animation; its first picture is used as a photo. Save it as MP4 to use its "
    "movement."
)


class PhotoTooLargeError(Exception):
    """Decoding would take more memory than allowed; the message follows "The photo …"."""


class IncompletePhotoError(Exception):
    """Too much of the picture is missing."""

    def __init__(self, share: float) -> None:
        super().__init__(f"{share:.0%} is missing")
        self.share = share


@dataclass(frozen=True, slots=True)
class LoadedPhoto:
    """Decoded pixels."""

    image: Image.Image
    """Without missing rows."""
    missing: float = 0.0
    """Share of the rows that are missing."""
    grey: float = 0.0
    """Share of the rows at the bottom that look missing, in a JPEG that has an end."""
    is_incomplete: bool = False
    """True if the file ends early or is damaged."""


@dataclass(slots=True)
class PhotoFile:
    """A photo whose header is read, and whose pixels are not."""

    image: Image.Image
    size: tuple[int, int]
    """(width, height) as stored."""
    orientation: Orientation
    notes: tuple[str, ...]
    load: Callable[[], LoadedPhoto]
    """Decodes the pixels; raises IncompletePhotoError, or one of DECODER_ERRORS."""


def open_photo(file: IO[bytes], name: str, max_side: int) -> PhotoFile:
    """Read the header of a photo in Pillow's format `name`.

    Raises PhotoTooLargeError before memory is allocated, MediaError for a tiny picture, and
    DECODER_ERRORS for a damaged header.
    """
    if name == "JPEG":
        return _open_jpeg(file, max_side)
    if name == "PNG":
        return _open_png(file, max_side)
    if name == "WEBP":
        return _open_webp(file, max_side)
    if name == "AVIF":
        return _open_avif(file, max_side)
    return _open_other(file, name, max_side)


def _open_jpeg(file: IO[bytes], max_side: int) -> PhotoFile:
    jpeg = parse_jpeg(_read_all(file))
    image = JpegImageFile(BytesIO(jpeg.data))
    width, height = scaled_size(*jpeg.size, max_side)
    image.draft(None, (DRAFT_SCALE * width, DRAFT_SCALE * height))
    _require_memory(jpeg.size, image_bytes(image) + jpeg.buffered_bytes)
    orientation, notes = photo_orientation(first_orientation(jpeg.exif), jpeg.xmp)
    return PhotoFile(image, jpeg.size, orientation, notes, lambda: _load_jpeg(jpeg, image))


def _load_jpeg(jpeg: JpegFile, image: Image.Image) -> LoadedPhoto:
    if jpeg.missing_detail > MAX_MISSING:
        raise IncompletePhotoError(jpeg.missing_detail)
    image.load()
    rows = missing_rows(np.asarray(image))
    if jpeg.has_end:  # grey may be the picture's own
        return LoadedPhoto(image, grey=rows / image.height)
    return _without_rows(image, rows)


def _open_png(file: IO[bytes], max_side: int) -> PhotoFile:
    png = parse_png(file)
    scaled_size(*png.size, max_side)
    image = PngImageFile(png.spliced(file))  # type: ignore[arg-type]  # reads, seeks and tells only
    _require_memory(png.size, image_bytes(image))
    orientation, notes = photo_orientation(first_orientation(png.exif), png.xmp)
    if png.frames > 1:
        notes += (ANIMATION_NOTE,)
    if png.ignored:
        notes += (f"Damaged parts of the PNG were ignored: {', '.join(png.ignored)}.",)
    return PhotoFile(image, png.size, orientation, notes, lambda: _load_png(png, image, file))


def _load_png(png: PngFile, image: Image.Image, file: IO[bytes]) -> LoadedPhoto:
    try:
        image.load()
    except DECODER_ERRORS:
        if png.raw_bytes > MAX_REPAIRED_BYTES:
            raise
        return _repaired_png(png, file)
    return LoadedPhoto(image, is_incomplete=not png.has_end)


def _repaired_png(png: PngFile, file: IO[bytes]) -> LoadedPhoto:
    """Decode the part of a damaged PNG before the damage."""
    raw = expand_intact(png, file)
    missing = png.raw_bytes - len(raw)
    if missing and png.is_interlaced:
        raise IncompletePhotoError(missing / png.raw_bytes)
    image = PngImageFile(completed(png, raw))
    image.load()
    return _without_rows(image, -(-missing // png.row_bytes))


def _without_rows(image: Image.Image, missing: int) -> LoadedPhoto:
    """Cut rows off the bottom; raises IncompletePhotoError if they are too many."""
    share = missing / image.height
    if share > MAX_MISSING:
        raise IncompletePhotoError(share)
    kept = (0, 0, image.width, image.height - missing)
    return LoadedPhoto(image.crop(kept) if missing else image, share, is_incomplete=True)


class _PlainTiff(TiffImageFile):
    """A TIFF that Pillow does not turn upright, which fails for broken EXIF."""

    def load_end(self) -> None:
        """Set the size as stored, which Pillow swaps in advance."""
        self._size = self.im.size


PLUGINS: dict[str, type[BmpImageFile | TiffImageFile | GifImageFile]] = {
    "BMP": BmpImageFile,
    "TIFF": _PlainTiff,
    "GIF": GifImageFile,
}


def _open_other(file: IO[bytes], name: str, max_side: int) -> PhotoFile:
    image = PLUGINS[name](file)
    scaled_size(*image.size, max_side)
    _require_memory(image.size, image_bytes(image))
    from_exif = _tiff_orientation(image) if isinstance(image, TiffImageFile) else None
    orientation, notes = photo_orientation(from_exif, _info_blocks(image, "xmp"))
    if name == "GIF" and getattr(image, "is_animated", False):
        notes += (ANIMATION_NOTE,)
    size = ORIENTATIONS.get(from_exif or 1, AS_STORED).swapped(image.size)  # Pillow has swapped it
    return PhotoFile(image, size, orientation, notes, lambda: _load_other(image))


def _open_webp(file: IO[bytes], max_side: int) -> PhotoFile:
    data = _read_all(file)
    size = webp_size(data[:WEBP_HEADER_BYTES])
    scaled_size(*size, max_side)
    _require_memory(size, size[0] * size[1] * 4 * WEBP_COPIES)
    whole, is_incomplete = _whole_webp(data)
    image = WebPImageFile(whole)
    from_exif = first_orientation(_info_blocks(image, "exif"))
    orientation, notes = photo_orientation(from_exif, _info_blocks(image, "xmp"))
    notes += (ANIMATION_NOTE,) if image.is_animated else ()
    return PhotoFile(
        image, image.size, orientation, notes, lambda: _load_other(image, is_incomplete)
    )


def _open_avif(file: IO[bytes], max_side: int) -> PhotoFile:
    image = AvifImageFile(BytesIO(_read_all(file)))
    scaled_size(*image.size, max_side)
    _require_memory(image.size, image_bytes(image) * AVIF_COPIES)
    from_exif = first_orientation(_info_blocks(image, "exif"))  # Pillow puts irot and imir there
    orientation, notes = photo_orientation(from_exif, _info_blocks(image, "xmp"))
    notes += (ANIMATION_NOTE,) if image.is_animated else ()
    return PhotoFile(image, image.size, orientation, notes, lambda: _load_other(image))


def _load_other(image: Image.Image, is_incomplete: bool = False) -> LoadedPhoto:
    image.load()
    return LoadedPhoto(image, is_incomplete=is_incomplete)


def _info_blocks(image: Image.Image, key: str) -> list[bytes]:
    block = image.info.get(key)
    return [block] if isinstance(block, bytes) else []


def _whole_webp(data: bytes) -> tuple[BytesIO, bool]:
    """Replace a few missing bytes at the end by zeros; return the file and whether any were."""
    size = 8 + int.from_bytes(data[4:8], "little")
    missing = max(0, size - len(data))
    if missing > MAX_PADDED * size:
        raise IncompletePhotoError(missing / size)
    return BytesIO(data + bytes(missing)), missing > 0


def _tiff_orientation(image: TiffImageFile) -> int | None:
    """Return the orientation tag of a TIFF, whose directory is EXIF's; None if it is broken."""
    try:
        value = image.tag_v2.get(ORIENTATION_TAG)
        return None if value is None else int(value)
    except DECODER_ERRORS:
        return None


def webp_size(head: bytes) -> tuple[int, int]:
    """Return (width, height) of a WebP by its first chunk (RFC 9649); raises struct.error."""
    if head[12:16] == b"VP8X":
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    if head[12:16] == b"VP8L":
        (bits,) = struct.unpack_from("<I", head, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = struct.unpack_from("<HH", head, 26)
    return width & 0x3FFF, height & 0x3FFF


def image_bytes(image: Image.Image) -> int:
    """Return the memory that the pixels of an image take when they are decoded."""
    width, height = image.size
    wide = 2 if image.mode.startswith("I;16") else 4
    return width * height * (1 if image.mode in SINGLE_BYTE_MODES else wide)


def _require_memory(size: tuple[int, int], needed: int) -> None:
    if needed <= MAX_DECODED_BYTES:
        return
    side = int(max(size) * (MAX_DECODED_BYTES / needed) ** 0.5)
    raise PhotoTooLargeError(
        f"has {size[0]}x{size[1]} pixels, and decoding it takes {needed / 1e6:.0f} MB of memory; "
        f"at most {MAX_DECODED_BYTES / 1e6:.0f} MB are allowed. Scale it down to a longer side of "
        f"at most {side} pixels, or save it as baseline JPEG."
    )


def _read_all(file: IO[bytes]) -> bytes:
    data = file.read(MAX_DECODED_BYTES // 2)
    if file.read(1):
        raise PhotoTooLargeError(
            f"has more than {MAX_DECODED_BYTES / 2e6:.0f} MB. Save it with stronger compression."
        )
    return data
