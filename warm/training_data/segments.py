"""Division of a video into clips: whole shots of one usable face, cut into equal parts."""

from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from warm.training_data.analysis import Analysis
from warm.training_data.config import MIN_CLIP_FRAMES, PreprocessConfig
from warm.training_data.face_box import crop_box
from warm.training_data.speaker_tracking import DETECT_EVERY

CUT_MARGIN = 1
"""Frames next to a cut that may show a mixture of both shots."""

FROZEN_FRAMES = 4
"""Repetitions of a picture: 0.16 s. Videos of fewer than 6.25 frames a second have no clips."""


class Unusable(StrEnum):
    """Reasons why a frame is in no clip."""

    NO_FACE = "no face"
    OUTSIDE = "face partly outside the picture"
    SMALL = "face too small"
    TURNED = "head turned too far"
    SEVERAL = "several faces"
    SILENT_END = "after the end of the sound"
    DAMAGED = "damaged picture"
    FROZEN = "picture that stands still"
    CUT = "next to a cut"
    SHORT = "in a part that is too short for a clip"


@dataclass(frozen=True, slots=True)
class Segment:
    """Frames `start` to `stop` - 1 of a raw video."""

    start: int
    stop: int

    @property
    def frames(self) -> int:
        """Number of frames."""
        return self.stop - self.start


def find_segments(
    analysis: Analysis, config: PreprocessConfig, sound_frames: int
) -> tuple[list[Segment], dict[str, int]]:
    """Return the parts that make clips, and the number of unusable frames for each reason."""
    reasons = unusable_frames(analysis, config, sound_frames)
    is_usable = ~np.any(list(reasons.values()), axis=0)
    counts, counted = {}, np.zeros(analysis.frames, np.bool_)
    for reason, frames in reasons.items():
        counts[str(reason)] = int((frames & ~counted).sum())
        counted |= frames
    runs = find_runs(is_usable, analysis.is_cut | analysis.is_new_face)
    segments = [part for run in runs for part in equal_parts(run, config.clip_frames)]
    used = sum(each.frames for each in segments)
    counts[str(Unusable.SHORT)] = int(is_usable.sum()) - used
    return segments, {reason: count for reason, count in counts.items() if count}


def unusable_frames(
    analysis: Analysis, config: PreprocessConfig, sound_frames: int
) -> dict[Unusable, NDArray[np.bool_]]:
    """(n,) flags by reason, the most important first."""
    width, height = analysis.size.tolist()
    has_face = analysis.has_face
    low, high = analysis.extent[:, :2], analysis.extent[:, 2:]
    is_outside = (low < 0).any(axis=1) | (high > np.array([width - 1, height - 1])).any(axis=1)
    crops = crop_box(analysis.box, analysis.landmarks)
    is_small = crops[:, 2] - crops[:, 0] < config.min_face_px
    return {
        Unusable.NO_FACE: ~has_face,
        Unusable.OUTSIDE: has_face & is_outside,
        Unusable.SMALL: has_face & is_small,
        Unusable.TURNED: has_face & (np.abs(analysis.yaw_deg) > config.max_yaw_deg),
        Unusable.SEVERAL: has_face & may_show_another(analysis.other, config.max_other_face),
        Unusable.SILENT_END: np.arange(analysis.frames) >= sound_frames,
        Unusable.DAMAGED: analysis.is_damaged,
        Unusable.FROZEN: is_frozen(analysis.is_repeated),
        Unusable.CUT: next_to(analysis.is_cut),
    }


def may_show_another(other: NDArray[np.float32], largest: float) -> NDArray[np.bool_]:
    """(n,) True where another face may be in view; the search runs every DETECT_EVERY frames."""
    seen = np.nan_to_num(other) >= largest
    padded = np.pad(seen, (0, DETECT_EVERY - 1))
    windows = np.lib.stride_tricks.sliding_window_view(padded, DETECT_EVERY)
    return np.asarray(windows.any(axis=1))


def is_frozen(is_repeated: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(n,) True where a picture is repeated at least FROZEN_FRAMES times."""
    flags = np.zeros(len(is_repeated), np.bool_)
    for run in find_runs(is_repeated, np.zeros(len(is_repeated), np.bool_)):
        if run.frames >= FROZEN_FRAMES:
            flags[run.start : run.stop] = True
    return flags


def next_to(is_cut: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(n,) True for the frames at each cut except the first frame of the video."""
    cuts = is_cut.copy()
    cuts[:1] = False
    flags = cuts.copy()
    for shift in range(1, CUT_MARGIN + 1):
        flags[:-shift] |= cuts[shift:]
    return np.asarray(flags)


def find_runs(is_usable: NDArray[np.bool_], is_start: NDArray[np.bool_]) -> list[Segment]:
    """Return the runs of usable frames, divided where a new one must start."""
    runs: list[Segment] = []
    first: int | None = None
    for index, usable in enumerate(is_usable):
        if first is not None and (not usable or is_start[index]):
            runs.append(Segment(first, index))
            first = None
        if usable and first is None:
            first = index
    if first is not None:
        runs.append(Segment(first, len(is_usable)))
    return runs


def equal_parts(run: Segment, longest: int) -> list[Segment]:
    """Divide a run into the fewest parts of equal length; none if it is too short for a clip."""
    if run.frames < MIN_CLIP_FRAMES:
        return []
    count = -(-run.frames // longest)
    if run.frames // count < MIN_CLIP_FRAMES:
        count = run.frames // MIN_CLIP_FRAMES
    edges = [run.start + run.frames * part // count for part in range(count + 1)]
    return [Segment(start, min(stop, start + longest)) for start, stop in pairwise(edges)]
