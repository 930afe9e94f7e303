"""Tail of a clip: the frames without speech at its end."""

from dataclasses import dataclass
from math import ceil

from warm.render.jobs import ClipEnding
from warm.render.utterances import TAIL_FRAMES

GLIDE_S = 0.6
"""Duration of a glide to the beginning of the idle loop."""
LONGEST_WAIT_S = 1.0
"""If the loop begins again within this time, it is shown to its end instead of a glide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """Frames without speech, and how many of them glide to the beginning of the idle loop."""

    frames: int
    glide: int = 0


def tail_of(
    ending: ClipEnding, *, spoken: int, returning: int, fps: int, period: int, alignment: int
) -> Tail:
    """Return the tail after `spoken` frames.

    `returning`: frames in which the head returns to the idle loop; `period`: frames of that loop;
    `alignment`: the length of the whole clip is a multiple of it.
    """
    frames = max(TAIL_FRAMES, returning) + ceil(ending.pad_s * fps)
    frames += -(spoken + frames) % alignment
    if not ending.is_fluent:
        return Tail(frames=frames)
    left = -(spoken + frames) % period
    if left <= LONGEST_WAIT_S * fps:
        return Tail(frames=frames + left)
    glide = round(GLIDE_S * fps)
    return Tail(frames=max(frames, returning + glide), glide=glide)
