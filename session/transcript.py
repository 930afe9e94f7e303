"""What a film says, as WebVTT (W3C): a cue per sentence, timed by whole video frames."""

from itertools import takewhile
from threading import Lock

from session.film import Cue
from session.writers import Film

_HEAD = "WEBVTT\n"
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


class Transcript:
    """The WebVTT file of one film. Any thread; each finished sentence is written once."""

    def __init__(self, film: Film) -> None:
        self._film = film
        self._growing = Lock()
        self._blocks: list[str] = [_HEAD]
        self._finished = 0
        """Cues that these blocks tell of; they will not change any more."""

    def text(self) -> str:
        """The whole file, up to what is committed now."""
        with self._growing:
            frames = self._film.committed.frames
            fresh = self._film.cues()[self._finished :]
            sure = list(takewhile(lambda cue: cue.end < frames, fresh))  # the film went on
            self._blocks += _blocks(sure, self._film.spec.fps)
            self._finished += len(sure)
            return "\n".join([*self._blocks, *_blocks(fresh[len(sure) :], self._film.spec.fps)])


def _blocks(cues: list[Cue], fps: int) -> list[str]:
    """Cues without a word are left out: a film recovered without its journal knows that something
    was said, not what."""
    return [_block(cue, fps) for cue in cues if cue.text.split()]


def _block(cue: Cue, fps: int) -> str:
    text = " ".join(cue.text.translate(_ESCAPES).split())  # an empty line would end the cue
    return f"{_time(cue.first_frame, fps)} --> {_time(cue.end, fps)}\n{text}\n"


def _time(frame: int, fps: int) -> str:
    """The beginning of a frame, to the nearest millisecond."""
    rest, milliseconds = divmod((2000 * frame + fps) // (2 * fps), 1000)
    minutes, seconds = divmod(rest, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}.{milliseconds:03}"
