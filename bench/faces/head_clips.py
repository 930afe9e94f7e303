"""Head videos with landmarks, and errors of transforms against the motion of the head."""

import functools
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.avatars import TALKING_VIDEO
from bench.faces.synthetic_head import (
    FPS,
    Motion,
    decode,
    eye_transform,
    jumping,
    portrait,
    render,
    speaking,
    through_h264,
    track_landmarks,
)
from stabilizers.kalman import Kalman
from stabilizers.one_euro import OneEuro
from stabilizers.settings import Crop, TrackSettings
from stabilizers.similarity import apply, compose, invert, scale_of
from stabilizers.track import FaceTrack, track_face
from warm.avatars.avatar import CANONICAL_EYES, CANONICAL_IOD, CANONICAL_SIZE
from warm.face.finder import FaceFinder
from warm.face.landmarks import eye_centres
from warm.prepare.run import FACE_MODELS

CROP = Crop(iod=CANONICAL_IOD, eyes=CANONICAL_EYES)
SPEAKING_FRAMES, JUMPING_FRAMES = 150, 60
JUMP_PX, JUMP_FRAMES = 30.0, 4
PATCH_TO_FRAME = np.array([[1.0, 0.0, 150.0], [0.0, 1.0, 150.0]])
"""(2, 3) place of `mouth_patch` in the portrait."""
MID_FACE = (116, 345, 425, 2, 205)
"""Landmarks around the cheeks and the nose: skin above the mouth that speech does not move."""
ROUND_TRIP_PX = 0.3
"""Largest forward-backward error of a pixel's optical flow."""


@dataclass(frozen=True, slots=True, eq=False)
class HeadClip:
    """A video with its measured landmarks, and the true transforms if they are known."""

    frames: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    truth: NDArray[np.float64]
    """(n, 2, 3) canonical crop to frame; empty (0, 2, 3) for a real video."""

    def track(self, **changed: object) -> FaceTrack:
        """Track the head with the default settings, some of them changed."""
        settings = TrackSettings(**changed)  # type: ignore[arg-type]
        return track_face(self.frames, self.landmarks, CROP, fps=FPS, settings=settings)


def synthetic_clip(motion: Motion) -> HeadClip:
    """Render the portrait with a motion, add noise, encode it, and track it by the face mesh."""
    finder = FaceFinder(FACE_MODELS)
    photo = portrait()
    points = finder.find(photo)[0].mesh.points
    frames = through_h264(render(photo, points, motion), seed=1)
    landmarks = track_landmarks(finder, frames)
    moved = motion.transforms(eye_centres(points).mean(axis=0))
    # The mesh defines the canonical crop, so the crop comes from its mean over the clip.
    at_rest = apply(invert(moved), landmarks[..., :2]).mean(axis=0)
    return HeadClip(frames, landmarks, compose(moved, eye_transform(at_rest)[None]))


@functools.cache
def speaking_clip() -> HeadClip:
    """Return a head that sways, rolls and speaks."""
    return synthetic_clip(speaking(SPEAKING_FRAMES))


@functools.cache
def jumping_clip() -> HeadClip:
    """Return a head that moves once, fast."""
    return synthetic_clip(jumping(JUMPING_FRAMES, JUMP_PX, JUMP_FRAMES))


@functools.cache
def talking_clip() -> HeadClip:
    """Return the shared talking video."""
    frames = decode(str(TALKING_VIDEO))
    return HeadClip(frames, track_landmarks(FaceFinder(FACE_MODELS), frames), np.empty((0, 2, 3)))


def crop_errors(clip: HeadClip, transforms: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n, 25, 2) errors of a grid of crop points against the truth, in crop pixels."""
    axis = np.linspace(CANONICAL_SIZE / 8, CANONICAL_SIZE * 7 / 8, 5)
    grid = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    errors = apply(transforms, grid) - apply(clip.truth, grid)
    return np.asarray(errors / scale_of(clip.truth)[:, None, None])


def rms(vectors: NDArray[np.float64]) -> float:
    """Return the root mean square length of (…, 2) vectors."""
    return float(np.sqrt((vectors**2).sum(-1).mean()))


def high_pass(values: NDArray[np.float64], cutoff_hz: float) -> NDArray[np.float64]:
    """Return the part above `cutoff_hz` of (n, …) values sampled at FPS."""
    spectrum = np.fft.rfft(values, axis=0)
    spectrum[np.fft.rfftfreq(len(values), 1 / FPS) <= cutoff_hz] = 0
    return np.fft.irfft(spectrum, n=len(values), axis=0)


def lag_and_overshoot(clip: HeadClip, x: NDArray[np.float64]) -> tuple[float, float]:
    """Return the delay of (n,) positions in frames, and their overshoot in percent of the move."""
    rest = len(x) // 2 - JUMP_FRAMES
    x = x - x[:rest].mean()
    truth = clip.truth[:, 0, 2] - clip.truth[0, 0, 2]
    frames = np.arange(len(x), dtype=np.float64)
    lags = np.arange(-3, 3, 0.02)
    squared_errors = [((np.interp(frames - lag, frames, truth) - x) ** 2).sum() for lag in lags]
    return float(abs(lags[np.argmin(squared_errors)])), float(100 * (x.max() - JUMP_PX) / JUMP_PX)


def causal_one_euro(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return (n, k) points through the live filter, frame by frame."""
    one_euro = OneEuro(FPS, TrackSettings().one_euro)
    return np.stack([one_euro(frame) for frame in points])


def causal_kalman(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return (n, k) points through the live filter, frame by frame."""
    kalman = Kalman(FPS, TrackSettings().kalman)
    return np.stack([kalman(frame) for frame in points])


def skin_motion(clip: HeadClip) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Return for each step the (k, 2) pixels of the mid-face and their (k, 2) motion.

    Dense inverse search (Kroeger et al., 2016), not the tracker's Lucas-Kanade; pixels with a
    forward-backward error over ROUND_TRIP_PX are left out.
    """
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow.setFinestScale(0)
    low = np.floor(clip.landmarks[..., :2].min(axis=(0, 1))).astype(int).clip(0)
    high = np.ceil(clip.landmarks[..., :2].max(axis=(0, 1))).astype(int)
    greys = [
        cv2.cvtColor(frame[low[1] : high[1], low[0] : high[0]], cv2.COLOR_BGR2GRAY)
        for frame in clip.frames
    ]
    steps = []
    for current, following, points in zip(greys[:-1], greys[1:], clip.landmarks, strict=False):
        outline = np.round(points[list(MID_FACE), :2] - low).astype(np.int32)
        mask = cv2.fillConvexPoly(np.zeros(current.shape, np.uint8), cv2.convexHull(outline), 1)
        forward = flow.calc(current, following, np.empty(0))
        backward = flow.calc(following, current, np.empty(0))
        pixels, flows = consistent_flow(forward, backward, mask)
        steps.append((pixels + low, flows))
    return steps


def consistent_flow(
    forward: cv2.typing.MatLike, backward: cv2.typing.MatLike, mask: cv2.typing.MatLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the (k, 2) masked pixels of consistent forward and backward flow, and their flow."""
    y, x = np.nonzero(mask)
    flows = forward[y, x].astype(np.float32)
    ends = (np.stack([x, y], -1) + flows).astype(np.float32)
    returned = cv2.remap(backward, ends[None, :, 0], ends[None, :, 1], cv2.INTER_LINEAR)[0]
    is_consistent = np.linalg.norm(flows + returned, axis=1) < ROUND_TRIP_PX
    pixels = np.stack([x, y], -1)[is_consistent].astype(np.float64)
    return pixels, flows[is_consistent].astype(np.float64)


def step_error(
    transforms: NDArray[np.float64],
    motion: list[tuple[NDArray[np.float64], NDArray[np.float64]]],
) -> float:
    """Return the RMS over steps of the median slip of (n, 2, 3) transforms on the skin, pixels."""
    steps = compose(transforms[1:], invert(transforms[:-1]))
    slips = [
        np.median(apply(step, pixels) - pixels - flows, axis=0)
        for step, (pixels, flows) in zip(steps, motion, strict=True)
    ]
    return rms(np.stack(slips))


def mouth_patch() -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the portrait, its mouth region (170, 200, 3) slightly brighter, and a soft mask."""
    frame = portrait()
    patch = np.clip(frame[150:320, 150:350] + np.array([9, 5, 3]), 0, 255).astype(np.uint8)
    mask = np.zeros((170, 200), np.uint8)
    cv2.ellipse(mask, (100, 85), (80, 62), 0, 0, 360, 255, -1)
    return frame, patch, np.asarray(cv2.GaussianBlur(mask, (0, 0), 6), np.uint8)
