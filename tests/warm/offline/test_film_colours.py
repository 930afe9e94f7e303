"""Offline films and idle films keep colours and their positions, in every size.

The limits of these tests are those of `tests/session/test_colours.py`.
"""

from pathlib import Path

import numpy as np
import pytest

from session.film import FilmSpec
from tests.blocks import FINE, ODD_SIZES, SIZES, blocks, require_blocks
from warm.avatars.avatar import AvatarBuild
from warm.offline.mp4_file import Mp4File
from warm.prepare.idle_film import write_idle_film

pytestmark = pytest.mark.slow

Size = tuple[int, int]
FRAMES = 4


@pytest.fixture(autouse=True)
def _fine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("session.video_encoder.CRF", FINE)
    monkeypatch.setattr("warm.prepare.idle_film.CRF", FINE)


@pytest.mark.parametrize("size", SIZES + ODD_SIZES)
def test_an_offline_film_keeps_colours_and_their_positions(tmp_path: Path, size: Size) -> None:
    path, spec = tmp_path / "film.mp4", FilmSpec(width=size[0], height=size[1], fps=25)
    with Mp4File(path, spec, comment="") as film:
        for number in range(FRAMES):
            film.write([blocks(size, number)], np.zeros(spec.samples_per_frame, np.float32))
    require_blocks(path, size, list(range(FRAMES)))


@pytest.mark.parametrize("size", SIZES + ODD_SIZES)
def test_an_idle_film_keeps_colours_and_their_positions(tmp_path: Path, size: Size) -> None:
    write_idle_film(build_of(tmp_path, size), tmp_path / "idle.mp4")
    forward = list(range(FRAMES))
    require_blocks(tmp_path / "idle.mp4", size, forward + forward[::-1])


def build_of(folder: Path, size: Size) -> AvatarBuild:
    return AvatarBuild(
        folder=folder,
        fps=25,
        frames=np.array([blocks(size, number) for number in range(FRAMES)]),
        transforms=np.tile(np.eye(2, 3), (FRAMES, 1, 1)),
        landmarks=np.zeros((FRAMES, 468, 3), np.float32),
        loop="pingpong",
        extras={},
    )
