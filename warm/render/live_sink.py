"""Live sink: receives the frames of clips as they are rendered, before they are encoded."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from warm.avatars.avatar import Avatar, Shown
from warm.render.compositing import Frame


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LiveFilm:
    """State of a session and its film at one moment, for a viewer that joins."""

    session_id: str
    avatar: Avatar
    path: Path
    """It does not exist before the first clip."""
    fps: int
    size: tuple[int, int]
    """(width, height)."""
    committed: int
    """Frames on disk."""
    position: float
    """Frames shown to a viewer that has been watching since the server started."""
    clip: int | None
    """Number of the clip that is being rendered; None if there is none."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LiveClip:
    """A clip from which frames follow: from its first one on, or from where a viewer joined."""

    clip: int
    """Its number in the film."""
    first_frame: int
    """Its first frame, counted in the film."""
    tapped_from: int
    """First frame that `add` brings, counted in the film. A viewer that joins finds those before it
    in the file, or will in a moment. With the writer `concat`, the file has no frame of this clip
    yet."""
    utterance: str
    """Id of what is spoken; empty if the client gave none."""
    skipped: int
    """Samples at 48 kHz of a recording before those of its first frame, which were silent."""
    film: LiveFilm

    @property
    def session_id(self) -> str:
        """Session of the clip."""
        return self.film.session_id


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LiveFrames:
    """Consecutive frames of a clip."""

    session_id: str
    clip: int
    first_frame: int
    """Counted in the film."""
    pictures: Sequence[Frame]
    """(h, w, 3) BGR each; not modified afterwards."""
    samples: NDArray[np.float32]
    """(n * 48000 / fps,) sound of these frames, within ±1."""
    shown: Sequence[Shown]
    """The avatar's picture in each frame."""
    is_speech: bool
    """False for silence: the end of a clip, and actions without speech."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSentence:
    """A sentence that begins with a frame that follows."""

    session_id: str
    clip: int
    text: str
    """Empty for the end of a recording."""
    first_frame: int
    """Counted in the film."""
    frames: int | None
    """None if the length is not known: a recording that is still arriving."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LivePosition:
    """The place that live viewers have reached."""

    frame: float
    """Frames of the film that they have seen."""


class LiveFilms(Protocol):
    """States of the films. Any thread."""

    def live_film(self, session_id: str) -> LiveFilm:
        """Return the state of a session; one that does not exist yet has no frames.

        Raises BadSessionId, UnusableSession, and AvatarError if its avatar cannot be opened.
        """
        ...


class LiveSink(Protocol):
    """Receiver of the frames of sessions that have live viewers.

    Only `clear` and `reset` may wait, for less than a second. The methods without a named thread
    are called by the render thread. For each clip of a session that is live: `begin`, then
    `sentence` and `add` in the order of the frames, then `end`. A clip whose session becomes live
    while it is rendered begins late, and one whose session is not live any more gets no further
    frames.
    """

    def connect(self, films: LiveFilms) -> None:
        """Receive the states of the films. Called once, before everything else."""
        ...

    def is_live(self, session_id: str) -> bool:
        """Return True if a session has live viewers, or had some a short time ago. Any thread."""
        ...

    def begin(self, clip: LiveClip) -> None:
        """Receive the frames of a clip from now on."""
        ...

    def add(self, frames: LiveFrames) -> None:
        """Take rendered frames.

        After a cut, they may replace frames that were sent before, from `first_frame` on.
        """
        ...

    def sentence(self, sentence: LiveSentence) -> None:
        """Take a caption."""
        ...

    def end(self, session_id: str, clip: int, end_frame: int, *, was_cut: bool) -> None:
        """Note the end of a clip before `end_frame`, counted in the film.

        `was_cut`: not everything was said. Frames that were sent from `end_frame` on are not in
        the film.
        """
        ...

    def clear(self, session_id: str) -> LivePosition | None:
        """Stop the sound at once, close the mouth and drop all frames sent so far. Any thread.

        Frames of clips that began before are dropped until they end. Returns the position that was
        reached; None if nothing was being spoken live. Another call returns the same position until
        a clip begins.
        """
        ...

    def drop(self, session_id: str) -> None:
        """Stop like `clear`, without waiting for the position."""
        ...

    def reset(self, session_id: str) -> None:
        """Note that the film of a session is gone: its frames are counted from 0 again.

        Any thread. What is spoken is dropped as by `clear`.
        """
        ...


class NoLive:
    """A sink without viewers."""

    def connect(self, films: LiveFilms) -> None:
        """Do nothing."""

    def is_live(self, session_id: str) -> bool:  # noqa: ARG002 - protocol
        """Return False."""
        return False

    def begin(self, clip: LiveClip) -> None:
        """Do nothing."""

    def add(self, frames: LiveFrames) -> None:
        """Do nothing."""

    def sentence(self, sentence: LiveSentence) -> None:
        """Do nothing."""

    def end(self, session_id: str, clip: int, end_frame: int, *, was_cut: bool) -> None:
        """Do nothing."""

    def clear(self, session_id: str) -> LivePosition | None:  # noqa: ARG002 - protocol
        """Return None."""
        return None

    def drop(self, session_id: str) -> None:
        """Do nothing."""

    def reset(self, session_id: str) -> None:
        """Do nothing."""


NO_LIVE = NoLive()
"""It has no state, so one is enough."""
