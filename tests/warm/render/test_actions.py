"""Actions: clips of their own, and over what is being said."""

import wave
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.polling import wait_until
from tests.sessions import film_of, session_of
from tests.tiny_face import (
    ACTION_FRAMES,
    MOUTH,
    PATCH,
    LoudnessEngine,
    acting_avatar,
    running_runtime,
)
from tts.registry import VoiceRegistry
from warm.avatars.action import UnknownAction
from warm.render.jobs import ClipEnding, FragmentCommitted, Interrupted, SpeakJob
from warm.render.planned_action import PlannedAction, When
from warm.runtime import Runtime
from warm.sessions.errors import SessionFull
from warm.settings import Settings

TEXT = "The open ocean always amazes all of us. Nobody knows why we are so fond of it."
LONG = " ".join([TEXT] * 3)
LARGEST_STEP = 45.0
"""Largest difference between two pictures of a glide of the tiny face; a jump is 120."""


@pytest.fixture
def runtime(
    settings: Settings, engine: LoudnessEngine, voices: VoiceRegistry, tmp_path: Path
) -> Iterator[Runtime]:
    avatar = acting_avatar(tmp_path)
    with running_runtime(settings, voices, tmp_path, engine=engine, avatar=avatar) as runtime:
        yield runtime


def act(runtime: Runtime, name: str = "wave", when: When = "sentence") -> SpeakJob:
    job, _ = runtime.act(session_of(runtime), PlannedAction(name=name, when=when))
    return job


def speak(runtime: Runtime, text: str = TEXT) -> SpeakJob:
    return runtime.speak(session_of(runtime), text, runtime.choose())


def wait_for_fragments(job: SpeakJob, count: int) -> None:
    def fragments() -> int:
        return sum(isinstance(event, FragmentCommitted) for event in job.live_events)

    wait_until(lambda: fragments() >= count, f"{count} fragments of the clip")


def pictures(path: Path) -> list[NDArray[np.uint8]]:
    with av.open(str(path)) as film:
        return [frame.to_ndarray(format="bgr24") for frame in film.decode(video=0)]


def redness(path: Path) -> NDArray[np.float64]:
    """(n,) share of the action in the corner of each picture, where no mouth is."""
    corners = np.array([picture[2:12, 2:12].mean(axis=(0, 1)) for picture in pictures(path)])
    return np.clip((corners[:, 2] - corners[:, 0]) / 200, 0, 1)


def mouths(path: Path) -> NDArray[np.float64]:
    """(n,) brightness of the drawn mouth's blue, which no action has."""
    x, y = MOUTH
    inside = slice(y + 4, y + PATCH - 4), slice(x + 4, x + PATCH - 4)
    return np.array([picture[inside][..., 0].mean() for picture in pictures(path)])


def sound(path: Path) -> NDArray[np.float32]:
    with av.open(str(path)) as film:
        return np.concatenate([frame.to_ndarray()[0] for frame in film.decode(audio=0)])


def steps(path: Path) -> NDArray[np.float64]:
    shown = np.array([picture[2:12, 2:12].mean(axis=(0, 1)) for picture in pictures(path)])
    return np.abs(np.diff(shown, axis=0)).max(axis=1)


def test_in_the_silence_an_action_is_a_clip_of_its_own_without_sound(runtime: Runtime) -> None:
    result = act(runtime).result()
    path = film_of(runtime).path
    assert result.clip.text == "(wave)"
    assert result.clip.frames >= ACTION_FRAMES["wave"] - 12
    assert redness(path).max() > 0.9
    assert np.abs(sound(path)).max() < 0.01


def test_the_clip_of_an_action_begins_and_ends_on_the_loop_without_a_jump(
    runtime: Runtime,
) -> None:
    act(runtime).result()
    shares = redness(film_of(runtime).path)
    assert shares[0] < 0.3
    assert shares[-1] < 0.02
    assert steps(film_of(runtime).path).max() < LARGEST_STEP


def test_an_action_joins_the_speech_and_the_mouth_goes_on_over_it(runtime: Runtime) -> None:
    speech = speak(runtime, LONG)
    wait_for_fragments(speech, 1)
    acted = act(runtime, when="now")
    assert speech.result().session_clips == 1
    assert acted.has_joined
    path = film_of(runtime).path
    shares, mouth = redness(path), mouths(path)
    assert (shares > 0.95).sum() >= 10
    assert mouth[shares > 0.95].max() > 60
    assert shares[-1] < 0.1


def test_no_mouth_is_drawn_where_the_action_hides_it(runtime: Runtime) -> None:
    speech = speak(runtime, LONG)
    wait_for_fragments(speech, 1)
    act(runtime, "hide", when="now")
    speech.result()
    path = film_of(runtime).path
    shares, mouth = redness(path), mouths(path)
    shown = np.flatnonzero(shares > 0.95)
    hidden = [n for n in shown if mouth[n] < 20]
    assert len(hidden) >= 14
    assert mouth[shown].max() > 60


def test_an_action_for_the_silence_waits_for_the_end_of_the_speech(runtime: Runtime) -> None:
    speech = speak(runtime)
    wait_for_fragments(speech, 1)
    acted = act(runtime, when="silence")
    spoken = speech.result().clip
    result = acted.result()
    assert result.clip.first_frame == spoken.first_frame + spoken.frames
    assert redness(film_of(runtime).path)[: spoken.frames].max() < 0.3


def test_an_action_with_the_next_sentence_begins_where_that_begins(runtime: Runtime) -> None:
    speech = speak(runtime, TEXT)
    act(runtime, when="sentence")
    speech.result()
    shares = redness(film_of(runtime).path)
    assert (shares > 0.95).any()
    assert shares[-1] < 0.1


def test_several_actions_follow_one_another(runtime: Runtime) -> None:
    jobs = act(runtime, "wave"), act(runtime, "hide")
    wait_until(lambda: all(job.is_over for job in jobs), "the end of both actions")
    shares = redness(film_of(runtime).path)
    assert len(shares) >= sum(ACTION_FRAMES.values()) - 24
    assert (shares > 0.95).sum() >= 30
    assert steps(film_of(runtime).path).max() < LARGEST_STEP


def test_an_interruption_leaves_the_action_soon_and_without_a_jump(runtime: Runtime) -> None:
    speech = speak(runtime, LONG)
    wait_for_fragments(speech, 1)
    act(runtime, "hide", when="now")
    wait_for_fragments(speech, 5)
    answer = runtime.interrupt(session_of(runtime))
    path = film_of(runtime).path
    assert answer.interrupted
    assert redness(path)[-1] < 0.1
    assert steps(path).max() < LARGEST_STEP


def test_an_interruption_ends_an_action_in_the_silence_and_drops_those_that_wait(
    runtime: Runtime,
) -> None:
    playing, waiting = act(runtime, "hide"), act(runtime, "hide", when="silence")
    runtime.interrupt(session_of(runtime))
    with pytest.raises(Interrupted):
        waiting.result()
    assert playing.is_over


def test_the_film_of_a_job_begins_with_its_action_and_ends_where_the_loop_begins(
    runtime: Runtime, tmp_path: Path
) -> None:
    session = runtime.private_films.new("job", tmp_path / "job.mp4", "tiny")
    job = runtime.speak_film(
        session,
        runtime.plain_text("Good morning."),
        runtime.choose(),
        ending=ClipEnding(is_fluent=True),
        actions=(PlannedAction(name="wave"),),
    )
    result = job.result()
    shares = redness(result.path)
    assert shares[12:18].min() > 0.95
    assert shares[-1] < 0.1
    assert len(shares) >= ACTION_FRAMES["wave"] - 12
    assert steps(result.path).max() < LARGEST_STEP


def test_a_reset_ends_the_action_and_the_next_one_begins_a_new_film(runtime: Runtime) -> None:
    playing = act(runtime, "hide")
    runtime.reset(session_of(runtime), {})
    wait_until(lambda: playing.is_over, "the end of the action")
    assert act(runtime, "wave").result().clip.first_frame == 0


def test_an_action_without_room_in_the_film_is_refused(
    settings: Settings, engine: LoudnessEngine, voices: VoiceRegistry, tmp_path: Path
) -> None:
    short = settings.model_copy(update={"max_session_s": 1.0})
    avatar = acting_avatar(tmp_path)
    with (
        running_runtime(short, voices, tmp_path, engine=engine, avatar=avatar) as runtime,
        pytest.raises(SessionFull),
    ):
        act(runtime, "hide").result()


def test_an_unknown_action_is_refused_with_the_names_that_exist(runtime: Runtime) -> None:
    with pytest.raises(UnknownAction, match=r"'dance'.*hide, wave"):
        act(runtime, "dance")


def test_a_film_of_one_file_per_clip_takes_actions_too(
    settings: Settings, engine: LoudnessEngine, voices: VoiceRegistry, tmp_path: Path
) -> None:
    joined = settings.model_copy(update={"writer": "concat"})
    avatar = acting_avatar(tmp_path)
    with running_runtime(joined, voices, tmp_path, engine=engine, avatar=avatar) as runtime:
        speech = speak(runtime)
        act(runtime, "wave", when="silence").result()
        assert speech.is_over
        shares = redness(film_of(runtime).path)
        assert (shares > 0.95).sum() >= 10
        assert shares[-1] < 0.1


def test_an_action_joins_a_recording_that_is_being_spoken(runtime: Runtime, tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "tone.wav"), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        times = np.arange(16000 * 3) / 16000
        file.writeframes((8000 * np.sin(700 * times)).astype("<i2").tobytes())
    given = runtime.recording_file(tmp_path / "tone.wav")
    speech = runtime.speak_sound(session_of(runtime), given, lead_s=0.4)
    wait_for_fragments(speech, 1)
    acted = act(runtime, "wave", when="now")
    assert speech.result().session_clips == 1
    assert acted.has_joined
    path = film_of(runtime).path
    shares = redness(path)
    assert (shares > 0.95).sum() >= 10
    assert mouths(path)[shares > 0.95].min() > 20
