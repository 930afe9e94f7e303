"""Joining of arbitrary clips into one ordinary MP4: pictures are copied, and nothing drifts."""

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
from session.mp4.normalise import common_spec, matches_spec, normalise
from session.mp4.remux import atomic_output, require_writable_target
from session.mp4.soundtrack import AudioSegment, write_soundtrack
from session.mp4.temp_files import temp_folder

_REMEDY = "Leave it out, or join with --normalise, which re-encodes pictures that differ."


@dataclass(frozen=True, slots=True, kw_only=True)
class ConcatResult:
    """Properties of the joined film."""

    frames: int
    duration_s: Fraction
    notes: tuple[str, ...]
    """Messages for the user about single clips and about the sound."""


def concat_clips(paths: Sequence[Path], out: Path, *, normalises: bool = False) -> ConcatResult:
    """Join clips into an ordinary faststart MP4 at `out`, atomically and durably.

    Pictures are copied, so the clips must have the same video properties; if `normalises` is set,
    those that differ are encoded again in the size and rate of the first. If the sound of every
    clip ends exactly with its pictures, it is copied too; otherwise the sound of all clips goes
    through one encoder, cut or padded with silence to the length of the pictures.

    Raises ClipUnfitError, CopyFailedError, FilmExistsError if `out` is a session film,
    FilmFullError and FilmDiskError; `out` is then unchanged.
    """
    if is_session_film(out):
        raise FilmExistsError(f"{out} is the film of a session; write to another path.")
    require_writable_target(out)
    probed = {path: probe_clip(path) for path in dict.fromkeys(paths)}
    clips = [probed[path] for path in paths]
    with translate_disk_errors(out), temp_folder(out) as folder:
        parts = _normalise_all(clips, folder) if normalises else clips
        _require_same_video(parts)
        with atomic_output(out) as temporary:
            _join(parts, clips, temporary, folder)
    return ConcatResult(
        frames=sum(part.frames for part in parts),
        duration_s=sum((part.duration_s for part in parts), Fraction(0)),
        notes=tuple(_notes(clips, parts)),
    )


def _join(
    parts: Sequence[ProbedClip], clips: Sequence[ProbedClip], out: Path, folder: Path
) -> None:
    """Write the joined film and verify it. `parts` have the pictures, `clips` the sound."""
    soundtrack = None if _can_copy_sound(parts) else folder / "sound.mp4"
    packets = _write_sound(parts, clips, soundtrack)
    message = _concat_parts(parts, out, folder, soundtrack)
    verify_concat(out, _expected_tracks(parts, packets), message)
    starts_s = [Fraction(0), *accumulate(part.duration_s for part in parts)][:-1]
    verify_boundaries(out, starts_s, parts[0].video.fps, parts[0].video.orientation)


def is_session_film(path: Path) -> bool:
    """Return True if the file is a session film of either kind, which only its writer changes."""
    if journal_path(path).exists():
        return True
    with suppress(FileNotFoundError, FilmDamagedError):
        fd = open_regular(path)
        try:
            return read_metadata_box(fd) is not None
        finally:
            os.close(fd)
    return False


def _normalise_all(clips: Sequence[ProbedClip], folder: Path) -> list[ProbedClip]:
    if not _video_difference(clips):
        return list(clips)
    spec = common_spec(clips[0])
    return [
        clip if matches_spec(clip, spec) else normalise(clip, folder / f"normal-{number}", spec)
        for number, clip in enumerate(clips)
    ]


def _require_same_video(clips: Sequence[ProbedClip]) -> None:
    if difference := _video_difference(clips):
        raise ClipUnfitError(f"{difference}. {_REMEDY}")


def _video_difference(clips: Sequence[ProbedClip]) -> str:
    """Describe why the pictures cannot be copied into one track; empty if they can."""
    for clip in clips:
        if clip.copy_obstacle:
            return f"{clip.path} cannot be copied: {clip.copy_obstacle}"
        if difference := clips[0].video.difference(clip.video):
            return f"{clip.path} does not continue {clips[0].path}: {difference}"
    return ""


def _can_copy_sound(clips: Sequence[ProbedClip]) -> bool:
    """Return True if the sound of all clips is aligned and has the same format."""
    formats = {
        (clip.audio.config, clip.audio.rate_hz) if clip.audio and clip.audio.is_aligned else None
        for clip in clips
    }
    return len(formats) == 1 and None not in formats


def _write_sound(
    parts: Sequence[ProbedClip], clips: Sequence[ProbedClip], soundtrack: Path | None
) -> int:
    """Encode the soundtrack, if there is one, and return the number of packets of the sound."""
    if soundtrack is None:
        return sum(clip.audio.packets for clip in clips if clip.audio)
    channels = max((clip.audio.channels for clip in clips if clip.audio), default=1)
    layout: Layout = "mono" if channels == 1 else "stereo"
    return write_soundtrack(soundtrack, _audio_segments(parts, clips), layout)


def _audio_segments(parts: Sequence[ProbedClip], clips: Sequence[ProbedClip]) -> list[AudioSegment]:
    """Return the segment of each clip; ends are rounded along the whole film, not individually."""
    ends = [round(end * SAMPLE_RATE_HZ) for end in accumulate(part.duration_s for part in parts)]
    return [
        AudioSegment(
            path=clip.path if clip.audio else None,
            start_s=clip.start_s,
            samples=end - start,
        )
        for clip, start, end in zip(clips, [0, *ends], ends, strict=False)
    ]


def _concat_parts(
    parts: Sequence[ProbedClip], out: Path, folder: Path, soundtrack: Path | None
) -> str:
    return concat_files(
        [ConcatEntry(part.path, part.start_s, part.duration_s) for part in parts],
        out,
        folder,
        timescale=parts[0].video.time_base.denominator,
        soundtrack=soundtrack,
        has_b_frames=any(part.has_b_frames for part in parts),
    )


def _expected_tracks(parts: Sequence[ProbedClip], packets: int) -> ExpectedTracks:
    is_exact = parts[0].video.extradata[:1] == b"\1"  # avcC: samples are copied unchanged
    audio = parts[0].audio if _can_copy_sound(parts) else None
    return ExpectedTracks(
        fps=parts[0].video.fps,
        picture_sizes=np.concatenate([part.sizes for part in parts]) if is_exact else None,
        frames=sum(part.frames for part in parts),
        rate_hz=audio.rate_hz if audio else SAMPLE_RATE_HZ,
        packets=packets,
    )


def _notes(clips: Sequence[ProbedClip], parts: Sequence[ProbedClip]) -> Iterator[str]:
    for clip, part in zip(clips, parts, strict=True):
        if part is not clip:
            yield f"{clip.path}: its pictures were encoded again"
        yield from (f"{clip.path}: {note}" for note in part.notes)
        if note := clip.video.orientation.note:
            yield f"{clip.path}: {note}"
        if clip.audio is None:
            yield f"{clip.path}: has no sound and is silent"
    yield (
        "sound: copied; every clip's ends with its pictures"
        if _can_copy_sound(parts)
        else f"sound: encoded again, all clips by one encoder at {SAMPLE_RATE_HZ} Hz"
    )
