"""Film work that waits for the disk does not delay other sessions."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread, current_thread

import pytest

from session.audio_encoder import AudioEncoder
from session.fragmented.check import check_film
from session.video_encoder import VideoEncoder
from tests.polling import wait_until
from tests.sessions import session_of
from tests.tiny_face import running_runtime
from tts.registry import VoiceRegistry
from warm.render.health import Health, NotReady
from warm.render.jobs import Interrupted
from warm.runtime import Runtime
from warm.sessions.session import Session
from warm.settings import Settings

TIMEOUT_S = 60
TEXT = "Hello world. This is the second sentence."


class Gate:
    """Blocks a method of the session `slow` until it is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        self.is_reached, self.is_open = Event(), Event()
        act = getattr(Session, name)

        def held(session: Session, *rest: object) -> object:
            if session.id == "slow":
                self.is_reached.set()
                assert self.is_open.wait(TIMEOUT_S)
            return act(session, *rest)

        monkeypatch.setattr(Session, name, held)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Gate]]:
    gates: list[Gate] = []

    def make(name: str) -> Gate:
        gates.append(Gate(monkeypatch, name))
        return gates[-1]

    yield make
    for each in gates:
        each.is_open.set()


@pytest.fixture
def runtime(
    settings: Settings, voices: VoiceRegistry, tmp_path: Path, gate: Callable[[str], Gate]
) -> Iterator[Runtime]:
    """A server that lets two sessions speak at once."""
    few = settings.model_copy(update={"max_speaking": 2, "max_queue": 8})
    with running_runtime(few, voices, tmp_path) as runtime:
        yield runtime


def test_a_session_that_is_being_created_delays_no_other_and_speaks_afterwards(
    runtime: Runtime, gate: Callable[[str], Gate]
) -> None:
    """Catches a render thread that creates the film itself."""
    creation, choice = gate("create_film"), runtime.choose()
    slow = [runtime.speak(session_of(runtime, "slow"), text, choice) for text in ("One.", "Two.")]
    assert creation.is_reached.wait(TIMEOUT_S)
    for name in ("a", "b"):
        assert runtime.speak(session_of(runtime, name), TEXT, choice).result().clip.frames > 0
    creation.is_open.set()
    records = [job.result().clip for job in slow]
    assert [record.text for record in records] == ["One.", "Two."]
    assert records[1].first_frame == records[0].frames


def test_a_session_that_is_being_created_counts_as_speaking(
    runtime: Runtime, gate: Callable[[str], Gate]
) -> None:
    """Catches more clips at once than max_speaking."""
    creation, choice = gate("create_film"), runtime.choose()
    slow = runtime.speak(session_of(runtime, "slow"), "One.", choice)
    assert creation.is_reached.wait(TIMEOUT_S)
    others = [runtime.speak(session_of(runtime, name), TEXT, choice) for name in ("a", "b", "c")]
    seen = set()
    while not all(job.timings.total_s for job in others):
        seen.add(runtime.health().processing)
    assert max(seen) <= 1
    creation.is_open.set()
    slow.result()


@pytest.mark.parametrize("what", ["reset", "remove"])
def test_a_film_that_is_being_removed_delays_no_other_session(
    runtime: Runtime, gate: Callable[[str], Gate], what: str
) -> None:
    choice = runtime.choose()
    runtime.speak(session_of(runtime, "slow"), TEXT, choice).result()
    removal = gate("dispose_film")
    ending = Thread(
        target=runtime.remove if what == "remove" else runtime.reset,
        args=(session_of(runtime, "slow"), {})[: 1 + (what == "reset")],
    )
    ending.start()
    assert removal.is_reached.wait(TIMEOUT_S)
    later = runtime.speak(session_of(runtime, "slow"), "After it.", choice)
    assert runtime.speak(session_of(runtime, "other"), TEXT, choice).result().clip.frames > 0
    assert later.timings.tts_first_s is None
    removal.is_open.set()
    ending.join(TIMEOUT_S)
    assert later.result().clip.index == 0


def test_an_interruption_drops_requests_whose_film_is_being_created(
    runtime: Runtime, gate: Callable[[str], Gate]
) -> None:
    creation = gate("create_film")
    jobs = [
        runtime.speak(session_of(runtime, "slow"), "Hello.", runtime.choose()) for _ in range(2)
    ]
    assert creation.is_reached.wait(TIMEOUT_S)
    results = []
    interrupting = Thread(
        target=lambda: results.append(runtime.interrupt(session_of(runtime, "slow")))
    )
    interrupting.start()
    with pytest.raises(Interrupted, match="before this request started"):
        jobs[1].result()
    creation.is_open.set()
    interrupting.join(TIMEOUT_S)
    with pytest.raises(Interrupted, match="before this request started"):
        jobs[0].result()
    assert [(each.dropped, each.interrupted, each.frame) for each in results] == [(2, False, 0)]
    assert "slow" not in runtime.sessions.registry


def test_a_session_that_cannot_be_created_fails_its_own_request(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(session: Session, *_: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as broken:
        broken.setattr(Session, "create_film", refuse)
        with pytest.raises(PermissionError):
            runtime.speak(session_of(runtime, "slow"), "Hello.", runtime.choose()).result()
    assert "slow" not in runtime.sessions.registry
    assert (
        runtime.speak(session_of(runtime, "slow"), "Hello.", runtime.choose()).result().clip.index
        == 0
    )


def test_a_stop_waits_for_a_film_that_is_being_created(
    runtime: Runtime, gate: Callable[[str], Gate], settings: Settings
) -> None:
    creation = gate("create_film")
    job = runtime.speak(session_of(runtime, "slow"), "Hello.", runtime.choose())
    assert creation.is_reached.wait(TIMEOUT_S)
    runtime.stop()
    creation.is_open.set()
    assert runtime.wait_until_ended(TIMEOUT_S)
    runtime.close()
    with pytest.raises((Interrupted, NotReady), match="stopping"):
        job.result()
    for film in settings.results_dir.rglob("full_session.mp4"):
        assert check_film(film).faults == []


def test_health_reports_a_disk_that_does_not_respond(
    settings: Settings, voices: VoiceRegistry, tmp_path: Path, gate: Callable[[str], Gate]
) -> None:
    quick = settings.model_copy(update={"stale_s": 0.2})
    with running_runtime(quick, voices, tmp_path) as runtime:
        creation = gate("create_film")
        job = runtime.speak(session_of(runtime, "slow"), "Hello.", runtime.choose())
        assert creation.is_reached.wait(TIMEOUT_S)
        health = report_of(runtime, "session 'slow'")
        assert (health.state, health.stalled_stage) == ("stale", "opening")
        assert "waiting for the disk" in health.reason
        assert health.stages["opening"].count == 1
        assert health.stages["opening"].oldest_s > 0.2
        creation.is_open.set()
        assert job.result().clip.frames > 0


def report_of(runtime: Runtime, reason: str) -> Health:
    """The first report with this reason.

    With such a short limit, a thread that waits for work may seem to be stale for a moment.
    """
    reports: list[Health] = []

    def is_reported() -> bool:
        reports.append(runtime.health())
        return reason in reports[-1].reason

    wait_until(is_reported, "the reason", TIMEOUT_S)
    return reports[-1]


def test_the_start_empties_the_trash(
    settings: Settings, voices: VoiceRegistry, tmp_path: Path
) -> None:
    trash = settings.results_dir / "trash"
    trash.mkdir(parents=True)
    (trash / "0123.mp4").write_bytes(b"a film")
    with running_runtime(settings, voices, tmp_path):
        pass
    assert list(trash.iterdir()) == []


def test_the_render_thread_syncs_no_file_and_opens_no_encoder(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches a sync or an encoder that delays all sessions by milliseconds."""
    seen: set[tuple[str, str]] = set()

    def note(place: object, name: str) -> None:
        act = getattr(place, name)

        def noted(*given: object, **named: object) -> object:
            seen.add((name, current_thread().name.partition("_")[0]))
            return act(*given, **named)

        monkeypatch.setattr(place, name, noted)

    note(os, "fsync")
    note(VideoEncoder, "__init__")
    note(AudioEncoder, "__init__")
    for _ in range(2):
        runtime.speak(session_of(runtime, "new"), TEXT, runtime.choose()).result()
        runtime.reset(session_of(runtime, "new"), {})
    runtime.remove(session_of(runtime, "new"))
    assert {name for name, _ in seen} == {"fsync", "__init__"}
    assert {thread for _, thread in seen} == {"background", "encode"}
