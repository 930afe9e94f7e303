"""Thread that reads frames of a film for the timeline of a feed, shortly before they are shown."""

from pathlib import Path
from threading import Event, Lock, Thread

from warm.live.feed.film_frames import FilmFrames
from warm.live.feed.played_clip import PlayedClip
from warm.live.feed.timeline import Timeline

RETRY_S = 0.04
"""Interval at which a film is looked at that does not have a frame yet."""
PATIENCE_S, LOST_S = 0.4, 1.5
"""Time after which frames are taken whose sound is not complete; time after which frames that the
film does not have are lost."""


class FilmReading:
    """Reads the frames that a timeline lacks. `start_if_needed` is for the feed's thread."""

    def __init__(self, lock: Lock, stopping: Event) -> None:
        """`lock` guards the timeline; the thread ends when `stopping` is set."""
        self._lock, self._stopping = lock, stopping
        self._thread: Thread | None = None

    def start_if_needed(self, timeline: Timeline, fps: int) -> None:
        """Start to read, unless that is in progress. The caller holds the lock."""
        if timeline.missing() is None or (self._thread is not None and self._thread.is_alive()):
            return
        self._thread = Thread(target=self._run, args=(timeline, fps), name="feed-film", daemon=True)
        self._thread.start()

    def _run(self, timeline: Timeline, fps: int) -> None:
        source: FilmFrames | None = None
        clip: PlayedClip | None = None
        waited_s = 0.0
        while not self._stopping.is_set():
            with self._lock:
                missing = timeline.missing()
            if missing is None:
                return
            if source is None or missing[0] is not clip:
                clip, waited_s = missing[0], 0.0
                source = FilmFrames(Path(clip.path), fps, timeline.loop)
            found = source.read(missing[1].start, is_patient=waited_s < PATIENCE_S)
            with self._lock:
                for number, frame in found:
                    timeline.add_read(missing[0], number, frame)
                if not found and waited_s > LOST_S:
                    timeline.give_up_film(missing[0])
            waited_s = 0.0 if found else waited_s + RETRY_S
            if not found:
                self._stopping.wait(RETRY_S)
