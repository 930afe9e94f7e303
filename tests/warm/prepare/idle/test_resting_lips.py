"""The lips that are blended into the frames of a video: sharp, and as much of them as is needed."""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from stabilizers.settings import TrackSettings
from stabilizers.track import track_face
from tests.warm.sample_videos import Picture, swaying
from warm.face.finder import FaceFinder
from warm.face.mesh import FaceMesh
from warm.prepare.idle.close_video import MouthCloser, area_amounts, blend_lips
from warm.prepare.idle.closing_warp import rows_of_both
from warm.prepare.idle.lower_face import INNER_LOWER, INNER_UPPER, LIPS
from warm.prepare.idle.resting_lips import (
    Sheet,
    line_contrast,
    toned_down,
    usual_energy,
    with_painted_line,
)
from warm.prepare.run import FACE_MODELS
from warm.prepare.source import CROP

pytestmark = pytest.mark.slow

BLURRED = (0, 3, 6, 9)
"""Frames of the clip that are out of focus."""


def lips_box(points: NDArray[np.float32]) -> tuple[slice, slice]:
    x, y = points[list(LIPS), :2].T
    return slice(int(y.min()) - 2, int(y.max()) + 3), slice(int(x.min()), int(x.max()) + 1)


def detail(picture: Picture, points: NDArray[np.float32]) -> float:
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.float32)
    return float((grey - cv2.GaussianBlur(grey, (0, 0), 2))[lips_box(points)].std())


@pytest.fixture(scope="module")
def blurred() -> Iterator[tuple[MouthCloser, list[Picture], NDArray[np.float32]]]:
    """A clip of closed lips, some frames out of focus; the original frames; their landmarks."""
    film = swaying(10, height=480)
    mesh = FaceMesh(FACE_MODELS)
    points = [FaceFinder(FACE_MODELS).find(film[0])[0].mesh.points]
    for picture in film:
        points.append(mesh.track(picture, points[-1]).points)
    landmarks = np.stack(points[1:])
    shown = [cv2.GaussianBlur(p, (0, 0), 2) if i in BLURRED else p for i, p in enumerate(film)]
    frames = np.stack(shown).astype(np.uint8)
    transforms = track_face(
        np.stack(film), landmarks, CROP, fps=25, settings=TrackSettings()
    ).transforms
    yield MouthCloser(frames, landmarks, transforms), film, landmarks


def test_every_frame_has_the_details_of_the_sharpest_closed_lips(
    blurred: tuple[MouthCloser, list[Picture], NDArray[np.float32]],
) -> None:
    closer, film, landmarks = blurred
    assert closer.lips.sharpest not in BLURRED
    for i in (0, 4, 9):
        closed = closer.close_frame(i)
        assert detail(closed, landmarks[i]) > 0.75 * detail(film[i], landmarks[i])


def line_picture(layout: NDArray[np.float64], sheet: Sheet, paint: str) -> NDArray[np.float32]:
    width, height = sheet.box[2:]
    picture = np.full((height, width, 3), 120, np.float32)
    line = (layout[list(INNER_UPPER)] + layout[list(INNER_LOWER)]) / 2
    points = np.rint(line @ sheet.from_layout[:, :2].T + sheet.from_layout[:, 2]).astype(np.int32)
    thickness = {"line": 2, "gap": 14, "teeth": 2, "none": 0}[paint]
    if thickness:
        cv2.polylines(picture, [points], False, (60, 60, 60), thickness)
    if paint == "teeth":
        cv2.polylines(picture, [points[2:-2]], False, (200, 200, 200), 3)
    return picture


def test_a_thin_dark_line_is_sharper_than_a_gap_teeth_or_no_line() -> None:
    picture = swaying(1, height=480)[0]
    layout = FaceFinder(FACE_MODELS).find(picture)[0].mesh.points[:, :2].astype(np.float64)
    sheet = Sheet(layout, 1.2)
    contrast = {
        paint: line_contrast(line_picture(layout, sheet, paint), layout, sheet)
        for paint in ("line", "gap", "teeth", "none")
    }
    assert contrast["line"] > 0.2
    assert max(contrast["gap"], contrast["teeth"], contrast["none"]) < 0.3 * contrast["line"]


def test_a_line_that_is_darker_than_in_most_frames_is_toned_down_and_nothing_else() -> None:
    picture = swaying(1, height=480)[0]
    layout = FaceFinder(FACE_MODELS).find(picture)[0].mesh.points[:, :2].astype(np.float64)
    sheet = Sheet(layout, 1.2)
    dark = line_picture(layout, sheet, "line")
    noise = np.random.default_rng(3).normal(0, 4, dark.shape).astype(np.float32)
    usual = np.asarray(120 + 0.4 * (dark - 120), np.float32)
    energy = usual_energy(np.stack([dark + noise, *[usual + noise] * 6]), sheet)
    kept, softer = (toned_down((p + noise) / 120, sheet, energy) * 120 for p in (usual, dark))
    wanted = line_contrast(usual + noise, layout, sheet)
    assert line_contrast(kept, layout, sheet) == pytest.approx(wanted, rel=0.1)
    assert wanted * 0.75 < line_contrast(softer, layout, sheet) < wanted * 1.3
    away = np.s_[:10]
    assert softer[away].std() == pytest.approx((dark + noise)[away].std(), rel=0.1)


def test_teeth_are_replaced_by_a_dark_line_if_no_frame_shows_closed_lips() -> None:
    picture = swaying(1, height=480)[0]
    layout = FaceFinder(FACE_MODELS).find(picture)[0].mesh.points[:, :2].astype(np.float64)
    sheet = Sheet(layout, 1.2)
    lips = line_picture(layout, sheet, "none")
    line = (layout[list(INNER_UPPER)] + layout[list(INNER_LOWER)]) / 2
    points = np.rint(line @ sheet.from_layout[:, :2].T + sheet.from_layout[:, 2]).astype(np.int32)
    toothy = cv2.polylines(lips.copy(), [points[3:-3]], False, (230, 230, 230), 5)
    closed = with_painted_line(toothy, layout, 0.1, sheet)
    assert closed.max() < 135
    assert line_contrast(closed, layout, sheet) > 0.2
    assert np.array_equal(closed[0], toothy[0])


@pytest.mark.parametrize("light", [0.5, 2.0])
def test_the_lips_take_the_light_of_the_frame(light: float) -> None:
    rng = np.random.default_rng(5)
    lips = rng.uniform(60, 110, (80, 120, 3)).astype(np.float32)
    x, y = np.meshgrid(np.linspace(-2.4, 2.4, 120), np.linspace(-2.4, 2.4, 80))
    shade = light * (1 + 0.1 * x)[..., None]
    picture = lips * shade
    picture[30:50, 40:80] = 20
    blend_lips(picture, lips, np.hypot(x, y).astype(np.float32), 60.0)
    inside = np.hypot(x, y) < 0.9
    assert np.abs(picture / (lips * shade) - 1)[inside].mean() < 0.05


def test_the_area_of_the_closed_lips_grows_with_the_opening_and_never_jumps() -> None:
    gaps = np.concatenate(
        [np.full(12, 0.03), np.full(12, 0.4), np.full(12, 0.1), np.full(12, 0.03)]
    )
    amounts = area_amounts(gaps, 0.03)
    assert amounts[0] == pytest.approx(0, abs=0.01)
    assert amounts[18] == pytest.approx(1, abs=0.01)
    assert 0.2 < amounts[30] < 0.6
    assert amounts[12:24].min() > 0.8  # Open frames are covered up to their first and last one.
    assert np.abs(np.diff(amounts)).max() < 0.35


def test_each_layer_of_the_closing_warp_covers_its_rows() -> None:
    weight = np.clip(np.arange(-3, 5) / 2, 0, 1).reshape(-1, 1, 1)
    first, last = rows_of_both(weight)
    assert (weight[:first] == 0).all()
    assert (weight[last:] == 1).all()
    assert rows_of_both(np.zeros((4, 2, 1))) == (3, 4)
    assert rows_of_both(np.ones((4, 2, 1))) == (0, 1)
