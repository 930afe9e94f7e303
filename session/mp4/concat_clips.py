"""Any clips as one ordinary MP4: pictures copied, sound without a seam, and no drift."""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from pathlib import Path

import numpy as np

from session.audio_encoder import Layout
from session.disk import open_regular, translate_disk_errors
from session.errors import ClipUnfitError, FilmDamagedError, FilmExistsError
from session.film import SAMPLE_RATE_HZ
from session.fragmented.journal import journal_path
from session.mp4.clip_probe import ProbedClip, probe_clip
from session.mp4.concat_demuxer import (
    ConcatEntry,
    ExpectedTracks,
    concat_files,
    verify_boundaries,
    verify_concat,
)
from session.mp4.metadata_box import read_metadata_box
from session.mp4.normalise import common_spec, is_of, normalise
from session.mp4.remux import atomic_output, require_writable_target
from session.mp4.soundtrack import AudioSegment, write_soundtrack
from session.mp4.temp_files import temp_folder

_WAY_OUT = "Leave it out, or join with --normalise, which encodes pictures that differ again."


@dataclass(frozen=True, slots=True, kw_only=True)
class ConcatResult:
    """What joining came to."""

    frames: int
    duration_s: Fraction
    notes: tuple[str, ...]
    """What a person should know of single clips, and of the sound."""


def concat_clips(paths: Sequence[Path], out: Path, *, normalises: bool = False) -> ConcatResult:
    """Join clips into an ordinary faststart MP4 at `out`, whole and durable or not at all.

    The pictures are copied, which needs clips that agree; with `normalises`, those that do not are
    encoded again in the size and rate of the first. The sound goes through one encoder, unless
    every clip's ends exactly with its pictures: then it is copied too. A clip's sound is cut, or
    filled up with silence, to the length of its pictures.

    Raises ClipUnfitError, CopyFailedError, FilmExistsError where `out` is a session's film,
    FilmFullError and FilmDiskError; what was at `out` is then still there.
    """
    if is_session_film(out):
        raise FilmExistsError(f"{out} is the film of a session; write to another path.")
    require_writable_target(out)
    looked = {path: probe_clip(path) for path in dict.fromkeys(paths)}
    clips = [looked[path] for path in paths]
    with translate_disk_errors(out), temp_folder(out) as folder:
        parts = _normalised(clips, folder) if normalises else clips
        _require_alike(parts)
        with atomic_output(out) as temporary:
            is_copied = _sound_can_be_copied(parts)
            soundtrack = None if is_copied else folder / "sound.mp4"
            packets = _make_sound(parts, clips, soundtrack)
            words = _link(parts, temporary, folder, soundtrack)
            verify_concat(temporary, _expected(parts, packets), words)
            starts_s = [Fraction(0), *accumulate(part.duration_s for part in parts)][:-1]
            shown = parts[0].pictures
            verify_boundaries(temporary, starts_s, shown.fps, shown.orientation)
    return ConcatResult(
        frames=sum(part.frames for part in parts),
        duration_s=sum((part.duration_s for part in parts), Fraction(0)),
        notes=tuple(_notes(clips, parts, is_copied=is_copied)),
    )


def is_session_film(path: Path) -> bool:
    """Whether a film of ours lies there, of either kind; it has a writer of its own."""
    if journal_path(path).exists():
        return True
    with suppress(FileNotFoundError, FilmDamagedError):
        fd = open_regular(path)
        try:
            return read_metadata_box(fd) is not None
        finally:
            os.close(fd)
    return False


def _normalised(clips: Sequence[ProbedClip], folder: Path) -> list[ProbedClip]:
    if not _first_difference(clips):
        return list(clips)
    spec = common_spec(clips[0])
    return [
        clip if is_of(clip, spec) else normalise(clip, folder / f"normal-{number}", spec)
        for number, clip in enumerate(clips)
    ]


def _require_alike(clips: Sequence[ProbedClip]) -> None:
    if difference := _first_difference(clips):
        raise ClipUnfitError(f"{difference}. {_WAY_OUT}")


def _first_difference(clips: Sequence[ProbedClip]) -> str:
    """Why the pictures cannot be copied into one track; empty where they can."""
    for clip in clips:
        if clip.unsteady:
            return f"{clip.path} cannot be copied: {clip.unsteady}"
        if difference := clips[0].pictures.difference(clip.pictures):
            return f"{clip.path} does not continue {clips[0].path}: {difference}"
    return ""


def _sound_can_be_copied(clips: Sequence[ProbedClip]) -> bool:
    kinds = {
        (clip.sound.config, clip.sound.rate_hz) if clip.sound and clip.sound.is_aligned else None
        for clip in clips
    }
    return len(kinds) == 1 and None not in kinds


def _make_sound(
    parts: Sequence[ProbedClip], clips: Sequence[ProbedClip], soundtrack: Path | None
) -> int:
    """Packets of sound that the joined film has."""
    if soundtrack is None:
        return sum(clip.sound.packets for clip in clips if clip.sound)
    channels = max((clip.sound.channels for clip in clips if clip.sound), default=1)
    layout: Layout = "mono" if channels == 1 else "stereo"
    return write_soundtrack(soundtrack, _slots(parts, clips), layout)


def _slots(parts: Sequence[ProbedClip], clips: Sequence[ProbedClip]) -> list[AudioSegment]:
    """Where each clip is heard; ends are rounded along the whole film, never one by one."""
    ends = [round(end * SAMPLE_RATE_HZ) for end in accumulate(part.duration_s for part in parts)]
    return [
        AudioSegment(
            path=clip.path if clip.sound else None,
            start_s=clip.start_s,
            samples=end - start,
        )
        for clip, start, end in zip(clips, [0, *ends], ends, strict=False)
    ]


def _link(
    parts: Sequence[ProbedClip], temporary: Path, folder: Path, soundtrack: Path | None
) -> str:
    return concat_files(
        [ConcatEntry(part.path, part.start_s, part.duration_s) for part in parts],
        temporary,
        folder,
        timescale=parts[0].pictures.time_base.denominator,
        soundtrack=soundtrack,
        has_b_frames=any(part.has_b_frames for part in parts),
    )


def _expected(parts: Sequence[ProbedClip], packets: int) -> ExpectedTracks:
    is_exact = parts[0].pictures.extradata[:1] == b"\1"  # lengths before units, as MP4 has them
    sound = parts[0].sound
    copied = sound if _sound_can_be_copied(parts) else None
    return ExpectedTracks(
        fps=parts[0].pictures.fps,
        picture_sizes=np.concatenate([part.sizes for part in parts]) if is_exact else None,
        frames=sum(part.frames for part in parts),
        rate_hz=copied.rate_hz if copied else SAMPLE_RATE_HZ,
        packets=packets,
    )


def _notes(
    clips: Sequence[ProbedClip], parts: Sequence[ProbedClip], *, is_copied: bool
) -> Iterator[str]:
    for clip, part in zip(clips, parts, strict=True):
        if part is not clip:
            yield f"{clip.path}: its pictures were encoded again"
        if note := clip.pictures.orientation.note:
            yield f"{clip.path}: {note}"
        if clip.sound is None:
            yield f"{clip.path}: has no sound; silence is heard there"
    yield (
        "sound: copied; every clip's ends with its pictures"
        if is_copied
        else f"sound: encoded again, all clips by one encoder at {SAMPLE_RATE_HZ} Hz"
    )
