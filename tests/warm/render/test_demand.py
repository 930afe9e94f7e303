"""The engine stays loaded while there is demand, and every request gets an answer."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as configure
from hypothesis import strategies as st

from tests.sessions import session_of
from tests.tiny_face import LoudnessEngine, running_runtime, tiny_avatar
from tts.registry import VoiceRegistry
from warm.engines.base import EngineLost
from warm.render.demand import Demand
from warm.render.encoder import ClipEncoder
from warm.render.health import NotReady
from warm.render.jobs import Interrupted, SpeakJob
from warm.runtime import Runtime
from warm.sessions.avatar_cache import AvatarCache
from warm.sessions.films import SessionFilms
from warm.sessions.session import Session
from warm.settings import Settings

TIMEOUT_S = 60
IDLE_S = 60.0


class CountingEngine(LoudnessEngine):
    """Counts its unloads."""

    def __init__(self) -> None:
        super().__init__()
        self.unloads = 0

    def unload(self) -> None:
        self.unloads += 1


class SteppedServer:
    """A server without a render thread: the test runs its iterations and moves its clock."""

    def __init__(self, settings: Settings, voices: VoiceRegistry, folder: Path) -> None:
        self.now_s = 1000.0
        self.engine = CountingEngine()
        self.runtime = Runtime(
            settings=settings,
            avatar=tiny_avatar(folder),
            engine=self.engine,
            voices=voices,
            clock=lambda: self.now_s,
        )
        self.runtime._thread._warm_up()
        self.clients = ThreadPoolExecutor(16)

    def iterate(self, *, after_s: float = 0.0) -> None:
        """Run one iteration; if it found nothing to do, give other threads time."""
        self.now_s += after_s
        self.runtime._thread._wakeup.clear()
        if not self.runtime._thread._run_once():
            self.runtime._thread._wakeup.wait(0.01)

    def run_until(self, is_so: Callable[[], bool]) -> None:
        for _ in range(100 * TIMEOUT_S):
            if is_so():
                return
            self.iterate()
        raise AssertionError("the condition did not become true")

    def speak(self, session_id: str, text: str = "Hi.") -> SpeakJob:
        return self.runtime.speak(session_of(self.runtime, session_id), text, self.runtime.choose())

    def call(self, act: Callable[..., Any], *given: Any) -> "Future[Any]":
        """Run `act` on a client's thread, and wait until its command is in the queue."""
        calls = self.clients.submit(act, *given)
        queue = self.runtime._thread._queue
        for _ in range(1000 * TIMEOUT_S):
            if calls.done() or queue._commands:
                return calls
            self.runtime._thread._wakeup.wait(0.001)
        raise AssertionError("the command did not arrive")

    def close(self) -> None:
        self.runtime.stop()
        self.runtime._thread._finish()
        self.clients.shutdown()


@pytest.fixture(autouse=True)
def patience_with_voices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Accept that the clock jumps by a minute while a voice speaks for milliseconds."""
    monkeypatch.setattr("warm.render.speech_feed.SENTENCE_TIMEOUT_S", 1e6)


@pytest.fixture
def idle_settings(settings: Settings) -> Settings:
    return settings.model_copy(
        update={
            "unload_idle_seconds": IDLE_S,
            "max_queue": 20,
            "stop_s": 600.0,
            "step_timeout_s": 3600.0,
        }
    )


@pytest.fixture
def server(
    idle_settings: Settings, voices: VoiceRegistry, tmp_path: Path
) -> Iterator[SteppedServer]:
    made = SteppedServer(idle_settings, voices, tmp_path)
    yield made
    made.close()


class Gate:
    """Blocks every call of a method until it is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, owner: type, name: str) -> None:
        self.is_reached, self.is_open = Event(), Event()
        act = getattr(owner, name)

        def held(*given: Any) -> Any:
            self.is_reached.set()
            assert self.is_open.wait(TIMEOUT_S)
            return act(*given)

        monkeypatch.setattr(owner, name, held)


MakeGate = Callable[[type, str], Gate]


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch, server: SteppedServer) -> Iterator[MakeGate]:
    """Depends on the server, so that the gates are opened before it closes."""
    gates: list[Gate] = []

    def make(owner: type, name: str) -> Gate:
        gates.append(Gate(monkeypatch, owner, name))
        return gates[-1]

    yield make
    for each in gates:
        each.is_open.set()


def stays_loaded(server: SteppedServer) -> bool:
    """Return True if the engine stays loaded for longer than the idle time."""
    for _ in range(2):
        server.iterate(after_s=IDLE_S + 1)
    return server.engine.unloads == 0 and server.runtime.health().is_loaded


def test_without_demand_the_engine_is_unloaded(server: SteppedServer) -> None:
    assert not stays_loaded(server)
    job = server.speak("a")
    server.run_until(lambda: job.is_over)
    assert job.result().clip.frames > 0
    assert not stays_loaded(server)


def test_a_request_at_the_end_of_the_idle_time_keeps_the_engine(server: SteppedServer) -> None:
    job = server.speak("a")
    server.iterate(after_s=IDLE_S + 1)
    assert server.engine.unloads == 0
    server.run_until(lambda: job.is_over)


def test_a_film_that_is_being_opened_keeps_the_engine(
    server: SteppedServer, gate: MakeGate
) -> None:
    """Catches a request that has left the queue and has no clip yet."""
    opening = gate(Session, "create_film")
    job = server.speak("a")
    server.run_until(opening.is_reached.is_set)
    assert stays_loaded(server)
    opening.is_open.set()
    server.run_until(lambda: job.is_over)
    assert job.result().clip.frames > 0


def test_a_clip_whose_encoder_is_stalled_keeps_the_engine(
    server: SteppedServer, gate: MakeGate
) -> None:
    writing = gate(ClipEncoder, "_write")
    job = server.speak("a")
    server.run_until(writing.is_reached.is_set)
    assert stays_loaded(server)
    writing.is_open.set()
    server.run_until(lambda: job.is_over)
    assert job.result().clip.frames > 0


def test_a_clip_that_is_being_cut_keeps_the_engine(server: SteppedServer, gate: MakeGate) -> None:
    job = server.speak("a", "This is a sentence that is long enough to be cut somewhere.")
    server.run_until(lambda: job.timings.first_fragment_s is not None)
    cutting = gate(ClipEncoder, "_resume")
    stopped = server.call(server.runtime.interrupt, session_of(server.runtime, "a"))
    server.run_until(cutting.is_reached.is_set)
    assert stays_loaded(server)
    cutting.is_open.set()
    server.run_until(stopped.done)
    assert stopped.result().interrupted
    assert job.result().interrupted


def test_a_session_that_is_being_created_keeps_the_engine(
    server: SteppedServer, gate: MakeGate
) -> None:
    """Catches an engine that is unloaded before it has the avatar."""
    fetching = gate(AvatarCache, "fetch")
    made = server.clients.submit(server.runtime.create, session_of(server.runtime, "a"), {})
    assert fetching.is_reached.wait(TIMEOUT_S)
    assert stays_loaded(server)
    fetching.is_open.set()
    server.run_until(made.done)
    session, is_new = made.result()
    assert (session.id, is_new) == ("a", True)
    assert not stays_loaded(server)


def test_a_hold_that_has_ended_counts_in_the_next_poll() -> None:
    woken = Event()
    demand = Demand(woken.set)
    with demand.hold():
        assert woken.is_set()
    assert demand.poll()
    assert not demand.poll()


def test_an_interruption_answers_before_the_film_is_open(
    server: SteppedServer, gate: MakeGate
) -> None:
    opening = gate(Session, "create_film")
    job = server.speak("a")
    server.run_until(opening.is_reached.is_set)
    stopped = server.call(server.runtime.interrupt, session_of(server.runtime, "a"))
    server.run_until(lambda: job.is_over)
    with pytest.raises(Interrupted, match="before this request started"):
        job.result()
    opening.is_open.set()
    server.run_until(stopped.done)
    assert stopped.result().dropped == 1
    assert "a" not in server.runtime.sessions.registry
    assert server.runtime.counters.interrupted == 1


@pytest.fixture
def started(
    idle_settings: Settings, voices: VoiceRegistry, tmp_path: Path
) -> Iterator[tuple[Runtime, ThreadPoolExecutor]]:
    """A server with its render thread, and threads for clients."""
    with (
        ThreadPoolExecutor(4) as clients,
        running_runtime(idle_settings, voices, tmp_path) as runtime,
    ):
        yield runtime, clients


Started = tuple[Runtime, ThreadPoolExecutor]


def test_a_stop_answers_requests_whose_films_are_being_opened(
    started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches clients that wait for the disk; only the stop itself may."""
    runtime, clients = started
    opening = Gate(monkeypatch, Session, "create_film")
    try:
        answer = clients.submit(
            runtime.speak(session_of(runtime, "a"), "Hi.", runtime.choose()).result
        )
        assert opening.is_reached.wait(TIMEOUT_S)
        runtime.stop()
        assert isinstance(answer.exception(TIMEOUT_S), Interrupted)
    finally:
        opening.is_open.set()


@pytest.mark.parametrize("kind", [RuntimeError, SystemExit])
@pytest.mark.parametrize("place", ["is_open", "release"])
def test_a_render_thread_that_dies_while_a_request_is_handed_over_answers_all_requests(
    started: Started, monkeypatch: pytest.MonkeyPatch, place: str, kind: type[BaseException]
) -> None:
    """Catches requests that have left one collection and not reached the next."""
    runtime, clients = started

    def fail(*_: object) -> None:
        raise kind("a bug")

    choice = runtime.choose()
    monkeypatch.setattr(SessionFilms, place, fail)
    names = ("a", "b", "c") if place == "release" else ("a",)
    jobs = [runtime.speak(session_of(runtime, name), "Hi.", choice) for name in names]
    answers = [clients.submit(job.result) for job in jobs]
    for answer in answers:
        assert isinstance(answer.exception(TIMEOUT_S), NotReady)
    assert runtime.health().state == "dead"
    assert "a bug" in runtime.health().reason
    monkeypatch.undo()


def test_a_render_thread_that_hangs_keeps_no_client_waiting_after_a_stop(
    idle_settings: Settings, voices: VoiceRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging = Gate(monkeypatch, LoudnessEngine, "submit")
    hanging.is_open.set()
    quick = idle_settings.model_copy(update={"stop_s": 0.2})
    with running_runtime(quick, voices, tmp_path) as runtime:
        hanging.is_reached.clear()
        hanging.is_open.clear()
        try:
            with ThreadPoolExecutor(1) as clients:
                answer = clients.submit(
                    runtime.speak(session_of(runtime), "Hi.", runtime.choose()).result
                )
                assert hanging.is_reached.wait(TIMEOUT_S)
                runtime.stop()
                error = answer.exception(TIMEOUT_S)
            assert isinstance(error, NotReady)
            assert "stop_s" in str(error)
        finally:
            hanging.is_open.set()
        assert runtime.wait_until_ended(TIMEOUT_S)


class BlockingDisk:
    """Blocks the creation and removal of films while `answers` is clear."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answers = Event()
        for name in ("create_film", "dispose_film"):
            monkeypatch.setattr(Session, name, self._waiting(getattr(Session, name)))

    def _waiting(self, act: Callable[..., Any]) -> Callable[..., Any]:
        def waits(*given: Any) -> Any:
            assert self.answers.wait(TIMEOUT_S)
            return act(*given)

        return waits


def run_steps(
    server: SteppedServer, disk: BlockingDisk, steps: list[str]
) -> tuple[list[SpeakJob], "list[Future[Any]]"]:
    """Run the steps in order; return the jobs and calls, answered or not."""
    jobs: list[SpeakJob] = []
    calls: list[Future[Any]] = []
    for step in steps:
        what, _, name = step.partition(" ")
        match what:
            case "speak":
                jobs.append(server.speak(name))
            case "interrupt":
                calls.append(
                    server.call(server.runtime.interrupt, session_of(server.runtime, name))
                )
            case "reset":
                calls.append(
                    server.call(server.runtime.reset, session_of(server.runtime, name), {})
                )
            case "create":
                calls.append(
                    server.call(server.runtime.create, session_of(server.runtime, name), {})
                )
            case "hold":
                disk.answers.clear()
            case "release":
                disk.answers.set()
            case "lose":
                server.runtime._thread._lifecycle.report_error(EngineLost("the device failed"))
            case "turn" | "idle":
                was_open = not all(job.is_over for job in jobs)
                server.iterate(after_s=IDLE_S + 1 if what == "idle" else 0.0)
                assert not was_open or server.runtime._thread._lifecycle.state != "asleep"
    return jobs, calls


ACTS = [f"{act} {name}" for act in ("speak", "interrupt", "reset", "create") for name in "ab"]
STEPS = st.sampled_from(
    [*ACTS, "speak a", "turn", "turn", "idle", "idle", "hold", "release", "lose"]
)


def test_every_request_is_answered_in_any_order_of_events(
    idle_settings: Settings, voices: VoiceRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches a state in which a request waits forever."""
    patient = idle_settings.model_copy(update={"stale_s": 3600.0})
    server, disk = SteppedServer(patient, voices, tmp_path), BlockingDisk(monkeypatch)

    @configure(max_examples=40, deadline=None, derandomize=True, database=None)
    @given(st.lists(STEPS, min_size=3, max_size=12))
    def check(steps: list[str]) -> None:
        disk.answers.set()
        try:
            jobs, calls = run_steps(server, disk, steps)
        finally:
            disk.answers.set()
        server.run_until(lambda: all(job.is_over for job in jobs))
        server.run_until(lambda: all(each.done() for each in calls))
        for job in jobs:
            with suppress(Interrupted):
                assert job.result().clip.frames > 0
        for each in calls:
            each.result()

    try:
        check()
    finally:
        server.close()
