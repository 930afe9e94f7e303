"""Tests of enhanced photos."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.warm.enhance.film_samples import face_picture
from tests.warm.portraits import MODELS
from warm.enhance.enhancement import Enhancement
from warm.enhance.errors import NoFaceToEnhance, OutputRefused
from warm.enhance.options import EnhanceOptions
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
    with pytest.raises(MediaError, match="at most 2048"):
        enhance(source, tmp_path / "out.png", upscale=4)
    assert [path.name for path in tmp_path.iterdir()] == ["grey.png"]


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
