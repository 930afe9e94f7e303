"""Tests of enhanced photos."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.warm.enhance.film_samples import face_picture
from tests.warm.portraits import MODELS
from warm.enhance.enhancement import Enhancement
from warm.enhance.errors import NoFaceToEnhance, OutputRefused
from warm.enhance.face_painter import PROFILE_NOTE
from warm.enhance.options import EnhanceOptions
from warm.enhance.picture import TRANSPARENT_NOTE
from warm.enhance.sharpen import Sharpener
from warm.media.sniff import MediaError


def enhance(source: Path, out: Path, **options: object) -> np.ndarray:
    """Enhance a photo by sharpening; return the result."""
    chosen = EnhanceOptions(method="sharpen", **options)  # type: ignore[arg-type]
    Enhancement(source=source, out=out, options=chosen, models=MODELS, restorer=Sharpener).run()
    made = cv2.imread(str(out))
    assert made is not None
    return np.asarray(made)


def test_a_photo_with_odd_sides_keeps_every_pixel_of_them(tmp_path: Path) -> None:
    source, picture = tmp_path / "in.png", face_picture(171, 201)
    cv2.imwrite(str(source), picture)
    made = enhance(source, tmp_path / "out.png", upscale=2)
    plain = cv2.resize(picture, (342, 402), interpolation=cv2.INTER_LANCZOS4)
    assert made.shape == plain.shape
    changed = np.abs(made.astype(int) - plain).max(axis=2) > 1
    assert changed[110:230, 110:240].mean() > 0.3
    assert not changed[:40, :40].any()


def test_without_strength_or_faces_the_picture_is_the_same(tmp_path: Path) -> None:
    source, picture = tmp_path / "in.png", face_picture(171, 201)
    cv2.imwrite(str(source), picture)
    assert (enhance(source, tmp_path / "zero.png", strength=0.0) == picture).all()
    assert (enhance(source, tmp_path / "none.png", faces="none") == picture).all()


def test_photos_that_cannot_be_enhanced_are_refused_with_the_next_step(tmp_path: Path) -> None:
    source = tmp_path / "grey.png"
    cv2.imwrite(str(source), np.full((80, 60, 3), 90, np.uint8))
    with pytest.raises(NoFaceToEnhance, match="--faces none"):
        enhance(source, tmp_path / "out.png")
    with pytest.raises(OutputRefused, match=r"must end in \.png"):
        enhance(source, tmp_path / "out.mp4")
    cv2.imwrite(str(source), np.full((16, 2049, 3), 90, np.uint8))
    with pytest.raises(MediaError, match=r"at most 2048 .* smaller upscale"):
        enhance(source, tmp_path / "out.png", upscale=4)
    cv2.imwrite(str(source), np.full((16, 8193, 3), 90, np.uint8))
    with pytest.raises(MediaError, match=r"8193x16 pixels; at most 8192 .* Scale it down\.$"):
        enhance(source, tmp_path / "out.png")
    assert [path.name for path in tmp_path.iterdir()] == ["grey.png"]


def notes_of(source: Path, out: Path) -> list[str]:
    """Enhance a photo by sharpening; return the remarks."""
    chosen = EnhanceOptions(method="sharpen")
    return Enhancement(
        source=source, out=out, options=chosen, models=MODELS, restorer=Sharpener
    ).run()


def test_a_note_says_that_transparent_parts_become_white(tmp_path: Path) -> None:
    source, picture = tmp_path / "in.png", face_picture(171, 201)
    opacity = np.full((201, 171, 1), 255, np.uint8)
    cv2.imwrite(str(source), np.dstack([picture, opacity]))
    assert TRANSPARENT_NOTE not in notes_of(source, tmp_path / "opaque.png")
    opacity[:9] = 0
    cv2.imwrite(str(source), np.dstack([picture, opacity]))
    assert TRANSPARENT_NOTE in notes_of(source, tmp_path / "out.png")
    made = cv2.imread(str(tmp_path / "out.png"))
    assert made is not None
    assert (made[:9] == 255).all()


def test_notes_count_the_faces_that_are_small_or_in_profile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, picture = tmp_path / "in.png", np.full((400, 620, 3), 120, np.uint8)
    picture[:, :340], picture[100:300, 400:570] = face_picture(340, 400), face_picture(170, 200)
    cv2.imwrite(str(source), picture)
    assert len(notes_of(source, tmp_path / "out.png")) == 1
    with monkeypatch.context() as patch:
        patch.setattr("warm.enhance.picture.MIN_IOD_PX", 50)
        notes = notes_of(source, tmp_path / "one.png")
    assert notes[1].startswith("Faces that are too small")
    assert notes[1].endswith("between the eyes: 1.")
    monkeypatch.setattr("warm.enhance.steady_faces.SHAPE_NONE", 0.0)
    monkeypatch.setattr("warm.enhance.steady_faces.SHAPE_FULL", -1.0)
    assert PROFILE_NOTE.format(count=2) in notes_of(source, tmp_path / "turned.png")


class Unchanged:
    """A restorer of a small size that returns its input."""

    name, size = "gfpgan", 64

    def restore(self, crops: np.ndarray) -> np.ndarray:
        assert crops.shape[1:] == (64, 64, 3)
        return crops


def test_a_restoration_that_changes_nothing_costs_no_detail_of_the_source(tmp_path: Path) -> None:
    source, picture = tmp_path / "in.png", face_picture(342, 402)
    cv2.imwrite(str(source), picture)
    out = tmp_path / "out.png"
    Enhancement(
        source=source,
        out=out,
        options=EnhanceOptions(method="gfpgan"),
        models=MODELS,
        restorer=Unchanged,
    ).run()
    made = cv2.imread(str(out))
    assert made is not None
    assert (made == picture).all()
