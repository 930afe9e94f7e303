"""A film to come: the film as it is and a clip, joined by copying, and verified."""

import os
from fractions import Fraction
from pathlib import Path

import numpy as np

from session.alignment import packets_of
from session.disk import sync_file, write_all
from session.film import SAMPLE_RATE_HZ, SAMPLES_PER_PACKET
from session.mp4.clip_file import ClipFile
from session.mp4.concat_demuxer import Expected, Link, link, require_joined, require_joints
from session.mp4.metadata_box import MetadataBox
from session.mp4.sample_tables import read_tables


def extend(film: Path, fd: int | None, strip: ClipFile, folder: Path, label: MetadataBox) -> Path:
    """The film to come, verified and synced; in `folder`.

    `fd` is the open film, None where there is none yet; `label` is what the film to come says of
    itself. Raises CopyFailedError and OSError.
    """
    spec, made = label.spec, folder / "film.mp4"
    before = label.frames - strip.frames
    chain = [Link(strip.path, Fraction(0), Fraction(strip.frames, spec.fps))]
    if before:
        chain.insert(0, Link(film, Fraction(0), Fraction(before, spec.fps)))
    sound = _sound(film, strip, packets_of(before, spec.fps))
    words = link(chain, made, folder, timescale=spec.ticks_per_second, soundtrack=sound)
    require_joined(made, _expected(fd, strip, label), words)
    require_joints(made, [Fraction(before, spec.fps)], Fraction(spec.fps))
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


def _sound(film: Path, strip: ClipFile, packets: int) -> list[Link] | None:
    """The film's packets but those that the strip made again, and all of the strip's; None where
    there was no film."""
    if not packets:
        return None
    kept = Fraction((packets - strip.packets_again) * SAMPLES_PER_PACKET, SAMPLE_RATE_HZ)
    rest = Fraction(strip.samples, SAMPLE_RATE_HZ)
    return [Link(film, Fraction(0), kept, is_cut=True), Link(strip.path, Fraction(0), rest)]


def _expected(fd: int | None, strip: ClipFile, label: MetadataBox) -> Expected:
    sizes = [np.asarray(strip.sizes, np.uint32)]
    if fd is not None:
        sizes.insert(0, read_tables(fd).video.sizes)
    return Expected(
        fps=Fraction(label.spec.fps),
        picture_sizes=np.concatenate(sizes),
        frames=label.frames,
        rate_hz=SAMPLE_RATE_HZ,
        packets=packets_of(label.frames, label.spec.fps),
    )
