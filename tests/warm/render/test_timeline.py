"""The timeline of a clip: utterances, batches, tail, cut."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from session.film import FilmSpec
from session.fragmented.writer import FilmWriter
from tests.streamed_voices import RecordedVoices, StreamedVoices
from tests.tiny_face import HEIGHT, WIDTH, LoudnessEngine, tiny_avatar
from tests.warm.motion.paths import portrait_avatar
from tts.registry import VoiceRegistry
from tts.voice import Voices
from warm.avatars.avatar import Avatar, Shown
from warm.engines.base import Engine
from warm.engines.viseme.engine import VisemeEngine
from warm.motion.frame_path import FramePath
from warm.render.context import RenderContext
from warm.render.interruption import CLOSING_S
from warm.render.jobs import SpeakJob, SpeechReady
from warm.render.pace import SpeakingPlaces
from warm.render.spoken_sentence import SpokenSentence
from warm.render.steps import Steps
from warm.render.timeline import Batch, Timeline
from warm.render.utterances import TAIL_FRAMES, Utterance
from warm.sessions.limits import Capacity, SessionFull
from warm.sessions.session import Session

SPEC = FilmSpec(width=WIDTH, height=HEIGHT, fps=25)
TEXT = "Good morning. Thank you for calling."
SIZE = 10

MakeTimeline = Callable[..., Timeline]


@pytest.fixture
def make(tmp_path: Path, voices: VoiceRegistry) -> Iterator[MakeTimeline]:
    """Makes the timeline of `TEXT` in an empty film that takes a number of frames."""
    path = tmp_path / "film.mp4"
    film = FilmWriter.create(path, SPEC)

    def timeline(
        capacity: int,
        *,
        speaking: Voices = voices,
        engine: Engine | None = None,
        lively: Avatar | None = None,
    ) -> Timeline:
        context = RenderContext(
            engine=engine or LoudnessEngine(),
            voices=speaking,
            composite=lambda _avatar, _first, _patches: [],
            first_batch=SIZE,
            largest_batch=SIZE,
            clock=lambda: 0.0,
            steps=Steps(lambda: 0.0),
            notify=lambda: None,
            capacity=lambda _committed, _spec: Capacity(capacity, "max_session_s", "0 s", "1"),
            private_capacity=lambda _committed, _spec: Capacity(
                capacity, "max_session_s", "0 s", "1"
            ),
            places=SpeakingPlaces(8, 25, lambda: 0.0),
            is_lively=lively is not None,
        )
        session = Session("a", path, under=tmp_path, writer="fragments")
        job = SpeakJob(session=session, text=TEXT, choice=voices.choose())
        return Timeline(job, film, context, lively or tiny_avatar(tmp_path))

    yield timeline
    film.close()


def rest_of(timeline: Timeline) -> list[Batch]:
    """All batches from now on."""
    batches = []
    while not timeline.is_exhausted:
        batches.append(timeline.next_batch(SIZE, written=0))
    return batches


def test_batches_cover_every_frame_once_and_only_the_last_is_marked(make: MakeTimeline) -> None:
    timeline = make(10_000)
    batches = rest_of(timeline)
    starts = np.cumsum([0, *(batch.frames for batch in batches)])
    assert [batch.first_frame for batch in batches] == list(starts[:-1])
    assert starts[-1] == timeline.end == timeline.cursor
    assert [batch.is_last for batch in batches] == [False] * (len(batches) - 1) + [True]
    assert max(batch.frames for batch in batches) == SIZE
    step = SPEC.samples_per_frame
    assert all(len(batch.utterance.samples) == batch.frames * step for batch in batches)


def test_each_sentence_is_a_cue_of_the_batch_it_starts_with(make: MakeTimeline) -> None:
    batches = rest_of(make(10_000))
    cues = [(batch.first_frame, cue) for batch in batches for cue in batch.cues]
    assert [cue.text for _, cue in cues] == ["Good morning.", "Thank you for calling."]
    assert all(first == cue.first_frame for first, cue in cues)
    assert cues[0][1].end == cues[1][1].first_frame


def test_a_clip_ends_with_silence_over_the_frames_of_the_avatar(make: MakeTimeline) -> None:
    last = rest_of(make(10_000))[-1]
    assert last.frames == TAIL_FRAMES
    assert last.utterance.features is None
    assert not last.utterance.samples.any()


def test_a_sentence_is_announced_when_its_first_frame_is_taken(make: MakeTimeline) -> None:
    timeline = make(10_000)
    job = timeline._job
    assert job._events == []
    timeline.next_batch(SIZE, written=0)
    assert [type(event) for event in job._events] == [SpeechReady]


def test_after_a_cut_the_mouth_closes_and_the_rest_is_not_spoken(make: MakeTimeline) -> None:
    timeline = make(10_000)
    timeline.next_batch(SIZE, written=0)
    timeline.cut(5)
    closing, *_, tail = rest_of(timeline)
    assert closing.first_frame == 5
    assert timeline.end == 5 + round(CLOSING_S * SPEC.fps) + TAIL_FRAMES
    assert closing.utterance.features is not None
    assert tail.is_last
    assert not tail.cues


def test_sentences_without_capacity_are_left_out_and_the_setting_is_named(
    make: MakeTimeline,
) -> None:
    first = next(cue for batch in rest_of(make(10_000)) for cue in batch.cues)
    timeline = make(first.frames + TAIL_FRAMES)
    batches = rest_of(timeline)
    assert [cue.text for batch in batches for cue in batch.cues] == ["Good morning."]
    assert timeline.truncated_by == "max_session_s"
    assert batches[-1].is_last


def test_a_film_without_capacity_for_the_first_sentence_is_full(make: MakeTimeline) -> None:
    with pytest.raises(SessionFull, match="max_session_s"):
        make(1).next_batch(SIZE, written=0)


def test_sentences_in_pieces_have_the_sound_and_the_mouth_of_whole_ones(
    make: MakeTimeline, voices: VoiceRegistry
) -> None:
    whole, engine = RecordedVoices(voices), VisemeEngine()
    expected = rest_of(make(10_000, speaking=whole, engine=engine))
    streamed = StreamedVoices(whole, piece_s=0.31, allowed=1_000)
    actual = rest_of(make(10_000, speaking=streamed, engine=engine))
    assert joined(actual, "samples").shape == joined(expected, "samples").shape
    assert np.array_equal(joined(actual, "samples"), joined(expected, "samples"))
    np.testing.assert_allclose(joined(actual, "features"), joined(expected, "features"), atol=1e-6)
    cues = [[cue for batch in batches for cue in batch.cues] for batches in (actual, expected)]
    assert cues[0] == cues[1]


def test_the_head_moves_live_as_it_does_offline(
    make: MakeTimeline, voices: VoiceRegistry, tmp_path: Path
) -> None:
    avatar, whole = portrait_avatar(tmp_path), RecordedVoices(voices)
    offline = FramePath(avatar, 0, is_lively=True)
    for speech in whole.speak(TEXT, whole.choose()):
        sentence = SpokenSentence(speech.completed(), SPEC)
        offline.speak(sentence.speech, sentence.frames)
    streamed = StreamedVoices(whole, piece_s=0.31, allowed=1_000)
    for speaking in (whole, streamed):
        live = shown(rest_of(make(10_000, speaking=speaking, engine=VisemeEngine(), lively=avatar)))
        assert live[: len(offline)] == list(offline.shown(0, len(offline)))
        assert live[-1] == avatar.shown_at(len(live) - 1)


def test_a_cut_clip_of_a_moving_head_ends_on_the_idle_loop(
    make: MakeTimeline, tmp_path: Path
) -> None:
    avatar = portrait_avatar(tmp_path)
    for frame in range(4, 60, 11):
        timeline = make(10_000, lively=avatar)
        while timeline.cursor < 60:
            timeline.next_batch(SIZE, written=0)
        timeline.cut(frame)
        after = shown(rest_of(timeline))
        assert len(after) == timeline.end - frame
        end = avatar.shown_at(timeline.end)
        steps = (end.frame - after[-1].frame) % int(avatar.extras["gestures"][0, 2])
        assert min(steps, int(avatar.extras["gestures"][0, 2]) - steps) <= 5


def shown(batches: list[Batch]) -> list[Shown]:
    """The avatar's pictures of all batches, one after another."""
    return [one for batch in batches for one in batch.shown]


def joined(batches: list[Batch], name: str) -> NDArray[np.float32]:
    """Samples or features of all batches, one after another; the tail has no features."""
    parts = [getattr(batch.utterance, name) for batch in batches]
    return np.concatenate([part for part in parts if part is not None])


def test_a_slice_of_an_utterance_has_the_samples_and_features_of_its_frames() -> None:
    samples = np.arange(12, dtype=np.float32)
    whole = Utterance(frames=4, samples=samples, features=np.arange(4, dtype=np.float32)[:, None])
    part = whole.slice(1, 3)
    assert part.frames == 2
    assert part.samples.tolist() == [3, 4, 5, 6, 7, 8]
    assert part.features is not None
    assert part.features.tolist() == [[1], [2]]
