"""Format of a file by its first bytes; its name is ignored."""

import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

HEAD_BYTES = 4096
FILE_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
READABLE_PICTURES = "JPEG, PNG, WebP, AVIF, BMP, TIFF, GIF, MP4, MOV, WebM, MKV or AVI"
AVIF_BRANDS = {b"avif", b"avis"}
STILL_BRANDS = {b"heic", b"heix", b"hevc", b"mif1", b"msf1"}
"""ISO base media files of these brands are photos (HEIF), not videos."""


class MediaError(ValueError):
    """A media file cannot be used; the message says why and what to do."""


class UnknownMediaError(MediaError):
    """The content is not of a supported format."""


class DamagedMediaError(MediaError):
    """The content is of a supported format, but damaged, truncated or empty."""


@dataclass(frozen=True, slots=True)
class MediaFormat:
    """Format of a photo or video file."""

    kind: Literal["photo", "video"]
    demuxer: str
    """Pillow's format for photos, FFmpeg's demuxer for videos."""


PHOTO_SIGNATURES = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
}
OTHER_SIGNATURES = {
    b"FLV": "an FLV video",
    b"\0\0\x01\xba": "an MPEG video",
    b"\0\0\x01\xb3": "an MPEG video",
    b"\x30\x26\xb2\x75": "a WMV video",
    b"OggS": "an OGG file",
    b"ID3": "a sound file",
    b"fLaC": "a sound file",
    b"%PDF": "a PDF",
    b"PK\x03\x04": "a ZIP archive",
    b"8BPS": "a Photoshop file",
    b"\x76\x2f\x31\x01": "an EXR picture",
    b"\xff\x0a": "a JPEG XL photo",
    b"\0\0\0\x0cJXL ": "a JPEG XL photo",
    b"\0\0\0\x0cjP  ": "a JPEG 2000 photo",
}
TS_SYNC, TS_PACKET_BYTES = b"G", 188
TEXT_BYTES = {*range(32, 127), *b"\t\r\n"}
EBML_SIGNATURE = b"\x1aE\xdf\xa3"
MP4_BOXES = {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"}


def sniff(path: Path) -> MediaFormat:
    """Return the format of a photo or video; raises MediaError if it is unreadable or unknown."""
    head = read_head(path)
    if not head:
        raise DamagedMediaError(f"{path} is empty (0 bytes). Send the file again.")
    found = photo_format(head) or video_format(head)
    if found is None:
        raise UnknownMediaError(
            f"{path} is {other_format(head)}not a readable photo or video: it begins with "
            f"{head[:8].hex(' ')}. Send {READABLE_PICTURES}."
        )
    return found


def require_file(path: Path) -> None:
    """Raise MediaError unless there is a regular file; a pipe could block its reader forever."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MediaError(f"There is no file {path}. Check the path.") from error
    except PermissionError as error:
        raise MediaError(f"This user may not read {path}. Change its permissions.") from error
    except (OSError, ValueError) as error:  # a name that is too long or has a null byte, a loop
        raise MediaError(f"{path} cannot be opened ({error}). Check the path.") from error
    if stat.S_ISDIR(mode):
        raise MediaError(f"{path} is a folder. Name one file in it.")
    if not stat.S_ISREG(mode):
        kind = FILE_KINDS.get(stat.S_IFMT(mode), "not a file")
        raise MediaError(f"{path} is {kind}. Save its content to a file, and name that.")


def read_head(path: Path) -> bytes:
    """Return the first bytes of a file; raises MediaError if there is no readable file."""
    require_file(path)
    try:
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except PermissionError as error:
        raise MediaError(f"This user may not read {path}. Change its permissions.") from error
    except OSError as error:
        raise MediaError(f"{path} cannot be read ({error.strerror}). Check the disk.") from error


def photo_format(head: bytes) -> MediaFormat | None:
    """Return the photo format with these first bytes; raises UnknownMediaError for HEIF."""
    for signature, name in PHOTO_SIGNATURES.items():
        if head.startswith(signature):
            return MediaFormat("photo", name)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return MediaFormat("photo", "WEBP")
    brands = file_brands(head)
    if brands and brands[0] in STILL_BRANDS | AVIF_BRANDS and AVIF_BRANDS.intersection(brands):
        return MediaFormat("photo", "AVIF")
    if brands and brands[0] in STILL_BRANDS:
        raise UnknownMediaError(
            "This is a HEIF photo, such as the HEIC of an iPhone, which is not supported. "
            "Save it as JPEG or PNG."
        )
    return None


def file_brands(head: bytes) -> list[bytes]:
    """Return the major brand and the compatible brands of an ISO base media file."""
    if head[4:8] != b"ftyp":
        return []
    end = min(int.from_bytes(head[:4]), len(head))
    return [head[8:12], *(head[at : at + 4] for at in range(16, end - 3, 4))]


def video_format(head: bytes) -> MediaFormat | None:
    """Return the video format with these first bytes."""
    if head[4:8] in MP4_BOXES:
        return MediaFormat("video", "mov")
    if head.startswith(EBML_SIGNATURE):
        return MediaFormat("video", "matroska")
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return MediaFormat("video", "avi")
    return None


def other_format(head: bytes) -> str:
    """Name a known format that is not supported, with a comma; empty for unknown content."""
    for signature, name in OTHER_SIGNATURES.items():
        if head.startswith(signature):
            return f"{name}, "
    if head[:1] == TS_SYNC and head[TS_PACKET_BYTES : TS_PACKET_BYTES + 1] == TS_SYNC:
        return "an MPEG transport stream, "
    if head[:4] == b"RIFF":
        return "a RIFF file of another kind, "
    return "a text file, " if all(byte in TEXT_BYTES for byte in head) else ""
