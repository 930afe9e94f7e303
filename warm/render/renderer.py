"""The passes of the render thread: frames of all clips in the making, the most urgent first."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from session.factory import Film
from session.film import FilmSpec
from stabilizers.blend import BlendMode
from warm.avatars.avatar import Avatar
from warm.engines.base import Patch, PendingPatches, ReadyPatches
from warm.render.clip import Clip, Part, Stage
from warm.render.compositing import Frame, composite, idle_frames, patch_requests
from warm.render.jobs import SpeakJob
from warm.render.playback_clock import PlaybackClock
from warm.render.scheduler import PASS_S, SHORT_PASS_S, SOON_S, Pace, line_up
from warm.render.utterances import utterances

CROWD = 3
"""So many clips that begin at once get in each other's way."""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How patches are pasted."""

    blend_mode: BlendMode
    subpixel: bool

    def paint(self, avatar: Avatar, cursor: int, patches: list[Patch]) -> list[Frame]:
        """One picture a patch, from frame `cursor` of the film on."""
        return composite(avatar, cursor, patches, mode=self.blend_mode, subpixel=self.subpixel)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Pass:
    """Frames that the engine was asked for at once."""

    parts: list[Part]
    pending: PendingPatches
    begun_s: float

    @property
    def frames(self) -> int:
        """Those in which somebody speaks."""
        return sum(part.frames for part in self.parts if part.features is not None)


class Renderer:
    """Owned by the render thread. It waits for no encoder, and for the engine only when there is
    nothing else to do."""

    def __init__(self, stage: Stage, look: Look) -> None:
        self.clips: list[Clip] = []
        """In the making; any thread may look how many."""
        self._stage, self._look = stage, look
        self._pace = Pace()
        self._under_way: Pass | None = None
        self._passed_s = 0.0
        """When the last pass was done."""
        self._playing: WeakKeyDictionary[Film, PlaybackClock] = WeakKeyDictionary()

    def rehearse(self, job: SpeakJob, avatar: Avatar, beat: Callable[[], None]) -> None:
        """Make a clip for nobody, so that the first one for somebody is like every other."""
        width, height = avatar.size
        spec = FilmSpec(width=width, height=height, fps=avatar.fps)
        for utterance in utterances(self._stage.voices, self._stage.engine, job, spec):
            rows = utterance.features
            while rows is not None and len(rows):
                rows = rows[self._rehearse_pass(avatar, rows) :]
                beat()

    def _rehearse_pass(self, avatar: Avatar, rows: NDArray[np.float32]) -> int:
        begun_s, some = self._stage.clock(), rows[: self._room()]
        patches = self._stage.engine.submit(patch_requests(avatar, 0, some)).patches()
        self._look.paint(avatar, 0, patches)
        self._pace.note(len(some), self._stage.clock() - begun_s)
        return len(some)

    def begin(self, job: SpeakJob, film: Film, avatar: Avatar) -> None:
        """Take on a clip; there must be no other of this film."""
        self.clips.append(Clip(job, film, avatar, self.playing(film), self._stage))

    def clip_of(self, session_id: str | None) -> Clip | None:
        """What is being said in a session."""
        return next((clip for clip in self.clips if clip.job.session_id == session_id), None)

    def playing(self, film: Film) -> PlaybackClock:
        """The playing clock of a film."""
        return self._playing.setdefault(film, PlaybackClock(film.spec.fps))

    def step(self, coming: int = 0) -> bool:
        """One pass; False when there was nothing to do.

        While the engine makes the frames of this pass, those of the one before are pasted.
        `coming`: so many more clips begin as soon as their films have been opened.
        """
        for clip in self.clips:
            self._guarded(clip, clip.advance)
        before, self._under_way = self._under_way, self._start(self._choose(coming))
        made = self._under_way
        if before is not None:
            self._land(before)
        if made is not None and isinstance(made.pending, ReadyPatches):
            self._under_way = None
            self._land(made)
        return before is not None or made is not None

    def is_awake(self) -> bool:
        """Whether the engine is loaded: without it, clips only end."""
        return self._stage.is_awake()

    def note(self, error: Exception) -> None:
        """Something failed for which the engine was asked."""
        self._stage.note(error)

    def take_ended(self) -> list[Clip]:
        """The clips that have come to their end; they are let go."""
        ended = [clip for clip in self.clips if clip.has_ended]
        if ended:
            self.clips = [clip for clip in self.clips if not clip.has_ended]
        return ended

    def rest_s(self) -> float:
        """How long there is nothing to do, unless something comes or an encoder gets on."""
        now_s = self._stage.clock()
        if not self.is_awake():
            return float("inf")
        next_s = [wanted_s(clip, now_s) for clip in self.clips if clip.is_waiting()]
        return max(0.0, min(next_s, default=float("inf")) - now_s)

    def stuck_s(self) -> float:
        """How long the slowest encoder has been at one batch. Any thread."""
        begun_s = [clip.busy_since for clip in self.clips]
        now_s = self._stage.clock()
        return max((now_s - since for since in begun_s if since is not None), default=0.0)

    def _choose(self, coming: int) -> list[Part]:
        if not self.is_awake():
            return []
        room = self._room()
        parts: list[Part] = []
        is_crowd = coming + sum(not clip.has_begun for clip in self.clips) >= CROWD
        for clip in line_up(self.clips, self._stage.clock()):
            if room <= 0 or (parts and not self._stage.engine.benefits_from_batching):
                break
            part = self._guarded(clip, lambda: clip.take(room, in_crowd=is_crowd))  # noqa: B023
            if part is not None:
                parts.append(part)
                room -= part.frames
        return parts

    def _room(self) -> int:
        """Frames that the next pass takes at most."""
        stage, engine = self._stage, self._stage.engine
        pass_s = PASS_S if engine.benefits_from_batching else SHORT_PASS_S
        most = engine.largest_batch or stage.largest_batch
        return min(most, engine.round_up_batch(self._pace.room(pass_s, stage.first_batch, most)))

    def _start(self, parts: list[Part]) -> Pass | None:
        if not parts:
            return None
        begun_s = self._stage.clock()
        jobs = [job for part in parts for job in part.jobs()]
        pending: PendingPatches = ReadyPatches([])
        try:
            pending = self._stage.engine.submit(jobs) if jobs else pending
        except Exception as error:  # noqa: BLE001 - the top of every request in it
            self._fail_speaking(parts, error)
        return Pass(parts=parts, pending=pending, begun_s=begun_s)

    def _land(self, done: Pass) -> None:
        """Take what the engine has made, paste it, and hand it over."""
        patches: list[Patch] = []
        try:
            patches = done.pending.patches()
        except Exception as error:  # noqa: BLE001 - the top of every request in it
            self._fail_speaking(done.parts, error)
        left = iter(patches)
        for part in done.parts:
            own = list(islice(left, part.frames)) if part.features is not None else []
            if not part.batch.is_dropped:
                self._guarded(part.clip, lambda: part.clip.bring(part, self._paint(part, own)))  # noqa: B023
        now_s = self._stage.clock()
        self._pace.note(done.frames, now_s - max(done.begun_s, self._passed_s))
        self._passed_s = now_s

    def _paint(self, part: Part, patches: list[Patch]) -> list[Frame]:
        if part.features is None:
            return idle_frames(part.clip.avatar, part.cursor, part.frames)
        return self._look.paint(part.clip.avatar, part.cursor, patches)

    def _fail_speaking(self, parts: list[Part], error: Exception) -> None:
        self.note(error)
        for part in parts:
            if part.features is not None:
                part.clip.fail(error)

    def _guarded(self, clip: Clip, act: Callable[[], Result]) -> Result | None:
        """Whatever goes wrong with one clip ends that clip alone."""
        try:
            return act()
        except Exception as error:  # noqa: BLE001 - the top of a request
            self.note(error)
            clip.fail(error)
            return None


def wanted_s(clip: Clip, now_s: float) -> float:
    """When a clip that is waiting may come into the next pass at the latest."""
    return clip.released_s if clip.released_s > now_s else clip.due_s - SOON_S
