"""A request that nobody waits for ends at every stage, and no other request notices it."""

from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from session.fragmented.check import check_film
from tests.polling import wait_until
from tests.sessions import film_of, session_of
from tests.tiny_face import LoudnessEngine, running_runtime
from tts.registry import VoiceRegistry
from warm.render.jobs import FragmentCommitted, Interrupted, Origin, SpeakJob
from warm.runtime import Runtime
from warm.sessions.session import Session
from warm.settings import Settings

LONG = " ".join(["The open ocean always amazes all of us."] * 200)
TIMEOUT_S = 60


class Client:
    """A client that may leave."""

    def __init__(self, runtime: Runtime, session_id: str, text: str, **options: float) -> None:
        self.is_here = True
        self.job: SpeakJob = runtime.speak(
            session_of(runtime, session_id),
            text,
            runtime.choose(),
            origin=Origin(is_wanted=lambda: self.is_here),
            **options,
        )

    def leave(self) -> None:
        self.is_here = False

    def wait_for_fragment(self) -> None:
        next(event for event in self.job.events() if isinstance(event, FragmentCommitted))

    def wait_until_over(self) -> None:
        wait_until(lambda: self.job.is_over, "an answer", TIMEOUT_S)


@pytest.fixture
def runtime(
    settings: Settings, engine: LoudnessEngine, voices: VoiceRegistry, tmp_path: Path
) -> Iterator[Runtime]:
    more = settings.model_copy(update={"max_queue": 8})
    with running_runtime(more, voices, tmp_path, engine=engine) as runtime:
        yield runtime


def test_a_clip_is_cut_cleanly_and_the_next_request_follows_it(runtime: Runtime) -> None:
    client = Client(runtime, "a", LONG)
    client.wait_for_fragment()
    client.leave()
    client.wait_until_over()
    cut = client.job.result()
    assert cut.interrupted
    assert 0 < cut.clip.frames == film_of(runtime, "a").committed.frames < 40 * 25
    assert check_film(cut.path).faults == []
    spoken = Client(runtime, "a", "Yes.").job.result()
    assert (spoken.clip.first_frame, spoken.interrupted) == (cut.clip.frames, False)
    assert runtime.counters.interrupted == 1


def test_a_clip_that_waits_for_its_pace_is_cut_at_once(runtime: Runtime) -> None:
    """Catches a cut that waits until the next frames are due."""
    Client(runtime, "a", LONG[:999]).job.result()
    paced = Client(runtime, "a", "This waits until the film has been played.", lead_s=0.2)
    wait_until(lambda: runtime.health().processing == 1, "the clip", TIMEOUT_S)
    paced.leave()
    paced.wait_until_over()
    with pytest.raises(Interrupted, match="the client of this request left"):
        paced.job.result()


def test_a_request_in_the_queue_is_dropped_and_those_around_it_are_spoken(
    runtime: Runtime,
) -> None:
    first = Client(runtime, "a", LONG[:799])
    dropped, kept = (Client(runtime, "a", text) for text in ("Never said.", "Said."))
    dropped.leave()
    dropped.wait_until_over()
    with pytest.raises(Interrupted, match="nobody watches 'a'"):
        dropped.job.result()
    texts = [each.job.result().clip.text for each in (first, kept)]
    assert texts == [LONG[:799], "Said."]


def test_a_request_whose_film_is_being_created_is_answered_before_the_disk_responds(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_open = Event()
    create = Session.create_film

    def held(session: Session, *rest: object) -> None:
        assert is_open.wait(TIMEOUT_S)
        create(session, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Session, "create_film", held)
    try:
        client = Client(runtime, "a", "Hello.")
        client.leave()
        client.wait_until_over()
        with pytest.raises(Interrupted, match="the client of this request left"):
            client.job.result()
    finally:
        is_open.set()
    assert Client(runtime, "a", "Hello.").job.result().clip.index == 0


def test_a_request_that_waits_for_the_engine_is_dropped(
    settings: Settings, voices: VoiceRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_load = Event()
    lazy = settings.model_copy(update={"lazy_load": True})
    monkeypatch.setattr(LoudnessEngine, "load", lambda _: may_load.wait(TIMEOUT_S))
    with running_runtime(lazy, voices, tmp_path) as runtime:
        try:
            client = Client(runtime, "a", "Hello.")
            wait_until(lambda: runtime.health().state == "loading", "the load", TIMEOUT_S)
            client.leave()
            client.wait_until_over()
        finally:
            may_load.set()
        with pytest.raises(Interrupted):
            client.job.result()


def test_the_text_of_the_first_reason_is_kept(runtime: Runtime) -> None:
    client = Client(runtime, "a", LONG)
    client.job.cancel("one")
    client.job.cancel("two")
    assert client.job.cancel_reason == "one"
    client.wait_until_over()


@pytest.mark.parametrize("place", ["start", "later"])
def test_other_sessions_are_not_affected(runtime: Runtime, place: str) -> None:
    client, other = Client(runtime, "a", LONG), Client(runtime, "b", LONG[:799])
    if place == "later":
        client.wait_for_fragment()
    client.leave()
    assert not other.job.result().interrupted
    client.wait_until_over()
