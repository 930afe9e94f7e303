"""Tests of the temporal smoothing of restored detail."""

import numpy as np
from numpy.typing import NDArray

from warm.enhance.detail_filter import DetailFilter, mouth_mask

SIZE = 128


def texture(seed: int = 0) -> NDArray[np.uint8]:
    """A soft random picture."""
    import cv2  # noqa: PLC0415

    noise = np.random.default_rng(seed).normal(0, 1, (SIZE, SIZE, 3))
    soft = cv2.GaussianBlur(noise, (0, 0), 4)
    return np.clip(120 + 60 * soft / soft.std(), 0, 255).astype(np.uint8)


def details(count: int) -> list[NDArray[np.float32]]:
    """Detail that differs in every frame, as from a restoration that flickers."""
    generator = np.random.default_rng(3)
    return [generator.normal(0, 6, (SIZE, SIZE, 3)).astype(np.float32) for _ in range(count)]


def test_detail_that_flickers_over_a_still_source_is_steadied() -> None:
    smooth = DetailFilter(SIZE)
    source, raw = texture(), details(12)
    shown = [smooth(each, source, 0.1) for each in raw]
    before, after = (np.diff(np.stack(each)[4:], axis=0).std() for each in (raw, shown))
    assert after < 0.35 * before


def test_the_detail_of_another_picture_is_not_kept() -> None:
    smooth, raw = DetailFilter(SIZE), details(2)
    smooth(raw[0], texture(0), 0.1)
    shown = smooth(raw[1], 255 - texture(7), 0.1)
    assert np.abs(shown - raw[1]).mean() < 0.15 * np.abs(raw[0] - raw[1]).mean()


def test_a_mouth_that_moves_keeps_no_old_detail_while_the_rest_of_the_face_does() -> None:
    smooth, raw = DetailFilter(SIZE), details(2)
    smooth(raw[0], texture(), 0.05)
    shown = smooth(raw[1], texture(), 0.30)
    kept = np.abs(shown - raw[1]).mean(axis=2)
    mouth = mouth_mask(SIZE)
    assert kept[mouth > 0.98].mean() < 0.05 * kept[mouth < 0.02].mean()


def test_the_detail_moves_with_the_source() -> None:
    smooth = DetailFilter(SIZE)
    source = texture()
    mark = np.zeros((SIZE, SIZE, 3), np.float32)
    mark[40:56, 40:56] = 40
    smooth(mark, source, 0.1)
    shown = smooth(np.zeros_like(mark), np.roll(source, 6, axis=1), 0.1)
    columns = shown[44:52, :, 0].mean(axis=0)
    centre = float((columns * np.arange(SIZE)).sum() / columns.sum())
    assert abs(centre - (47.5 + 6)) < 1.5
