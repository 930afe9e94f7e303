"""Fragment after fragment, as a film's own boxes tell them: what is known without a journal."""

import os
from itertools import accumulate

from session.film import SAMPLES_PER_PACKET, TICKS_PER_FRAME
from session.fragmented.boxes import AUDIO_TRACK, VIDEO_TRACK, read_fragment
from session.fragmented.init_segment import InitSegment
from session.fragmented.journal import JournalEntry


def start_entry(init_segment: InitSegment) -> JournalEntry:
    """Where a film without fragments ends."""
    return JournalEntry(end=len(init_segment.data), crc32=None, frames=0, samples=0)


def next_entry(fd: int, last: JournalEntry, file_size: int) -> JournalEntry | None:
    """The fragment after `last`, without checksum; None where none lies whole and continues it."""
    head = read_fragment(fd, last.end, file_size)
    if head is None:
        return None
    frames, samples = last.frames, last.samples
    for run in head.runs:
        if run.track == VIDEO_TRACK and run.start == last.frames * TICKS_PER_FRAME:
            frames += len(run.sizes)
        elif run.track == AUDIO_TRACK and run.start == last.samples:
            samples += len(run.sizes) * SAMPLES_PER_PACKET
        else:
            return None
    return JournalEntry(end=head.end, crc32=None, frames=frames, samples=samples)


def is_filled(fd: int, begin: int, end: int) -> bool:
    """Whether no picture and no packet of the fragment ends with a zero.

    None does as it is written: H.264 ends with a stop bit, AAC with an end mark. It is what a power
    cut leaves of a file that had grown, and whose bytes had not come.
    """
    head = read_fragment(fd, begin, end)
    if head is None:
        return False
    data = os.pread(fd, end - head.data, head.data)
    ends = accumulate(size for run in head.runs for size in run.sizes)
    return all(data[last - 1] for last in ends)


def remaining_entries(fd: int, last: JournalEntry, file_size: int) -> list[JournalEntry]:
    """The fragments after `last`, up to the first torn one."""
    entries: list[JournalEntry] = []
    while entry := next_entry(fd, last, file_size):
        entries.append(entry)
        last = entry
    return entries
