"""Creation of a film's next version: file and clip are joined by copying, and verified."""

import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from session.alignment import packet_count
from session.disk import crc32_of, sync_file, write_all
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
    film: Path, fd: int | None, clip_file: ClipFile, folder: Path, metadata: MetadataBox
) -> Path:
    """Write film and clip to a new file in `folder`, verified and synced, and return its path.

    `fd` is the open film, None if it does not exist yet; `metadata` describes the new file.
    Raises CopyFailedError and OSError.
    """
    spec, out = metadata.spec, folder / "film.mp4"
    film_frames = metadata.frames - clip_file.frames
    film_s = Fraction(film_frames, spec.fps)
    entries = [ConcatEntry(clip_file.path, Fraction(0), Fraction(clip_file.frames, spec.fps))]
    if film_frames:
        entries.insert(0, ConcatEntry(film, Fraction(0), film_s))
    sound = _sound_entries(film, clip_file, packet_count(film_frames, spec.fps))
    message = concat_files(entries, out, folder, timescale=spec.ticks_per_second, soundtrack=sound)
    verify_concat(out, _expected_tracks(fd, clip_file, metadata), message)
    verify_boundaries(out, [film_s], Fraction(spec.fps))
    _append_metadata(out, metadata)
    return out


def _append_metadata(path: Path, metadata: MetadataBox) -> None:
    """Append the metadata box to a file; the whole file is on disk on return."""
    fd = os.open(path, os.O_RDWR)
    try:
        size = os.fstat(fd).st_size
        checked = replace(metadata, media_crc32=crc32_of(fd, 0, size))
        write_all(fd, checked.to_box(), size)
        sync_file(fd)
    finally:
        os.close(fd)


def _sound_entries(film: Path, clip_file: ClipFile, packets: int) -> list[ConcatEntry] | None:
    """Return the film's packets except those that the clip encoded again, then the clip's.

    None if the film has no packets yet.
    """
    if not packets:
        return None
    kept = Fraction((packets - clip_file.reencoded_packets) * SAMPLES_PER_PACKET, SAMPLE_RATE_HZ)
    rest = Fraction(clip_file.samples, SAMPLE_RATE_HZ)
    return [
        ConcatEntry(film, Fraction(0), kept, is_cut=True),
        ConcatEntry(clip_file.path, Fraction(0), rest),
    ]


def _expected_tracks(fd: int | None, clip_file: ClipFile, metadata: MetadataBox) -> ExpectedTracks:
    sizes = [np.asarray(clip_file.sizes, np.uint32)]
    if fd is not None:
        sizes.insert(0, read_sample_tables(fd).video.sizes)
    return ExpectedTracks(
        fps=Fraction(metadata.spec.fps),
        picture_sizes=np.concatenate(sizes),
        frames=metadata.frames,
        rate_hz=SAMPLE_RATE_HZ,
        packets=packet_count(metadata.frames, metadata.spec.fps),
    )
