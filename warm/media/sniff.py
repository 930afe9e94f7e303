"""What a file is, told from its first bytes: its name is never trusted."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

HEAD_BYTES = 4096
READABLE = "JPEG, PNG, WebP, BMP, TIFF, MP4, MOV, WebM, MKV or AVI"
STILL_BRANDS = {b"avif", b"avis", b"heic", b"heix", b"hevc", b"mif1", b"msf1"}
"""ISO base media files of these brands hold photos (HEIF, AVIF), not videos."""


class MediaError(ValueError):
    """A photo or video cannot be used; the message says why and what to do."""


class UnknownMediaError(MediaError):
    """The content is no kind of photo or video that can be read."""


class DamagedMediaError(MediaError):
    """The content is of a known kind, but broken, truncated or empty."""


@dataclass(frozen=True, slots=True)
class MediaFormat:
    """A kind of file."""

    kind: Literal["photo", "video"]
    demuxer: str
    """Name of Pillow's format for photos, of FFmpeg's demuxer for videos."""


PHOTO_SIGNATURES = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"BM": "BMP",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
}
EBML_SIGNATURE = b"\x1aE\xdf\xa3"
MP4_BOXES = {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"}


def sniff(path: Path) -> MediaFormat:
    """Which format `path` holds; raises MediaError when it cannot be read or is unknown."""
    head = read_head(path)
    if not head:
        raise DamagedMediaError(f"{path} is empty (0 bytes). Send the file again.")
    found = photo_format(head) or video_format(head)
    if found is None:
        raise UnknownMediaError(
            f"{path} is no photo or video that can be read: it begins with {head[:8].hex(' ')}. "
            f"Send {READABLE}."
        )
    return found


def read_head(path: Path) -> bytes:
    """The first bytes of a file; raises MediaError where there is no readable file."""
    if not path.exists():
        raise MediaError(f"There is no file {path}. Check the path.")
    if path.is_dir():
        raise MediaError(f"{path} is a folder. Name one file in it.")
    try:
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except PermissionError as error:
        raise MediaError(f"{path} may not be read by this user. Change its permissions.") from error


def photo_format(head: bytes) -> MediaFormat | None:
    """The photo format that these first bytes announce."""
    for signature, name in PHOTO_SIGNATURES.items():
        if head.startswith(signature):
            return MediaFormat("photo", name)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return MediaFormat("photo", "WEBP")
    if head[4:8] == b"ftyp" and head[8:12] in STILL_BRANDS:
        raise UnknownMediaError(
            "This is a HEIF or AVIF photo, which cannot be read. Save it as JPEG or PNG."
        )
    return None


def video_format(head: bytes) -> MediaFormat | None:
    """The video format that these first bytes announce."""
    if head[4:8] in MP4_BOXES:
        return MediaFormat("video", "mov")
    if head.startswith(EBML_SIGNATURE):
        return MediaFormat("video", "matroska")
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return MediaFormat("video", "avi")
    return None
