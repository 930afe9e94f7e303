"""Verification of a film and its journal byte by byte, and repair of a torn end."""

import fcntl
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from session.disk import crc32_of, open_regular
from session.errors import FilmMissingError
from session.film import SAMPLES_PER_PACKET, TICKS_PER_FRAME, FilmSpec
from session.fragmented.boxes import AUDIO_TRACK, VIDEO_TRACK, FragmentHeader, read_fragment
from session.fragmented.film_files import open_locked
from session.fragmented.init_segment import read_init_segment
from session.fragmented.journal import (
    JournalContents,
    JournalEntry,
    journal_path,
    read_journal,
)
from session.fragmented.journal_repair import FilmFile, JournalRepair, repair_journal
from session.fragmented.recovery import recover

MAX_LAG_SAMPLES = 3 * SAMPLES_PER_PACKET
"""Exclusive upper limit of the sound in the AAC encoder: two packets and a partial one."""
_IDR_SLICE, _SLICE = 5, 1
"""Types of H.264 NAL units (ITU-T H.264, table 7-1): slices of key frames and of others."""


@dataclass(slots=True)
class FilmCheckResult:
    """Contents of a film, and its faults."""

    spec: FilmSpec
    end: int
    """First byte after the last complete fragment."""
    fragments: int = 0
    frames: int = 0
    samples: int = 0
    clips: int = 0
    """Number of clips in the journal."""
    checksums: int = 0
    """Number of fragments whose bytes match the CRC in the journal."""
    begun_cues: set[int] = field(default_factory=set)
    """First frames of the cues of the clip that the last fragment belongs to."""
    has_journal: bool = False
    is_growing: bool = False
    """True if a writer holds the film; it was checked up to the end of its journal."""
    faults: list[str] = field(default_factory=list)
    """Empty for an intact film; each item gives the place and the fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairResult:
    """Outcome of `repair_film`."""

    frames: int
    """Number of frames after the repair."""
    cut_bytes: int
    kept: Path | None
    """File with the bytes that were cut off; None if there were none."""
    journal_was_lost: bool
    """True if the journal was recreated from the film; the text of missing clips is lost."""
    journal_repair: JournalRepair
    """Damaged single lines of the journal."""


def check_film(path: Path) -> FilmCheckResult:
    """Verify a film and its journal; writes nothing.

    Checks boxes, decode times, sequence numbers, a key frame at the start of each fragment, sound
    that keeps up with the pictures, and the totals and CRCs of the journal. Raises
    FilmMissingError, and FilmDamagedError if the file does not begin as a session film.
    """
    try:
        fd = open_regular(path)
    except FileNotFoundError as error:
        raise FilmMissingError(f"There is no film at {path}.") from error
    try:
        return _check_open_film(fd, path)
    finally:
        os.close(fd)


def _check_open_film(fd: int, path: Path) -> FilmCheckResult:
    init_segment = read_init_segment(fd)
    result = FilmCheckResult(
        spec=init_segment.spec, end=len(init_segment.data), is_growing=_is_locked(fd)
    )
    size = os.fstat(fd).st_size
    entries = _check_journal(result, path, FilmFile(fd, init_segment, size))
    if result.is_growing and entries:
        size = entries[-1].end
    _check_fragments(result, fd, size, entries)
    _check_end(result, size, entries)
    return result


def repair_film(path: Path) -> RepairResult:
    """Truncate a film's torn end, with or without its journal, and update the journal.

    The truncated bytes are saved next to the film first, durably. Raises FilmBusyError if a writer
    holds the film, FilmMissingError, FilmDamagedError, and OSError.
    """
    fd = open_locked(path)
    try:
        init_segment = read_init_segment(fd)
        recovered = recover(fd, path, init_segment, keep=True)
    finally:
        os.close(fd)
    return RepairResult(
        frames=recovered.entries[-1].frames if recovered.entries else 0,
        cut_bytes=recovered.cut_bytes,
        kept=recovered.kept,
        journal_was_lost=recovered.journal_was_lost,
        journal_repair=recovered.journal_repair,
    )


def _is_locked(fd: int) -> bool:
    """Return True if a writer holds the film."""
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(fd, fcntl.LOCK_UN)
    return False


def _check_journal(result: FilmCheckResult, path: Path, film: FilmFile) -> list[JournalEntry]:
    """Check the journal and return its entries; empty if it cannot be used."""
    journal = read_journal(journal_path(path), film.init_segment.film_id)
    repair = repair_journal(film, journal.lines) if journal else None
    if journal:
        result.faults += _journal_faults(journal, is_growing=result.is_growing)
        if journal.init_crc32 not in (None, zlib.crc32(film.init_segment.data)):
            result.faults.append("The film's init segment does not match its CRC.")
    if repair is None:
        if journal_path(path).exists():
            name = journal_path(path).name
            result.faults.append(f"The journal {name} is damaged or belongs to another film.")
        return []
    result.has_journal = True
    result.clips = sum(entry.text is not None for entry in repair.entries)
    return repair.entries


def _journal_faults(journal: JournalContents, *, is_growing: bool) -> Iterator[str]:
    if not journal.is_named:
        yield "The journal's first line is damaged."
    for number, line in enumerate(journal.lines, 2):
        if isinstance(line, bytes):
            yield f"Line {number} of the journal is damaged."
    if journal.is_torn and not is_growing:
        yield "The journal's last line is torn."


def _check_fragments(
    result: FilmCheckResult, fd: int, size: int, entries: list[JournalEntry]
) -> None:
    for index in count():
        begin, first_frame = result.end, result.frames
        header = read_fragment(fd, begin, size)
        if header is None:
            return
        faults = [
            *_time_faults(result, header),
            *_sample_faults(fd, header),
            *_count_fragment(result, header),
        ]
        if index < len(entries):
            faults += _entry_faults(result, fd, begin, first_frame, entries[index])
        result.faults += [f"Fragment {index + 1} at byte {begin}: {fault}." for fault in faults]


def _time_faults(result: FilmCheckResult, header: FragmentHeader) -> Iterator[str]:
    """Compare the sequence number and times with the end of the previous fragment."""
    if header.sequence != result.fragments + 1:
        yield f"its sequence number is {header.sequence} instead of {result.fragments + 1}"
    clocks = {
        VIDEO_TRACK: ("video", result.frames * TICKS_PER_FRAME),
        AUDIO_TRACK: ("sound", result.samples),
    }
    for run in header.runs:
        name, clock = clocks.get(run.track, (f"track {run.track}", -1))
        if run.start != clock:
            yield f"its {name} begins at tick {run.start} instead of {clock}"


def _sample_faults(fd: int, header: FragmentHeader) -> Iterator[str]:
    """Check pictures and packets without decoding them."""
    offset = header.data
    for run in header.runs:
        for index, size in enumerate(run.sizes):
            sample = os.pread(fd, size, offset)
            offset += size
            if run.track == VIDEO_TRACK:
                yield from _picture_faults(index, sample)
            elif sample.endswith(b"\0"):
                yield f"its sound packet {index} ends with zeros: its last bytes are lost"


def _picture_faults(index: int, sample: bytes) -> Iterator[str]:
    """Check that a picture consists of complete NAL units, and the first one is a key frame."""
    types = set(_nal_unit_types(sample))
    if not types & {_IDR_SLICE, _SLICE} or None in types:
        yield f"its picture {index} is damaged"
    elif sample.endswith(b"\0"):
        yield f"its picture {index} ends with zeros: its last bytes are lost"
    elif index == 0 and _IDR_SLICE not in types:
        yield "it does not begin with a key frame"


def _nal_unit_types(sample: bytes) -> Iterator[int | None]:
    """Yield the type of each NAL unit of an MP4 sample; None if the lengths do not add up."""
    offset = 0
    while offset + 5 <= len(sample):
        (size,) = struct.unpack_from(">I", sample, offset)
        yield sample[offset + 4] & 0x1F
        offset += 4 + size
    if offset != len(sample):
        yield None


def _count_fragment(result: FilmCheckResult, header: FragmentHeader) -> Iterator[str]:
    """Add a fragment to the totals, and check that its sound keeps up with its pictures."""
    packets = {run.track: len(run.sizes) for run in header.runs}
    result.fragments += 1
    result.end = header.end
    result.frames += packets.get(VIDEO_TRACK, 0)
    result.samples += packets.get(AUDIO_TRACK, 0) * SAMPLES_PER_PACKET
    lag = result.frames * result.spec.samples_per_frame - result.samples
    if not 0 <= lag < MAX_LAG_SAMPLES:
        yield f"at its end the sound is {lag} samples shorter than the pictures"


def _entry_faults(
    result: FilmCheckResult, fd: int, begin: int, first_frame: int, entry: JournalEntry
) -> Iterator[str]:
    """Compare a counted fragment with its line in the journal."""
    if entry.text is not None:
        result.begun_cues.clear()
    for cue in entry.cues:  # a cue with the first frame of an earlier cue of the clip replaces it
        is_inside = first_frame <= cue.first_frame < result.frames
        if not is_inside and cue.first_frame not in result.begun_cues:
            yield "a cue of its journal line begins on a frame outside the fragment"
    result.begun_cues.update(cue.first_frame for cue in entry.cues)
    totals = (result.end, result.frames, result.samples)
    if (entry.end, entry.frames, entry.samples) != totals:
        yield "its journal line has another end"
    elif entry.crc32 is not None:
        if crc32_of(fd, begin, entry.end) == entry.crc32:
            result.checksums += 1
        else:
            yield "its bytes do not match their CRC"


def _check_end(result: FilmCheckResult, size: int, entries: list[JournalEntry]) -> None:
    if result.end < size:
        result.faults.append(
            f"Byte {result.end}: no complete fragment begins here; {size - result.end} bytes"
            " follow."
        )
    if len(entries) > result.fragments:
        lost = len(entries) - result.fragments
        result.faults.append(f"The journal lists {lost} fragments that the film lacks.")
    elif result.has_journal and len(entries) < result.fragments:
        more = result.fragments - len(entries)
        result.faults.append(f"The last {more} fragments are not in the journal.")
