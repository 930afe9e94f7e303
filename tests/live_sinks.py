"""A live sink that keeps what it receives."""

from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warm.render.live_sink import (
    LiveClip,
    LiveFilms,
    LiveFrames,
    LivePosition,
    LiveSentence,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The end of a clip."""

    clip: int
    end_frame: int
    was_cut: bool


class RecordingSink:
    """Keeps the calls of all sessions in order; `live` has the sessions with viewers."""

    def __init__(self, *live: str) -> None:
        self.live = set(live)
        self.calls: list[Any] = []
        """LiveClip, LiveFrames, LiveSentence, Ended, or the names of other calls."""
        self.position: LivePosition | None = None
        """The answer to `clear`."""
        self.films: LiveFilms | None = None
        self._lock = Lock()

    def connect(self, films: LiveFilms) -> None:
        self.films = films

    def is_live(self, session_id: str) -> bool:
        return session_id in self.live

    def begin(self, clip: LiveClip) -> None:
        self._note(clip)

    def add(self, frames: LiveFrames) -> None:
        self._note(frames)

    def sentence(self, sentence: LiveSentence) -> None:
        self._note(sentence)

    def end(self, session_id: str, clip: int, end_frame: int, *, was_cut: bool) -> None:
        del session_id
        self._note(Ended(clip=clip, end_frame=end_frame, was_cut=was_cut))

    def clear(self, session_id: str) -> LivePosition | None:
        self._note(f"clear {session_id}")
        return self.position

    def drop(self, session_id: str) -> None:
        self._note(f"drop {session_id}")

    def reset(self, session_id: str) -> None:
        self._note(f"reset {session_id}")

    @property
    def begun(self) -> list[LiveClip]:
        return [call for call in self.calls if isinstance(call, LiveClip)]

    @property
    def added(self) -> list[LiveFrames]:
        return [call for call in self.calls if isinstance(call, LiveFrames)]

    @property
    def sentences(self) -> list[LiveSentence]:
        return [call for call in self.calls if isinstance(call, LiveSentence)]

    @property
    def ended(self) -> list[Ended]:
        return [call for call in self.calls if isinstance(call, Ended)]

    @property
    def frames(self) -> int:
        """Number of frames received."""
        return sum(len(each.pictures) for each in self.added)

    def numbers(self) -> list[int]:
        """Places in the film of all frames received."""
        return [each.first_frame + n for each in self.added for n in range(len(each.pictures))]

    def pictures(self) -> NDArray[np.uint8]:
        """(n, h, w, 3) BGR."""
        return np.stack([picture for each in self.added for picture in each.pictures])

    def sound(self) -> NDArray[np.float32]:
        return np.concatenate([each.samples for each in self.added])

    def _note(self, call: Any) -> None:
        with self._lock:
            self.calls.append(call)
