"""What a film says, as WebVTT (W3C): a cue per sentence, timed by whole video frames."""

from collections.abc import Iterable

from session.film import Cue

_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def webvtt(cues: Iterable[Cue], *, fps: int) -> str:
    """The whole file. Cues without a word are left out: a film recovered without its journal
    knows that something was said, not what."""
    blocks = ["WEBVTT\n", *(_block(cue, fps) for cue in cues if cue.text.split())]
    return "\n".join(blocks)


def _block(cue: Cue, fps: int) -> str:
    text = " ".join(cue.text.translate(_ESCAPES).split())  # an empty line would end the cue
    return f"{_time(cue.first_frame, fps)} --> {_time(cue.end, fps)}\n{text}\n"


def _time(frame: int, fps: int) -> str:
    """The beginning of a frame, to the nearest millisecond."""
    rest, milliseconds = divmod((2000 * frame + fps) // (2 * fps), 1000)
    minutes, seconds = divmod(rest, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}.{milliseconds:03}"
