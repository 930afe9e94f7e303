"""Clips of heads to measure on, and how far transforms are from their motion."""

import functools
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.faces.swaying import (
    FPS,
    Motion,
    decode,
    follow,
    jumping,
    portrait,
    reference,
    render,
    speaking,
    through_h264,
)
from stabilizers.kalman import Kalman
from stabilizers.one_euro import OneEuro
from stabilizers.settings import Crop, TrackSettings
from stabilizers.similarity import apply, compose, invert, scale_of
from stabilizers.track import FaceTrack, track_face
from warm.avatars.avatar import CANONICAL_EYES, CANONICAL_IOD, CANONICAL_SIZE
from warm.face.finder import FaceFinder
from warm.face.landmarks import eye_centres

MODELS = Path(__file__).parents[2] / "models" / "face"
TALKING = Path(__file__).parents[3] / "shared" / "media" / "talking_woman_576x720.mp4"
CROP = Crop(iod=CANONICAL_IOD, eyes=CANONICAL_EYES)
SPEAKING_FRAMES, JUMPING_FRAMES = 150, 60
JUMP_PX, JUMP_DURING = 30.0, 4
MID_FACE = (116, 345, 425, 2, 205)
"""Landmarks around the cheeks and the nose: the skin above a mouth patch that does not speak."""
THERE_AND_BACK_PX = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """A video with its measured landmarks, and the true transforms where they are known."""

    frames: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    truth: NDArray[np.float64]
    """(n, 2, 3) canonical crop to frame; empty (0, 2, 3) for a real video."""

    def track(self, **changed: object) -> FaceTrack:
        """The clip's head as the shipped settings, with some changed, see it."""
        settings = TrackSettings(**changed)  # type: ignore[arg-type]
        return track_face(self.frames, self.landmarks, CROP, fps=FPS, settings=settings)


def synthetic(motion: Motion) -> Clip:
    """The portrait moved as told, through noise and H.264, measured by the real face mesh."""
    finder = FaceFinder(MODELS)
    photo = portrait()
    points = finder.find(photo)[0].mesh.points
    frames = through_h264(render(photo, points, motion), seed=1)
    landmarks = follow(finder, frames)
    moved = motion.transforms(eye_centres(points).mean(axis=0))
    # Which crop is canonical is for the mesh to say, so its mean over the clip says it.
    at_rest = apply(invert(moved), landmarks[..., :2]).mean(axis=0)
    return Clip(frames, landmarks, compose(moved, reference(at_rest)[None]))


@functools.cache
def speaking_clip() -> Clip:
    """A head that sways, rolls and speaks."""
    return synthetic(speaking(SPEAKING_FRAMES))


@functools.cache
def jumping_clip() -> Clip:
    """A head that moves once, fast."""
    return synthetic(jumping(JUMPING_FRAMES, JUMP_PX, JUMP_DURING))


@functools.cache
def talking_clip() -> Clip:
    """The shared real video."""
    frames = decode(str(TALKING))
    return Clip(frames, follow(FaceFinder(MODELS), frames), np.empty((0, 2, 3)))


def crop_errors(clip: Clip, transforms: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 25, 2) how far a grid of crop points lands from the truth, in crop pixels."""
    axis = np.linspace(CANONICAL_SIZE / 8, CANONICAL_SIZE * 7 / 8, 5)
    grid = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    off = apply(transforms, grid) - apply(clip.truth, grid)
    return np.asarray(off / scale_of(clip.truth)[:, None, None])


def rms(vectors: NDArray[np.float64]) -> float:
    """Root mean square length of (…, 2) vectors."""
    return float(np.sqrt((vectors**2).sum(-1).mean()))


def above(values: NDArray[np.float64], cutoff_hz: float) -> NDArray[np.float64]:
    """The part of (n, …) values at FPS that is faster than `cutoff_hz`."""
    spectrum = np.fft.rfft(values, axis=0)
    spectrum[np.fft.rfftfreq(len(values), 1 / FPS) <= cutoff_hz] = 0
    return np.fft.irfft(spectrum, n=len(values), axis=0)


def lag_and_overshoot(clip: Clip, x: NDArray[np.float64]) -> tuple[float, float]:
    """Frames by which (n,) positions come late, and how far they go beyond the end, percent."""
    rest = len(x) // 2 - JUMP_DURING
    x = x - x[:rest].mean()
    truth = clip.truth[:, 0, 2] - clip.truth[0, 0, 2]
    frames = np.arange(len(x), dtype=np.float64)
    lags = np.arange(-3, 3, 0.02)
    misses = [((np.interp(frames - lag, frames, truth) - x) ** 2).sum() for lag in lags]
    return float(abs(lags[np.argmin(misses)])), float(100 * (x.max() - JUMP_PX) / JUMP_PX)


def causal_one_euro(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """(n, k) points as the live filter shows them, one by one."""
    one_euro = OneEuro(FPS, TrackSettings().one_euro)
    return np.stack([one_euro(frame) for frame in points])


def causal_kalman(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """(n, k) points as the live filter shows them, one by one."""
    kalman = Kalman(FPS, TrackSettings().kalman)
    return np.stack([kalman(frame) for frame in points])


def picture_motion(clip: Clip) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """For each step the pixels of the mid-face and how far they moved: (k, 2) and (k, 2).

    Dense inverse search (Kroeger et al., 2016), not the tracker's Lucas-Kanade; pixels count that
    find back within THERE_AND_BACK_PX.
    """
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow.setFinestScale(0)
    low = np.floor(clip.landmarks[..., :2].min(axis=(0, 1))).astype(int).clip(0)
    high = np.ceil(clip.landmarks[..., :2].max(axis=(0, 1))).astype(int)
    greys = [
        cv2.cvtColor(frame[low[1] : high[1], low[0] : high[0]], cv2.COLOR_BGR2GRAY)
        for frame in clip.frames
    ]
    moved = []
    for now, after, points in zip(greys[:-1], greys[1:], clip.landmarks, strict=False):
        outline = np.round(points[list(MID_FACE), :2] - low).astype(np.int32)
        mask = cv2.fillConvexPoly(np.zeros(now.shape, np.uint8), cv2.convexHull(outline), 1)
        pixels, flows = both_ways(
            flow.calc(now, after, np.empty(0)), flow.calc(after, now, np.empty(0)), mask
        )
        moved.append((pixels + low, flows))
    return moved


def both_ways(
    there: cv2.typing.MatLike, back: cv2.typing.MatLike, mask: cv2.typing.MatLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(k, 2) masked pixels whose flow finds back, and their (k, 2) flow."""
    y, x = np.nonzero(mask)
    flows = there[y, x].astype(np.float32)
    landed = (np.stack([x, y], -1) + flows).astype(np.float32)
    returned = cv2.remap(back, landed[None, :, 0], landed[None, :, 1], cv2.INTER_LINEAR)[0]
    sure = np.linalg.norm(flows + returned, axis=1) < THERE_AND_BACK_PX
    return np.stack([x, y], -1)[sure].astype(np.float64), flows[sure].astype(np.float64)


def step_error(
    transforms: NDArray[np.float64],
    moved: list[tuple[NDArray[np.float64], NDArray[np.float64]]],
) -> float:
    """RMS over steps of the median slip between (n, 2, 3) transforms and the skin, in pixels."""
    steps = compose(transforms[1:], invert(transforms[:-1]))
    slips = [
        np.median(apply(step, pixels) - pixels - flows, axis=0)
        for step, (pixels, flows) in zip(steps, moved, strict=True)
    ]
    return rms(np.stack(slips))


def mouth_patch() -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """The portrait, its mouth region (170, 200, 3) a little brighter, and a soft mask."""
    frame = portrait()
    patch = np.clip(frame[150:320, 150:350] + np.array([9, 5, 3]), 0, 255).astype(np.uint8)
    mask = np.zeros((170, 200), np.uint8)
    cv2.ellipse(mask, (100, 85), (80, 62), 0, 0, 360, 255, -1)
    return frame, patch, np.asarray(cv2.GaussianBlur(mask, (0, 0), 6), np.uint8)
