"""Fixtures of the preparation: a face finder, a photo, a video and their avatars."""

from pathlib import Path

import cv2
import pytest

from tests.warm.prepare.preparer import Preparer
from tests.warm.sample_videos import film, portrait, swaying
from warm.avatars.avatar import Avatar
from warm.face.finder import FaceFinder
from warm.prepare.run import FACE_MODELS


@pytest.fixture
def preparer(tmp_path: Path) -> Preparer:
    return Preparer(tmp_path / "results")


@pytest.fixture(scope="session")
def finder() -> FaceFinder:
    return FaceFinder(FACE_MODELS)


@pytest.fixture(scope="session")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "hopper.png"
    cv2.imwrite(str(path), portrait(240))
    return path


@pytest.fixture(scope="session")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film(tmp_path_factory.mktemp("video") / "hopper.mp4", swaying(25))


@pytest.fixture(scope="session")
def photo_avatar(photo: Path, tmp_path_factory: pytest.TempPathFactory) -> Avatar:
    return Preparer(tmp_path_factory.mktemp("photo_avatar")).prepare(photo)


@pytest.fixture(scope="session")
def video_avatar(video: Path, tmp_path_factory: pytest.TempPathFactory) -> Avatar:
    return Preparer(tmp_path_factory.mktemp("video_avatar")).prepare(video)
