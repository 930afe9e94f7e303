"""Accuracy and speed of the stabilizers, on a synthetic head of known motion and on a real one."""

import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.avatars import TALKING_VIDEO
from bench.faces.head_clips import (
    PATCH_TO_FRAME,
    SPEAKING_FRAMES,
    causal_one_euro,
    crop_errors,
    high_pass,
    jumping_clip,
    lag_and_overshoot,
    mouth_patch,
    rms,
    skin_motion,
    speaking_clip,
    step_error,
    talking_clip,
)
from bench.faces.stabilizer_plot import draw
from bench.faces.synthetic_head import eye_transform, portrait
from bench.figure import Figure
from stabilizers.blend import BlendMode, paste
from stabilizers.placement import extract_crop
from stabilizers.similarity import roll_of, scale_of
from stabilizers.track import FACE_MESH
from warm.avatars.avatar import CANONICAL_SIZE
from warm.face.finder import FaceFinder
from warm.prepare.run import FACE_MODELS

JITTER_HZ = 5.0
PASTES = 200


def measure(out: Path) -> list[Figure]:
    """Measure all figures of the stabilizers; the plot goes to `out`."""
    draw(out / "stabilizers.png")
    return [
        paste_figure("feather", "composite alone, feather", 0.4),
        paste_figure("poisson", "composite alone, Poisson", 3.0),
        *speaking_figures(),
        *jumping_figures(),
        crop_figure(),
        *(talking_figures() if TALKING_VIDEO.exists() else []),
    ]


def paste_figure(mode: BlendMode, name: str, goal_ms: float) -> Figure:
    """Time one paste on the pixel grid of the frame."""
    frame, patch, mask = mouth_patch()
    value = median_ms(lambda: paste(frame, patch, mask, PATCH_TO_FRAME, mode=mode))
    return Figure.at_most(name, value, "ms", goal_ms, PASTES)


def median_ms(work: Callable[[], object]) -> float:
    """Return the median time of PASTES calls."""
    times_s = []
    for _ in range(PASTES):
        start = time.perf_counter()
        work()
        times_s.append(time.perf_counter() - start)
    return 1000 * float(np.median(times_s))


def speaking_figures() -> list[Figure]:
    """Return the errors of the transforms against the truth, on the head that speaks."""
    clip = speaking_clip()
    transforms = clip.track().transforms
    errors = crop_errors(clip, transforms)
    roll = np.degrees(roll_of(transforms) - roll_of(clip.truth))
    scale = 100 * (scale_of(transforms) / scale_of(clip.truth) - 1)
    rows = [
        ("transform error, synthetic video", rms(errors), "px of 256 crop", 0.25),
        ("transform jitter > 5 Hz", rms(high_pass(errors, JITTER_HZ)), "px of 256 crop", 0.05),
        ("transform roll error", float(np.sqrt((roll**2).mean())), "degrees", 0.15),
        ("transform scale error", float(np.sqrt((scale**2).mean())), "%", 0.3),
    ]
    return [Figure.at_most(*row, SPEAKING_FRAMES) for row in rows]


def jumping_figures() -> list[Figure]:
    """Return lag and overshoot of a fast move: prepared, and live on landmarks alone."""
    clip = jumping_clip()
    prepared = clip.track().transforms[:, 0] @ [128.0, 128.0, 1.0]
    live = causal_one_euro(clip.landmarks[:, FACE_MESH.points, 0]).mean(axis=1)
    figures = []
    for form, x in (("prepared", prepared), ("live One-Euro", live)):
        lag, overshoot = lag_and_overshoot(clip, x)
        name = f"fast head move, {form}: "
        figures += [
            Figure.at_most(name + "lag", lag, "frames", 1.0, 1),
            Figure.at_most(name + "overshoot", overshoot, "%", 5.0, 1),
        ]
    return figures


def crop_figure() -> Figure:
    """Paste each face's own crop back, and return the worst fidelity."""
    clips = [speaking_clip(), *([talking_clip()] if TALKING_VIDEO.exists() else [])]
    finder = FaceFinder(FACE_MODELS)
    pictures = [portrait(), *(frame for clip in clips for frame in clip.frames[::25])]
    values = [own_crop_psnr(picture, finder.find(picture)[0].mesh.points) for picture in pictures]
    name = "pasting an avatar's own crop back"
    return Figure.at_least(name, min(values), "dB", 45, len(values))


def own_crop_psnr(frame: NDArray[np.uint8], points: NDArray[np.float32]) -> float:
    """Return the PSNR (dB) of a frame with its own crop pasted back, within a lower-face mask."""
    to_frame = eye_transform(points[:, :2])
    mask = np.zeros((CANONICAL_SIZE, CANONICAL_SIZE), np.uint8)
    cv2.ellipse(mask, (128, 170), (80, 70), 0, 0, 360, 255, -1)
    mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), 8), np.uint8)
    crop = extract_crop(frame, to_frame, CANONICAL_SIZE)
    dense = np.asarray(cv2.resize(mask, crop.picture.shape[1::-1]), np.uint8)
    pasted = frame.copy()
    paste(pasted, crop.picture, dense, crop.to_frame)
    touched = cv2.warpAffine(mask, to_frame, frame.shape[1::-1]) > 0
    errors = pasted[touched].astype(np.float64) - frame[touched]
    return float(10 * np.log10(255**2 / (errors**2).mean()))


def talking_figures() -> list[Figure]:
    """Return the slip of the transforms on the skin of the real video."""
    clip = talking_clip()
    error = step_error(clip.track().transforms, skin_motion(clip))
    name = "talking video: step error against its own motion"
    return [Figure.at_most(name, error, "px", 0.25, len(clip.frames) - 1)]
