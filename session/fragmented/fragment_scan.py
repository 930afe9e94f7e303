"""Reading of fragments in file order, from the film's own boxes and without its journal."""

import os
from itertools import accumulate

from session.film import SAMPLES_PER_PACKET, TICKS_PER_FRAME
from session.fragmented.boxes import AUDIO_TRACK, VIDEO_TRACK, read_fragment
from session.fragmented.init_segment import InitSegment
from session.fragmented.journal import JournalEntry


def start_entry(init_segment: InitSegment) -> JournalEntry:
    """Return the totals of a film without fragments."""
    return JournalEntry(end=len(init_segment.data), crc32=None, frames=0, samples=0)


def next_entry(fd: int, last: JournalEntry, file_size: int) -> JournalEntry | None:
    """Read the fragment after `last`, without checksum.

    Return None if no complete fragment follows, or if its times do not continue those of `last`.
    """
    header = read_fragment(fd, last.end, file_size)
    if header is None:
        return None
    frames, samples = last.frames, last.samples
    for run in header.runs:
        if run.track == VIDEO_TRACK and run.start == last.frames * TICKS_PER_FRAME:
            frames += len(run.sizes)
        elif run.track == AUDIO_TRACK and run.start == last.samples:
            samples += len(run.sizes) * SAMPLES_PER_PACKET
        else:
            return None
    return JournalEntry(end=header.end, crc32=None, frames=frames, samples=samples)


def remaining_entries(fd: int, last: JournalEntry, file_size: int) -> list[JournalEntry]:
    """Read the fragments after `last`, up to the first incomplete one."""
    entries: list[JournalEntry] = []
    while entry := next_entry(fd, last, file_size):
        entries.append(entry)
        last = entry
    return entries


def is_filled(fd: int, begin: int, end: int) -> bool:
    """Return False if a picture or packet of the fragment ends with a zero byte.

    An intact one never does: H.264 ends with a stop bit, AAC with an end element. Zeros remain
    after a power cut if the file had grown but its bytes were not written.
    """
    header = read_fragment(fd, begin, end)
    if header is None:
        return False
    data = os.pread(fd, end - header.data, header.data)
    ends = accumulate(size for run in header.runs for size in run.sizes)
    return all(data[last - 1] for last in ends)
