"""WebVTT transcript (W3C) of a film: one cue for each sentence, timed by whole video frames."""

from itertools import takewhile
from pathlib import Path
from threading import Lock

from session.factory import Film, read_cues
from session.film import Cue

_HEADER = "WEBVTT\n"
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


class Transcript:
    """WebVTT file of one open film. Thread-safe; each finished cue is formatted once."""

    def __init__(self, film: Film) -> None:
        self._film = film
        self._lock = Lock()
        self._blocks: list[str] = [_HEADER]
        self._finished_cues = 0
        """Number of cues in the blocks; these do not change any more."""

    def text(self) -> str:
        """Return the whole file, up to the committed end."""
        with self._lock:
            frames, fps = self._film.committed.frames, self._film.spec.fps
            new = self._film.cues()[self._finished_cues :]
            finished = list(takewhile(lambda cue: cue.end < frames, new))
            self._blocks += _blocks(finished, fps)
            self._finished_cues += len(finished)
            return "\n".join([*self._blocks, *_blocks(new[len(finished) :], fps)])


def transcript_of(path: Path) -> str:
    """Return the WebVTT file of a film on disk. Raises FileNotFoundError and FilmDamagedError."""
    spec, cues = read_cues(path)
    return "\n".join([_HEADER, *_blocks(cues, spec.fps)])


def _blocks(cues: list[Cue], fps: int) -> list[str]:
    """Format cues; those without text are skipped.

    A film recovered without its journal has cues whose text is unknown.
    """
    return [_block(cue, fps) for cue in cues if cue.text.split()]


def _block(cue: Cue, fps: int) -> str:
    text = " ".join(cue.text.translate(_ESCAPES).split())  # an empty line would end the cue
    return f"{_time(cue.first_frame, fps)} --> {_time(cue.end, fps)}\n{text}\n"


def _time(frame: int, fps: int) -> str:
    """Format the start of a frame, rounded to the nearest millisecond."""
    rest, milliseconds = divmod((2000 * frame + fps) // (2 * fps), 1000)
    minutes, seconds = divmod(rest, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}.{milliseconds:03}"
