"""Several sessions on one render thread: shared passes, order by need, nobody held up."""

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
from tests.sessions import film_of, session_of
from tests.tiny_face import HEIGHT, WIDTH, LoudnessEngine, tiny_avatar
from tts.espeak import EspeakVoices
from tts.voice import VoiceChoice
from warm.engines.base import Patch, PatchRequest, PendingPatches
from warm.render.compositing import composite
from warm.render.context import RenderContext
from warm.render.jobs import FragmentCommitted, SpeakJob
from warm.render.playback_clock import PlaybackClock
from warm.render.renderer import Renderer
from warm.render.scheduler import PASS_S, SOON_S, Throughput, schedule
from warm.runtime import Runtime
from warm.sessions.limits import Capacity
from warm.sessions.session import Session

SPEC = FilmSpec(width=WIDTH, height=HEIGHT, fps=25)
TEXT = "Good morning, and thank you for calling."
LONG = " ".join([TEXT] * 8)


@dataclass
class CountingEngine(LoudnessEngine):
    """Knows how many frames it was asked for at once; gains by many."""

    benefits_from_batching = True
    passes: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def submit(self, requests: Sequence[PatchRequest]) -> PendingPatches:
        self.passes.append(len(requests))
        return super().submit(requests)


@dataclass
class Later:
    """A rendering that is not done before somebody asks for it."""

    make: Callable[[], list[Patch]]

    def patches(self) -> list[Patch]:
        return self.make()


class EngineBeside(CountingEngine):
    """Computes elsewhere, as a GPU does."""

    def submit(self, requests: Sequence[PatchRequest]) -> PendingPatches:
        done = super().submit(requests)
        return Later(done.patches)


class SlowDisk(FilmWriter):
    """A film whose fragments wait until they may."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.may_go_on = Event()

    def _append(  # type: ignore[no-untyped-def]
        self, *given, **named
    ) -> Fragment:
        self.may_go_on.wait(30)
        return super()._append(*given, **named)


def decoded(path: Path) -> NDArray[np.uint8]:
    """(n, h, w, 3) BGR."""
    with av.open(str(path)) as film:
        return np.stack([frame.to_ndarray(format="bgr24") for frame in film.decode(video=0)])


class Studio:
    """A renderer whose passes are made one by one, over real films."""

    def __init__(self, folder: Path, engine: LoudnessEngine, voices: EspeakVoices) -> None:
        self.now_s = 100.0
        self.engine = engine
        self.bell = Event()
        self.avatar = tiny_avatar(folder)
        self.films: dict[str, FilmWriter] = {}
        context = RenderContext(
            engine=engine,
            voices=voices,
            composite=partial(composite, mode="feather", subpixel=True),
            first_batch=2,
            largest_batch=25,
            clock=lambda: self.now_s,
            notify=self.bell.set,
            capacity=lambda _committed, _spec: Capacity(100_000, "max_session_s", "", ""),
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
    ) -> SpeakJob:
        path = self._folder / f"{session_id}.mp4"
        if session_id not in self.films:
            self.films[session_id] = kind.create(path, SPEC)
        session = Session(session_id, path, under=self._folder, writer="fragments")
        job = SpeakJob(session=session, text=text, choice=self._choice, lead_s=lead_s)
        self.renderer.begin(job, self.films[session_id], self.avatar)
        return job

    def settle(self) -> None:
        """Until every encoder has nothing to do."""
        while any(clip._encoder.pending for clip in self.renderer.clips):
            self.bell.wait(0.1)
            self.bell.clear()

    def finish(self) -> None:
        """Pass after pass until all is said."""
        while self.renderer.clips:
            self.bell.clear()
            busy = self.renderer.step()
            if not self.renderer.pop_done() and not busy:
                self.bell.wait(0.5)

    def frames(self, session_id: str) -> int:
        return self.films[session_id].committed.frames


@pytest.fixture
def studio(tmp_path: Path, voices: EspeakVoices) -> Iterator[Studio]:
    studio = Studio(tmp_path, CountingEngine(), voices)
    yield studio
    for film in studio.films.values():
        if isinstance(film, SlowDisk):
            film.may_go_on.set()
    for clip in studio.renderer.clips:
        clip.fail(RuntimeError("the test is over"))
        with pytest.raises(RuntimeError, match="the test is over"):
            clip.result()
    for film in studio.films.values():
        film.close()


def test_frames_of_all_sessions_go_into_one_pass(studio: Studio) -> None:
    for name in "abc":
        studio.begin(name)
    studio.renderer.step()
    assert studio.engine.passes == [12]  # type: ignore[attr-defined]
    studio.settle()
    studio.renderer.step()
    assert studio.engine.passes == [12, 12]  # type: ignore[attr-defined]
    studio.finish()
    assert len({studio.frames(name) for name in "abc"}) == 1


def test_a_clip_begins_as_in_a_crowd_while_others_wait_for_their_films(studio: Studio) -> None:
    studio.begin("a")
    studio.renderer.step(opening=2)
    assert studio.engine.passes == [4]  # type: ignore[attr-defined]
    studio.finish()


def test_an_engine_that_gains_nothing_by_it_makes_one_clip_a_pass(
    tmp_path: Path, voices: EspeakVoices
) -> None:
    engine = CountingEngine()
    engine.benefits_from_batching = False
    studio = Studio(tmp_path, engine, voices)
    for name in "abc":
        studio.begin(name)
    for _ in range(3):
        studio.renderer.step()
    assert len(engine.passes) == 3
    assert max(engine.passes) <= 4
    studio.finish()
    for film in studio.films.values():
        film.close()


def test_a_session_that_joins_is_in_the_next_pass_and_alone_with_those_in_a_hurry(
    studio: Studio,
) -> None:
    studio.begin("old", LONG)
    while studio.frames("old") < 30:
        studio.renderer.step()
        studio.settle()
    studio.begin("new")
    asked = len(studio.engine.passes)  # type: ignore[attr-defined]
    studio.renderer.step()
    assert studio.engine.passes[asked:] == [2]  # type: ignore[attr-defined]
    studio.settle()
    assert studio.frames("new") == 2


def test_two_sessions_come_on_together(studio: Studio) -> None:
    studio.begin("a", LONG)
    studio.begin("b", LONG)
    while studio.frames("a") < 100:
        studio.renderer.step()
        studio.settle()
    assert abs(studio.frames("a") - studio.frames("b")) <= 25


def test_a_session_whose_encoder_stands_still_holds_nobody(studio: Studio) -> None:
    studio.begin("stuck", LONG, kind=SlowDisk)
    job = studio.begin("free", LONG)
    deadline = time.monotonic() + 20
    while len(studio.renderer.clips) == 2 and time.monotonic() < deadline:
        studio.bell.clear()
        busy = studio.renderer.step()
        studio.now_s += 0.01
        for clip in studio.renderer.pop_done():
            assert clip.job is job
            assert clip.result().frames == studio.frames("free")
        if not busy:
            studio.bell.wait(0.02)
    assert studio.frames("free") > 300
    assert studio.frames("stuck") == 0
    assert studio.renderer.stalled_s() > 0.5


def test_an_engine_that_computes_beside_gives_the_same_film(
    tmp_path: Path, voices: EspeakVoices
) -> None:
    films = []
    for name, engine in (("at_once", CountingEngine()), ("beside", EngineBeside())):
        folder = tmp_path / name
        folder.mkdir()
        studio = Studio(folder, engine, voices)
        studio.begin("a")
        studio.finish()
        films.append(decoded(studio.films["a"].path))
        studio.films["a"].close()
    assert films[0].shape == films[1].shape
    assert np.abs(films[0].astype(int) - films[1]).mean() < 1


def test_a_pass_that_breaks_fails_the_clips_in_it_and_no_other(
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


def test_two_requests_of_a_session_are_said_in_order_beside_another_session(
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


def test_a_paced_clip_is_never_further_ahead_than_it_may_be(studio: Studio) -> None:
    studio.begin("a", LONG, lead_s=1.0)
    made = []
    begun_s = studio.now_s
    while studio.renderer.clips:
        studio.bell.clear()
        if not studio.renderer.step():
            studio.settle()
            studio.renderer.step()
            rest_s = studio.renderer.sleep_s()
            if rest_s < float("inf"):
                studio.now_s += rest_s
            elif not studio.renderer.pop_done():
                studio.bell.wait(0.1)
        studio.settle()
        made.append((studio.now_s - begun_s, studio.frames("a")))
    ahead_s = [frames / SPEC.fps - now_s for now_s, frames in made[5:-3]]
    assert max(ahead_s) <= 1.0 + 0.05
    assert min(ahead_s) >= 0.0
    assert studio.frames("a") > 300


@pytest.fixture
def choice(runtime: Runtime) -> VoiceChoice:
    return runtime.choose()


@dataclass
class Wish:
    """A clip as the schedule sees it."""

    due_s: float
    has_partial_batch: bool = False
    ready: bool = True
    on_their_way: int = 0

    def is_ready(self, _now_s: float) -> bool:
        return self.ready

    def backlog(self, _now_s: float) -> int:
        return self.on_their_way


def test_the_earliest_deadline_goes_first() -> None:
    late, early, never = Wish(9.0), Wish(7.0), Wish(5.0, ready=False)
    assert schedule([late, early, never], 0.0) == [early, late]


def test_what_is_needed_soon_shares_no_pass_with_what_has_time() -> None:
    soon, later = Wish(SOON_S - 0.01), Wish(SOON_S + 0.01)
    assert schedule([later, soon], 0.0) == [soon]


def test_clips_that_have_time_leave_the_encoders_to_others() -> None:
    full = [Wish(9.0, on_their_way=2), Wish(8.0, on_their_way=1), Wish(7.0, has_partial_batch=True)]
    assert schedule(full, 0.0) == [full[2]]
    assert schedule(full, 8.9) == [full[2], full[1], full[0]]


def test_a_pass_is_as_large_as_its_time_allows() -> None:
    throughput = Throughput()
    assert throughput.frames_in(PASS_S, 2, 25) == 25
    throughput.record(10, 10 * PASS_S)
    assert throughput.frames_in(PASS_S, 2, 25) == 2
    assert throughput.frames_in(PASS_S, 2, 1) == 1
    for _ in range(60):
        throughput.record(20, PASS_S)
    assert throughput.frames_in(PASS_S, 2, 25) in (19, 20)


def test_a_film_plays_on_from_clip_to_clip_and_waits_for_one_that_is_late() -> None:
    playing = PlaybackClock(25)
    assert playing.position(75, 10.0) == 75
    playing.start_clip(0, 10.0)
    assert playing.due_s(50) == 12.0
    assert playing.position(100, 11.0) == 25
    playing.start_clip(50, 11.5)
    assert playing.due_s(50) == 12.0
    assert playing.position(60, 13.0) == 60
    playing.start_clip(60, 20.0)
    assert playing.due_s(85) == 21.0
    assert playing.position(85, 20.4) == pytest.approx(70)


def test_a_clip_tells_its_fragments_while_another_is_being_made(
    runtime: Runtime, choice: VoiceChoice
) -> None:
    jobs = [runtime.speak(session_of(runtime, name), LONG, choice) for name in "ab"]
    told = [itertools.islice(job.events(), 2) for job in jobs]
    for events in told:
        assert isinstance(list(events)[1], FragmentCommitted)
    for job in jobs:
        assert job.result().clip.frames > 300
