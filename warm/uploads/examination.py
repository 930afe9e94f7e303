"""Examination of a file by its content, in a process that may crash, hang or be killed."""

import math
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any

from av.error import FFmpegError

from isolation.item import Item
from isolation.reading import PROGRAM, ReadLimits
from isolation.standby import Standby
from session.media_file import open_media
from session.video_frames import main_video
from warm.media.audio_decoder import AudioDecoder, container_length_s, opened
from warm.media.audio_format import audio_parts
from warm.media.isolated import decode_isolated
from warm.media.photo import read_photo
from warm.media.sniff import (
    MediaError,
    UnknownMediaError,
    other_format,
    photo_format,
    read_head,
    video_format,
)
from warm.media.video import open_video
from warm.uploads.errors import UploadDamaged, UploadNotAllowed, UploadsBusy
from warm.uploads.upload import Content, UploadKind

LIMITS = ReadLimits(item_cpu_s=20.0, item_s=60.0, memory_bytes=2 << 30)
"""A photo of 200 megapixels takes about 5 s and 1 GB."""
MAX_AT_ONCE = 2
WAIT_S = 60.0
"""Longest wait for another examination to end."""
CHECK_CPU_S = 8.0
"""CPU time for decoding a sound that states its length; enough for about an hour of sound."""
MAX_PIXELS = 200_000_000
CHECK_SIDE, CHECK_FPS, CHECK_RATE_HZ = 1024, 25, 16_000
"""Pictures are scaled to this side, and sounds are resampled to this rate, for the check."""

PICTURE_TYPES = {
    "JPEG": ("image/jpeg", ".jpg"),
    "PNG": ("image/png", ".png"),
    "WEBP": ("image/webp", ".webp"),
    "AVIF": ("image/avif", ".avif"),
    "GIF": ("image/gif", ".gif"),
    "BMP": ("image/bmp", ".bmp"),
    "TIFF": ("image/tiff", ".tiff"),
}
VIDEO_TYPES = {
    "mov": ("video/mp4", ".mp4"),
    "matroska": ("video/x-matroska", ".mkv"),
    "avi": ("video/x-msvideo", ".avi"),
}
SOUND_TYPES = {
    "wav": ("audio/wav", ".wav"),
    "mp3": ("audio/mpeg", ".mp3"),
    "aac": ("audio/aac", ".aac"),
    "flac": ("audio/flac", ".flac"),
    "ogg": ("audio/ogg", ".ogg"),
    "mov": ("audio/mp4", ".m4a"),
    "matroska": ("audio/x-matroska", ".mka"),
    "aiff": ("audio/aiff", ".aiff"),
    "amr": ("audio/amr", ".amr"),
    "au": ("audio/basic", ".au"),
    "caf": ("audio/x-caf", ".caf"),
    "asf": ("audio/x-ms-wma", ".wma"),
    "ac3": ("audio/ac3", ".ac3"),
}
OTHER_SOUND = ("application/octet-stream", ".bin")
WEBM = {"video": ("video/webm", ".webm"), "sound": ("audio/webm", ".webm")}
QUICKTIME = ("video/quicktime", ".mov")
ACCEPTED = {
    "picture": "a JPEG, PNG, WebP, AVIF, BMP, TIFF or GIF picture",
    "video": "an MP4, MOV, WebM, MKV or AVI video",
    "sound": "a sound file (WAV, MP3, M4A, OGG, FLAC, WebM, AAC, AIFF and others)",
}

_permits = BoundedSemaphore(MAX_AT_ONCE)


def standby() -> Standby:
    """Return the processes that examine files; one is kept ready once they are opened."""
    return Standby(PROGRAM, (__name__,))


def examine(path: Path, *, shown: str, max_sound_s: float, processes: Standby) -> Content:
    """Return the properties of a file's content; `shown` is its name in messages.

    Raises UploadNotAllowed for a format that is not supported, UploadDamaged for a file that is
    damaged, too large to be decoded or longer than `max_sound_s`, and UploadsBusy.
    """
    if not _permits.acquire(timeout=WAIT_S):
        raise UploadsBusy("too many files are being examined at once; try again soon")
    try:
        with closing(
            decode_isolated(
                content_items,
                path,
                limits=LIMITS,
                start=processes.take,
                max_sound_s=max_sound_s,
            )
        ) as items:
            return Content(**next(items).facts)
    except UnknownMediaError as error:
        raise UploadNotAllowed(without_path(error, path, shown)) from error
    except MediaError as error:
        raise UploadDamaged(without_path(error, path, shown)) from error
    finally:
        _permits.release()


def without_path(error: Exception, path: Path, shown: str) -> str:
    """Return the message of an error without the path on the server."""
    return str(error).replace(str(path), shown)


def refuse_other_formats(head: bytes, shown: str) -> None:
    """Raise UploadNotAllowed if the first bytes of a file can only be those of another format."""
    if head.startswith((b"%PDF", b"PK\x03\x04", b"8BPS")) or is_text(head):
        raise UploadNotAllowed(
            f"{shown} is {other_format(head)}not a picture, video or sound. Send"
            f" {', '.join(ACCEPTED.values())}."
        )


def is_text(head: bytes) -> bool:
    """Return True for the beginning of a text, such as a playlist, a script or a web page."""
    return len(head) > 16 and b"\0" not in head and all(9 <= byte < 127 for byte in head)


def admitted(content: Content, allowed: frozenset[UploadKind], shown: str) -> Content:
    """Return the content as one of the allowed kinds; raises UploadNotAllowed.

    A video with sound also counts as a sound.
    """
    if content.kind in allowed:
        return content
    if "sound" in allowed and content.facts.get("has_sound"):
        return replace(content, kind="sound")
    wanted = " or ".join(text for kind, text in ACCEPTED.items() if kind in allowed)
    raise UploadNotAllowed(f"{shown} is a {content.kind} ({content.media_type}). Send {wanted}.")


def content_items(path: Path, *, max_sound_s: float) -> Iterator[Item]:
    """Yield the properties of a file; raises MediaError. Runs in the process of the reader."""
    head = read_head(path)
    photo = photo_format(head)
    if photo is not None:
        yield Item(picture_content(path, photo.demuxer))
        return
    video = video_format(head)
    if video is not None and has_pictures(path, video.demuxer):
        yield Item(video_content(path, video.demuxer, head))
        return
    yield Item(sound_content(path, head, max_sound_s))


def picture_content(path: Path, name: str) -> dict[str, Any]:
    """Return the properties of a picture, which is decoded as a whole."""
    width, height = read_photo(path, max_side=CHECK_SIDE).stored_size
    if width * height > MAX_PIXELS:
        raise MediaError(
            f"The photo {path} announces {width}x{height} pixels; at most {MAX_PIXELS} are "
            "allowed. Scale it down."
        )
    return described("picture", PICTURE_TYPES[name], width=width, height=height)


def has_pictures(path: Path, demuxer: str) -> bool:
    """Return True if a container has a video stream; an unreadable one is left to the caller."""
    try:
        with open_media(path, demuxer=demuxer) as container:
            return main_video(container) is not None or not container.streams.audio
    except FFmpegError:
        return True


def video_content(path: Path, demuxer: str, head: bytes) -> dict[str, Any]:
    """Return the properties of a video, whose first picture is decoded."""
    with open_video(path, fps=CHECK_FPS, max_side=CHECK_SIDE) as video:
        next(iter(video.frames()))
        (width, height), length_s = video.stored_size, video.announced_s
    with open_media(path, demuxer=demuxer) as container:
        has_sound = bool(container.streams.audio)
    kind = VIDEO_TYPES[demuxer]
    if demuxer == "mov" and head[8:12] == b"qt  ":
        kind = QUICKTIME
    return described(
        "video",
        WEBM["video"] if is_webm(head) else kind,
        width=width,
        height=height,
        duration_s=None if length_s is None else round(float(length_s), 3),
        has_sound=has_sound,
    )


def sound_content(path: Path, head: bytes, max_sound_s: float) -> dict[str, Any]:
    """Return the properties of a sound; raises MediaError if it is longer than allowed.

    The stated length may be wrong, so the sound is decoded. If that takes too long, the larger of
    the stated and the decoded length counts.
    """
    demuxer = demuxer_of_sound(path, head)
    stated_s = stated_length_s(path)
    require_length(path, stated_s or 0.0, max_sound_s)
    cpu_s = CHECK_CPU_S if stated_s else math.inf
    decoded_s, is_whole = decoded_length(path, until_s=max_sound_s, cpu_s=cpu_s)
    require_length(path, decoded_s, max_sound_s)
    kind = WEBM["sound"] if is_webm(head) else SOUND_TYPES.get(demuxer, OTHER_SOUND)
    found_s = decoded_s if is_whole else max(decoded_s, stated_s or 0.0)
    return described("sound", kind, duration_s=round(found_s, 3))


def demuxer_of_sound(path: Path, head: bytes) -> str:
    """Return FFmpeg's demuxer of a sound; raises MediaError, for unknown content in words that also
    name the formats of pictures and videos."""
    try:
        return audio_parts(path)[0].demuxer
    except UnknownMediaError as error:
        raise UnknownMediaError(
            f"{path} is {other_format(head)}not a readable picture, video or sound: it begins with "
            f"{head[:8].hex(' ')}. Send {', '.join(ACCEPTED.values())}."
        ) from error


def stated_length_s(path: Path) -> float | None:
    """Return the length that the header of a sound states; None if it states none."""
    parts = audio_parts(path)
    if len(parts) != 1:
        return None
    (part,) = parts
    if part.announced_s is not None:
        return float(part.announced_s)
    if not part.container_states_length:
        return None
    try:
        with opened(path, part) as container:
            length_s = container_length_s(container, container.streams.audio[0])
    except (FFmpegError, IndexError):
        return None
    return None if length_s is None else float(length_s)


def decoded_length(path: Path, *, until_s: float, cpu_s: float) -> tuple[float, bool]:
    """Return the seconds that were decoded, and True if those are all; raises MediaError.

    Decoding ends after `until_s` of sound, or after `cpu_s` of CPU time.
    """
    count, began_s = 0, time.process_time()
    for chunk in AudioDecoder(path, rate_hz=CHECK_RATE_HZ).chunks():
        count += len(chunk)
        if count > until_s * CHECK_RATE_HZ or time.process_time() - began_s > cpu_s:
            return count / CHECK_RATE_HZ, False
    return count / CHECK_RATE_HZ, True


def require_length(path: Path, length_s: float, max_sound_s: float) -> None:
    """Raise MediaError for a sound that is too long."""
    if length_s > max_sound_s:
        raise MediaError(
            f"{path} lasts longer than {max_sound_s:g} s, which is the limit (max_session_s). "
            "Send a shorter sound."
        )


def is_webm(head: bytes) -> bool:
    """Return True for a Matroska file whose document type is WebM."""
    return head.startswith(b"\x1aE\xdf\xa3") and b"webm" in head[:64]


def described(kind: UploadKind, types: tuple[str, str], **facts: Any) -> dict[str, Any]:
    """Return the fields of a `Content`."""
    return {"kind": kind, "media_type": types[0], "suffix": types[1], "facts": facts}
