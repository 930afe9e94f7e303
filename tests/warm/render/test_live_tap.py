"""Live viewers get the frames of the film as they are rendered; nothing else changes."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Event

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from session.factory import Film
from session.fragmented.writer import FilmWriter
from tests.given_sounds import babble, found_in, wav_of
from tests.live_sinks import Ended, RecordingSink
from tests.polling import wait_until
from tests.sessions import film_of, session_of
from tests.tiny_face import HEIGHT, WIDTH, LoudnessEngine, running_runtime, tiny_avatar
from tts.registry import VoiceRegistry
from tts.text.plain_text import PlainText
from tts.voice import VoiceChoice
from warm.avatars.avatar import Shown
from warm.render.growing_text import GrowingText
from warm.render.jobs import SpeakJob
from warm.render.live_sink import LiveFilm, LiveFrames, LivePosition
from warm.render.live_tap import LIVE_LEAD_S, LiveTap, live_pass_frames
from warm.render.timeline import Batch
from warm.render.utterances import Utterance
from warm.runtime import Runtime
from warm.sessions.session import Session
from warm.settings import Settings

TEXT = "Hello. Who is there?"
SENTENCES = ["Hello.", "Who is there?"]
LONG = "It rains in May. " * 3
FPS, STEP = 25, 1920
Running = Callable[..., Runtime]


@pytest.fixture
def sink() -> RecordingSink:
    return RecordingSink("default")


@pytest.fixture
def running(
    settings: Settings, voices: VoiceRegistry, tmp_path: Path, sink: RecordingSink
) -> Iterator[Running]:
    """Starts a runtime whose settings and engine are changed as named."""
    with ExitStack() as stack:

        def start(engine: LoudnessEngine | None = None, **changes: object) -> Runtime:
            changed = settings.model_copy(update=changes)
            runtime = running_runtime(changed, voices, tmp_path, engine=engine, live=sink)
            return stack.enter_context(runtime)

        yield start


def speak(runtime: Runtime, text: str = TEXT, session_id: str = "default") -> SpeakJob:
    """Speak fast, because tests with viewers take as long as the speech."""
    return runtime.speak(session_of(runtime, session_id), text, runtime.choose(speed=2.0))


def decoded(path: Path) -> NDArray[np.uint8]:
    """(n, h, w, 3) BGR."""
    with av.open(str(path)) as film:
        return np.stack([frame.to_ndarray(format="bgr24") for frame in film.decode(video=0)])


def decoded_sound(path: Path) -> NDArray[np.float32]:
    with av.open(str(path)) as film:
        return np.concatenate([frame.to_ndarray()[0] for frame in film.decode(audio=0)])


def assert_same_as_film(sink: RecordingSink, film: Film) -> None:
    """The frames received are those of the film from the first one received on."""
    first = sink.numbers()[0]
    assert sink.numbers() == list(range(first, film.committed.frames))
    pictures = sink.pictures().astype(int)
    assert np.abs(pictures - decoded(film.path)[first:]).mean(axis=(1, 2, 3)).max() < 4
    sound = decoded_sound(film.path)[first * STEP :]
    offset, correlation = found_in(sink.sound(), sound)
    assert abs(offset) <= 1
    assert correlation > 0.98


def test_live_viewers_get_the_pictures_and_the_sound_of_the_film(
    running: Running, sink: RecordingSink
) -> None:
    runtime = running()
    result = speak(runtime).result()
    speak(runtime, "Yes.").result()
    assert_same_as_film(sink, film_of(runtime))
    first, second = sink.begun
    assert (first.clip, first.first_frame, first.tapped_from) == (0, 0, 0)
    assert second.first_frame == second.tapped_from == second.film.committed == result.clip.frames
    assert first.film.size == (WIDTH, HEIGHT)
    assert [each.end_frame for each in sink.ended] == [result.clip.frames, len(sink.numbers())]
    assert not any(each.was_cut for each in sink.ended)
    shown = [one for each in sink.added for one in each.shown]
    assert shown == [runtime.avatar.shown_at(n) for n in range(len(shown))]
    assert not sink.added[-1].is_speech
    assert sink.added[0].is_speech


def test_the_first_picture_comes_alone_and_captions_come_before_their_sentences(
    running: Running, sink: RecordingSink
) -> None:
    speak(running()).result()
    assert len(sink.added[0].pictures) == 1
    assert [each.text for each in sink.sentences] == SENTENCES
    for sentence in sink.sentences:
        rest = sink.calls[sink.calls.index(sentence) + 1 :]
        following = next(call for call in rest if isinstance(call, LiveFrames))
        assert following.first_frame == sentence.first_frame


def test_a_session_without_live_viewers_is_not_passed_on(
    running: Running, sink: RecordingSink
) -> None:
    speak(running(), session_id="other").result()
    assert sink.calls == []


def test_passes_are_short_while_little_is_rendered_ahead() -> None:
    assert [live_pass_frames(lead_s) for lead_s in (-1.0, 0.0, 0.1, 0.3)] == [1, 1, 3, None]


@pytest.mark.parametrize("lead_s", [None, 0.2])
def test_rendering_is_paced_while_somebody_watches_live(
    running: Running, sink: RecordingSink, lead_s: float | None
) -> None:
    runtime, times_s = running(), []
    text = LONG if lead_s is None else TEXT
    job = runtime.speak(session_of(runtime), text, runtime.choose(speed=2.0), lead_s=lead_s)
    begun_s = time.monotonic()
    while not job.is_over:
        times_s.append((time.monotonic() - begun_s, sink.frames))
        time.sleep(0.02)
        assert time.monotonic() < begun_s + 60, "waited 60 s for the end of the clip"
    ahead_s = [frames / FPS - age_s for age_s, frames in times_s]
    assert max(ahead_s) < (lead_s or LIVE_LEAD_S) + 0.1
    assert job.result().clip.is_whole


def test_a_viewer_that_joins_finds_the_frames_before_on_disk(
    running: Running, sink: RecordingSink
) -> None:
    sink.live.clear()
    runtime = running(lead_s=0.4)
    job = speak(runtime, LONG)
    wait_until(lambda: film_frames(runtime) >= 20, "20 frames on disk")
    sink.live.add("default")
    wait_until(lambda: sink.begun, "the frames for the viewer that joined")
    (clip,) = sink.begun
    assert 0 < clip.tapped_from <= clip.film.committed
    assert clip.first_frame == 0
    assert 0 < clip.film.position <= clip.film.committed
    job.result()
    assert_same_as_film(sink, film_of(runtime))
    assert len(sink.ended) == 1


def test_rendering_waits_once_a_viewer_joins_and_goes_on_when_it_leaves(
    running: Running, sink: RecordingSink
) -> None:
    runtime = running()
    job = speak(runtime, LONG * 5)
    wait_until(lambda: sink.frames >= 10, "ten frames for the viewer")
    sink.live.clear()
    frames = job.result().clip.frames
    assert sink.frames < frames / 2
    assert sink.ended == []


def test_a_viewer_that_comes_back_gets_the_rest(running: Running, sink: RecordingSink) -> None:
    runtime = running(lead_s=0.4)
    job = speak(runtime, LONG)
    wait_until(lambda: sink.frames >= 5, "the first frames")
    sink.live.clear()
    before = film_frames(runtime)
    wait_until(lambda: film_frames(runtime) > before + 10, "frames without a viewer")
    sink.live.add("default")
    job.result()
    _, again = sink.begun
    numbers = sink.numbers()
    assert numbers[-1] == job.result().clip.frames - 1
    start = numbers.index(again.tapped_from)
    assert numbers[start:] == list(range(again.tapped_from, job.result().clip.frames))


def film_frames(runtime: Runtime) -> int:
    film = runtime.sessions.registry.film(session_of(runtime))
    return 0 if film is None else film.committed.frames


def test_an_interruption_stops_live_viewers_first_and_counts_from_their_position(
    running: Running, sink: RecordingSink
) -> None:
    runtime = running()
    job = speak(runtime, LONG)
    wait_until(lambda: sink.frames >= 40, "frames for the viewer")
    sink.position = LivePosition(frame=30.5)
    interrupted = runtime.interrupt(session_of(runtime))
    assert interrupted.interrupted
    assert interrupted.played == 30.5
    assert interrupted.heard is not None
    assert interrupted.heard.text.startswith("It rains in May.")
    result = job.result()
    dropped = sink.calls.index("drop default")
    assert sink.calls.index("clear default") < dropped
    assert sink.calls[dropped + 1 :] == sink.ended
    assert sink.ended == [Ended(clip=0, end_frame=result.clip.frames, was_cut=True)]


def test_a_position_beyond_the_film_counts_as_its_end(
    running: Running, sink: RecordingSink
) -> None:
    runtime = running()
    result = speak(runtime, "Hello.").result()
    sink.position = LivePosition(frame=1e6)
    assert runtime.interrupt(session_of(runtime)).played == result.clip.frames


def test_a_cancelled_request_stops_live_viewers(running: Running, sink: RecordingSink) -> None:
    runtime = running()
    job = speak(runtime, LONG)
    wait_until(lambda: sink.frames >= 10, "frames for the viewer")
    job.cancel("the client left")
    assert job.result().interrupted
    assert sink.calls.count("drop default") == 1


def test_a_reset_stops_live_viewers_and_begins_at_frame_0(
    running: Running, sink: RecordingSink
) -> None:
    runtime = running()
    speak(runtime, LONG)
    wait_until(lambda: sink.frames >= 10, "frames for the viewer")
    runtime.reset(session_of(runtime), {})
    assert sink.calls[-1] == "reset default"
    (ended,) = sink.ended
    assert ended.was_cut
    assert "clear default" in sink.calls[: sink.calls.index(ended)]
    speak(runtime, "Hello.").result()
    assert (sink.begun[-1].first_frame, sink.begun[-1].clip) == (0, 0)


def test_an_engine_that_fails_ends_the_clip_of_live_viewers(
    running: Running, sink: RecordingSink
) -> None:
    engine = LoudnessEngine()
    runtime = running(engine)
    engine.broken_after = engine.rendered + 12
    with pytest.raises(RuntimeError, match="the engine broke"):
        speak(runtime).result()
    (ended,) = sink.ended
    assert ended.was_cut
    assert 0 < sink.frames <= 12


class FourAtOnceEngine(LoudnessEngine):
    """Draws four pictures in the time of one."""

    benefits_from_batching = True

    def round_up_batch(self, frames: int) -> int:
        return -(-frames // 4) * 4


def test_an_engine_that_draws_several_pictures_at_once_is_not_asked_for_fewer(
    running: Running, sink: RecordingSink
) -> None:
    result = speak(running(FourAtOnceEngine()), "Hello.").result()
    assert sink.numbers() == list(range(result.clip.frames))
    assert 1 < len(sink.added[0].pictures) <= 4


@pytest.mark.parametrize(("is_readable", "tapped_from"), [(True, 116), (False, 100)])
def test_a_viewer_that_joins_reads_a_long_backlog_from_the_film(
    sink: RecordingSink, tmp_path: Path, is_readable: bool, tapped_from: int
) -> None:
    def film() -> LiveFilm:
        return LiveFilm(
            session_id="default", avatar=tiny_avatar(tmp_path), path=tmp_path, fps=FPS,
            size=(WIDTH, HEIGHT), committed=100, position=90.0, clip=0,
        )  # fmt: skip

    session = Session("default", tmp_path / "a.mp4", under=tmp_path, writer="fragments")
    choice = VoiceChoice(voice="", language="", speed=1.0)
    job = SpeakJob(session=session, text="Hello.", choice=choice)
    tap = LiveTap(sink, job, clip=0, film=film, is_readable=is_readable)
    tap.follow([rendered(100, 8), rendered(108, 8, is_last=True)], 0, 100)
    assert [clip.tapped_from for clip in sink.begun] == [tapped_from]
    assert sink.numbers() == list(range(tapped_from, 116))
    assert sink.ended == [Ended(clip=0, end_frame=116, was_cut=False)]
    tap.follow([], 0, 116)
    assert len(sink.begun) == 1


def rendered(first_frame: int, frames: int, *, is_last: bool = False) -> Batch:
    samples = np.zeros(frames * STEP, np.float32)
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    return Batch(
        first_frame=first_frame, utterance=Utterance(frames=frames, samples=samples), cues=(),
        is_last=is_last, shown=[Shown(0)] * frames, rendered=[picture] * frames,
    )  # fmt: skip


def test_a_text_that_pauses_is_spoken_in_several_clips(
    running: Running, sink: RecordingSink
) -> None:
    runtime, jobs = running(), []
    for unit in ("Hello.", "Yes."):
        growing = GrowingText()
        choice = runtime.choose(speed=2.0)
        jobs.append(runtime.speak_growing(session_of(runtime), growing, choice))
        growing.add(PlainText.of(unit))
        wait_until(lambda: jobs[-1].is_over, "the end of a text that does not go on")
    assert_same_as_film(sink, film_of(runtime))
    assert [each.end_frame for each in sink.ended] == [
        job.result().clip.first_frame + job.result().clip.frames for job in jobs
    ]


def test_an_error_of_the_sink_does_not_reach_the_film(
    running: Running, sink: RecordingSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_frames: LiveFrames) -> None:
        raise OSError("no")

    monkeypatch.setattr(sink, "add", fail)
    assert speak(running(), "Hello.").result().clip.is_whole
    assert len(sink.begun) == 1


def test_the_films_of_jobs_are_not_passed_on(
    running: Running, sink: RecordingSink, tmp_path: Path
) -> None:
    runtime = running()
    session = runtime.private_films.new("job", tmp_path / "job.mp4", "tiny")
    sink.live.add(session.id)
    runtime.speak_film(session, runtime.plain_text("Hello."), runtime.choose()).result()
    assert sink.calls == []


def test_live_viewers_do_not_wait_for_the_disk(
    running: Running, sink: RecordingSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime, is_disk_free = running(), Event()
    begin = FilmWriter.begin

    def slow_begin(*arguments: object, **named: object) -> object:
        assert is_disk_free.wait(60)
        return begin(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(FilmWriter, "begin", slow_begin)
    job = speak(runtime)
    wait_until(lambda: sink.frames >= 20, "frames of more than three batches")
    assert film_frames(runtime) == 0
    is_disk_free.set()
    assert job.result().clip.is_whole
    assert_same_as_film(sink, film_of(runtime))


def test_frames_that_wait_for_a_slow_disk_are_limited(
    running: Running, sink: RecordingSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warm.render.clip.UNWRITTEN_BYTES", 20 * 3 * WIDTH * HEIGHT)
    runtime, is_disk_free = running(), Event()
    begin = FilmWriter.begin

    def slow_begin(*arguments: object, **named: object) -> object:
        assert is_disk_free.wait(60)
        return begin(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(FilmWriter, "begin", slow_begin)
    job = speak(runtime, LONG)
    wait_until(lambda: sink.frames >= 20, "the frames that may wait")
    time.sleep(0.3)
    assert sink.frames <= 20 + 6
    is_disk_free.set()
    job.cancel("enough was seen")
    job.result()


def test_concatenated_films_are_passed_on_as_they_are_rendered(
    running: Running, sink: RecordingSink
) -> None:
    runtime = running(writer="concat")
    job = speak(runtime)
    wait_until(lambda: sink.frames >= 10, "frames for the viewer")
    assert film_frames(runtime) == 0
    job.result()
    assert_same_as_film(sink, film_of(runtime))


def test_a_recording_is_passed_on_like_a_text(
    running: Running, sink: RecordingSink, tmp_path: Path
) -> None:
    path = tmp_path / "given.wav"
    path.write_bytes(wav_of(babble(0.6)))
    runtime = running()
    runtime.speak_sound(session_of(runtime), runtime.recording_file(path, "Hello.")).result()
    assert_same_as_film(sink, film_of(runtime))
    assert [each.text for each in sink.sentences] == ["Hello.", ""]


def test_the_state_of_a_session_is_known_before_and_after_its_first_clip(
    running: Running, sink: RecordingSink
) -> None:
    runtime = running()
    assert sink.films is runtime
    before = runtime.live_film("default")
    assert (before.committed, before.position, before.clip) == (0, 0.0, None)
    assert before.size == (WIDTH, HEIGHT)
    result = speak(runtime, "Hello.").result()
    after = runtime.live_film("default")
    assert after.committed == result.clip.frames
    assert 0 < after.position <= after.committed
    assert after.path == result.path
