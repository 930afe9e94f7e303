"""Where a film would be playing for somebody who watches it from its first clip on."""


class PlaybackClock:
    """When each frame of one film is needed, and how far its playing has come.

    It goes on from clip to clip, and waits between two where the later one was not begun in time.
    The encode thread of the film's clip tells it what comes; any thread may ask.
    """

    def __init__(self, fps: int) -> None:
        self._fps = fps
        self._anchor: tuple[float, int] | None = None
        """A time, and the frame that is shown from then on."""

    def begin(self, frame: int, now_s: float) -> None:
        """A clip can be watched from `frame` on, and is as soon as what was before it is over."""
        if self.due_s(frame) < now_s:
            self._anchor = (now_s, frame)

    def due_s(self, frame: int) -> float:
        """When `frame` will be shown if it is there; long ago where nothing has been played."""
        if self._anchor is None:
            return float("-inf")
        at_s, anchor = self._anchor
        return at_s + (frame - anchor) / self._fps

    def position(self, end: int, now_s: float) -> float:
        """How many frames have been shown of a film that has `end`; all, where none was awaited."""
        if self._anchor is None:
            return float(end)
        at_s, anchor = self._anchor
        return min(float(end), anchor + (now_s - at_s) * self._fps)
