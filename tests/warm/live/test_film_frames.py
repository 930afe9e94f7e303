"""Frames of a growing film, read while it is written."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from session.factory import ClipWriter, Film, create_film
from session.film import FilmSpec
from warm.avatars.avatar import Shown
from warm.live.feed.film_frames import FilmFrames
from warm.live.feed.played_clip import FilmFrame

FPS = 25
STEP = 48_000 // FPS
SPEC = FilmSpec(width=97, height=81, fps=FPS)


def picture(number: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.full((SPEC.height, SPEC.width, 3), (40, 30 + 8 * number, 200), np.uint8)


def tone(first: int, count: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    at = np.arange(first * STEP, (first + count) * STEP)
    return (0.3 * np.sin(2 * np.pi * 440 * at / 48_000)).astype(np.float32)


def write(clip: ClipWriter, first: int, count: int) -> None:
    clip.write([picture(first + index) for index in range(count)], tone(first, count))


@pytest.fixture
def film(tmp_path: Path) -> Iterator[Film]:
    film = create_film(tmp_path / "film.mp4", SPEC, "fragments")
    yield film
    film.close()


def reader(film: Film) -> FilmFrames:
    return FilmFrames(film.path, FPS, lambda cursor: Shown(cursor % 7))


def check(found: list[tuple[int, FilmFrame]], numbers: list[int]) -> None:
    assert [number for number, _ in found] == numbers
    for number, frame in found:
        assert np.abs(frame.picture.astype(int) - picture(number)).max() < 8
        assert np.abs(frame.samples - tone(number, 1)).max() < 0.03
        assert frame.shown == Shown(number % 7)


def test_pictures_and_sound_are_read_from_the_middle_of_a_fragment(film: Film) -> None:
    clip = film.begin("a")
    write(clip, 0, 6)
    write(clip, 6, 6)
    write(clip, 12, 6)
    check(reader(film).read(8, is_patient=True), [8, 9, 10, 11])
    clip.abandon()


def test_frames_are_found_once_they_are_written(film: Film) -> None:
    clip = film.begin("a")
    frames = reader(film)
    write(clip, 0, 6)
    assert frames.read(6, is_patient=True) == []
    write(clip, 6, 6)
    write(clip, 12, 6)
    check(frames.read(6, is_patient=True), [6, 7, 8, 9, 10, 11])
    clip.abandon()


def test_the_last_frames_wait_for_their_sound_or_are_silent_in_part(film: Film) -> None:
    clip = film.begin("a")
    write(clip, 0, 6)
    write(clip, 6, 6)
    patient = [number for number, _ in reader(film).read(6, is_patient=True)]
    assert patient and patient[-1] < 11
    assert [number for number, _ in reader(film).read(6, is_patient=False)] == list(range(6, 12))
    clip.abandon()


def test_another_film_at_the_same_path_is_the_one_that_is_read(film: Film, tmp_path: Path) -> None:
    clip = film.begin("a")
    write(clip, 0, 12)
    frames = reader(film)
    assert frames.read(0, is_patient=False)
    clip.abandon()
    film.move(tmp_path / "old.mp4")
    assert frames.read(0, is_patient=False) == []
    other = create_film(tmp_path / "film.mp4", SPEC, "fragments")
    clip = other.begin("b")
    for first in (0, 3, 6):
        write(clip, first, 3)
    check(frames.read(3, is_patient=True), [3, 4, 5])
    clip.abandon()
    other.close()


def test_a_file_that_is_no_growing_film_has_no_frames(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    frames = FilmFrames(path, FPS, Shown)
    assert frames.read(0, is_patient=True) == []
    path.write_bytes(b"not a film at all" * 100)
    assert frames.read(0, is_patient=True) == []
