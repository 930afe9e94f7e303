"""Tests of face tracks: several faces, faces that enter, leave or are covered, and cuts."""

import numpy as np
import pytest
from numpy.typing import NDArray

from stabilizers.settings import TrackSettings
from stabilizers.similarity import apply
from tests.warm.enhance.film_samples import face_picture
from tests.warm.portraits import MODELS
from warm.enhance.alignment import FIVE_POINTS
from warm.enhance.face_tracks import FaceFollower, FaceTrack
from warm.enhance.shots import ShotDetector
from warm.enhance.steady_faces import steady_face
from warm.face.finder import FaceFinder

pytestmark = pytest.mark.slow
SIZE = (256, 300)
FPS = 25.0


def stage(*places: int | None) -> NDArray[np.uint8]:
    """A wide picture with the portrait at these left edges; None: grey instead."""
    picture = np.full((SIZE[1], 640, 3), 110, np.uint8)
    for place in places:
        if place is not None:
            face = face_picture(*SIZE)
            picture[:, place : place + SIZE[0]] = face[:, : 640 - place]
    return picture


def followed(pictures: list[NDArray[np.uint8]], *cuts: int) -> list[FaceTrack]:
    """The tracks of a film of these pictures, with cuts before the given ones."""
    follower = FaceFollower(FaceFinder(MODELS), FPS)
    for index, picture in enumerate(pictures):
        follower.add(picture, is_cut=index in (0, *cuts))
    return follower.finish()


@pytest.fixture(scope="module")
def tracks() -> list[FaceTrack]:
    """One face throughout; a second one enters in frame 5, and is covered in frames 14 to 17."""
    pictures = [stage(20 + index // 4) for index in range(5)]
    pictures += [stage(20 + index // 4, 340) for index in range(5, 14)]
    pictures += [stage(20 + index // 4) for index in range(14, 18)]
    pictures += [stage(20 + index // 4, 340) for index in range(18, 26)]
    return followed(pictures)


def test_all_faces_are_followed_and_one_that_enters_from_its_first_frame(
    tracks: list[FaceTrack],
) -> None:
    assert [(track.first, track.last) for track in tracks] == [(0, 25), (5, 25)]
    assert [track.is_from_start for track in tracks] == [True, False]
    assert all(track.is_to_end for track in tracks)


def test_the_weight_fades_where_a_face_enters_or_is_covered(tracks: list[FaceTrack]) -> None:
    whole, other = (steady_face(track, FPS, TrackSettings()) for track in tracks)
    assert whole.weights.min() > 0.9
    covered = other.weights[14 - other.first : 18 - other.first]
    assert covered.max() == 0
    assert other.weights[0] < 0.5
    assert 0 < np.abs(np.diff(other.weights)).max() < 0.5
    assert other.weights.max() > 0.9


def test_the_crop_of_a_face_is_steady_and_lies_on_the_template(tracks: list[FaceTrack]) -> None:
    face = steady_face(tracks[0], FPS, TrackSettings())
    scales = np.sqrt(np.linalg.det(face.transforms[:, :, :2]))
    assert np.ptp(scales) < 0.01 * scales.mean()
    eyes = apply(face.transforms[0], FIVE_POINTS)[:2]
    assert np.abs(eyes - tracks[0].sightings[0].five[:2]).max() < 0.2 * tracks[0].iod


def test_a_cut_ends_all_tracks_and_the_next_shot_begins_with_its_own() -> None:
    pictures = [stage(20)] * 4 + [255 - stage()] * 2 + [stage(340)] * 4
    shots = ShotDetector()
    cuts = [i for i, each in enumerate(pictures) if shots.is_cut(each[..., 1].copy())]
    assert cuts == [0, 4, 6]
    tracks = followed(pictures, *cuts)
    assert [(track.first, track.last) for track in tracks] == [(0, 3), (6, 9)]
    assert all(track.is_from_start and track.is_to_end for track in tracks)
