"""Parts of films are copied to ordinary MP4 files, judged by decoders."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from session.errors import FilmGoneError, FilmMissingError
from session.factory import create_film
from session.film import WriterKind
from session.fragmented.boxes import iter_boxes
from session.mp4.part import open_part
from tests.session.sample_films import SPEC, pictures, tone, watch

CLIPS = (16, 40, 8)
"""Frames of the clips of the film; multiples of what an ordinary MP4 needs."""


@pytest.fixture(params=["fragments", "concat"], scope="module")
def film(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    kind: WriterKind = request.param
    path = tmp_path_factory.mktemp("part") / "film.mp4"
    film = create_film(path, SPEC, kind)
    for frames in CLIPS:
        clip = film.begin("a clip")
        first = film.committed.frames
        for start in range(first, first + frames, 8):
            step = SPEC.samples_per_frame
            clip.write(pictures(start, 8), tone(start * step, 8 * step))
        clip.finish()
    film.close()
    return path


@pytest.fixture
def part(film: Path, tmp_path: Path) -> Callable[[int, int], Path]:
    """Returns the file of some frames of the film."""

    def make(first: int, frames: int) -> Path:
        path = tmp_path / "part.mp4"
        with open_part(film, first, frames) as file:
            path.write_bytes(os.pread(file.fileno(), 1 << 24, 0))
        return path

    return make


@pytest.mark.parametrize(("first", "frames"), [(0, 16), (16, 40), (16, 48)])
def test_a_part_has_exactly_the_pictures_of_its_clips_with_their_sound(
    part: Callable[[int, int], Path], first: int, frames: int
) -> None:
    shown = watch(part(first, frames))
    assert shown.numbers == list(range(first, first + frames))
    # the first sample that is heard with the first picture
    start = round(shown.picture_ticks[0] * 48_000 / SPEC.ticks_per_second) - shown.sample_starts[0]
    middle = 4 * SPEC.samples_per_frame
    heard = shown.samples[start + middle : start + middle + 2000]
    said = tone(first * SPEC.samples_per_frame + middle, 2000)
    assert np.corrcoef(heard, said)[0, 1] > 0.97


def test_a_part_plays_from_its_first_bytes(part: Callable[[int, int], Path]) -> None:
    kinds = [kind for kind, *_ in iter_boxes(part(16, 40).read_bytes())]
    assert kinds.index(b"moov") < kinds.index(b"mdat")
    assert b"moof" not in kinds


def test_a_part_that_the_film_does_not_have_is_an_error(film: Path) -> None:
    with pytest.raises(FilmGoneError, match="has 64 frames"):
        open_part(film, 56, 16)
    with pytest.raises(FilmMissingError):
        open_part(film.with_name("none.mp4"), 0, 8)
