"""Remarks of the verdict: findings about the face of a photo or video, in words."""

import numpy as np
from numpy.typing import NDArray

from warm.avatars.recipe import Teeth
from warm.avatars.verdict import Effect, Remark, time_ranges
from warm.face.landmarks import CLOSED_GAP_IOD, lip_gap
from warm.prepare.face_tracking import find_cuts, find_gaps

SLIGHT_GAP_IOD = 0.12
"""If the lips were further apart than this, their closing is visible."""
NEVER_CLOSED_IOD, CLOSED_PERCENTILE = 0.08, 10.0
"""A mouth is never closed if this percentile of the gaps between its lips is wider."""
MOSTLY = 0.5
"""Share of a video above which a finding concerns most of it."""


def faces_remarks(faces: int) -> list[Remark]:
    """Return a remark if there are several faces."""
    if faces < 2:
        return []
    message = f"There are {faces} faces; the largest one is used."
    return [Remark("several_faces", message, "none")]


def open_mouth_remarks(landmarks: NDArray[np.float32], teeth: Teeth) -> list[Remark]:
    """Return a remark if the lips of (468, 3) landmarks are parted."""
    gap = float(lip_gap(landmarks))
    if gap < CLOSED_GAP_IOD:
        return []
    parted = f"The lips in the photo are parted ({gap:.2f} eye distances)"
    if teeth == "keep":
        message = f"{parted} and never meet in speech. Set teeth to 'close' to close them."
        return [Remark("mouth_open", message)]
    message = f"{parted} and were moved together; a photo with closed lips gives a better mouth."
    return [Remark("mouth_open", message, "visible" if gap > SLIGHT_GAP_IOD else "none")]


def never_closed_remarks(
    landmarks: NDArray[np.float32], covered: NDArray[np.bool_]
) -> list[Remark]:
    """Return a remark if no frame of a video with (n, 468, 3) landmarks shows a closed mouth."""
    if covered.all():
        return []
    gap = float(np.percentile(lip_gap(landmarks[~covered]), CLOSED_PERCENTILE))
    if gap < NEVER_CLOSED_IOD:
        return []
    message = (
        f"The mouth is never closed in the video (lips at least {gap:.2f} eye distances apart); a "
        "video with a moment of closed lips gives a better mouth."
    )
    return [Remark("mouth_open", message)]


def cut_remarks(landmarks: NDArray[np.float32], start: int, fps: int) -> list[Remark]:
    """Return a remark with the times of suspected cuts; the first of the frames is `start`."""
    cuts = [(start + frame) / fps for frame in find_cuts(landmarks)]
    if not cuts:
        return []
    times = ", ".join(f"{time_s:.2f} s" for time_s in cuts)
    message = f"The face jumps at {times}, perhaps at a cut; the loop will show it."
    return [Remark("cut", message, times_s=tuple((time_s, time_s) for time_s in cuts))]


def missing_face_remarks(has_face: NDArray[np.bool_], used: slice, fps: int) -> list[Remark]:
    """Return a remark if a video shows no face for so long that only a part of it is used.

    has_face: (n,) for all frames of the video.
    """
    outside = np.ones(len(has_face), np.bool_)
    outside[used] = False
    times = times_of(outside & ~has_face, fps)
    if outside.sum() <= fps or not times:
        return []
    message = f"No face was found at {time_ranges(times)}; only {in_words(used, fps)} are used."
    return [Remark("shortened", message, "none", times)]


def cover_remarks(covered: NDArray[np.bool_], used: slice, fps: int) -> list[Remark]:
    """Return a remark if something covers the mouth in (n,) frames, of which `used` are used."""
    if not covered.any():
        return []
    times = times_of(covered, fps)
    where = f"Something covers the mouth at {time_ranges(times)}"
    if not covered[used].any():
        message = f"{where}; only {in_words(used, fps)} are used."
        return [Remark("mouth_covered", message, "none", times)]
    message = f"{where}. The spoken mouth is drawn on top of it there; cut those parts out."
    effect: Effect = "severe" if covered[used].mean() > MOSTLY else "visible"
    return [Remark("mouth_covered", message, effect, times)]


def times_of(flags: NDArray[np.bool_], fps: int) -> tuple[tuple[float, float], ...]:
    """Return (first, end) seconds of every run of True in (n,) flags of frames."""
    return tuple((first / fps, end / fps) for first, end in find_gaps(~flags))


def in_words(part: slice, fps: int) -> str:
    """Return the times of a part of a video in words."""
    return time_ranges([(part.start / fps, part.stop / fps)])
