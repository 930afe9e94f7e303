"""Tests of the weight-free sharpening."""

import cv2
import numpy as np
import pytest

from tests.warm.portraits import portrait
from warm.enhance.sharpen import Sharpener, sharpen

FACE = np.s_[100:420, 130:410]


def energy(picture: np.ndarray) -> float:
    """Mean square of the second derivative."""
    return float((cv2.Laplacian(picture, cv2.CV_32F) ** 2).mean())


def error(one: np.ndarray, other: np.ndarray) -> float:
    """Mean squared difference."""
    return float(((one.astype(np.float64) - other) ** 2).mean())


@pytest.mark.parametrize("factor", [2, 4])
def test_an_enlarged_face_gets_sharper_and_no_less_like_the_original(factor: int) -> None:
    original = portrait()[FACE]
    height, width = original.shape[:2]
    small = cv2.resize(original, (width // factor, height // factor), interpolation=cv2.INTER_AREA)
    plain = np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LANCZOS4))
    sharp = sharpen(plain, float(factor))
    assert energy(sharp) > 1.2 * energy(plain)
    assert error(sharp, original) < 1.03 * error(plain, original)


def test_noise_is_not_amplified() -> None:
    noise = np.random.default_rng(1).normal(120, 2.0, (128, 128, 1))
    noisy = np.repeat(np.clip(np.rint(noise), 0, 255).astype(np.uint8), 3, axis=2)
    assert sharpen(noisy).std() < 1.1 * noisy.std()


def test_an_edge_gets_steeper_without_a_halo() -> None:
    edge = np.where(np.arange(64) < 32, 60, 180).astype(np.float32)
    blurred = cv2.GaussianBlur(np.tile(edge, (64, 1)), (0, 0), 1.2)
    picture = np.repeat(np.rint(blurred).astype(np.uint8)[..., None], 3, axis=2)
    sharp = sharpen(picture, 2.0)
    steepest = np.abs(np.diff(sharp[32, :, 0].astype(int))).max()
    assert steepest > np.abs(np.diff(picture[32, :, 0].astype(int))).max()
    assert sharp.min() >= 60 - 8
    assert sharp.max() <= 180 + 8


def test_colours_keep_their_hue() -> None:
    picture = portrait()[FACE]
    change = sharpen(picture).astype(int) - picture
    inside = (sharpen(picture) > 0).all(axis=2) & (sharpen(picture) < 255).all(axis=2)
    assert np.ptp(change, axis=2)[inside].max() <= 1


def test_there_may_be_no_crops() -> None:
    assert Sharpener().restore(np.empty((0, 512, 512, 3), np.uint8)).shape == (0, 512, 512, 3)
