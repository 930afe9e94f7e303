"""People are separated from their background, in pictures and in films."""

from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from session.film import FilmSpec
from session.mp4.delivery import Area
from warm.avatars.recipe import BadPreparationSettings, PreparationSettings, preparation_digest
from warm.face.finder import FaceFinder
from warm.matting.background import read_background
from warm.matting.cut_film import pictures_of
from warm.matting.errors import NoPerson
from warm.matting.matte import Matting
from warm.matting.program import Cut, open_cut, write_cut
from warm.media.sniff import MediaError
from warm.offline.mp4_file import Mp4File
from warm.prepare.demo import demo_portrait
from warm.prepare.source import read_portrait

MODELS = Path(__file__).parents[3] / "models" / "face"
GREEN = (0, 255, 0)
FACE, CHEST = (210, 262), (480, 256)
"""Places of the portrait, (y, x)."""
BEHIND = ((20, 470), (200, 480))
"""Places next to the person."""


@pytest.fixture(scope="module")
def portrait() -> NDArray[np.uint8]:
    """(600, 512, 3) a person before a flag."""
    picture = cv2.imread(str(demo_portrait()))
    assert picture is not None
    return np.asarray(picture, np.uint8)


def swaying(portrait: NDArray[np.uint8], count: int) -> list[NDArray[np.uint8]]:
    """The picture, a pixel further to the right each time."""
    return [np.roll(portrait, step, axis=1) for step in range(count)]


@pytest.fixture(scope="module")
def film(portrait: NDArray[np.uint8], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    spec = FilmSpec(width=512, height=600, fps=25)
    sound = np.sin(np.arange(5 * spec.samples_per_frame) / 20).astype(np.float32) / 2
    with Mp4File(path, spec, comment="") as file:
        file.write(swaying(portrait, 5), sound)
    return path


def test_a_person_is_opaque_and_the_background_is_transparent(portrait: NDArray[np.uint8]) -> None:
    matte = Matting(MODELS).matte(portrait)
    assert [float(matte[place]) for place in (FACE, CHEST)] == [1, 1]
    assert [float(matte[place]) for place in BEHIND] == [0, 0]
    assert np.mean((matte > 0.05) & (matte < 0.95)) < 0.1


def test_a_picture_without_a_person_is_all_transparent() -> None:
    rows = np.linspace(30, 220, 128)[:, None, None]
    picture = np.broadcast_to(rows, (128, 96, 3)).astype(np.uint8)
    assert Matting(MODELS).matte(picture).max() == 0


def test_edges_do_not_flicker_when_only_the_noise_of_a_camera_changes(
    portrait: NDArray[np.uint8],
) -> None:
    noise = np.random.default_rng(3).normal(0, 4, (8, *portrait.shape))
    pictures = np.clip(portrait + noise, 0, 255).astype(np.uint8)
    matting = Matting(MODELS)
    steady = np.array([matting.matte(picture) for picture in pictures])
    alone = np.array([Matting(MODELS).matte(picture) for picture in pictures])
    flicker = [np.abs(np.diff(each[3:], axis=0)).mean() for each in (steady, alone)]
    assert flicker[0] < 0.6 * flicker[1]


def test_a_moving_person_keeps_no_trail(portrait: NDArray[np.uint8]) -> None:
    matting = Matting(MODELS)
    matting.matte(portrait)
    moved = np.roll(portrait, 60, axis=1)
    assert np.abs(matting.matte(moved) - Matting(MODELS).matte(moved)).mean() < 0.01


def test_the_old_background_does_not_shine_through_at_the_edges(
    portrait: NDArray[np.uint8],
) -> None:
    matte = Matting(MODELS).matte(portrait)
    before = np.array(portrait)
    painted = np.where(matte[..., None] > 0.5, before, np.array(GREEN)).astype(np.uint8)
    painted = cv2.GaussianBlur(painted, (0, 0), 1.5)
    matte = Matting(MODELS).matte(painted)
    black = read_background("#000").sized(512, 600).behind(painted, matte)
    edge = (matte > 0.05) & (matte < 0.95)

    def green_excess(picture: NDArray[np.uint8]) -> float:
        blue, green, red = (picture[..., each][edge].astype(float) for each in range(3))
        return float(np.maximum(green - np.maximum(blue, red), 0).mean())

    naive = np.rint(painted * matte[..., None]).astype(np.uint8)
    assert green_excess(black) < 0.6 * green_excess(naive)


def test_a_picture_fills_the_background_whatever_its_shape(
    portrait: NDArray[np.uint8], tmp_path: Path
) -> None:
    wide = np.zeros((40, 400, 3), np.uint8)
    wide[:, 100:300] = (200, 100, 50)  # the middle
    cv2.imwrite(str(tmp_path / "wide.png"), wide)
    background = read_background(str(tmp_path / "wide.png")).sized(512, 600)
    result = background.behind(portrait, Matting(MODELS).matte(portrait))
    assert result.shape == portrait.shape
    for place in BEHIND:
        assert np.abs(result[place].astype(int) - (200, 100, 50)).max() <= 1
    assert (result[FACE] == portrait[FACE]).all()


def test_a_portrait_is_prepared_before_another_background(portrait: NDArray[np.uint8]) -> None:
    finder = FaceFinder(MODELS)
    plain = read_portrait(demo_portrait(), finder, PreparationSettings())
    green = read_portrait(demo_portrait(), finder, PreparationSettings(background="#0f0"))
    assert (green.landmarks == plain.landmarks).all()
    assert [tuple(green.picture[place]) for place in BEHIND] == [GREEN, GREEN]
    assert (green.picture[FACE] == plain.picture[FACE]).all()
    assert green.remarks == plain.remarks


@pytest.mark.parametrize("value", ["#12", "green", "#gggggg", "missing.png", ""])
def test_a_background_that_is_neither_colour_nor_file_is_refused(value: str) -> None:
    with pytest.raises(BadPreparationSettings, match=r"background is .*allowed are a colour"):
        PreparationSettings(background=value)


def test_a_background_that_is_no_picture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.png").write_text("not a picture")
    settings = PreparationSettings(background=str(tmp_path / "notes.png"))
    with pytest.raises(MediaError, match=r"notes\.png"):
        read_portrait(demo_portrait(), FaceFinder(MODELS), settings)


def test_an_avatar_is_outdated_when_the_picture_behind_it_changes(tmp_path: Path) -> None:
    picture = tmp_path / "office.png"
    picture.write_bytes(b"one")
    source, settings = demo_portrait(), PreparationSettings(background=str(picture))
    plain = preparation_digest(source, PreparationSettings())
    first = preparation_digest(source, settings)
    picture.write_bytes(b"two")
    assert len({plain, first, preparation_digest(source, settings)}) == 3


def sound_of(path: Path) -> float:
    """Loudness of a film's sound."""
    with av.open(str(path)) as file:
        pieces = [np.abs(frame.to_ndarray()).mean() for frame in file.decode(audio=0)]
    return float(np.mean(pieces))


@pytest.mark.slow
def test_a_transparent_film_has_every_picture_with_its_opacity_and_the_sound(
    film: Path, portrait: NDArray[np.uint8], tmp_path: Path
) -> None:
    out = tmp_path / "cut.webm"
    write_cut(film, out, Cut(models=MODELS), check=lambda: None)
    pictures = list(pictures_of(out))
    assert len(pictures) == 5
    for step, picture in enumerate(pictures):
        assert picture.shape == (600, 512, 4)
        assert picture[FACE][3] == 255
        assert max(picture[place][3] for place in BEHIND) == 0
        shown = np.roll(portrait, step, axis=1)[180:260, 220:300].astype(int)
        assert np.abs(picture[180:260, 220:300, :3] - shown).mean() < 6
    assert sound_of(out) > 0.1


@pytest.mark.slow
def test_a_film_is_cut_to_an_area_and_a_size_before_a_colour(film: Path, tmp_path: Path) -> None:
    out = tmp_path / "cut.mkv"
    cut = Cut(models=MODELS, background="#00ff00", crop=Area(100, 0, 412, 400), size=(206, 200))
    write_cut(film, out, cut, check=lambda: None)
    with av.open(str(out)) as file:
        pictures = [frame.to_ndarray(format="bgr24") for frame in file.decode(video=0)]
        assert file.streams.audio[0].codec_context.name == "aac"
    assert [picture.shape for picture in pictures] == [(200, 206, 3)] * 5
    assert np.abs(pictures[0][10, 185].astype(int) - GREEN).max() < 12


@pytest.mark.slow
def test_a_transparent_film_arrives_while_it_is_made(film: Path, tmp_path: Path) -> None:
    with film.open("rb") as source, open_cut(source, Cut(models=MODELS), duration_s=1) as pieces:
        (tmp_path / "cut.webm").write_bytes(b"".join(pieces))
    assert len(list(pictures_of(tmp_path / "cut.webm"))) == 5


@pytest.mark.slow
def test_a_film_without_a_person_is_refused_before_the_first_byte(tmp_path: Path) -> None:
    spec = FilmSpec(width=96, height=80, fps=25)
    with Mp4File(tmp_path / "grey.mp4", spec, comment="") as file:
        file.write([np.full((80, 96, 3), 90, np.uint8)], np.zeros(1920, np.float32))
    with (
        (tmp_path / "grey.mp4").open("rb") as source,
        pytest.raises(NoPerson, match="no person was found in the first picture"),
        open_cut(source, Cut(models=MODELS), duration_s=1),
    ):
        pytest.fail("it began")
