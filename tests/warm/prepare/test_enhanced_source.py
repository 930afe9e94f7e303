"""Tests of sources whose faces are enhanced before the preparation."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.warm.portraits import MODELS, portrait
from warm.avatars.recipe import (
    BadPreparationSettings,
    PreparationSettings,
    digest_of_content,
)
from warm.enhance.sharpen import Sharpener
from warm.prepare.enhanced_source import enhanced_source, enhancement_notes
from warm.prepare.errors import EnhancementFailed
from warm.prepare.progress import no_progress

SHARPEN = PreparationSettings(enhance="sharpen")


def test_a_small_photo_is_enlarged_and_its_face_sharpened_and_the_copy_is_removed(
    tmp_path: Path,
) -> None:
    small = np.asarray(cv2.resize(portrait(), (170, 199), interpolation=cv2.INTER_AREA))
    source = tmp_path / "small.png"
    cv2.imwrite(str(source), small)
    stages: list[tuple[str, int, int]] = []
    with enhanced_source(
        source, tmp_path, SHARPEN, MODELS, Sharpener, lambda *each: stages.append(each)
    ) as enhanced:
        made = cv2.imread(str(enhanced))
    assert made is not None
    assert made.shape == (398, 340, 3)
    plain = cv2.resize(small, (340, 398), interpolation=cv2.INTER_LANCZOS4)
    face = np.s_[100:230, 110:240]
    assert laplacian(made[face]) > 1.2 * laplacian(plain[face])
    assert stages == [("enhancing", 1, 1)]
    assert [path.name for path in tmp_path.iterdir()] == ["small.png"]


def laplacian(picture: np.ndarray) -> float:
    """Mean square of the second derivative."""
    return float((cv2.Laplacian(picture, cv2.CV_32F) ** 2).mean())


def test_a_source_without_a_face_is_refused_as_a_preparation(tmp_path: Path) -> None:
    source = tmp_path / "grey.png"
    cv2.imwrite(str(source), np.full((64, 64, 3), 90, np.uint8))
    with (
        pytest.raises(EnhancementFailed, match="prepare the avatar without enhance"),
        enhanced_source(source, tmp_path, SHARPEN, MODELS, Sharpener, no_progress),
    ):
        raise AssertionError


def test_without_an_enhancement_the_source_itself_is_used(tmp_path: Path) -> None:
    source, settings = tmp_path / "any.png", PreparationSettings()
    with enhanced_source(source, tmp_path, settings, MODELS, Sharpener, no_progress) as used:
        assert used == source
    assert enhancement_notes(settings) == []


def test_the_method_is_part_of_the_digest_of_an_avatar() -> None:
    digests = {
        digest_of_content("00", each)
        for each in (PreparationSettings(), SHARPEN, replace(SHARPEN, enhance="gfpgan"))
    }
    assert len(digests) == 3
    with pytest.raises(BadPreparationSettings, match="enhance is 'magic'; allowed are"):
        PreparationSettings(enhance="magic")  # type: ignore[arg-type]
