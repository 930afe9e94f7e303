"""Steps that stand still are reported once, and their requests are answered."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from session.fragmented.fragment_log import FragmentLog
from session.fragmented.writer import FragmentClipWriter
from session.video_encoder import VideoEncoder
from tests.polling import wait_until
from tests.sessions import session_of
from tests.tiny_face import LoudnessEngine, running_runtime
from tts.registry import VoiceRegistry
from warm.engines.base import PatchRequest, PendingPatches
from warm.render.health import NotReady
from warm.render.jobs import SpeakJob
from warm.render.steps import STAGES, Steps
from warm.runtime import Runtime
from warm.sessions.lifecycle import SessionLifecycle
from warm.sessions.session import Session
from warm.settings import Settings

pytestmark = pytest.mark.slow

TIMEOUT_S = 60
TEXT = "Hello world. This is the second sentence."


class Gate:
    """Blocks a method of the sessions whose ids start with `slow`, until it is opened."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        owner: type,
        name: str,
        session_id: Callable[..., str] = lambda session, *_: session.id,
    ) -> None:
        self.reached, self.is_open = 0, Event()
        act = getattr(owner, name)

        def held(*given: Any, **named: Any) -> Any:
            if session_id(*given).startswith("slow"):
                self.reached += 1
                assert self.is_open.wait(2 * TIMEOUT_S)
            return act(*given, **named)

        monkeypatch.setattr(owner, name, held)


@pytest.fixture
def hang(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Gate]]:
    gates: list[Gate] = []

    def make(*given: Any) -> Gate:
        gates.append(Gate(monkeypatch, *given))
        return gates[-1]

    yield make
    for gate in gates:
        gate.is_open.set()


Serve = Callable[..., AbstractContextManager[Runtime]]


@pytest.fixture
def serve(settings: Settings, voices: VoiceRegistry, tmp_path: Path) -> Serve:
    """Starts a server that reports after 0.5 s, and answers after 2.5 s."""

    def start(engine: LoudnessEngine | None = None, **changes: Any) -> Any:
        update = {"stale_s": 0.5, "step_timeout_s": 2.5, "max_queue": 30, "stop_s": 5.0, **changes}
        quick = settings.model_copy(update=update)
        return running_runtime(quick, voices, tmp_path, engine=engine)

    return start


def speak(runtime: Runtime, session_id: str, text: str = TEXT) -> SpeakJob:
    return runtime.speak(session_of(runtime, session_id), text, runtime.choose())


def error_of(job: SpeakJob) -> Exception:
    with pytest.raises(NotReady) as caught:
        job.result()
    return caught.value


def test_the_age_of_a_step_counts_from_its_last_stage() -> None:
    now = [10.0]
    steps = Steps(lambda: now[0])
    step = steps.begin("encoder", "a", request_id="r", subject="film.mp4")
    now[0] = 13.0
    steps.advance(step, "writing")
    now[0] = 18.0
    assert [(each.stage, each.started_s) for each in steps.all()] == [("writing", 13.0)]
    assert step.describe(now[0]) == (
        "session 'a': the writing of a fragment has been waiting for the disk (film.mp4) for 5 s"
    )
    steps.end(step)
    steps.end(step)
    assert steps.all() == []


def test_more_films_than_threads_can_hang_while_other_sessions_speak(
    serve: Serve, hang: Callable[..., Gate]
) -> None:
    """Catches a pool, or the places of speaking sessions, that a disk can fill."""
    gate = hang(Session, "create_film")
    with serve(max_speaking=3) as runtime:
        stuck = [speak(runtime, f"slow-{number}") for number in range(6)]
        for job in stuck:
            message = str(error_of(job))
            assert f"session {job.session_id!r}" in message
            assert str(job.session.path) in message
            assert "step_timeout_s" in message
        assert gate.reached >= 3
        assert speak(runtime, "other").result().clip.frames > 0
        assert runtime.health().stalled_stage == "opening"
        gate.is_open.set()
        wait_until(lambda: runtime.health().state == "ok", "an end of the stall", TIMEOUT_S)
        assert speak(runtime, "slow-0").result().clip.index == 0


def test_requests_behind_one_that_hangs_are_answered_too(
    serve: Serve, hang: Callable[..., Gate]
) -> None:
    gate = hang(Session, "create_film")
    with serve() as runtime:
        jobs = [speak(runtime, "slow") for _ in range(3)]
        assert all("session 'slow'" in str(error_of(job)) for job in jobs)
        assert "session 'slow'" in str(error_of(speak(runtime, "slow")))
        assert gate.reached == 1
        gate.is_open.set()


@pytest.mark.parametrize("stage", ["encoder", "writing", "closing"])
def test_a_clip_that_stands_still_is_answered_and_delays_no_other_session(
    serve: Serve,
    hang: Callable[..., Gate],
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
) -> None:
    slow: list[VideoEncoder] = []
    begin = FragmentClipWriter.__init__

    def begun(clip: FragmentClipWriter, film: Any, *given: Any) -> None:
        begin(clip, film, *given)
        if "slow" in str(film.path):
            slow.append(clip._encoder)

    monkeypatch.setattr(FragmentClipWriter, "__init__", begun)
    if stage == "encoder":
        gate = hang(VideoEncoder, "encode", lambda encoder, *_: "slow" if encoder in slow else "")
    elif stage == "writing":
        gate = hang(FragmentLog, "append", lambda log, *_: str(log.path.parent.name))
    else:
        gate = hang(FragmentClipWriter, "finish", lambda clip, *_: str(clip._film.path.parent.name))
    with serve() as runtime:
        job = speak(runtime, "slow")
        assert "session 'slow'" in str(error_of(job))
        assert runtime.health().stalled_stage == stage
        assert speak(runtime, "other").result().clip.frames > 0
        gate.is_open.set()
        wait_until(lambda: runtime.health().processing == 0, "the end of the clip", TIMEOUT_S)
        assert speak(runtime, "slow").result().clip.frames > 0


def test_the_deletion_of_an_empty_film_that_hangs_delays_no_other_session(
    serve: Serve, hang: Callable[..., Gate], engine: LoudnessEngine
) -> None:
    """Catches a render thread that deletes the film of a failed request itself."""
    gate = hang(SessionLifecycle, "clean_up", lambda _, session: session.id)
    with serve(engine) as runtime:
        engine.broken_after = 0
        with pytest.raises(NotReady, match="closing"):
            speak(runtime, "slow").result()
        engine.broken_after = None
        assert speak(runtime, "other").result().clip.frames > 0
        gate.is_open.set()


def test_a_film_of_an_idle_session_that_hangs_in_close_delays_no_other_session(
    serve: Serve, hang: Callable[..., Gate]
) -> None:
    with serve(session_idle_s=0.2) as runtime:
        speak(runtime, "slow").result()
        film = runtime.sessions.registry.film(session_of(runtime, "slow"))
        gate = hang(type(film), "close", lambda film: film.path.parent.name)
        wait_until(lambda: gate.reached, "the close", TIMEOUT_S)
        assert speak(runtime, "other").result().clip.frames > 0
        assert "closing" in str(error_of(speak(runtime, "slow")))
        gate.is_open.set()
        wait_until(lambda: runtime.health().state == "ok", "an end of the stall", TIMEOUT_S)
        assert speak(runtime, "slow").result().clip.index == 1


class HangingEngine(LoudnessEngine):
    """Hangs in `submit` while `may_continue` is clear."""

    def __init__(self) -> None:
        super().__init__()
        self.may_continue = Event()
        self.may_continue.set()

    def submit(self, requests: Sequence[PatchRequest]) -> PendingPatches:
        assert self.may_continue.wait(TIMEOUT_S)
        return super().submit(requests)


def test_an_engine_that_hangs_fails_all_requests_and_is_named(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    engine = HangingEngine()
    with caplog.at_level(logging.INFO), serve(engine) as runtime:
        engine.may_continue.clear()
        try:
            jobs = [speak(runtime, name) for name in "ab"]
            for job in jobs:
                assert "the engine has been drawing" in str(error_of(job))
            health = runtime.health()
            assert (health.state, health.stalled_stage) == ("stale", "engine")
        finally:
            engine.may_continue.set()
        wait_until(lambda: runtime.health().state == "ok", "an end of the stall", TIMEOUT_S)
        assert speak(runtime, "a").result().clip.frames > 0
        wait_until(lambda: "no longer stalled" in caplog.text, "its report", TIMEOUT_S)
    reports = [each for each in caplog.records if each.message == "stalled"]
    assert [each.__dict__["stage"] for each in reports] == ["engine"]


def test_the_queue_and_every_stage_report_their_oldest_item(runtime: Runtime) -> None:
    use = runtime.health().stages
    assert tuple(use) == STAGES
    assert all((each.count, each.oldest_s) == (0, 0.0) for each in use.values())
    jobs = [speak(runtime, "a", " ".join([TEXT] * 5)), speak(runtime, "a")]
    wait_until(lambda: runtime.health().stages["queue"].count == 1, "the queue", TIMEOUT_S)
    assert runtime.health().stages["queue"].oldest_s > 0
    for job in jobs:
        job.result()


def test_a_stop_closes_the_other_films_while_one_hangs(
    serve: Serve, hang: Callable[..., Gate]
) -> None:
    """Catches a stop that waits for one film, and leaves the others open."""
    gate = hang(Session, "create_film")
    with serve(stop_s=1.0) as runtime:
        speak(runtime, "other").result()
        film = runtime.sessions.registry.film(session_of(runtime, "other"))
        speak(runtime, "slow")
        wait_until(lambda: gate.reached, "the opening", TIMEOUT_S)
        runtime.stop()
        assert runtime.wait_until_ended(TIMEOUT_S)
        assert film is not None
        wait_until(lambda: film.is_closed, "the close of the film", TIMEOUT_S)
