"""The render thread: every clip is on disk, complete and in order; failures lose nothing."""

import hashlib
import itertools
from collections.abc import Sequence
from pathlib import Path
from threading import Event

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from session.film import FilmSpec
from session.fragmented.writer import FilmWriter
from tests.sessions import film_of, session_of
from tests.tiny_face import (
    HEIGHT,
    MOUTH,
    PATCH,
    WIDTH,
    LoudnessEngine,
    running_runtime,
    tiny_avatar,
)
from tts.registry import VoiceRegistry
from tts.voice import BadSpeechRequest, VoiceChoice
from warm.engines.base import PatchRequest, PendingPatches
from warm.render.health import NotReady
from warm.render.jobs import FragmentCommitted, Interrupted, SpeakJob, SpeakResult, SpeechReady
from warm.render.pace import Pace
from warm.render.shares import QueueFull
from warm.render.utterances import TAIL_FRAMES
from warm.runtime import Runtime
from warm.sessions.errors import BadSessionId, TooManySessions, UnusableSession
from warm.settings import Settings

TEXT = "Hello world. This is the second sentence."


@pytest.fixture
def choice(runtime: Runtime) -> VoiceChoice:
    return runtime.choose(voice=None, language=None, speed=None)


def decoded(path: Path) -> NDArray[np.uint8]:
    """(n, h, w, 3) BGR."""
    with av.open(str(path)) as film:
        return np.stack([frame.to_ndarray(format="bgr24") for frame in film.decode(video=0)])


def decoded_sound(path: Path) -> NDArray[np.float32]:
    with av.open(str(path)) as film:
        return np.concatenate([frame.to_ndarray()[0] for frame in film.decode(audio=0)])


def digest(path: Path, end: int | None = None) -> str:
    return hashlib.sha256(path.read_bytes()[:end]).hexdigest()


def test_the_film_shows_every_frame_of_the_loop_in_order(
    runtime: Runtime, choice: VoiceChoice
) -> None:
    spoken = runtime.speak(session_of(runtime), TEXT, choice).result()
    pictures = decoded(spoken.path)
    assert pictures.shape == (spoken.clip.frames, HEIGHT, WIDTH, 3)
    avatar = runtime.avatar
    corner = pictures[:, 4:20, 4:20].mean(axis=(1, 2, 3))
    shown = [avatar.frames[avatar.index_at(n)].mean() for n in range(len(pictures))]
    assert np.abs(corner - shown).max() < 3


def test_the_mouth_follows_the_sound_and_rests_at_the_end(
    runtime: Runtime, choice: VoiceChoice
) -> None:
    spoken = runtime.speak(session_of(runtime), TEXT, choice).result()
    x, y = MOUTH
    mouth = decoded(spoken.path)[:, y + 4 : y + PATCH - 4, x + 4 : x + PATCH - 4].mean((1, 2, 3))
    sound = np.abs(decoded_sound(spoken.path))
    loudness = np.array([sound[n * 1920 : (n + 1) * 1920].max() for n in range(len(mouth) - 2)])
    speaking = slice(0, spoken.clip.frames - TAIL_FRAMES - 2)
    assert np.corrcoef(mouth[speaking], loudness[speaking])[0, 1] > 0.95
    tail = decoded(spoken.path)[-TAIL_FRAMES:]
    assert np.abs(tail.mean(axis=(2, 3)) - tail.mean(axis=(1, 2, 3))[:, np.newaxis]).max() < 3
    assert sound[-TAIL_FRAMES * 1920 // 2 :].max() < 0.01


def test_the_next_clip_starts_at_the_frame_after_the_last_one(
    runtime: Runtime, choice: VoiceChoice
) -> None:
    first = runtime.speak(session_of(runtime), "Hello.", choice).result()
    second = runtime.speak(session_of(runtime), "World.", choice).result()
    assert second.clip.first_frame == first.clip.frames
    assert second.session_frames == first.clip.frames + second.clip.frames
    corner = decoded(second.path)[:, 4:20, 4:20].mean(axis=(1, 2, 3))
    avatar = runtime.avatar
    shown = [avatar.frames[avatar.index_at(n)].mean() for n in range(second.session_frames)]
    assert np.abs(corner - shown).max() < 3


def test_events_arrive_in_order_and_cover_all_frames(runtime: Runtime, choice: VoiceChoice) -> None:
    events = list(runtime.speak(session_of(runtime), TEXT, choice).events())
    assert isinstance(events[0], SpeechReady)
    assert isinstance(events[1], FragmentCommitted)
    assert events[1].fragment.frames == 3
    spoken = events[-1]
    assert isinstance(spoken, SpeakResult)
    fragments = [event.fragment for event in events if isinstance(event, FragmentCommitted)]
    assert sum(fragment.frames for fragment in fragments) == spoken.clip.frames
    assert fragments[-1].end == spoken.session_bytes
    assert [e.text for e in events if isinstance(e, SpeechReady)] == [
        "Hello world.",
        "This is the second sentence.",
    ]
    times = spoken.timings
    assert times.tts_first_s and times.first_fragment_s and times.render_s and times.total_s
    assert times.tts_first_s <= times.first_fragment_s <= times.total_s


def test_the_first_fragment_does_not_wait_for_the_second_sentence(
    runtime: Runtime, choice: VoiceChoice
) -> None:
    events = runtime.speak(
        session_of(runtime), " ".join(["And one more sentence."] * 40), choice
    ).events()
    kinds = [type(event) for event in itertools.islice(events, 3)]
    assert kinds.index(FragmentCommitted) <= 2


def test_each_session_has_its_own_film(runtime: Runtime, choice: VoiceChoice) -> None:
    one = runtime.speak(session_of(runtime, "one"), "Hello.", choice).result()
    two = runtime.speak(session_of(runtime, "two"), "Hello.", choice).result()
    assert (one.session_clips, two.session_clips) == (1, 1)
    assert one.path != two.path
    assert one.path.parts[-3:] == ("sessions", "one", "full_session.mp4")


@pytest.mark.parametrize("session_id", ["", "a.b", "../up", "a/b", "ä", "x" * 65, "a\n"])
def test_a_session_id_cannot_be_a_path(
    runtime: Runtime, choice: VoiceChoice, session_id: str
) -> None:
    with pytest.raises(BadSessionId, match="letters, digits"):
        runtime.speak(session_of(runtime, session_id), "Hello.", choice)
    with pytest.raises(BadSessionId):
        runtime.remove(session_of(runtime, session_id))


def test_a_text_that_is_too_long_is_refused_with_the_limit(
    runtime: Runtime, choice: VoiceChoice
) -> None:
    with pytest.raises(BadSpeechRequest, match=r"10001 characters.*10000") as caught:
        runtime.speak(session_of(runtime), "a" * 10_001, choice)
    assert caught.value.field == "text"


def test_an_engine_failure_before_the_first_fragment_changes_nothing(
    runtime: Runtime, choice: VoiceChoice, engine: LoudnessEngine
) -> None:
    path = runtime.speak(session_of(runtime), "Hello.", choice).result().path
    before = digest(path)
    engine.broken_after = engine.rendered
    with pytest.raises(RuntimeError, match="the engine broke"):
        runtime.speak(session_of(runtime), TEXT, choice).result()
    assert digest(path) == before
    with pytest.raises(RuntimeError, match="the engine broke"):
        runtime.speak(session_of(runtime, "new"), TEXT, choice).result()
    assert "new" not in runtime.sessions.registry
    engine.broken_after = None
    assert runtime.speak(session_of(runtime), "Hello.", choice).result().session_clips == 2
    assert digest(path, path.stat().st_size) != before


def test_an_engine_failure_later_keeps_what_was_committed_and_the_next_clip_follows_it(
    runtime: Runtime, choice: VoiceChoice, engine: LoudnessEngine
) -> None:
    engine.broken_after = engine.rendered + 60
    job = runtime.speak(session_of(runtime), TEXT, choice)
    seen: list[object] = []
    with pytest.raises(RuntimeError, match="the engine broke"):
        seen.extend(job.events())
    film = film_of(runtime)
    kept = film.committed
    assert kept.frames in (14, 29, 54)
    assert [clip.frames for clip in kept.clips] == [kept.frames]
    before = digest(film.path, kept.bytes)
    engine.broken_after = None
    spoken = runtime.speak(session_of(runtime), "Hello.", choice).result()
    assert spoken.clip.first_frame == kept.frames
    assert digest(film.path, kept.bytes) == before
    assert len(decoded(spoken.path)) == spoken.session_frames


def test_a_removal_takes_the_film_from_its_path_and_may_be_repeated(
    runtime: Runtime, choice: VoiceChoice, settings: Settings
) -> None:
    spoken = runtime.speak(session_of(runtime), "Hello.", choice).result()
    runtime.remove(session_of(runtime))
    assert not spoken.path.exists()
    assert [path.name for path in settings.results_dir.iterdir()] == ["trash"]
    runtime.remove(session_of(runtime))
    assert runtime.speak(session_of(runtime), "Hello.", choice).result().clip.first_frame == 0


def test_a_removal_ends_the_clip_and_the_waiting_requests_of_its_session_only(
    runtime: Runtime, choice: VoiceChoice
) -> None:
    long = runtime.speak(session_of(runtime), " ".join([TEXT] * 60), choice)
    next(event for event in long.events() if isinstance(event, FragmentCommitted))
    waiting = runtime.speak(session_of(runtime), TEXT, choice)
    other = runtime.speak(session_of(runtime, "other"), "Hello.", choice)
    runtime.remove(session_of(runtime))
    for job in (long, waiting):
        with pytest.raises(Interrupted, match="was reset"):
            job.result()
    assert runtime.sessions.registry.film(session_of(runtime)) is None
    assert other.result().session_clips == 1


@pytest.mark.parametrize("pace", [None, 0.0, 1e-310, 40.0])
def test_a_full_queue_refuses_requests_and_completes_the_queued_ones(
    pace: float | None, runtime: Runtime, choice: VoiceChoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pace is 0 if the first fragment is not on disk after some work, as on a busy machine."""
    monkeypatch.setattr(Pace, "fps", property(lambda _: pace))
    jobs = [runtime.speak(session_of(runtime), " ".join([TEXT] * 6), choice)]
    next(jobs[0].events())
    jobs += [
        runtime.speak(session_of(runtime), "Hello.", choice),
        runtime.speak(session_of(runtime), "Hello.", choice),
    ]
    with pytest.raises(QueueFull) as caught:
        runtime.speak(session_of(runtime), "Hello.", choice)
    assert caught.value.retry_after_s >= 1
    assert (runtime.health().queued, runtime.health().processing) == (2, 1)
    assert [job.result().clip.index for job in jobs] == [0, 1, 2]


def test_a_stop_ends_the_clip_after_a_fragment_and_the_film_can_be_continued(
    runtime: Runtime,
    choice: VoiceChoice,
    settings: Settings,
    voices: VoiceRegistry,
    tmp_path: Path,
) -> None:
    job = runtime.speak(session_of(runtime), " ".join([TEXT] * 60), choice)
    waiting = runtime.speak(session_of(runtime), TEXT, choice)
    first_fragment = next(event for event in job.events() if isinstance(event, FragmentCommitted))
    film = film_of(runtime)
    runtime.close()
    with pytest.raises(Interrupted, match="stopping"):
        job.result()
    with pytest.raises(NotReady, match="stopping"):
        waiting.result()
    with pytest.raises(NotReady, match="stopping"):
        runtime.speak(session_of(runtime), "Hello.", choice)
    assert film.is_closed
    kept = film.committed
    assert kept.bytes == film.path.stat().st_size >= first_fragment.fragment.end
    with running_runtime(settings, voices, tmp_path) as again:
        spoken = again.speak(session_of(again), "Hello.", choice).result()
    assert spoken.clip.first_frame == kept.frames
    assert len(decoded(spoken.path)) == spoken.session_frames


def test_the_start_cuts_incomplete_bytes_after_the_last_fragment(
    runtime: Runtime,
    choice: VoiceChoice,
    settings: Settings,
    voices: VoiceRegistry,
    tmp_path: Path,
) -> None:
    path = runtime.speak(session_of(runtime, "kept"), "Hello.", choice).result().path
    runtime.close()
    before = digest(path)
    with path.open("ab") as film:
        film.write(b"torn" * 100)
    with running_runtime(settings, voices, tmp_path) as again:
        assert [session.id for session in again.sessions.registry.all()] == ["kept"]
        assert digest(path) == before


def test_a_session_whose_film_is_damaged_is_unusable_until_it_is_removed(
    settings: Settings, voices: VoiceRegistry, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings.results_dir.mkdir()
    (settings.results_dir / "full_session.mp4").write_bytes(b"no film" * 1000)
    with running_runtime(settings, voices, tmp_path) as runtime:
        choice = runtime.choose(voice=None, language=None, speed=None)
        with pytest.raises(UnusableSession, match="reset it"):
            runtime.speak(session_of(runtime), "Hello.", choice)
        assert "session unusable" in caplog.text
        runtime.remove(session_of(runtime))
        assert runtime.speak(session_of(runtime), "Hello.", choice).result().session_clips == 1


def test_the_number_of_sessions_is_limited(
    settings: Settings, voices: VoiceRegistry, tmp_path: Path
) -> None:
    few = settings.model_copy(update={"max_sessions": 1})
    with running_runtime(few, voices, tmp_path) as runtime:
        choice = runtime.choose(voice=None, language=None, speed=None)
        runtime.speak(session_of(runtime, "one"), "Hello.", choice).result()
        with pytest.raises(TooManySessions, match="1 sessions exist"):
            runtime.speak(session_of(runtime, "two"), "Hello.", choice)
        runtime.remove(session_of(runtime, "one"))
        runtime.speak(session_of(runtime, "two"), "Hello.", choice).result()


class EngineThatCannotLoad(LoudnessEngine):
    def load(self) -> None:
        raise OSError("no model file")


def test_health_reports_why_the_render_thread_died(
    settings: Settings, voices: VoiceRegistry, tmp_path: Path
) -> None:
    runtime = Runtime(
        settings=settings,
        avatar=tiny_avatar(tmp_path),
        engine=EngineThatCannotLoad(),
        voices=voices,
    )
    assert runtime.health().state == "warming"
    runtime.start()
    assert runtime.wait_until_ended(30)
    health = runtime.health()
    assert (health.state, health.reason) == (
        "dead",
        "the render thread died: OSError: no model file",
    )
    with pytest.raises(NotReady, match="no model file"):
        runtime.speak(
            session_of(runtime), "Hello.", runtime.choose(voice=None, language=None, speed=None)
        )


class EngineThatHangs(LoudnessEngine):
    def __init__(self) -> None:
        super().__init__()
        self.may_continue, self.hangs = Event(), Event()

    def submit(self, requests: Sequence[PatchRequest]) -> PendingPatches:
        if not self.may_continue.is_set():
            self.hangs.set()
            self.may_continue.wait(30)
        return super().submit(requests)


def test_a_render_thread_that_hangs_is_stale_until_it_continues(
    settings: Settings, voices: VoiceRegistry, tmp_path: Path
) -> None:
    now = [0.0]
    engine = EngineThatHangs()
    engine.may_continue.set()
    with running_runtime(
        settings, voices, tmp_path, engine=engine, clock=lambda: now[0]
    ) as runtime:
        engine.may_continue.clear()
        job = runtime.speak(
            session_of(runtime), "Hello.", runtime.choose(voice=None, language=None, speed=None)
        )
        engine.hangs.wait(30)
        assert runtime.health().state == "ok"
        now[0] = settings.stale_s + 1
        assert runtime.health().state == "stale"
        assert runtime.health().reason == "the engine has been drawing for 11 s"
        engine.may_continue.set()
        job.result()
        assert runtime.health().state == "ok"


def test_the_events_of_a_job_can_be_read_from_the_start_at_any_time(
    runtime: Runtime, choice: VoiceChoice
) -> None:
    job: SpeakJob = runtime.speak(session_of(runtime), "Hello.", choice)
    first = job.result()
    assert list(job.events())[-1] is first


def test_a_film_that_another_process_writes_ends_the_render_thread(
    settings: Settings, voices: VoiceRegistry, tmp_path: Path
) -> None:
    settings.results_dir.mkdir()
    avatar = tiny_avatar(tmp_path)
    spec = FilmSpec(width=WIDTH, height=HEIGHT, fps=avatar.fps)
    runtime = Runtime(settings=settings, avatar=avatar, engine=LoudnessEngine(), voices=voices)
    with FilmWriter.create(settings.results_dir / "full_session.mp4", spec):
        runtime.start()
        assert runtime.wait_until_ended(30)
    assert runtime.health().state == "dead"
    assert "Another writer holds" in runtime.health().reason
