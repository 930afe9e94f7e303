"""Events of the growth of a session's films."""

from pydantic import Field

from api.answers import Answer


class FilmEvent(Answer):
    """A film begins, or is the current one."""

    film: str
    url: str
    codecs: str
    width: int
    height: int
    fps: int
    init_bytes: int
    bytes: int


class CueAnswer(Answer):
    """A sentence and its time."""

    text: str
    first_frame: int
    frames: int
    start_s: float
    end_s: float


class FragmentEvent(Answer):
    """A fragment was committed."""

    film: str
    offset: int = Field(description="Its first byte in the film.")
    end: int = Field(description="The byte after its last one.")
    first_frame: int
    frames: int
    start_s: float
    duration_s: float
    cues: list[CueAnswer]


class ResetEvent(Answer):
    """A film is over; the next one has not begun."""

    film: str
