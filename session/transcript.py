"""What a film says, as WebVTT (W3C): a cue per sentence, timed by whole video frames."""

from collections.abc import Iterable
from dataclasses import dataclass

from session.film import ClipRecord

_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Cue:
    """A sentence and the frames on which it is heard."""

    text: str
    first_frame: int
    frames: int


def clip_cues(clips: Iterable[ClipRecord]) -> list[Cue]:
    """A cue for every clip, where nothing finer is known of its sentences."""
    return [Cue(text=clip.text, first_frame=clip.first_frame, frames=clip.frames) for clip in clips]


def webvtt(cues: Iterable[Cue], *, fps: int) -> str:
    """The whole file. Cues without a word are left out: a film recovered without its journal
    knows that something was said, not what."""
    blocks = ["WEBVTT\n", *(_block(cue, fps) for cue in cues if cue.text.split())]
    return "\n".join(blocks)


def _block(cue: Cue, fps: int) -> str:
    begin, end = cue.first_frame, cue.first_frame + cue.frames
    text = " ".join(cue.text.translate(_ESCAPES).split())  # an empty line would end the cue
    return f"{_time(begin, fps)} --> {_time(end, fps)}\n{text}\n"


def _time(frame: int, fps: int) -> str:
    """The beginning of a frame, to the nearest millisecond."""
    rest, milliseconds = divmod((2000 * frame + fps) // (2 * fps), 1000)
    minutes, seconds = divmod(rest, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}.{milliseconds:03}"
