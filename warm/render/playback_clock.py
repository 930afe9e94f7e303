"""Playback clock of a film: the position of a viewer that has watched since its first clip."""


class PlaybackClock:
    """Playback times of one film's frames.

    Playback continues from clip to clip. It pauses between two clips when the later one was not
    available in time. The encode thread of the film's clip writes; any thread may read.
    """

    def __init__(self, fps: int) -> None:
        self._fps = fps
        self._anchor: tuple[float, int] | None = None
        """A time in seconds and the frame shown at that time."""

    def start_clip(self, frame: int, now_s: float) -> None:
        """Note that a clip is available from `frame` on; it plays once the previous one ends."""
        if self.due_s(frame) < now_s:
            self._anchor = (now_s, frame)

    def due_s(self, frame: int) -> float:
        """Time at which `frame` is shown; minus infinity before the first clip."""
        if self._anchor is None:
            return float("-inf")
        anchor_s, anchor_frame = self._anchor
        return anchor_s + (frame - anchor_frame) / self._fps

    def position(self, end: int, now_s: float) -> float:
        """Frames shown of a film with `end` frames; all of them if no clip has been played."""
        if self._anchor is None:
            return float(end)
        anchor_s, anchor_frame = self._anchor
        return min(float(end), anchor_frame + (now_s - anchor_s) * self._fps)
