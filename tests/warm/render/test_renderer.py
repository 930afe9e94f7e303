"""Several sessions in one renderer: shared passes, order by deadline, independent failures."""

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Event

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from session.film import FilmSpec, Fragment
from session.fragmented.writer import FilmWriter
from tests.polling import wait_until
from tests.sessions import film_of, session_of
from tests.tiny_face import HEIGHT, WIDTH, LoudnessEngine, tiny_avatar
from tts.registry import VoiceRegistry
from tts.voice import VoiceChoice
from warm.engines.base import Patch, PatchRequest, PendingPatches
from warm.render.clip import Clip
from warm.render.compositing import composite
from warm.render.context import RenderContext
from warm.render.jobs import FragmentCommitted, SpeakJob
from warm.render.pace import SpeakingPlaces
from warm.render.renderer import Renderer
from warm.render.steps import Steps
from warm.runtime import Runtime
from warm.sessions.limits import Capacity
from warm.sessions.session import Session

SPEC = FilmSpec(width=WIDTH, height=HEIGHT, fps=25)
TEXT = "Good morning, and thank you for calling."
LONG = " ".join([TEXT] * 8)


@dataclass
class CountingEngine(LoudnessEngine):
    """Records the number of frames in each pass; benefits from large passes."""

    benefits_from_batching = True
    passes: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def submit(self, requests: Sequence[PatchRequest]) -> PendingPatches:
        self.passes.append(len(requests))
        return super().submit(requests)


@dataclass
class DeferredPatches:
    """Patches that are computed when they are taken."""

    make: Callable[[], list[Patch]]

    def patches(self) -> list[Patch]:
        return self.make()


class AsynchronousEngine(CountingEngine):
    """Computes while the render thread goes on, as a GPU does."""

    def submit(self, requests: Sequence[PatchRequest]) -> PendingPatches:
        done = super().submit(requests)
        return DeferredPatches(done.patches)


@dataclass
class SlowEngine(CountingEngine):
    """Its patches arrive when the test releases them, as if from another machine."""

    may_arrive: Event = field(default_factory=Event)

    def submit(self, requests: Sequence[PatchRequest]) -> PendingPatches:
        return SlowAnswer(super().submit(requests).patches, self.may_arrive)


@dataclass
class SlowAnswer(DeferredPatches):
    """Implements `PollablePatches`."""

    may_arrive: Event

    def wait(self, timeout_s: float) -> bool:
        return self.may_arrive.wait(timeout_s)


class BlockingFilm(FilmWriter):
    """A film that writes no fragment before `may_continue` is set."""

    def __init__(self, path: Path, *, is_durable: bool = True) -> None:
        super().__init__(path, is_durable=is_durable)
        self.may_continue = Event()

    def _append(  # type: ignore[no-untyped-def]
        self, *given, **named
    ) -> Fragment:
        self.may_continue.wait(60)
        return super()._append(*given, **named)


def decoded(path: Path) -> NDArray[np.uint8]:
    """(n, h, w, 3) BGR."""
    with av.open(str(path)) as film:
        return np.stack([frame.to_ndarray(format="bgr24") for frame in film.decode(video=0)])


class SteppedRenderer:
    """A renderer over real films; the test runs its passes and moves its clock."""

    def __init__(self, folder: Path, engine: LoudnessEngine, voices: VoiceRegistry) -> None:
        self.now_s = 100.0
        self.steps = Steps(lambda: self.now_s)
        self.engine = engine
        self.wakeup = Event()
        self.avatar = tiny_avatar(folder)
        self.films: dict[str, FilmWriter] = {}
        context = RenderContext(
            engine=engine,
            voices=voices,
            composite=partial(composite, mode="feather", subpixel=True),
            first_batch=2,
            largest_batch=25,
            clock=lambda: self.now_s,
            steps=self.steps,
            notify=self.wakeup.set,
            capacity=lambda _committed, _spec: Capacity(100_000, "max_session_s", "", ""),
            private_capacity=lambda _committed, _spec: Capacity(100_000, "max_session_s", "", ""),
            places=SpeakingPlaces(8, 25, lambda: self.now_s),
        )
        self.renderer = Renderer(context)
        self._folder = folder
        self._choice = voices.choose()

    def begin(
        self,
        session_id: str,
        text: str = TEXT,
        *,
        lead_s: float | None = None,
        kind: type[FilmWriter] = FilmWriter,
        is_background: bool = False,
    ) -> SpeakJob:
        path = self._folder / f"{session_id}.mp4"
        if session_id not in self.films:
            self.films[session_id] = kind.create(path, SPEC)
        session = Session(session_id, path, under=self._folder, writer="fragments")
        job = SpeakJob(
            session=session,
            text=text,
            choice=self._choice,
            lead_s=lead_s,
            is_background=is_background,
        )
        self.renderer.begin(job, self.films[session_id], self.avatar)
        wait_until(lambda: not awaits_speech(self.renderer.clips[-1]), "the first sentence")
        return job

    def drain_encoders(self) -> None:
        """Wait until every encoder is idle, and the sentences that are needed now are there."""
        while any(clip._encoder.pending or awaits_speech(clip) for clip in self.renderer.clips):
            self.wakeup.wait(0.1)
            self.wakeup.clear()

    def finish(self) -> None:
        """Run passes until every clip is done."""
        while self.renderer.clips:
            self.wakeup.clear()
            busy = self.renderer.step()
            if not self.renderer.pop_done() and not busy:
                self.wakeup.wait(0.5)

    def frames(self, session_id: str) -> int:
        return self.films[session_id].committed.frames


def awaits_speech(clip: Clip) -> bool:
    """True if a clip waits for its voice, after it was told what has arrived."""
    clip.timeline.poll_speech()
    return clip.timeline.awaits_speech


@pytest.fixture
def stepped(tmp_path: Path, voices: VoiceRegistry) -> Iterator[SteppedRenderer]:
    stepped = SteppedRenderer(tmp_path, CountingEngine(), voices)
    yield stepped
    for film in stepped.films.values():
        if isinstance(film, BlockingFilm):
            film.may_continue.set()
    for clip in stepped.renderer.clips:
        clip.fail(RuntimeError("the test is over"))
        assert clip.wait(60)
        with pytest.raises(RuntimeError, match="the test is over"):
            clip.result()
    for film in stepped.films.values():
        film.close()


def test_frames_of_all_sessions_go_into_one_pass(stepped: SteppedRenderer) -> None:
    for name in "abc":
        stepped.begin(name)
    stepped.renderer.step()
    assert stepped.engine.passes == [12]  # type: ignore[attr-defined]
    stepped.drain_encoders()
    stepped.renderer.step()
    assert stepped.engine.passes == [12, 12]  # type: ignore[attr-defined]
    stepped.finish()
    assert len({stepped.frames(name) for name in "abc"}) == 1


def test_clips_whose_films_are_being_opened_count_in_a_burst(stepped: SteppedRenderer) -> None:
    stepped.begin("a")
    stepped.renderer.step(opening=2)
    assert stepped.engine.passes == [4]  # type: ignore[attr-defined]
    stepped.finish()


def test_a_pass_has_one_clip_if_the_engine_does_not_benefit_from_batching(
    tmp_path: Path, voices: VoiceRegistry
) -> None:
    engine = CountingEngine()
    engine.benefits_from_batching = False
    stepped = SteppedRenderer(tmp_path, engine, voices)
    for name in "abc":
        stepped.begin(name)
    for _ in range(3):
        stepped.renderer.step()
    assert len(engine.passes) == 3
    assert max(engine.passes) <= 4
    stepped.finish()
    for film in stepped.films.values():
        film.close()


def test_a_new_clip_is_in_the_next_pass_and_excludes_clips_that_are_not_due_soon(
    stepped: SteppedRenderer,
) -> None:
    stepped.begin("old", LONG)
    while stepped.frames("old") < 30:
        stepped.renderer.step()
        stepped.drain_encoders()
    stepped.begin("new")
    asked = len(stepped.engine.passes)  # type: ignore[attr-defined]
    stepped.renderer.step()
    assert stepped.engine.passes[asked:] == [4]  # type: ignore[attr-defined]
    stepped.drain_encoders()
    assert stepped.frames("new") == 4  # twice its first batch, because another clip is rendered


def test_two_sessions_progress_at_the_same_rate(stepped: SteppedRenderer) -> None:
    stepped.begin("a", LONG)
    stepped.begin("b", LONG)
    while stepped.frames("a") < 100:
        stepped.renderer.step()
        stepped.drain_encoders()
    assert abs(stepped.frames("a") - stepped.frames("b")) <= 25


def test_a_background_clip_gets_its_first_frame_after_the_last_one_of_a_session(
    stepped: SteppedRenderer,
) -> None:
    stepped.begin("job", LONG, is_background=True)
    stepped.begin("live", LONG)
    live = stepped.renderer.clip_of("live")
    assert live is not None
    while not live.timeline.is_exhausted:
        stepped.renderer.step()
        stepped.drain_encoders()
        assert stepped.frames("job") == 0
    stepped.finish()
    assert stepped.frames("job") == stepped.frames("live") > 100


class RoundingEngine(CountingEngine):
    """Computes four frames in the time of one."""

    def round_up_batch(self, frames: int) -> int:
        return -(-frames // 4) * 4


def test_background_frames_fill_the_places_of_a_batch_that_is_not_urgent(
    tmp_path: Path, voices: VoiceRegistry
) -> None:
    engine = RoundingEngine()
    stepped = SteppedRenderer(tmp_path, engine, voices)
    stepped.begin("job", LONG, is_background=True)
    stepped.begin("live", LONG)
    while stepped.frames("live") < 30:
        stepped.renderer.step()
        stepped.drain_encoders()
    assert stepped.frames("job") == 0
    asked = len(engine.passes)
    for _ in range(3):
        stepped.renderer.step()
        stepped.drain_encoders()
    assert 25 < max(engine.passes[asked:]) <= 28  # 25 frames of the session, and places for 3
    assert 0 < stepped.frames("job") <= 9
    stepped.finish()
    assert stepped.frames("job") == stepped.frames("live")
    for film in stepped.films.values():
        film.close()


def test_a_stalled_encoder_delays_no_other_session(stepped: SteppedRenderer) -> None:
    stepped.begin("stuck", LONG, kind=BlockingFilm)
    job = stepped.begin("free", LONG)
    deadline = time.monotonic() + 20
    while len(stepped.renderer.clips) == 2 and time.monotonic() < deadline:
        stepped.wakeup.clear()
        busy = stepped.renderer.step()
        stepped.now_s += 0.01
        for clip in stepped.renderer.pop_done():
            assert clip.job is job
            assert clip.result().frames == stepped.frames("free")
        if not busy:
            stepped.wakeup.wait(0.02)
    assert stepped.frames("free") > 300
    assert stepped.frames("stuck") == 0
    assert {step.session_id for step in stepped.steps.all()} == {"stuck"}
    step = next(step for step in stepped.steps.all() if step.stage == "encoder")
    assert stepped.now_s - step.started_s > 0.5


def test_an_asynchronous_engine_gives_the_same_film(tmp_path: Path, voices: VoiceRegistry) -> None:
    films = []
    for name, engine in (("synchronous", CountingEngine()), ("asynchronous", AsynchronousEngine())):
        folder = tmp_path / name
        folder.mkdir()
        stepped = SteppedRenderer(folder, engine, voices)
        stepped.begin("a")
        stepped.finish()
        films.append(decoded(stepped.films["a"].path))
        stepped.films["a"].close()
    assert films[0].shape == films[1].shape
    assert np.abs(films[0].astype(int) - films[1]).mean() < 1


def test_a_pass_that_fails_fails_its_clips_and_no_others(
    runtime: Runtime, engine: LoudnessEngine
) -> None:
    choice = runtime.choose()
    engine.broken_after = engine.rendered + 100
    jobs = [runtime.speak(session_of(runtime, name), LONG, choice) for name in ("a", "b")]
    for job in jobs:
        with pytest.raises(RuntimeError, match="the engine broke"):
            job.result()
    engine.broken_after = None
    assert runtime.speak(session_of(runtime, "c"), "Yes.", choice).result().clip.index == 0
    assert runtime.health().state == "ok"
    assert runtime.health().processing == 0


def test_requests_of_one_session_stay_in_order_while_another_session_speaks(
    runtime: Runtime,
) -> None:
    choice = runtime.choose()
    first = runtime.speak(session_of(runtime, "a"), LONG, choice)
    next(first.events())
    second = runtime.speak(session_of(runtime, "a"), "Yes.", choice)
    other = runtime.speak(session_of(runtime, "b"), "Yes.", choice)
    assert other.result().clip.first_frame == 0
    one, two = first.result().clip, second.result().clip
    assert (one.index, two.index) == (0, 1)
    assert two.first_frame == one.first_frame + one.frames


def test_every_sentence_is_a_cue_of_its_frames(runtime: Runtime) -> None:
    job = runtime.speak(session_of(runtime), "Hello world. How are you?", runtime.choose())
    spoken = job.result()
    film = film_of(runtime)
    first, second = film.cues()
    assert (first.text, second.text) == ("Hello world.", "How are you?")
    assert first.end == second.first_frame
    assert second.end == spoken.clip.frames - 3


def test_a_paced_clip_is_never_further_ahead_than_lead_s(stepped: SteppedRenderer) -> None:
    stepped.begin("a", LONG, lead_s=1.0)
    made = []
    begun_s = stepped.now_s
    while stepped.renderer.clips:
        stepped.wakeup.clear()
        if not stepped.renderer.step():
            stepped.drain_encoders()
            stepped.renderer.step()
            rest_s = stepped.renderer.sleep_s()
            if rest_s < float("inf"):
                stepped.now_s += rest_s
            elif not stepped.renderer.pop_done():
                stepped.wakeup.wait(0.1)
        stepped.drain_encoders()
        made.append((stepped.now_s - begun_s, stepped.frames("a")))
    ahead_s = [frames / SPEC.fps - now_s for now_s, frames in made[5:-3]]
    assert max(ahead_s) <= 1.0 + 0.05
    assert min(ahead_s) >= 0.0
    assert stepped.frames("a") > 300


@pytest.fixture
def choice(runtime: Runtime) -> VoiceChoice:
    return runtime.choose()


def test_a_clip_announces_fragments_while_another_is_being_rendered(
    runtime: Runtime, choice: VoiceChoice
) -> None:
    jobs = [runtime.speak(session_of(runtime, name), LONG, choice) for name in "ab"]
    first_events = [itertools.islice(job.events(), 2) for job in jobs]
    for events in first_events:
        assert isinstance(list(events)[1], FragmentCommitted)
    for job in jobs:
        assert job.result().clip.frames > 300


def test_the_thread_goes_on_while_patches_are_on_their_way_and_no_frame_is_lost(
    tmp_path: Path, voices: VoiceRegistry
) -> None:
    engine = SlowEngine()
    stepped = SteppedRenderer(tmp_path, engine, voices)
    stepped.begin("a", LONG)
    while stepped.renderer.step():
        stepped.drain_encoders()
    assert len(engine.passes) == 2  # it submits no more
    assert 0 < stepped.renderer.sleep_s() < 0.1  # and looks again soon
    stepped.begin("b", LONG)
    assert not stepped.renderer.step()
    assert len(engine.passes) == 2 and stepped.frames("a") == 0
    engine.may_arrive.set()
    stepped.finish()
    assert stepped.frames("a") == stepped.frames("b") > 300
    for film in stepped.films.values():
        film.close()
