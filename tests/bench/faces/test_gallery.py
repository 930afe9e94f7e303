"""The bench of any faces: its measures detect their faults, and its report shows every face."""

import json
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from bench.faces.gallery import command
from bench.faces.gallery.corpus import NoFaces, find_sources
from bench.faces.gallery.face_figures import at_rest, shown_frame
from bench.faces.gallery.face_sheet import crop_mouth
from bench.faces.gallery.lip_detail import INNER_LIPS, OUTER_LIPS, lip_detail, lips_mask
from bench.faces.gallery.ranged_figure import RangedFigure
from bench.faces.gallery.report import FaceResult, write_report
from bench.faces.gallery.rulers import corners_in_face
from bench.faces.gallery.source_face import SourceFace, thumbnail
from bench.faces.gallery.tracked_film import high_chroma
from warm.engines.viseme.shape import Shape


def face(gap: float = 0.0) -> NDArray[np.float32]:
    """(468, 3) landmarks of a mouth in a picture of 200 pixels, 100 pixels between the eyes."""
    points = np.zeros((468, 3), np.float32)
    points[[33, 133], 0], points[[362, 263], 0] = 50, 150
    points[:, 1] = 40
    for outline, height in ((OUTER_LIPS, 12.0), (INNER_LIPS, 50 * gap)):
        angle = np.pi - 2 * np.pi * np.arange(20) / 20
        points[list(outline), 0] = 100 + 35 * np.cos(angle)
        points[list(outline), 1] = 130 + (height + 0.01) * np.sin(angle)
    return points


def noise() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(60, 200, (200, 200, 3), np.uint8)


def test_blurred_lips_have_less_detail() -> None:
    sharp = noise()
    blurred = np.asarray(cv2.GaussianBlur(sharp, (0, 0), 2.0), np.uint8)
    assert lip_detail(blurred, face()) < 0.5 * lip_detail(sharp, face())


def test_detail_is_that_of_the_lips_alone() -> None:
    flat = noise()
    flat[lips_mask(flat.shape, face())] = 120
    assert lip_detail(flat, face()) < 0.2 * lip_detail(noise(), face())


def test_the_edge_of_an_opening_is_not_detail_of_the_lips() -> None:
    points, picture = face(gap=0.12), np.full((200, 200, 3), 150, np.uint8)
    corners = points[list(INNER_LIPS), :2].round().astype(np.int32)
    cv2.fillPoly(picture, [corners], (10, 10, 10))
    assert lip_detail(picture, points) < 0.02


def test_grey_pixels_have_no_chroma_and_red_ones_have() -> None:
    grey = np.full((50, 3), 77, np.uint8)
    assert high_chroma(grey) == 0
    assert high_chroma(np.vstack([grey, [[20, 30, 90]] * 5]).astype(np.uint8)) == 70


def test_corners_are_measured_in_the_face_and_not_in_the_picture() -> None:
    moved = face()
    moved[:, :2] = 1.3 * moved[:, :2] + (14, -9)
    both = corners_in_face(np.stack([face(), moved]))
    assert both[0] == pytest.approx(both[1], abs=1e-5)
    assert np.ptp(both[0, :, 0]) == pytest.approx(0.7, abs=0.01)


def test_frames_next_to_a_moving_mouth_are_not_at_rest() -> None:
    track = np.zeros((6, len(Shape)), np.float32)
    track[2, Shape.PRESS] = 0.1
    assert at_rest(track).tolist() == [True, False, False, False, True, True]


@pytest.mark.parametrize(
    ("value", "low", "high", "reached"),
    [
        (1.0, 0.9, 1.1, True),
        (1.2, 0.9, 1.1, False),
        (0.5, None, 0.6, True),
        (0.5, 0.6, None, False),
        (3.0, None, None, True),
        (float("nan"), None, None, False),
    ],
)
def test_a_goal_may_have_two_bounds_one_or_none(
    *, value: float, low: float | None, high: float | None, reached: bool
) -> None:
    figure = RangedFigure(name="slope", value=value, n=1, low=low, high=high)
    assert figure.reached is reached


def test_faces_are_chosen_by_the_beginnings_of_their_names(tmp_path: Path) -> None:
    for name in ("a1.jpg", "a2.MP4", "b.png", "notes.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in find_sources(tmp_path)] == ["a1.jpg", "a2.MP4", "b.png"]
    assert [path.name for path in find_sources(tmp_path, ["a"])] == ["a1.jpg", "a2.MP4"]
    with pytest.raises(NoFaces, match="--only c: no such face"):
        find_sources(tmp_path, ["c"])


def test_a_folder_without_faces_is_refused(tmp_path: Path) -> None:
    assert command.main([str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert command.main([str(tmp_path / "none"), "--out", str(tmp_path / "out")]) == 2


def test_a_refused_face_is_a_row_with_its_message_and_no_failure(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff but no picture")
    assert command.main([str(tmp_path), "--out", str(tmp_path / "out")]) == 0
    (row,) = json.loads((tmp_path / "out" / "faces.json").read_text())["faces"]
    assert row["status"] == "refused"
    assert "broken.jpg" in row["message"]
    assert row["message"] in (tmp_path / "out" / "index.html").read_text()


def test_a_crash_is_a_failure_and_the_next_face_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure(source: Path, *_: object) -> FaceResult:
        if source.stem == "a":
            raise RuntimeError("index out of range")
        return FaceResult(file=source.name, status="measured")

    monkeypatch.setattr(command, "measure_face", measure)
    (tmp_path / "a.jpg").touch()
    (tmp_path / "b.jpg").touch()
    assert command.main([str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    rows = json.loads((tmp_path / "out" / "faces.json").read_text())["faces"]
    assert [row["status"] for row in rows] == ["failed", "measured"]
    assert rows[0]["message"] == "RuntimeError: index out of range"


def test_a_face_that_takes_too_long_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wait(*_: object) -> FaceResult:
        time.sleep(20)
        return FaceResult(file="a.jpg", status="measured")

    monkeypatch.setattr(command, "measure_face", wait)
    monkeypatch.setattr(command, "FACE_LIMIT_S", 0.05)
    (tmp_path / "a.jpg").touch()
    assert command.main([str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    assert "took longer than 0.05 s" in (tmp_path / "out" / "index.html").read_text()


def test_the_page_marks_missed_goals_and_links_relative_sheets(tmp_path: Path) -> None:
    figures = [
        RangedFigure(name="slope", value=1.5, n=9, low=0.9, high=1.1),
        RangedFigure(name="gap <at rest>", value=0.02, n=9),
    ]
    face = FaceResult(file="a.jpg", status="measured", figures=figures, sheet="sheets/a.jpg.png")
    write_report([face, FaceResult(file="b.jpg", status="failed", message="a < b")], tmp_path)
    page = (tmp_path / "index.html").read_text()
    assert '<td class="missed">1.5</td><td></td>' in page
    assert "<td>gap &lt;at rest&gt;</td><td></td><td>0.02</td>" in page
    assert 'src="sheets/a.jpg.png"' in page
    assert "a &lt; b" in page
    assert "http" not in page
    verdicts = json.loads((tmp_path / "faces.json").read_text())["faces"][0]["figures"]
    assert [one["reached"] for one in verdicts] == [False, True]


@pytest.mark.parametrize("scale", [0.8, 0.9137, 1.0, 1.31])
def test_pictures_of_faces_of_any_size_fit_into_one_sheet(scale: float) -> None:
    assert crop_mouth(noise(), scale * face()).shape == crop_mouth(noise(), face()).shape


def test_the_shown_frame_of_a_video_is_recognised_above_the_mouth() -> None:
    frames = [np.roll(noise(), 9 * i, axis=1) for i in range(5)]
    small = np.stack([thumbnail(frame) for frame in frames])
    source = SourceFace(True, frames[0], face(), np.zeros(5), small, 0.1)
    spoken = frames[3].copy()
    spoken[120:] = 0
    assert shown_frame(thumbnail(spoken), source) == 3
