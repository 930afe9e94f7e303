"""Deterministic stand-ins for the surroundings of the render thread: disk, voice, device, threads.

They do nothing by themselves. Every thread that the render thread starts becomes a list of calls,
which the exploration makes one at a time, in any order.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from session.film import ClipRecord, Committed, Cue, FilmSpec, Fragment
from tts.speech import Samples, Speech
from tts.voice import VoiceChoice, VoiceUnavailable
from warm.avatars.avatar import Avatar, AvatarBuild
from warm.engines.base import EngineLost, Patch, PatchRequest, PendingPatches, ReadyPatches
from warm.sessions.limits import Capacity

FPS = 25
SPEC = FilmSpec(width=16, height=16, fps=FPS)
RATE_HZ = 48_000
SENTENCE_FRAMES = 2
UNIT, UNIT_FRAMES = "A unit.", 20
"""A unit of a growing text, in two pieces; it lasts longer than the time before its end at which
the text is closed."""
CHOICE = VoiceChoice(voice="fake", language="en", speed=1.0)


class Calls(Executor):
    """A thread whose functions run when the exploration says so."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.waiting: list[tuple[Future[Any], Callable[[], Any]]] = []

    def submit(self, fn: Callable[..., Any], /, *given: Any, **named: Any) -> "Future[Any]":
        """Add a call."""
        future: Future[Any] = Future()
        self.waiting.append((future, lambda: fn(*given, **named)))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002
        """Cancel the waiting calls if asked to; otherwise they are still made."""
        if cancel_futures:
            for future, _ in self.waiting:
                future.cancel()

    def run_next(self) -> None:
        """Make the oldest call."""
        future, call = self.waiting.pop(0)
        if not future.set_running_or_notify_cancel():
            return
        try:
            result = call()
        except Exception as error:  # noqa: BLE001 - the top of a thread
            future.set_exception(error)
        else:
            future.set_result(result)


class FakeClipWriter:
    """Takes every picture, unless the disk fails."""

    def __init__(self, film: "FakeFilm", text: str) -> None:
        self._film, self._text = film, text
        self._first = film.committed.frames

    def write(
        self,
        pictures: Sequence[Any],
        _samples: NDArray[np.float32],
        _cues: Sequence[Cue] = (),
        should_stop: Callable[[], bool] = lambda: False,
        on_encoded: Callable[[], None] = lambda: None,
    ) -> Fragment:
        """Append one fragment; an interruption stops it after its first picture."""
        on_encoded()
        self._film.disk.require("write")
        frames = 1 if should_stop() else len(pictures)
        first = self._film.committed.frames
        self._film.grow(frames)
        return Fragment(index=0, offset=first, end=first + frames, first_frame=first, frames=frames)

    def finish(self) -> ClipRecord:
        """End the clip."""
        record = self.abandon()
        assert record is not None
        return record

    def abandon(self) -> ClipRecord | None:
        """End the clip and keep its frames."""
        frames = self._film.committed.frames - self._first
        if not frames:
            return None
        return self._film.add(self._text, self._first, frames)


class FakeFilm:
    """A film in memory."""

    alignment_frames = 1
    spec = SPEC

    def __init__(self, path: Path, disk: "FakeDisk") -> None:
        self.path, self.disk = path, disk
        self.committed = Committed(bytes=0, frames=0, clips=())
        self.is_closed = False

    def begin(self, text: str, _preset: str = "") -> FakeClipWriter:
        """Start a clip."""
        return FakeClipWriter(self, text)

    def grow(self, frames: int) -> None:
        """Commit frames."""
        total = self.committed.frames + frames
        self.committed = Committed(bytes=total, frames=total, clips=self.committed.clips)

    def add(self, text: str, first: int, frames: int) -> ClipRecord:
        """Record a finished clip."""
        clips = self.committed.clips
        record = ClipRecord(index=len(clips), text=text, first_frame=first, frames=frames)
        total = self.committed.frames
        self.committed = Committed(bytes=total, frames=total, clips=(*clips, record))
        return record


class FakeSession:
    """A session in memory."""

    def __init__(self, session_id: str) -> None:
        self.id = session_id
        self.path = Path(session_id)
        self.film: FakeFilm | None = None
        self.is_in_use = False
        self.idle_since_s = 0.0


class FakeDisk:
    """Fails once, at the operation that is named."""

    def __init__(self) -> None:
        self.fails_at = ""

    def require(self, operation: str) -> None:
        """Raise OSError if this operation is to fail."""
        if self.fails_at == operation:
            self.fails_at = ""
            raise OSError(5, "the disk failed")


class FakeFilms:
    """Films of the sessions: what `SessionFilms` offers to the render loop."""

    def __init__(self, disk: FakeDisk, avatar: Avatar, clock: Callable[[], float]) -> None:
        self._disk, self._avatar, self._clock = disk, avatar, clock
        self.sessions = {name: FakeSession(name) for name in "ab"}

    def is_open(self, session: FakeSession) -> bool:
        """Return True if the film is open."""
        return session.film is not None and not session.film.is_closed

    def open(self, session: FakeSession) -> FakeSession:
        """Open or create a film."""
        self._disk.require("open")
        if session.film is None:
            session.film = FakeFilm(session.path, self._disk)
        session.film.is_closed, session.is_in_use = False, True
        return session

    def acquire_avatar(self, _session: FakeSession) -> Avatar:
        """Return the avatar."""
        return self._avatar

    def release(self, session: FakeSession) -> bool:
        """End the use of a session; True if its film is empty."""
        session.is_in_use, session.idle_since_s = False, self._clock()
        return session.film is not None and not session.film.committed.frames

    def clean_up(self, session: FakeSession) -> None:
        """Delete an empty film."""
        session.film = None

    def reset(self, session: FakeSession) -> None:
        """Delete a film."""
        session.film = None

    def opened(self) -> list[FakeSession]:
        """Return the sessions whose films are open."""
        return [session for session in self.sessions.values() if self.is_open(session)]

    def idle(self, idle_s: float) -> list[FakeSession]:
        """Return the sessions whose open films are idle."""
        return [
            session
            for session in self.opened()
            if not session.is_in_use and self._clock() - session.idle_since_s >= idle_s
        ]

    def close_film(self, session: FakeSession) -> None:
        """Close a film."""
        if session.film is not None:
            session.film.is_closed = True


class FakeVoices:
    """Speaks one sentence in two pieces; can be made to fail once."""

    def __init__(self) -> None:
        self.fails = False

    def speak(self, text: str, _choice: VoiceChoice) -> Iterator[Speech]:
        """Yield the only sentence with its first piece."""
        self.require_voice()
        frames = (UNIT_FRAMES if text == UNIT else SENTENCE_FRAMES) // 2
        pending = FakePending(self, frames)
        yield Speech(text, self.piece(frames), RATE_HZ, None, pending=pending)

    def piece(self, frames: int) -> Samples:
        """The sound of some frames."""
        return np.zeros(frames * RATE_HZ // FPS, np.float32)

    def require_voice(self) -> None:
        """Raise VoiceUnavailable if the voice is to fail."""
        if self.fails:
            self.fails = False
            raise VoiceUnavailable("the voice failed")


class FakePending:
    """The second piece of a sentence."""

    def __init__(self, voices: FakeVoices, frames: int) -> None:
        self._voices, self._frames = voices, frames
        self.samples = frames * RATE_HZ // FPS

    def __iter__(self) -> Iterator[Samples]:
        """Yield the piece, unless the voice fails."""
        self._voices.require_voice()
        yield self._voices.piece(self._frames)


class FakeEngine:
    """Draws nothing; its next load or pass can be made to fail."""

    name = "fake"
    benefits_from_batching = False
    largest_batch: int | None = None

    def __init__(self) -> None:
        self.load_fails = self.is_lost = False

    def round_up_batch(self, frames: int) -> int:
        """Return `frames`."""
        return frames

    def load(self) -> None:
        """Load, or fail once."""
        if self.load_fails:
            self.load_fails = False
            raise EngineLost("the load failed")
        self.is_lost = False

    def unload(self) -> None:
        """Unload."""

    def encode_speech(self, _speech: Speech, *, frames: int, fps: int) -> NDArray[np.float32]:
        """Return features without content."""
        return np.zeros((frames, 1), np.float32) if fps else np.zeros((0, 1), np.float32)

    def lookahead_s(self, _speech: Speech) -> float:
        """Every frame can be drawn when its own sound has arrived."""
        return 0.0

    def encode_part(
        self, speech: Speech, *, start: int, stop: int, fps: int
    ) -> NDArray[np.float32]:
        """Return features without content."""
        return self.encode_speech(speech, frames=stop - start, fps=fps)

    def submit(self, requests: Sequence[PatchRequest]) -> PendingPatches:
        """Draw, unless the device is lost."""
        if self.is_lost:
            raise EngineLost("the device failed")
        patch = Patch(np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2), np.uint8), np.eye(2, 3))
        return ReadyPatches([patch] * len(requests))

    def release_cached_memory(self) -> None:
        """Release nothing."""

    def prepare(self, build: AvatarBuild) -> None:
        """Prepare nothing."""

    def load_avatar(self, avatar: Avatar) -> None:
        """Load nothing."""

    def unload_avatar(self, avatar: Avatar) -> None:
        """Unload nothing."""

    def device_status(self) -> dict[str, Any]:
        """Return nothing."""
        return {}


def fake_avatar() -> Avatar:
    """One frame."""
    return Avatar(
        id="fake",
        digest="0" * 64,
        fps=FPS,
        frames=np.zeros((1, 16, 16, 3), np.uint8),
        transforms=np.tile(np.eye(2, 3), (1, 1, 1)),
        landmarks=np.zeros((1, 468, 3), np.float32),
        loop="pingpong",
        extras={},
        folder=Path(),
    )


def endless_capacity(_committed: Committed, _spec: FilmSpec) -> Capacity:
    """Room for every clip."""
    return Capacity(1_000_000, "max_session_s", "", "")
