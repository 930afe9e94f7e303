"""What waits for the disk in one session holds up no other."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread, current_thread

import pytest

from session.audio_encoder import AudioEncoder
from session.fragmented.check import check_film
from session.video_encoder import VideoEncoder
from tests.sessions import session_of
from tests.tiny_face import LoudnessEngine, tiny_avatar
from tts.espeak import EspeakVoices
from warm.render.health import NotReady
from warm.render.jobs import Interrupted
from warm.runtime import Runtime
from warm.sessions.session import Session
from warm.settings import Settings

PATIENCE_S = 30
TEXT = "Hello world. This is the second sentence."


class Gate:
    """Holds whoever wants to do something in the session `slow`, until it is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        self.is_reached, self.is_open = Event(), Event()
        act = getattr(Session, name)

        def held(session: Session, *rest: object) -> object:
            if session.id == "slow":
                self.is_reached.set()
                assert self.is_open.wait(PATIENCE_S)
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
def two(
    settings: Settings, voices: EspeakVoices, tmp_path: Path, gate: Callable[[str], Gate]
) -> Iterator[Runtime]:
    """A server that lets two sessions speak at once."""
    few = settings.model_copy(update={"max_speaking": 2, "max_queue": 8})
    runtime = Runtime(
        settings=few, avatar=tiny_avatar(tmp_path), engine=LoudnessEngine(), voices=voices
    )
    runtime.start()
    assert runtime.wait_until_warm(PATIENCE_S)
    yield runtime
    runtime.close()


def test_a_session_that_is_being_made_holds_up_nobody_and_speaks_when_it_is(
    two: Runtime, gate: Callable[[str], Gate]
) -> None:
    """Would miss a render thread that makes the film itself."""
    making, choice = gate("create_film"), two.choose()
    slow = [two.speak(session_of(two, "slow"), text, choice) for text in ("One.", "Two.")]
    assert making.is_reached.wait(PATIENCE_S)
    for name in ("a", "b"):
        assert two.speak(session_of(two, name), TEXT, choice).result().clip.frames > 0
    making.is_open.set()
    records = [job.result().clip for job in slow]
    assert [record.text for record in records] == ["One.", "Two."]
    assert records[1].first_frame == records[0].frames


def test_a_session_that_is_being_made_counts_as_one_that_speaks(
    two: Runtime, gate: Callable[[str], Gate]
) -> None:
    """Would miss more clips at once than are allowed."""
    making, choice = gate("create_film"), two.choose()
    slow = two.speak(session_of(two, "slow"), "One.", choice)
    assert making.is_reached.wait(PATIENCE_S)
    others = [two.speak(session_of(two, name), TEXT, choice) for name in ("a", "b", "c")]
    seen = set()
    while not all(job.timings.total_s for job in others):
        seen.add(two.health().processing)
    assert max(seen) <= 1
    making.is_open.set()
    slow.result()


@pytest.mark.parametrize("what", ["reset", "remove"])
def test_a_film_that_is_being_taken_away_holds_up_nobody(
    two: Runtime, gate: Callable[[str], Gate], what: str
) -> None:
    choice = two.choose()
    two.speak(session_of(two, "slow"), TEXT, choice).result()
    taking = gate("dispose_film")
    ending = Thread(
        target=two.remove if what == "remove" else two.reset,
        args=(session_of(two, "slow"), {})[: 1 + (what == "reset")],
    )
    ending.start()
    assert taking.is_reached.wait(PATIENCE_S)
    behind = two.speak(session_of(two, "slow"), "Behind it.", choice)
    assert two.speak(session_of(two, "other"), TEXT, choice).result().clip.frames > 0
    assert behind.timings.tts_first_s is None
    taking.is_open.set()
    ending.join(PATIENCE_S)
    assert behind.result().clip.index == 0


def test_an_interruption_drops_what_waits_for_its_film(
    two: Runtime, gate: Callable[[str], Gate]
) -> None:
    making = gate("create_film")
    jobs = [two.speak(session_of(two, "slow"), "Hello.", two.choose()) for _ in range(2)]
    assert making.is_reached.wait(PATIENCE_S)
    told = []
    stopping = Thread(target=lambda: told.append(two.interrupt(session_of(two, "slow"))))
    stopping.start()
    with pytest.raises(Interrupted, match="before this was begun"):
        jobs[1].result()
    making.is_open.set()
    stopping.join(PATIENCE_S)
    with pytest.raises(Interrupted, match="before this was begun"):
        jobs[0].result()
    assert [(each.dropped, each.interrupted, each.frame) for each in told] == [(2, False, 0)]
    assert "slow" not in two.sessions.registry


def test_a_session_that_cannot_be_made_fails_its_own_request(
    two: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(session: Session, *_: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as broken:
        broken.setattr(Session, "create_film", refuse)
        with pytest.raises(PermissionError):
            two.speak(session_of(two, "slow"), "Hello.", two.choose()).result()
    assert "slow" not in two.sessions.registry
    assert two.speak(session_of(two, "slow"), "Hello.", two.choose()).result().clip.index == 0


def test_a_stop_waits_for_the_film_that_is_being_made(
    two: Runtime, gate: Callable[[str], Gate], settings: Settings
) -> None:
    making = gate("create_film")
    job = two.speak(session_of(two, "slow"), "Hello.", two.choose())
    assert making.is_reached.wait(PATIENCE_S)
    two.stop()
    making.is_open.set()
    assert two.wait_until_ended(PATIENCE_S)
    two.close()
    with pytest.raises((Interrupted, NotReady), match="stopping"):
        job.result()
    for film in settings.results_dir.rglob("full_session.mp4"):
        assert check_film(film).faults == []


def test_a_disk_that_does_not_answer_is_told(
    settings: Settings, voices: EspeakVoices, tmp_path: Path, gate: Callable[[str], Gate]
) -> None:
    quick = settings.model_copy(update={"stale_s": 0.2})
    runtime = Runtime(
        settings=quick, avatar=tiny_avatar(tmp_path), engine=LoudnessEngine(), voices=voices
    )
    runtime.start()
    assert runtime.wait_until_warm(PATIENCE_S)
    making = gate("create_film")
    job = runtime.speak(session_of(runtime, "slow"), "Hello.", runtime.choose())
    assert making.is_reached.wait(PATIENCE_S)
    while "waiting for the disk" not in (health := runtime.health()).reason:
        assert health.state in ("ok", "stale")
    making.is_open.set()
    assert job.result().clip.frames > 0
    runtime.close()


def test_what_a_death_left_in_the_trash_goes_at_the_next_start(
    settings: Settings, voices: EspeakVoices, tmp_path: Path
) -> None:
    trash = settings.results_dir / "trash"
    trash.mkdir(parents=True)
    (trash / "0123.mp4").write_bytes(b"a film")
    runtime = Runtime(
        settings=settings, avatar=tiny_avatar(tmp_path), engine=LoudnessEngine(), voices=voices
    )
    runtime.start()
    assert runtime.wait_until_warm(PATIENCE_S)
    runtime.close()
    assert list(trash.iterdir()) == []


def test_the_render_thread_never_waits_for_the_disk_in_a_sessions_life(
    two: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Would miss a sync, or an encoder, that moves everybody's deadlines by milliseconds."""
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
        two.speak(session_of(two, "new"), TEXT, two.choose()).result()
        two.reset(session_of(two, "new"), {})
    two.remove(session_of(two, "new"))
    assert {name for name, _ in seen} == {"fsync", "__init__"}
    assert {thread for _, thread in seen} == {"background", "encode"}
