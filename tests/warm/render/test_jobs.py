"""Jobs and commands: events, errors, and the wait for them."""

from pathlib import Path
from typing import Any

import pytest

from tts.registry import VoiceRegistry
from warm.render.jobs import Command, EngineLoaded, EngineLoading, SpeakJob, SpeechReady, StopMode
from warm.sessions.session import Session

READY = SpeechReady(sentence=0, text="Hello.", duration_s=1.0, voice="espeak:en-us")


def make_job(
    voices: VoiceRegistry, folder: Path, session_id: str = "a", **options: Any
) -> SpeakJob:
    session = Session(session_id, folder / "film.mp4", under=folder, writer="fragments")
    return SpeakJob(session=session, text="Hello.", choice=voices.choose(), **options)


@pytest.fixture
def job(voices: VoiceRegistry, tmp_path: Path) -> SpeakJob:
    return make_job(voices, tmp_path)


def test_the_first_error_ends_a_job(job: SpeakJob) -> None:
    job.publish(READY)
    job.fail(ValueError("first"))
    job.fail(ValueError("second"))
    job.publish(READY)
    assert job.is_over
    events = job.events()
    assert next(events) is READY
    with pytest.raises(ValueError, match="first"):
        next(events)


def test_the_wait_for_the_engine_is_announced_once_and_ended_once(job: SpeakJob) -> None:
    for _ in range(2):
        job.mark_engine_loading("it is being loaded")
    for _ in range(2):
        job.mark_engine_loaded()
    events = job.events()
    assert next(events) == EngineLoading(reason="it is being loaded")
    assert isinstance(next(events), EngineLoaded)
    assert job.timings.reload_s is not None
    job.fail(RuntimeError("no more events"))
    with pytest.raises(RuntimeError, match="no more events"):
        next(events)


def test_a_job_that_did_not_wait_announces_no_loaded_engine(job: SpeakJob) -> None:
    job.mark_engine_loaded()
    job.publish(READY)
    assert next(job.events()) is READY
    assert job.timings.reload_s is None


def test_a_thread_that_waits_calls_the_watchdog(voices: VoiceRegistry, tmp_path: Path) -> None:
    job = make_job(voices, tmp_path)
    job.watchdog = lambda: job.fail(TimeoutError("nothing else answers"))
    with pytest.raises(TimeoutError, match="nothing else answers"):
        job.result()


@pytest.mark.parametrize(
    ("stop_mode", "session_id", "drops"),
    [("wait", "a", False), ("cut", "a", True), ("abandon", "a", True), ("cut", "b", False)],
)
def test_a_command_drops_the_jobs_of_its_session_unless_it_waits(
    job: SpeakJob, stop_mode: StopMode, session_id: str, drops: bool
) -> None:
    command = Command(session_id=session_id, action=lambda: None, stop_mode=stop_mode)
    assert command.drops(job) is drops


def test_the_future_of_a_command_has_its_result_or_its_error() -> None:
    command = Command(session_id=None, action=lambda: 7)
    command.run()
    assert command.future.result() == 7
    failing = Command(session_id=None, action=lambda: 1 // 0)
    failing.run()
    with pytest.raises(ZeroDivisionError):
        failing.future.result()
