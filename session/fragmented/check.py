"""Whether a film is sound, byte by byte, and mending the end of one that is torn."""

import fcntl
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from session.disk import open_regular
from session.errors import FilmMissingError
from session.film import SAMPLES_PER_PACKET, TICKS_PER_FRAME, FilmSpec
from session.fragmented.boxes import AUDIO_TRACK, VIDEO_TRACK, FragmentHeader, read_fragment
from session.fragmented.fragment_log import open_locked
from session.fragmented.init_segment import read_init_segment
from session.fragmented.journal import JournalContents, JournalEntry, journal_path, read_journal
from session.fragmented.journal_repair import FilmFile, JournalRepair, repair_journal
from session.fragmented.recovery import recover

_MOST_LAG = 3 * SAMPLES_PER_PACKET
"""Samples that the open AAC encoder may hold back: two packets and a part of one."""
_KEY_SLICE, _SLICE = 5, 1
"""Kinds of H.264 units (ITU-T H.264, table 7-1): of a picture that needs no other, and of one
that may."""
_CHUNK_BYTES = 1 << 20


@dataclass(slots=True)
class FilmCheckResult:
    """What a film holds and what is wrong with it."""

    spec: FilmSpec
    end: int
    """First byte after the last whole fragment."""
    fragments: int = 0
    frames: int = 0
    samples: int = 0
    clips: int = 0
    """That the journal tells of."""
    checksums: int = 0
    """Fragments whose bytes agree with the journal's CRC."""
    has_journal: bool = False
    is_growing: bool = False
    """A writer holds the film; it was checked up to the journal's end."""
    faults: list[str] = field(default_factory=list)
    """Empty for a sound film; each names the place and what is wrong there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairResult:
    """What mending a film came to."""

    frames: int
    """That the film has now."""
    cut_bytes: int
    kept: Path | None
    """Where the bytes lie that were cut off; None where there were none."""
    journal_was_lost: bool
    """It was made again from the film; clips that it does not know have lost their text."""
    journal_repair: JournalRepair
    """Single lines of it that were damaged."""


def check_film(path: Path) -> FilmCheckResult:
    """Read a whole film and its journal; writes nothing.

    Boxes, clocks, sequence numbers, a key frame at each fragment's beginning, sound that keeps up
    with the pictures, and the journal's totals and CRCs. Raises FilmMissingError, and
    FilmDamagedError where the file does not begin as a film of ours.
    """
    try:
        fd = open_regular(path)
    except FileNotFoundError as error:
        raise FilmMissingError(f"There is no film at {path}.") from error
    try:
        init_segment = read_init_segment(fd)
        checked = FilmCheckResult(
            spec=init_segment.spec, end=len(init_segment.data), is_growing=_is_held(fd)
        )
        size = os.fstat(fd).st_size
        entries = _read_entries(checked, path, FilmFile(fd, init_segment, size))
        if checked.is_growing and entries:
            size = entries[-1].end
        _check_fragments(checked, fd, size, entries)
        _check_end(checked, size, entries)
    finally:
        os.close(fd)
    return checked


def repair_film(path: Path) -> RepairResult:
    """Cut a film's torn end off, with or without its journal, and make the journal agree.

    What is cut is kept beside the film, durably, before. Raises FilmBusyError where a writer
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


def _is_held(fd: int) -> bool:
    """Whether a writer has the film."""
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(fd, fcntl.LOCK_UN)
    return False


def _read_entries(checked: FilmCheckResult, film: Path, source: FilmFile) -> list[JournalEntry]:
    path = journal_path(film)
    found = read_journal(path, source.init_segment.film_id)
    repair = repair_journal(source, found.lines) if found else None
    if found:
        checked.faults += _journal_faults(found, is_growing=checked.is_growing)
        if found.init_crc32 not in (None, zlib.crc32(source.init_segment.data)):
            checked.faults.append("The film's first bytes are not those that were written (CRC).")
    if repair is None:
        if path.exists():
            checked.faults.append(f"The journal {path.name} is damaged, or another film's.")
        return []
    checked.has_journal = True
    checked.clips = sum(entry.text is not None for entry in repair.entries)
    return repair.entries


def _journal_faults(found: JournalContents, *, is_growing: bool) -> Iterator[str]:
    if not found.is_named:
        yield "The journal's first line is damaged."
    for number, line in enumerate(found.lines, 2):
        if isinstance(line, bytes):
            yield f"Line {number} of the journal is not as it was written."
    if found.is_torn and not is_growing:
        yield "The journal's last line is torn."


def _check_fragments(
    checked: FilmCheckResult, fd: int, size: int, entries: list[JournalEntry]
) -> None:
    for index in count():
        begin, first_frame = checked.end, checked.frames
        head = read_fragment(fd, begin, size)
        if head is None:
            return
        where = f"Fragment {index + 1} at byte {begin}"
        faults = [
            *_check_clocks(checked, head),
            *_check_samples(fd, head),
            *_count_in(checked, head),
        ]
        if index < len(entries):
            faults += _check_entry(checked, fd, begin, first_frame, entries[index])
        checked.faults += [f"{where}: {fault}." for fault in faults]


def _check_clocks(checked: FilmCheckResult, head: FragmentHeader) -> Iterator[str]:
    """Numbers and times that go on where the fragment before ended."""
    if head.sequence != checked.fragments + 1:
        yield f"its sequence number is {head.sequence} instead of {checked.fragments + 1}"
    clocks = {
        VIDEO_TRACK: ("pictures", checked.frames * TICKS_PER_FRAME),
        AUDIO_TRACK: ("sound", checked.samples),
    }
    for run in head.runs:
        name, clock = clocks.get(run.track, (f"track {run.track}", -1))
        if run.start != clock:
            yield f"its {name} begins at tick {run.start} instead of {clock}"


def _check_samples(fd: int, head: FragmentHeader) -> Iterator[str]:
    """What can be told of pictures and packets without decoding them."""
    offset = head.data
    for run in head.runs:
        for index, size in enumerate(run.sizes):
            sample = os.pread(fd, size, offset)
            offset += size
            if run.track == VIDEO_TRACK:
                yield from _picture_faults(index, sample)
            elif sample.endswith(b"\0"):
                yield f"packet {index} of its sound lacks its end: there are zeros"


def _picture_faults(index: int, sample: bytes) -> Iterator[str]:
    """Each picture is made of whole H.264 units; the first one is a key frame."""
    kinds = set(_unit_kinds(sample))
    if not kinds & {_KEY_SLICE, _SLICE} or None in kinds:
        yield f"picture {index} of it is damaged"
    elif sample.endswith(b"\0"):
        yield f"picture {index} of it lacks its end: there are zeros"
    elif index == 0 and _KEY_SLICE not in kinds:
        yield "it does not begin with a key frame"


def _unit_kinds(sample: bytes) -> Iterator[int | None]:
    """Of the units in one MP4 sample, each behind its length; None where the lengths are wrong."""
    offset = 0
    while offset + 5 <= len(sample):
        (size,) = struct.unpack_from(">I", sample, offset)
        yield sample[offset + 4] & 0x1F
        offset += 4 + size
    if offset != len(sample):
        yield None


def _count_in(checked: FilmCheckResult, head: FragmentHeader) -> Iterator[str]:
    """Add a fragment to the totals; its sound must keep up with its pictures."""
    packets = {run.track: len(run.sizes) for run in head.runs}
    checked.fragments += 1
    checked.end = head.end
    checked.frames += packets.get(VIDEO_TRACK, 0)
    checked.samples += packets.get(AUDIO_TRACK, 0) * SAMPLES_PER_PACKET
    lag = checked.frames * checked.spec.samples_per_frame - checked.samples
    if not 0 <= lag < _MOST_LAG:
        yield f"after it the sound is {lag} samples short of the pictures"


def _check_entry(
    checked: FilmCheckResult, fd: int, begin: int, first_frame: int, entry: JournalEntry
) -> Iterator[str]:
    """A fragment that was counted in, against its line in the journal."""
    if any(not first_frame <= cue.first_frame < checked.frames for cue in entry.cues):
        yield "the journal lets a sentence begin on it whose first frame lies elsewhere"
    totals = (checked.end, checked.frames, checked.samples)
    if (entry.end, entry.frames, entry.samples) != totals:
        yield "the journal gives it another end"
    elif entry.crc32 is not None:
        if _crc32(fd, begin, entry.end) == entry.crc32:
            checked.checksums += 1
        else:
            yield "its bytes are not those that were written (CRC)"


def _crc32(fd: int, begin: int, end: int) -> int:
    crc = 0
    for offset in range(begin, end, _CHUNK_BYTES):
        crc = zlib.crc32(os.pread(fd, min(_CHUNK_BYTES, end - offset), offset), crc)
    return crc


def _check_end(checked: FilmCheckResult, size: int, entries: list[JournalEntry]) -> None:
    if checked.end < size:
        checked.faults.append(
            f"Byte {checked.end}: no whole fragment begins here; {size - checked.end} bytes follow."
        )
    if len(entries) > checked.fragments:
        lost = len(entries) - checked.fragments
        checked.faults.append(f"The journal tells of {lost} fragments that the film lacks.")
    elif checked.has_journal and len(entries) < checked.fragments:
        more = checked.fragments - len(entries)
        checked.faults.append(f"The last {more} fragments are not in the journal.")
