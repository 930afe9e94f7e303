"""Clips of jobs: each a film of its own, after the clips of sessions, with the end it needs."""

import os
import sys
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.polling import wait_until
from tests.sessions import film_of, session_of
from tests.tiny_face import HEIGHT, WIDTH, LoudnessEngine, tiny_avatar
from tts.registry import VoiceRegistry
from tts.text.plain_text import PlainText
from warm.avatars.avatar import Avatar
from warm.render.context import LOWEST_PRIORITY, background_thread, yielding
from warm.render.jobs import PLAIN_ENDING, ClipEnding, Interrupted, SpeakJob
from warm.render.tail import GLIDE_S, LONGEST_WAIT_S, tail_of
from warm.render.utterances import TAIL_FRAMES
from warm.runtime import Runtime
from warm.settings import Settings

TEXT = "Hello world. This is the second sentence."
LONG = "This sentence is said again and again. " * 60
FPS = 25


def film_job(
    runtime: Runtime, folder: Path, text: str = TEXT, ending: ClipEnding = PLAIN_ENDING
) -> SpeakJob:
    folder.mkdir(parents=True, exist_ok=True)
    session = runtime.private_films.new("job_1", folder / "film.mp4", "tiny")
    return runtime.speak_film(session, PlainText.of(text), runtime.choose(), ending=ending)


def decoded(path: Path) -> NDArray[np.uint8]:
    """(n, h, w, 3) BGR."""
    with av.open(str(path)) as film:
        return np.stack([frame.to_ndarray(format="bgr24") for frame in film.decode(video=0)])


def shades(pictures: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Brightness of the corner, which identifies the picture of the loop."""
    return np.asarray(pictures[:, 4:20, 4:20].mean(axis=(1, 2, 3)), np.float64)


def test_a_film_of_a_job_is_the_clip_of_a_session_in_a_file_of_its_own(
    runtime: Runtime, tmp_path: Path
) -> None:
    live = runtime.speak(session_of(runtime), TEXT, runtime.choose()).result()
    made = film_job(runtime, tmp_path / "job").result()
    assert made.path == tmp_path / "job" / "film.mp4"
    assert (made.clip.first_frame, made.clip.frames) == (0, live.clip.frames)
    pictures = decoded(made.path)
    assert pictures.shape == (made.clip.frames, HEIGHT, WIDTH, 3)
    shown = [runtime.avatar.frames[runtime.avatar.index_at(n)].mean() for n in range(len(pictures))]
    assert np.abs(shades(pictures) - shown).max() < 3
    assert [each.id for each in runtime.sessions.registry.all()] == ["default"]
    assert film_of(runtime).committed.frames == live.clip.frames


def test_jobs_take_no_place_in_the_queue_and_none_of_the_speaking_places(
    runtime: Runtime, tmp_path: Path
) -> None:
    """The queue of this server takes two requests."""
    jobs = [film_job(runtime, tmp_path / str(n), LONG) for n in range(4)]
    live = [runtime.speak(session_of(runtime, f"s{n}"), "Hi.", runtime.choose()) for n in range(3)]
    for job in live:
        assert job.result().clip.frames
    for job in jobs:
        job.cancel("enough")
    for job in jobs:
        with pytest.raises(Interrupted, match="enough"):
            job.result()


def test_a_film_alone_measures_no_pace(runtime: Runtime, tmp_path: Path) -> None:
    """Catches speaking places that follow the speed of encoders of lowest priority."""
    before = runtime.health().pace
    film_job(runtime, tmp_path / "job").result()
    assert runtime.health().pace == before


def test_a_cancelled_film_ends_and_leaves_a_file_that_the_next_try_replaces(
    runtime: Runtime, tmp_path: Path
) -> None:
    job = film_job(runtime, tmp_path / "job", LONG)
    path = tmp_path / "job" / "film.mp4"
    wait_until(lambda: path.exists() and path.stat().st_size > 10_000, "the beginning of the film")
    job.cancel("not wanted any more")
    with pytest.raises(Interrupted, match="not wanted any more"):
        job.result()
    again = film_job(runtime, tmp_path / "job").result()
    assert len(decoded(path)) == again.clip.frames


def test_the_fragments_of_a_film_are_not_synced_one_by_one(
    runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each sync of a film that nobody watches would delay those of sessions."""
    synced: list[str] = []
    fsync = os.fsync

    def watched(fd: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{fd}").readlink()))
        fsync(fd)

    monkeypatch.setattr(os, "fsync", watched)
    runtime.speak(session_of(runtime), "Hello.", runtime.choose()).result()
    assert sum(path.endswith("full_session.mp4") for path in synced) > 2
    synced.clear()
    film_job(runtime, tmp_path / "job", LONG[:400]).result()
    assert sum(path.endswith("film.mp4") for path in synced) <= 2


def test_silence_can_follow_the_speech(runtime: Runtime, tmp_path: Path) -> None:
    plain = film_job(runtime, tmp_path / "plain").result()
    padded = film_job(runtime, tmp_path / "padded", TEXT, ClipEnding(pad_s=1.5)).result()
    assert padded.clip.frames == plain.clip.frames + round(1.5 * FPS)
    with av.open(str(padded.path)) as film:
        sound = np.concatenate([frame.to_ndarray()[0] for frame in film.decode(audio=0)])
    assert np.abs(sound[-60_000:]).max() < 0.01
    assert np.ptp(shades(decoded(padded.path))[-2 * runtime.avatar.period :]) > 100  # it moves


def test_a_fluent_film_ends_where_the_loop_begins(runtime: Runtime, tmp_path: Path) -> None:
    made = film_job(runtime, tmp_path / "job", TEXT, ClipEnding(is_fluent=True)).result()
    assert made.clip.frames % runtime.avatar.period == 0


def swaying_avatar(folder: Path) -> Avatar:
    """A bright face of 32 pixels that sways over a dark striped background in 200 frames."""
    tiny = tiny_avatar(folder)
    frames = np.empty((200, HEIGHT, WIDTH, 3), np.uint8)
    transforms = np.empty((200, 2, 3))
    for index, frame in enumerate(frames):
        frame[:] = (20 + 10 * (np.arange(WIDTH) // 8 % 2))[:, np.newaxis]
        x = 40 + 8 * np.sin(2 * np.pi * index / 200)
        cv2.circle(frame, (round(16 * x), 16 * 40), 16 * 8, (200, 200, 200), -1, cv2.LINE_AA, 4)
        transforms[index] = [[0.125, 0, x - 16], [0, 0.125, 24]]
    return replace(
        tiny,
        frames=frames,
        transforms=transforms,
        loop="forward",
        landmarks=np.zeros((200, 468, 3), np.float32),
    )


def places(pictures: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Horizontal place of the face."""
    columns = (pictures[..., 0] > 100).sum(axis=1)
    return np.asarray((columns * np.arange(WIDTH)).sum(axis=1) / columns.sum(axis=1))


def test_a_fluent_film_of_a_long_loop_ends_next_to_its_first_picture(
    settings: Settings, engine: LoudnessEngine, voices: VoiceRegistry, tmp_path: Path
) -> None:
    """The face glides, and the background stays."""
    avatar = swaying_avatar(tmp_path)
    runtime = Runtime(settings=settings, avatar=avatar, engine=engine, voices=voices)
    runtime.start()
    with closing(runtime):
        assert runtime.wait_until_warm(30)
        made = film_job(runtime, tmp_path / "job", TEXT, ClipEnding(is_fluent=True)).result()
    pictures = decoded(made.path)
    assert len(pictures) % avatar.period
    glide = places(pictures[-round(GLIDE_S * FPS) - 1 :])
    loop = places(avatar.frames)
    assert abs(glide[-1] - loop[-1]) < 0.6
    assert abs(glide[0] - loop[len(pictures) - round(GLIDE_S * FPS) - 1]) < 0.6
    steps = np.diff(np.append(glide, loop[0]))
    assert np.abs(steps).max() < 2.5 * abs(glide[0] - loop[0]) / len(steps) + 0.3
    edge = pictures[-20:, 60:, :16].astype(int)
    assert np.abs(edge - avatar.frames[0, 60:, :16]).max() < 12


@pytest.mark.parametrize("pad_s", [0.0, 0.5, 3.0])
def test_a_long_loop_is_left_by_a_glide_to_its_beginning(pad_s: float) -> None:
    ending = ClipEnding(pad_s=pad_s, is_fluent=True)
    tail = tail_of(ending, spoken=70, returning=10, fps=FPS, period=1000, alignment=1)
    assert tail.glide == round(GLIDE_S * FPS)
    assert tail.frames == max(10 + np.ceil(pad_s * FPS), 10 + tail.glide)


def test_a_loop_that_begins_again_soon_is_shown_to_its_end() -> None:
    ending = ClipEnding(is_fluent=True)
    wait = round(LONGEST_WAIT_S * FPS)
    spoken = 1000 - TAIL_FRAMES - wait
    tail = tail_of(ending, spoken=spoken, returning=0, fps=FPS, period=1000, alignment=1)
    assert (tail.frames, tail.glide) == (TAIL_FRAMES + wait, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="nice values of threads need Linux")
def test_threads_of_jobs_and_those_that_they_start_have_the_lowest_priority() -> None:
    def priority() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    def priority_of_child() -> int:
        found: list[int] = []
        child = threading.Thread(target=lambda: found.append(priority()))
        child.start()
        child.join()
        return found[0]

    before = priority()
    assert yielding(priority_of_child) == LOWEST_PRIORITY
    with background_thread("encode") as thread:
        assert thread.submit(priority).result(60) == LOWEST_PRIORITY
        assert thread.submit(priority_of_child).result(60) == LOWEST_PRIORITY
    assert priority() == before
