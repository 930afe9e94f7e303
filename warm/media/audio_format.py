"""Format of a sound file by its content; its name is ignored."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from warm.media.aiff_parts import aiff_parts
from warm.media.announced_size import present_share
from warm.media.audio_part import AudioPart
from warm.media.mp4_parts import mp4_parts
from warm.media.mpeg_frames import find_frames, read_frame, stated_length_s
from warm.media.ogg_parts import ogg_parts
from warm.media.sniff import (
    EBML_SIGNATURE,
    MP4_BOXES,
    DamagedMediaError,
    UnknownMediaError,
    require_file,
)
from warm.media.wav_parts import W64_RIFF, is_wav, w64_parts, wav_parts

READABLE_AUDIO = (
    "WAV, MP3, M4A, OGG, FLAC, AAC, AIFF, AMR, WMA, AU, CAF, AC3, MP4, MOV, WebM, MKV or AVI"
)
SIGNATURES = {
    b"OggS": "ogg",
    b"fLaC": "flac",
    EBML_SIGNATURE: "matroska",
    b"#!AMR": "amr",
    b".snd": "au",
    b"caff": "caf",
    b"wvpk": "wv",
    b"TTA1": "tta",
    b"MAC ": "ape",
    b"FLV\x01": "flv",
    b"\x30\x26\xb2\x75": "asf",
    b"\x00\x00\x01\xba": "mpeg",
    b"\x7f\xfe\x80\x01": "dts",
    W64_RIFF: "w64",
}
FORMS = {
    (b"FORM", b"AIFF"): "aiff",
    (b"FORM", b"AIFC"): "aiff",
    (b"RIFF", b"AVI "): "avi",
}
"""Demuxers by the first four bytes and those from the ninth on."""
STATES_LENGTH = {"mov", "flac", "matroska", "avi", "asf", "au", "caf", "wv", "tta", "ape"}
"""Demuxers that read the duration from a header; the others guess it from the size of the file."""
PARTS: dict[str, Callable[[Path, int], list[AudioPart]]] = {
    "wav": wav_parts,
    "aiff": aiff_parts,
    "mov": mp4_parts,
}
"""Functions that return the parts of a file in this format from a position on."""
MARKS = {b"OggS\0\x02": 0, b"fLaC\0\0\0\x22": 0, b"WAVEfmt ": 8, b"ftypM4A ": 4, b"ftypisom": 4}
"""Unmistakable bytes, with their position in the file."""
MAX_JUNK_BYTES = 4096
"""Bytes that may precede a file: line ends, headers of transfers, padding."""
HEAD_BYTES = 1 << 16
"""Range in which frames of MP3 and AAC are searched."""
TAGGED_HEAD_BYTES = 1 << 21
"""The same in a file with ID3 tags, whose sizes may be wrong."""
TAG_HEAD_BYTES = 10
MAX_TAGS = 100
TS_PACKETS, TS_PACKET_BYTES = 3, 188
"""Every packet of a transport stream begins with the letter G."""
AC3_SYNC, EAC3_FROM = b"\x0b\x77", 11
"""First bytes of AC-3 and E-AC-3, and the smallest `bsid` of the latter."""


def audio_parts(path: Path) -> list[AudioPart]:
    """Return the parts of a sound file; raises MediaError for other files."""
    require_file(path)
    start = tags_end(path)
    head = head_at(path, start, HEAD_BYTES)
    if not head:
        raise DamagedMediaError(f"{path} is empty ({start} bytes). Send the file again.")
    demuxer = demuxer_of(head)
    if demuxer is not None:
        return parts_of(path, demuxer, start)
    junk = junk_bytes(head)
    if junk is None:
        return mpeg_parts(path, start, head)
    found = demuxer_of(head[junk:])
    assert found is not None
    first, *others = parts_of(path, found, start + junk)
    note = f"{junk} bytes in front of the sound are skipped."
    return [replace(first, notes=(note, *first.notes)), *others]


def parts_of(path: Path, demuxer: str, start: int) -> list[AudioPart]:
    """Return the parts of a file of a known format; raises MediaError."""
    if demuxer == "w64":
        return w64_parts(path)
    if demuxer == "ogg":
        return ogg_parts(path)
    if demuxer in PARTS:
        return PARTS[demuxer](path, start)
    return [replace(whole_file(path, demuxer), start=start)]


def junk_bytes(head: bytes) -> int | None:
    """Return the number of bytes in front of a file whose format is unmistakable."""
    area = head[: MAX_JUNK_BYTES + 16]
    places = [area.find(mark) - offset for mark, offset in MARKS.items() if mark in area]
    return min((each for each in places if each > 0 and demuxer_of(head[each:])), default=None)


def whole_file(path: Path, demuxer: str) -> AudioPart:
    """Return a file as one part."""
    return AudioPart(
        demuxer=demuxer,
        start=0,
        end=path.stat().st_size,
        present_share=present_share(path, demuxer),
        container_states_length=demuxer in STATES_LENGTH,
    )


def head_at(path: Path, start: int, size: int) -> bytes:
    """Return `size` bytes at `start`, fewer at the end of the file."""
    with path.open("rb") as file:
        file.seek(start)
        return file.read(size)


def tags_end(path: Path) -> int:
    """Return the position after the ID3v2 tags at the start of a file, which any format may have.

    A tag that claims to be longer than the file is not skipped.
    """
    size, at = path.stat().st_size, 0
    with path.open("rb") as file:
        for _ in range(MAX_TAGS):
            file.seek(at)
            head = file.read(TAG_HEAD_BYTES)
            if len(head) < TAG_HEAD_BYTES or head[:3] != b"ID3" or max(head[6:10]) > 127:
                return at
            length = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
            footer = TAG_HEAD_BYTES if head[5] & 0x10 else 0
            if at + TAG_HEAD_BYTES + length + footer >= size:
                return at
            at += TAG_HEAD_BYTES + length + footer
    return at


def demuxer_of(head: bytes) -> str | None:
    """Return FFmpeg's demuxer for these first bytes; None for MP3, AAC and unknown formats."""
    if is_wav(head):
        return "wav"
    if (form := FORMS.get((head[:4], head[8:12]))) is not None:
        return form
    if head[4:8] in MP4_BOXES:
        return "mov"
    if head.startswith(AC3_SYNC) and len(head) > 5:
        return "eac3" if head[5] >> 3 >= EAC3_FROM else "ac3"
    if head[: TS_PACKETS * TS_PACKET_BYTES : TS_PACKET_BYTES] == TS_PACKETS * b"G":
        return "mpegts"
    return next((name for sign, name in SIGNATURES.items() if head.startswith(sign)), None)


def mpeg_parts(path: Path, start: int, head: bytes) -> list[AudioPart]:
    """Return MP3 or AAC as one part, without what precedes its first frame."""
    is_tagged = bool(start) or head.startswith(b"ID3")
    head = head_at(path, start, TAGGED_HEAD_BYTES) if is_tagged else head
    found = find_frames(head)
    if found is None and (frame := read_frame(head, 0)) is not None:
        found = 0, frame  # too short for several frames, or damaged
    if found is None:
        if is_tagged:
            return [whole_file(path, "mp3")]
        raise UnknownMediaError(
            f"{path} is not a readable audio file: it begins with {head[:8].hex(' ')}. "
            f"Send {READABLE_AUDIO}."
        )
    at, frame = found
    length_s = stated_length_s(head, at, frame)
    part = whole_file(path, frame.demuxer)
    return [replace(part, start=start + at, announced_s=length_s)]
