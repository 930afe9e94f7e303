"""A film to come: the film as it is and a clip, joined by copying, and verified."""

import os
from fractions import Fraction
from pathlib import Path

import numpy as np

from session.alignment import packet_count
from session.disk import sync_file, write_all
from session.film import SAMPLE_RATE_HZ, SAMPLES_PER_PACKET
from session.mp4.clip_file import ClipFile
from session.mp4.concat_demuxer import (
    ConcatEntry,
    ExpectedTracks,
    concat_files,
    verify_boundaries,
    verify_concat,
)
from session.mp4.metadata_box import MetadataBox
from session.mp4.sample_tables import read_sample_tables


def append_clip(
    film: Path, fd: int | None, clip_file: ClipFile, folder: Path, label: MetadataBox
) -> Path:
    """The film to come, verified and synced; in `folder`.

    `fd` is the open film, None where there is none yet; `label` is what the film to come says of
    itself. Raises CopyFailedError and OSError.
    """
    spec, made = label.spec, folder / "film.mp4"
    before = label.frames - clip_file.frames
    chain = [ConcatEntry(clip_file.path, Fraction(0), Fraction(clip_file.frames, spec.fps))]
    if before:
        chain.insert(0, ConcatEntry(film, Fraction(0), Fraction(before, spec.fps)))
    sound = _sound(film, clip_file, packet_count(before, spec.fps))
    words = concat_files(chain, made, folder, timescale=spec.ticks_per_second, soundtrack=sound)
    verify_concat(made, _expected(fd, clip_file, label), words)
    verify_boundaries(made, [Fraction(before, spec.fps)], Fraction(spec.fps))
    _complete(made, label)
    return made


def _complete(made: Path, label: MetadataBox) -> None:
    """Put the label at the file's end; all of the file is on disk on return."""
    fd = os.open(made, os.O_RDWR)
    try:
        write_all(fd, label.to_box(), os.fstat(fd).st_size)
        sync_file(fd)
    finally:
        os.close(fd)


def _sound(film: Path, clip_file: ClipFile, packets: int) -> list[ConcatEntry] | None:
    """The film's packets except those that the clip encoded again, then the clip's; None if there
    is no film yet."""
    if not packets:
        return None
    kept = Fraction((packets - clip_file.packets_again) * SAMPLES_PER_PACKET, SAMPLE_RATE_HZ)
    rest = Fraction(clip_file.samples, SAMPLE_RATE_HZ)
    return [
        ConcatEntry(film, Fraction(0), kept, is_cut=True),
        ConcatEntry(clip_file.path, Fraction(0), rest),
    ]


def _expected(fd: int | None, clip_file: ClipFile, label: MetadataBox) -> ExpectedTracks:
    sizes = [np.asarray(clip_file.sizes, np.uint32)]
    if fd is not None:
        sizes.insert(0, read_sample_tables(fd).video.sizes)
    return ExpectedTracks(
        fps=Fraction(label.spec.fps),
        picture_sizes=np.concatenate(sizes),
        frames=label.frames,
        rate_hz=SAMPLE_RATE_HZ,
        packets=packet_count(label.frames, label.spec.fps),
    )
