"""Sentences whose sound is still to come: films, captions, interruptions and failing voices."""

from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

import warm.render.speech_feed
from session.film import Cue
from session.fragmented.check import check_film
from tests.polling import wait_until
from tests.sessions import film_of, session_of
from tests.streamed_voices import RecordedVoices, StreamedVoices, StreamingLoudnessEngine
from tests.tiny_face import MOUTH, PATCH, LoudnessEngine, running_runtime
from tts.registry import VoiceRegistry
from tts.voice import UnspeakableSentence, VoiceUnavailable
from warm.render.interruption import CLOSING_S, FADE_S
from warm.render.jobs import FragmentCommitted, Interrupted, SpeakJob, SpeechReady
from warm.render.utterances import TAIL_FRAMES
from warm.runtime import Runtime
from warm.sessions.limits import SessionFull
from warm.sessions.session import Session
from warm.settings import Settings

TEXT = "Good morning, and thank you for calling us on this fine day."
TWO = f"{TEXT} How can I help you?"
TWICE = f"{TEXT} {TEXT}"
FPS, SAMPLES_PER_FRAME = 25, 1920
TIMEOUT_S = 60


@pytest.fixture(scope="module")
def whole(voices: VoiceRegistry) -> RecordedVoices:
    return RecordedVoices(voices)


@pytest.fixture
def streamed(whole: RecordedVoices) -> StreamedVoices:
    return StreamedVoices(whole)


@pytest.fixture
def runtime(settings: Settings, streamed: StreamedVoices, tmp_path: Path) -> Iterator[Runtime]:
    streamed.delivery.allowed = 1_000  # for the rehearsal
    with running_runtime(settings, streamed, tmp_path, engine=StreamingLoudnessEngine()) as runtime:
        streamed.delivery.allowed = streamed.delivery.delivered
        streamed.delivery.ended = 0
        yield runtime
        streamed.delivery.allow()


def speak(runtime: Runtime, text: str = TEXT, session_id: str = "a") -> SpeakJob:
    return runtime.speak(session_of(runtime, session_id), text, runtime.choose())


@pytest.fixture
def waiting(runtime: Runtime, streamed: StreamedVoices) -> SpeakJob:
    """A request whose sound so far, 0.4 s, is in the film."""
    job = speak(runtime)
    wait_until(lambda: frames_of(job) == 10, "the first fragments")
    wait_until(lambda: streamed.delivery.waiting == 1, "the wait for a piece")
    return job


def frames_of(job: SpeakJob) -> int:
    events = [event for event in job._events if isinstance(event, FragmentCommitted)]
    return sum(event.fragment.frames for event in events)


def pictures(path: Path) -> NDArray[np.uint8]:
    """(n, h, w, 3) BGR."""
    with av.open(str(path)) as film:
        return np.stack([frame.to_ndarray(format="bgr24") for frame in film.decode(video=0)])


def mouths(path: Path) -> NDArray[np.float64]:
    """Brightness of the mouth in every frame."""
    x, y = MOUTH
    return pictures(path)[:, y + 4 : y + PATCH - 4, x + 4 : x + PATCH - 4].mean((1, 2, 3))


def sound(path: Path) -> NDArray[np.float32]:
    with av.open(str(path)) as film:
        return np.concatenate([frame.to_ndarray()[0] for frame in film.decode(audio=0)])


def whole_frames(runtime: Runtime, whole: RecordedVoices, text: str = TEXT) -> int:
    """Frames of the first sentence of a text."""
    speech = next(whole.speak(text, runtime.choose()))
    return -(-speech.total_samples * FPS // speech.sample_rate_hz)


def test_a_film_of_streamed_sentences_is_that_of_whole_ones(
    runtime: Runtime, streamed: StreamedVoices, whole: RecordedVoices, tmp_path: Path
) -> None:
    streamed.delivery.allow()
    arrived = speak(runtime, TWO).result()
    whole_settings = Settings(results_dir=tmp_path / "whole", avatar_id="tiny")
    with running_runtime(whole_settings, whole, tmp_path) as other:
        expected = speak(other, TWO).result()
        assert film_of(other, "a").cues() == film_of(runtime, "a").cues()
    assert arrived.clip == expected.clip
    assert streamed.delivery.ended == 2
    assert np.abs(mouths(arrived.path) - mouths(expected.path)).max() < 12  # H.264
    assert np.abs(sound(arrived.path) - sound(expected.path)).max() < 0.05  # AAC
    assert check_film(arrived.path).faults == []


def test_what_has_arrived_is_in_the_film_and_the_whole_length_is_known(
    runtime: Runtime, waiting: SpeakJob, whole: RecordedVoices
) -> None:
    frames = whole_frames(runtime, whole)
    (announced,) = (event for event in waiting._events if isinstance(event, SpeechReady))
    assert round(announced.duration_s * FPS) in (frames - 1, frames)
    film = film_of(runtime, "a")
    assert film.cues() == [Cue(text=TEXT, first_frame=0, frames=10)]
    clip = runtime._thread.clip_of("a")
    assert clip is not None
    assert clip.uncommitted_frames == frames - 10
    assert not waiting.is_over
    assert runtime.health().state == "ok"


def test_other_sessions_speak_while_a_piece_is_awaited(
    runtime: Runtime, streamed: StreamedVoices, waiting: SpeakJob, whole: RecordedVoices
) -> None:
    other = speak(runtime, "Yes.", "b")
    streamed.delivery.allow(1)
    wait_until(lambda: frames_of(other) > 0 or frames_of(waiting) > 10, "more frames")
    streamed.delivery.allow()
    assert waiting.result().clip.frames == whole_frames(runtime, whole) + TAIL_FRAMES
    assert other.result().clip.index == 0


def test_frames_are_committed_as_their_sound_arrives(
    runtime: Runtime, streamed: StreamedVoices, waiting: SpeakJob
) -> None:
    for piece in range(2, 5):
        streamed.delivery.allow(1)
        wait_until(lambda: frames_of(waiting) == 10 * piece, f"piece {piece}")  # noqa: B023


def test_an_interruption_closes_the_mouth_before_the_rest_has_arrived(
    runtime: Runtime, streamed: StreamedVoices, waiting: SpeakJob
) -> None:
    assert runtime.interrupt(waiting.session).interrupted
    spoken = waiting.result()
    assert spoken.interrupted
    assert spoken.clip.frames == 10 + round(CLOSING_S * FPS) + TAIL_FRAMES
    assert_closes_at(spoken.path, 10)
    wait_until(lambda: streamed.delivery.ended == 1, "the end of the synthesis")
    streamed.delivery.allow()
    assert speak(runtime).result().clip.index == 1


def test_an_interruption_closes_the_mouth_after_the_rest_has_arrived(
    runtime: Runtime, streamed: StreamedVoices
) -> None:
    job = runtime.speak(session_of(runtime, "a"), TEXT, runtime.choose(), lead_s=0.4)
    streamed.delivery.allow()
    wait_until(lambda: frames_of(job) >= 10, "fragments")
    runtime.interrupt(job.session)
    spoken = job.result()
    assert spoken.interrupted
    assert_closes_at(spoken.path, spoken.clip.frames - TAIL_FRAMES - round(CLOSING_S * FPS))


def assert_closes_at(path: Path, frame: int) -> None:
    """The sound fades out within FADE_S after a frame, without a step, and the mouth rests."""
    samples = sound(path)
    start = frame * SAMPLES_PER_FRAME
    end = start + round(FADE_S * FPS * SAMPLES_PER_FRAME)
    assert np.abs(samples[end + 1024 :]).max() < 0.01
    usual = np.abs(np.diff(samples[: start - 2048])).max()
    assert np.abs(np.diff(samples[start - 2048 :])).max() < 1.5 * usual
    assert mouths(path)[frame + 2 : frame + 5].max() < 20


@pytest.mark.parametrize(
    "stop",
    [
        lambda runtime, session: runtime.reset(session, {}),
        lambda runtime, session: runtime.remove(session),
    ],
    ids=["reset", "remove"],
)
def test_a_reset_does_not_wait_for_the_rest(
    runtime: Runtime,
    streamed: StreamedVoices,
    waiting: SpeakJob,
    stop: Callable[[Runtime, Session], object],
) -> None:
    stop(runtime, waiting.session)
    with pytest.raises(Interrupted):
        waiting.result()
    wait_until(lambda: streamed.delivery.ended == 1, "the end of the synthesis")


def test_a_client_that_leaves_ends_a_sentence_that_is_arriving(
    runtime: Runtime, streamed: StreamedVoices, waiting: SpeakJob
) -> None:
    waiting.cancel("nobody listens")
    assert waiting.result().interrupted
    wait_until(lambda: streamed.delivery.ended == 1, "the end of the synthesis")
    assert runtime.counters.interrupted == 1


def test_a_stop_of_the_server_does_not_wait_for_the_rest(
    runtime: Runtime, waiting: SpeakJob
) -> None:
    runtime.stop()
    with pytest.raises(Interrupted):
        waiting.result()
    assert runtime.wait_until_ended(TIMEOUT_S)


ERRORS = [
    VoiceUnavailable("the voice fell silent"),
    UnspeakableSentence(
        voice="v", number=1, start=0, sentence=TEXT, reason="ended the process", remedy=""
    ),
]


@pytest.mark.parametrize("error", ERRORS, ids=["unavailable", "unspeakable"])
def test_a_voice_that_fails_within_a_sentence_closes_the_mouth_and_fails_the_request(
    runtime: Runtime, streamed: StreamedVoices, waiting: SpeakJob, error: Exception
) -> None:
    streamed.delivery.fail(error)
    with pytest.raises(type(error)):
        waiting.result()
    film = film_of(runtime, "a")
    assert film.committed.frames == 10 + round(CLOSING_S * FPS) + TAIL_FRAMES
    assert [clip.is_whole for clip in film.committed.clips] == [False]
    assert_closes_at(film.path, 10)
    streamed.delivery.error = None
    streamed.delivery.allow()
    assert speak(runtime).result().clip.index == 1
    assert (runtime.counters.failed, runtime.counters.done) == (1, 1)


def test_all_sound_that_arrived_before_an_error_is_in_the_film(
    runtime: Runtime, streamed: StreamedVoices
) -> None:
    """Catches an error that overtakes the batches on their way to the disk."""
    streamed.delivery.error = VoiceUnavailable("the voice fell silent")
    streamed.delivery.allow(4)
    job = speak(runtime)
    with pytest.raises(VoiceUnavailable):
        job.result()
    frames = film_of(runtime, "a").committed.frames
    assert frames == 5 * 10 + round(CLOSING_S * FPS) + TAIL_FRAMES


def test_a_voice_that_ends_a_sentence_early_fails_the_request(
    runtime: Runtime, streamed: StreamedVoices, waiting: SpeakJob
) -> None:
    streamed.delivery.end_early()
    with pytest.raises(VoiceUnavailable, match="stopped in the middle of the sentence 'Good morn"):
        waiting.result()
    assert_closes_at(film_of(runtime, "a").path, 10)


def test_a_voice_that_delivers_too_much_fails_the_request(
    runtime: Runtime, streamed: StreamedVoices, waiting: SpeakJob
) -> None:
    streamed.delivery.padding = 1 << 20
    streamed.delivery.allow(1)
    with pytest.raises(VoiceUnavailable, match="more sound than it announced for the sentence 'G"):
        waiting.result()
    assert_closes_at(film_of(runtime, "a").path, 10)


def test_empty_pieces_are_skipped(
    runtime: Runtime, streamed: StreamedVoices, waiting: SpeakJob, whole: RecordedVoices
) -> None:
    streamed.delivery.empty_pieces = 2
    streamed.delivery.allow()
    assert waiting.result().clip.frames == whole_frames(runtime, whole) + TAIL_FRAMES


def test_a_voice_that_stalls_within_a_sentence_fails_the_request(
    runtime: Runtime, waiting: SpeakJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warm.render.speech_feed, "SENTENCE_TIMEOUT_S", 0.01)
    with pytest.raises(VoiceUnavailable, match=r"took longer than 0\.01 s for one sentence or a"):
        waiting.result()
    assert_closes_at(film_of(runtime, "a").path, 10)


def test_an_error_in_the_second_sentence_keeps_the_first(
    runtime: Runtime, streamed: StreamedVoices, whole: RecordedVoices
) -> None:
    streamed.delivery.error = VoiceUnavailable("the voice fell silent")
    first = whole_frames(runtime, whole, TWO)
    speech = next(whole.speak(TWO, runtime.choose()))
    streamed.delivery.allow(len(streamed.cuts(speech)))
    job = speak(runtime, TWO)
    with pytest.raises(VoiceUnavailable):
        job.result()
    film = film_of(runtime, "a")
    assert film.committed.frames == first + 10 + round(CLOSING_S * FPS) + TAIL_FRAMES
    assert [cue.text for cue in film.cues()] == [TEXT, "How can"]


def test_a_sentence_that_does_not_fit_is_left_out_when_its_first_piece_has_arrived(
    settings: Settings, streamed: StreamedVoices, whole: RecordedVoices, tmp_path: Path
) -> None:
    streamed.delivery.allow()
    limited = settings.model_copy(update={"max_session_s": 5.0})
    with running_runtime(limited, streamed, tmp_path, engine=StreamingLoudnessEngine()) as runtime:
        first = whole_frames(runtime, whole, TWICE)
        assert 2.5 * FPS < first < 5 * FPS - TAIL_FRAMES
        spoken = speak(runtime, TWICE).result()
        assert spoken.truncated_by == "max_session_s"
        assert spoken.clip.frames == first + TAIL_FRAMES
        streamed.delivery.allowed = streamed.delivery.delivered
        with pytest.raises(SessionFull):
            speak(runtime).result()


def test_an_engine_that_needs_the_whole_sentence_waits_for_it(
    settings: Settings, streamed: StreamedVoices, tmp_path: Path
) -> None:
    streamed.delivery.allow()
    with running_runtime(settings, streamed, tmp_path, engine=LoudnessEngine()) as runtime:
        streamed.delivery.allowed = streamed.delivery.delivered
        job = speak(runtime)
        for _ in range(3):
            wait_until(lambda: streamed.delivery.waiting == 1, "the wait for a piece")
            assert job._events == []
            streamed.delivery.allow(1)
            wait_until(lambda: streamed.delivery.waiting == 1, "the wait for a piece")
        streamed.delivery.allow()
        assert isinstance(next(job.events()), SpeechReady)
        assert not job.result().interrupted
