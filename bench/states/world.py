"""The real render thread in a world that moves only in single, chosen steps."""

from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

from bench.states.fakes import (
    CHOICE,
    UNIT,
    Calls,
    FakeDisk,
    FakeEngine,
    FakeFilms,
    FakeSession,
    FakeVoices,
    endless_capacity,
    fake_avatar,
)
from tts.text.plain_text import PlainText
from warm.render.clip import Clip
from warm.render.context import RenderResources, Threads
from warm.render.growing_text import GrowingText
from warm.render.health import Counters, NotReady
from warm.render.jobs import Command, Origin, SpeakJob
from warm.render.shares import QueueFull
from warm.render.thread import RenderThread
from warm.settings import Settings

IDLE_S = 60.0
SETTINGS = Settings(
    unload_idle_seconds=IDLE_S, session_idle_s=IDLE_S, max_queue=4, max_speaking=1, stop_s=1e-6
)
REQUESTS = ("speak a", "speak b", "grow a", "interrupt a", "reset a", "pause")
"""Requests, and a pause, in which time passes. A growing text is written by the part `writer`."""
DISTURBANCES = (
    *("leave", "lose the engine", "fail the load", "fail the opening", "fail the writing"),
    *("fail the voice", "fail the text", "idle", "stop", "die"),
)
PROGRESS = ("turn", "background", "encode", "speech", "load", "writer")
PAUSE_S = 1.0


@dataclass(frozen=True, slots=True)
class Model:
    """Bounds of the histories that are explored."""

    requests: Mapping[str, int]
    """Largest number of each request of `REQUESTS`."""
    disturbances: int
    """Largest number of disturbances, each of which happens at most once."""


class World:
    """Render thread, clients and surroundings. `act` performs one action."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.disk, self.engine, self.voices = FakeDisk(), FakeEngine(), FakeVoices()
        self.workers: list[Calls] = []
        self.started: dict[str, Calls] = {"background": Calls("background"), "load": Calls("load")}
        self.films = FakeFilms(self.disk, fake_avatar(), lambda: self.now_s)
        self.jobs: list[SpeakJob] = []
        self.texts: list[GrowingText] = []
        self.commands: list[Command[Any]] = []
        self.absent: set[int] = set()
        """Indices of the jobs whose clients have left."""
        self.counts: Counter[str] = Counter()
        self.is_over = False
        """The render thread has ended."""
        self.thread = RenderThread(
            self._resources(),
            SETTINGS,
            on_warm=lambda: None,
            clock=lambda: self.now_s,
            threads=Threads(worker=self._worker, start=self._start),
        )
        self.thread._lifecycle.load()
        self.thread._liveness.warm.set()

    def enabled(self, model: Model) -> list[str]:
        """Actions that are possible now, within the bounds of the model."""
        return [*self._requests(model), *self.progress()]

    def act(self, action: str) -> None:
        """Perform an action."""
        self.counts[action] += 1
        verb, _, rest = action.partition(" ")
        match verb:
            case "speak":
                self._speak(rest)
            case "grow":
                self.texts.append(GrowingText())
                self._speak(rest, self.texts[-1])
            case "writer":
                self._write(self._open_texts()[0])
            case "pause":
                self.now_s += PAUSE_S
            case "interrupt" | "reset":
                self._command(verb, rest)
            case "turn":
                self._turn()
            case "background" | "load":
                self.started[verb].run_next()
            case "encode" | "speech":
                self._pending(verb)[0].run_next()
            case _:
                self._disturb(action)

    def progress(self) -> list[str]:
        """Parts of the world that can go on."""
        found = [] if self.is_over else ["turn"]
        found += [name for name in ("background", "load") if self.started[name].waiting]
        found += ["writer"] if self._open_texts() else []
        return found + [name for name in ("encode", "speech") if self._pending(name)]

    def is_settled(self) -> bool:
        """True if every request has an answer."""
        return all(job.is_over for job in self.jobs) and all(
            command.future.done() for command in self.commands
        )

    def wait(self, seconds: float) -> None:
        """Let time pass, with what the other threads of the server do meanwhile."""
        self.now_s += seconds
        if not self.is_over:
            self.thread._watchdog.check()
        for job in self.jobs:
            if not job.is_over:
                job.watchdog()

    def state(self) -> tuple[Any, ...]:
        """Everything that determines the future, as a value."""
        lifecycle, loop = self.thread._lifecycle, self.thread._loop
        return (
            tuple(self._job_state(index, job) for index, job in enumerate(self.jobs)),
            tuple((c.future.done(), c in loop._commands) for c in self.commands),
            tuple(loop._background.sessions),
            tuple(len(calls.waiting) for calls in self.started.values()),
            (lifecycle.state, lifecycle.is_loading, lifecycle._failed_attempts),
            lifecycle._retry_at_s > self.now_s,
            (self.engine.load_fails, self.engine.is_lost, self.disk.fails_at, self.voices.fails),
            tuple(self._film_state(session) for session in self.films.sessions.values()),
            tuple((clip.job.session_id, *clip_state(clip)) for clip in self.thread._renderer.clips),
            tuple((calls.name, len(calls.waiting)) for calls in self.workers if calls.waiting),
            bool(self.thread._renderer._in_flight),
            self.is_over,
            tuple(sorted((name, n) for name, n in self.counts.items() if name not in PROGRESS)),
            self._idle_time(),
        )

    def _idle_time(self) -> bool:
        return self.now_s - self.thread._lifecycle._last_used_s >= IDLE_S

    def _job_state(self, index: int, job: SpeakJob) -> tuple[Any, ...]:
        error = type(job._error).__name__ if job._error else ""
        place = job in self.thread._queue.jobs(), job in self.thread._loop._opening.values()
        left = index in self.absent, job.cancel_reason
        return (job.session_id, job.is_over, error, *place, *left, text_state(job.growing))

    def _film_state(self, session: FakeSession) -> tuple[Any, ...]:
        film = session.film
        return (session.is_in_use, film and (film.is_closed, film.committed.frames))

    def _requests(self, model: Model) -> list[str]:
        """Requests and disturbances that are possible now."""
        if self.thread.is_stopping or self.is_over:
            return []
        found = [name for name in REQUESTS if self.counts[name] < model.requests.get(name, 0)]
        if sum(self.counts[name] for name in DISTURBANCES) < model.disturbances:
            found += [name for name in DISTURBANCES if not self.counts[name]]
        if all(job.is_over for job in self.jobs) and "leave" in found:
            found.remove("leave")
        if not self._open_texts() and "fail the text" in found:
            found.remove("fail the text")
        return found

    def _speak(self, session_id: str, growing: GrowingText | None = None) -> None:
        index = len(self.jobs)
        job = SpeakJob(
            session=cast(Any, self.films.sessions[session_id]),
            text="" if growing else "Hi.",
            choice=CHOICE,
            growing=growing,
            origin=Origin(is_wanted=lambda: index not in self.absent),
        )
        self.jobs.append(job)
        if growing is not None:
            growing.attach(lambda _plain, _chars: None, self.thread.wake)
        try:
            self.thread.check_ready()
            self.thread.submit(job)
        except (NotReady, QueueFull) as error:
            job.fail(error)

    def _open_texts(self) -> list[GrowingText]:
        return [text for text in self.texts if not text.is_closed]

    def _write(self, text: GrowingText) -> None:
        """Write the only unit of a text, or end it."""
        if text.units:
            text.end()
        else:
            text.add(PlainText.of(UNIT))

    def _command(self, verb: str, session_id: str) -> None:
        session = self.films.sessions[session_id]
        command: Command[Any] = Command(
            session_id=session_id,
            action=lambda: self.films.reset(session) if verb == "reset" else None,
            stop_mode="abandon" if verb == "reset" else "cut",
            reason=verb,
            is_blocking=verb == "reset",
        )
        self.commands.append(command)
        self.thread.post(command)

    def _turn(self) -> None:
        """One iteration of the render thread, or its end after a stop."""
        if self.thread.is_stopping:
            self._end()
            return
        self.now_s += 0.02
        self.thread._run_once()

    def _disturb(self, action: str) -> None:
        match action:
            case "leave":
                self.absent.add(next(n for n, job in enumerate(self.jobs) if not job.is_over))
                self.now_s += 0.5
            case "lose the engine":
                self.engine.is_lost = True
            case "fail the load":
                self.engine.load_fails = True
            case "fail the opening":
                self.disk.fails_at = "open"
            case "fail the writing":
                self.disk.fails_at = "write"
            case "fail the voice":
                self.voices.fails = True
            case "fail the text":
                self._open_texts()[0].fail(RuntimeError("the writer failed"))
            case "idle":
                self.now_s += IDLE_S + 1
            case "stop":
                self.thread.stop()
            case "die":
                self.thread._note_death(RuntimeError("a bug"))
                self._end()

    def _end(self) -> None:
        self.is_over = True
        self.thread._finish()

    def _pending(self, name: str) -> list[Calls]:
        return [calls for calls in self.workers if calls.name == name and calls.waiting]

    def _worker(self, name: str) -> Executor:
        self.workers.append(Calls("encode" if name == "encode" else name))
        return self.workers[-1]

    def _start(self, name: str, work: Callable[[], None]) -> None:
        self.started[name].submit(work)

    def _resources(self) -> RenderResources:
        nothing = SimpleNamespace(
            evict_expired=lambda: None, empty=lambda: None, close=lambda _timeout_s: None
        )
        sessions = SimpleNamespace(
            films=self.films,
            limits=SimpleNamespace(capacity=endless_capacity),
            places=SimpleNamespace(is_wanted=None),
        )
        return RenderResources(
            avatar=fake_avatar(),
            avatar_cache=cast(Any, nothing),
            engine=self.engine,
            voices=cast(Any, self.voices),
            sessions=cast(Any, sessions),
            private_films=cast(Any, SimpleNamespace(capacity=endless_capacity)),
            trash=cast(Any, nothing),
            counters=Counters(),
        )


def text_state(text: GrowingText | None) -> tuple[Any, ...]:
    """The parts of a growing text that determine its future."""
    if text is None:
        return ()
    return (len(text.units), text.is_closed, text.awaits(len(text.units)), text.error is not None)


def clip_state(clip: Clip) -> tuple[Any, ...]:
    """The parts of a clip that determine its future."""
    encoder, timeline, feed = clip._encoder, clip.timeline, clip.timeline._feed
    return (
        (timeline.cursor, timeline.end, timeline.is_exhausted, timeline.awaits_speech),
        (feed.error is not None, feed.is_ready, feed._is_over, feed._wants_piece),
        (feed._wants_next, feed._piece is not None, clip._error is not None),
        (clip._cutting is not None, clip._ending is not None, clip.was_cut, clip._is_submitted),
        tuple(batch.requested for batch in clip._rendering),
        (encoder.pending, encoder.frames, encoder.error is not None, encoder._is_cut),
        (timeline.awaits_text, clip._text_awaited_s is not None, clip.is_idle),
        clip.wakeup_s <= clip._clock(),
    )
