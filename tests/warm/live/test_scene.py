"""Scene of a feed: pictures at joints."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from warm.avatars.avatar import Avatar, Shown
from warm.live.feed.scene import GLIDE_S, Scene
from warm.live.feed.shot import Shot

FPS, SIZE, FRAMES = 25, 120, 40
GLIDE = round(GLIDE_S * FPS)
FACE_PX = 40


def place(index: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """The transform of a face that moves by a pixel a frame."""
    scale = FACE_PX / 256
    return np.array([[scale, 0, 20 + index], [0, scale, 40]])


def head(index: float, mouth: int = 0) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """A bright disc at the face of a frame, with a mouth of some grey."""
    picture = np.zeros((SIZE, SIZE, 3), np.uint8)
    centre = round((20 + index + FACE_PX / 2) * 16), round((40 + FACE_PX / 2) * 16)
    cv2.circle(picture, centre, 16 * 12, (255, 255, 255), -1, cv2.LINE_AA, 4)
    if mouth:
        cv2.circle(picture, centre, 16 * 4, (mouth,) * 3, -1, cv2.LINE_AA, 4)
    return picture


def position(picture: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> float:
    """Horizontal centre of the disc, pixels."""
    outline = (picture[..., 0] > 128).any(axis=0)
    return float(np.flatnonzero(outline).mean())


@pytest.fixture
def avatar(tmp_path: Path) -> Avatar:
    return Avatar(
        id="disc",
        digest="0" * 64,
        fps=FPS,
        frames=np.stack([head(index) for index in range(FRAMES)]),
        transforms=np.stack([place(index) for index in range(FRAMES)]),
        landmarks=np.zeros((FRAMES, 468, 3), np.float32),
        loop="pingpong",
        extras={},
        folder=tmp_path,
    )


def idle(avatar: Avatar, cursor: int) -> Shot:
    return Shot(cursor=cursor, shown=avatar.shown_at(cursor))


def filmed(avatar: Avatar, number: int, shown: Shown | None = None) -> Shot:
    shown = shown or avatar.shown_at(number)
    return Shot(
        cursor=number, shown=shown, picture=head(shown.frame, 90), frame=number, utterance="u"
    )


def steps(pictures: list[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]) -> list[float]:
    return [abs(float(step)) for step in np.diff([position(each) for each in pictures])]


def test_the_head_does_not_jump_from_the_idle_loop_into_the_film_and_back(avatar: Avatar) -> None:
    scene = Scene(avatar, FPS)
    shots = [idle(avatar, 30 + index) for index in range(5)]
    shots += [filmed(avatar, index) for index in range(20)]
    shots += [idle(avatar, 20 + index) for index in range(5)]
    pictures = [scene.draw(shot) for shot in shots]
    assert max(steps(pictures)) < 6  # without a glide: 34
    for number in range(GLIDE, 20):
        assert np.array_equal(pictures[5 + number], head(number, 90))
    assert np.array_equal(pictures[25], avatar.frames[20])


def test_pictures_are_those_of_the_film_where_nothing_has_to_glide(avatar: Avatar) -> None:
    scene = Scene(avatar, FPS)
    shots = [idle(avatar, 3), *(filmed(avatar, number) for number in range(4, 9)), idle(avatar, 9)]
    pictures = [scene.draw(shot) for shot in shots]
    for number in range(4, 9):
        assert np.array_equal(pictures[number - 3], head(number, 90))
    assert np.array_equal(pictures[-1], avatar.frames[9])


def test_a_head_that_has_left_the_loop_glides_back_after_an_interruption(avatar: Avatar) -> None:
    scene = Scene(avatar, FPS)
    away = [filmed(avatar, number, Shown(20 + number)) for number in range(5)]
    closing = [
        Shot(cursor=number, shown=Shown(20 + number), picture=head(20 + number, 90), closed=share)
        for number, share in ((5, 1 / 3), (6, 2 / 3), (7, 1.0))
    ]
    shots = [*away, *closing, *(idle(avatar, 8 + index) for index in range(14))]
    pictures = [scene.draw(shot) for shot in shots]
    assert max(steps(pictures)) < 4  # without a glide: 19
    assert np.array_equal(pictures[-1], avatar.frames[21])


def test_the_mouth_closes_in_three_pictures(avatar: Avatar) -> None:
    scene = Scene(avatar, FPS)
    scene.draw(filmed(avatar, 0))
    mouths = []
    for number, share in ((1, 1 / 3), (2, 2 / 3), (3, 1.0)):
        shot = Shot(cursor=number, shown=Shown(number), picture=head(number, 90), closed=share)
        picture = scene.draw(shot)
        mouths.append(int(picture[60, 40 + number, 0]))
    assert mouths == [145, 200, 255]


def test_a_stall_in_the_speech_is_glided_over(avatar: Avatar) -> None:
    scene = Scene(avatar, FPS)
    shots = [*(filmed(avatar, number) for number in range(5))]
    shots += [filmed(avatar, number) for number in range(30, 39)]
    assert max(steps([scene.draw(shot) for shot in shots])) < 6


def test_a_glide_that_is_interrupted_by_another_begins_where_the_head_is(avatar: Avatar) -> None:
    scene = Scene(avatar, FPS)
    shots = [idle(avatar, 35), *(filmed(avatar, number) for number in range(4))]
    shots += [idle(avatar, 25 + index) for index in range(3)]
    shots += [filmed(avatar, number) for number in range(4)]
    assert max(steps([scene.draw(shot) for shot in shots])) < 7


def test_a_repeated_picture_is_the_same_picture(avatar: Avatar) -> None:
    scene = Scene(avatar, FPS)
    drawn = scene.draw(filmed(avatar, 3))
    again = Shot(cursor=3, shown=avatar.shown_at(3), picture=head(3, 90), frame=3, is_repeated=True)
    assert scene.draw(again) is drawn
