"""Blending of patches: exact on whole pixels, sub-pixel placement, seamless colours."""

import cv2
import numpy as np
import pytest

from stabilizers.blend import alpha_blend, paste
from stabilizers.membrane import membrane
from stabilizers.placement import extract_crop

RNG = np.random.default_rng(3)


def textured(height: int, width: int) -> np.ndarray:
    noise = RNG.integers(0, 256, (height, width, 3)).astype(np.uint8)
    return cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 2.5), None, 20, 235, cv2.NORM_MINMAX)


def soft_mask(height: int, width: int) -> np.ndarray:
    mask = np.zeros((height, width), np.uint8)
    centre, axes = (width // 2, height // 2), (width // 3, height // 3)
    cv2.ellipse(mask, centre, axes, 0, 0, 360, 255, -1)
    return cv2.GaussianBlur(mask, (0, 0), 3)


def translation(x: float, y: float) -> np.ndarray:
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y]])


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return 10 * np.log10(255**2 / max(((a.astype(float) - b) ** 2).mean(), 1e-9))


def test_a_feathered_paste_is_the_weighted_mean_rounded_to_nearest():
    under, over, mask = textured(40, 50), textured(40, 50), RNG.integers(0, 256, (40, 50), np.uint8)
    weight = mask[..., None] / 255
    expected = over * weight + under * (1 - weight)
    assert np.abs(alpha_blend(under, over, mask) - expected).max() <= 0.51


def test_on_whole_pixels_the_patch_is_copied_unchanged():
    frame, patch = textured(120, 160), textured(40, 60)
    before = frame.copy()
    box = paste(frame, patch, np.full((40, 60), 255, np.uint8), translation(33, 21))
    assert box == (33, 21, 93, 61)
    assert np.array_equal(frame[21:61, 33:93], patch)
    frame[21:61, 33:93] = before[21:61, 33:93]
    assert np.array_equal(frame, before)


@pytest.mark.parametrize("mode", ["feather", "poisson"])
def test_nothing_changes_outside_the_mask(mode):
    frame, patch, mask = textured(120, 160), textured(60, 60), soft_mask(60, 60)
    before = frame.copy()
    box = paste(frame, patch, mask, translation(40, 30), mode=mode)
    visible = np.zeros(frame.shape[:2], bool)
    visible[30:90, 40:100] = mask > 0
    assert np.array_equal(frame[~visible], before[~visible])
    changed = np.argwhere((frame != before).any(axis=-1))
    assert (changed >= [box[1], box[0]]).all()
    assert (changed < [box[3], box[2]]).all()


@pytest.mark.parametrize("mode", ["feather", "poisson"])
@pytest.mark.parametrize("corner", [(-20, -25), (140, 90), (-20, 90)])
def test_a_patch_across_the_edge_of_the_frame_is_cropped(mode, corner):
    frame = np.zeros((120, 160, 3), np.uint8)
    patch = np.full((60, 60, 3), 200, np.uint8)
    box = paste(frame, patch, np.full((60, 60), 255, np.uint8), translation(*corner), mode=mode)
    left, top = max(0, corner[0]), max(0, corner[1])
    assert box == (left, top, min(160, corner[0] + 60), min(120, corner[1] + 60))


@pytest.mark.parametrize("shift", [(500, 0), (0.5, -300), (-60, 0)])
def test_a_patch_outside_the_frame_changes_nothing_and_returns_none(shift):
    frame = textured(120, 160)
    before = frame.copy()
    patch = np.full((60, 60, 3), 200, np.uint8)
    assert paste(frame, patch, np.full((60, 60), 255, np.uint8), translation(*shift)) is None
    assert np.array_equal(frame, before)


def test_an_empty_mask_changes_nothing_and_returns_none():
    frame = textured(120, 160)
    patch = np.full((60, 60, 3), 200, np.uint8)
    assert paste(frame, patch, np.zeros((60, 60), np.uint8), translation(5, 5)) is None


def test_a_patch_is_placed_between_pixels_only_with_subpixel():
    frame, dot = np.zeros((80, 80, 3), np.uint8), np.zeros((31, 31, 3), np.uint8)
    dot[15, 15] = 255
    dot = cv2.GaussianBlur(dot, (0, 0), 3) * 8
    full = np.full((31, 31), 255, np.uint8)
    for subpixel, expected in ((True, (35.3, 25.7)), (False, (35.0, 26.0))):
        shown = frame.copy()
        paste(shown, dot, full, translation(20.3, 10.7), subpixel=subpixel)
        weight = shown[..., 0].astype(float)
        rows, columns = np.mgrid[:80, :80]
        centre = (columns * weight).sum() / weight.sum(), (rows * weight).sum() / weight.sum()
        assert centre == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize("scale", [0.6, 0.95, 1.1, 1.7])
def test_a_crop_pasted_back_is_indistinguishable_from_the_frame(scale):
    frame = textured(400, 400)
    cos, sin = scale * np.cos(0.13), scale * np.sin(0.13)
    to_frame = np.array([[cos, -sin, 130.4], [sin, cos, 90.7]])
    crop = extract_crop(frame, to_frame, 128)
    mask = soft_mask(*crop.picture.shape[:2])
    pasted = frame.copy()
    paste(pasted, crop.picture, mask, crop.to_frame)
    changed = cv2.warpAffine(mask, crop.to_frame, (400, 400)) > 0
    assert psnr(pasted[changed], frame[changed]) >= 45


def test_a_poisson_paste_takes_the_frames_colour_and_keeps_the_patchs_detail():
    frame = np.full((100, 120, 3), (90, 110, 160), np.uint8)
    patch = np.full((60, 80, 3), (130, 100, 120), np.uint8)
    patch[30, 40] += 40
    mask = soft_mask(60, 80)
    paste(frame, patch, mask, translation(20, 20), mode="poisson")
    detail = frame[50, 60].astype(int) - (90, 110, 160)
    assert np.abs(detail - 40).max() <= 2
    frame[50, 60] = (90, 110, 160)
    assert np.abs(frame.astype(int) - (90, 110, 160)).max() <= 1


@pytest.mark.parametrize("size", [(170, 200), (40, 31), (9, 120), (3, 3)])
def test_a_membrane_reproduces_a_plane(size):
    rows, columns = np.mgrid[: size[0], : size[1]].astype(np.float32)
    plane = np.stack([rows * 0.3, columns * -0.2, rows * 0.1 + columns * 0.1], -1)
    hole = np.zeros(size, bool)
    hole[1:-1, 1:-1] = True
    filled = membrane(plane * ~hole[..., None], hole)
    assert np.abs(filled - plane).max() < 0.12 * np.ptp(plane) + 1e-3
    assert np.array_equal(filled[~hole], plane[~hole])


def test_a_membrane_is_nearly_the_exact_solution_of_laplaces_equation():
    height, width = 60, 80
    known = cv2.GaussianBlur(RNG.normal(0, 60, (height, width, 3)), (0, 0), 15).astype(np.float32)
    hole = soft_mask(height, width) > 0
    exact = known.copy()
    for _ in range(6000):
        around = cv2.filter2D(exact, -1, np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]]) / 4)
        exact[hole] = around[hole]
    error = (membrane(known, hole) - exact)[hole]
    assert np.sqrt((error**2).mean()) < 0.1 * exact[hole].std()
