"""What a film says, as WebVTT (W3C): a cue per sentence, timed by whole video frames."""

import os
from collections.abc import Sequence
from itertools import pairwise, takewhile
from pathlib import Path
from threading import Lock

from session.factory import Film
from session.film import Cue, cues_before
from session.fragmented.init_segment import read_init_segment
from session.fragmented.journal import JournalEntry
from session.fragmented.recovery import scan_film
from session.mp4.metadata_box import read_metadata_box

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


def transcript_of(path: Path) -> str:
    """The WebVTT file of a film that nobody adds to. Raises FileNotFoundError, FilmDamagedError."""
    fd = os.open(path, os.O_RDONLY)
    try:
        if label := read_metadata_box(fd):
            cues, spec = list(label.cues), label.spec
        else:
            init_segment = read_init_segment(fd)
            cues, spec = _heard(scan_film(fd, path, init_segment).entries), init_segment.spec
    finally:
        os.close(fd)
    return "\n".join([_HEAD, *_blocks(cues, spec.fps)])


def _heard(entries: Sequence[JournalEntry]) -> list[Cue]:
    """What the journal tells of all clips."""
    begins = [at for at, entry in enumerate(entries) if entry.text is not None]
    ends = [0, *(entry.frames for entry in entries)]
    clips = pairwise([*begins, len(entries)])
    return [cue for at, after in clips for cue in _of_clip(entries[at:after], ends[at])]


def _of_clip(clip: Sequence[JournalEntry], first_frame: int) -> list[Cue]:
    """The sentences of a clip; the whole of it where none is known."""
    end = clip[-1].frames
    meant = [cue for entry in clip for cue in entry.cues]
    whole = Cue(text=clip[0].text or "", first_frame=first_frame, frames=end - first_frame)
    return cues_before(end, meant) or [whole]


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
