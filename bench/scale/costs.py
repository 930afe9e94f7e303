"""Measured costs of one batch on its way from the head to the GPU and into the film."""

from bisect import bisect_left
from dataclasses import dataclass

FPS = 25
"""Frames per second of speech."""

_PASS_FRAMES = (1, 2, 4, 8, 16, 25, 32, 48, 64)
_PASS_FPS = (177, 284, 406, 485, 537, 522, 549, 556, 556)


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Times in seconds."""

    voice_s: float = 0.035
    """From the request to the first piece of sound of the voice `heart` (docs/figures.md)."""
    call_s: float = 0.009
    """Delay of a pass sent to another machine and its patches sent back; 3 to 9 ms were measured
    with Ray between processes and nodes of one host."""
    head_frame_s: float = 0.0007
    """Time of the render thread for one frame; it serves all sessions of its head in turn."""
    fragment_s: float = 0.012
    """Delay from the composited frames to the durable fragment: encoder and disk."""
    replay_s: float = 0.25
    """After this time without an answer, a pass is sent to another GPU."""
    restart_s: float = 30.0
    """Time that a lost GPU's process takes until its engine is warm again."""

    def pass_s(self, frames: int) -> float:
        """Return the time of the neural engine for one pass on an H200.

        Between the measured sizes the time is interpolated, beyond them the speed is constant.
        """
        place = bisect_left(_PASS_FRAMES, frames)
        if place == len(_PASS_FRAMES):
            return frames / _PASS_FPS[-1]
        after = _PASS_FRAMES[place] / _PASS_FPS[place]
        if place == 0:
            return after
        before = _PASS_FRAMES[place - 1] / _PASS_FPS[place - 1]
        span = _PASS_FRAMES[place] - _PASS_FRAMES[place - 1]
        share = (frames - _PASS_FRAMES[place - 1]) / span
        return before + share * (after - before)
