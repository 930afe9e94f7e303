"""What the stabilizers reach: on a synthetic head whose motion is known, and on a real one."""

import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.faces.heads import (
    MODELS,
    SPEAKING_FRAMES,
    TALKING,
    above,
    causal_one_euro,
    crop_errors,
    jumping_clip,
    lag_and_overshoot,
    mouth_patch,
    picture_motion,
    rms,
    speaking_clip,
    step_error,
    talking_clip,
)
from bench.faces.stabilizer_plot import draw
from bench.faces.swaying import portrait, reference
from bench.figure import Figure
from stabilizers.blend import BlendMode, paste
from stabilizers.placement import extract_crop
from stabilizers.similarity import roll_of, scale_of
from stabilizers.track import FACE_MESH
from warm.avatars.avatar import CANONICAL_SIZE
from warm.face.finder import FaceFinder

JITTER_HZ = 5.0


def own_crop_psnr(frame: NDArray[np.uint8], points: NDArray[np.float32]) -> float:
    """dB of the lower half of a face's own crop pasted back, over the pixels the mask touches."""
    to_frame = reference(points[:, :2])
    mask = np.zeros((CANONICAL_SIZE, CANONICAL_SIZE), np.uint8)
    cv2.ellipse(mask, (128, 170), (80, 70), 0, 0, 360, 255, -1)
    mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), 8), np.uint8)
    crop = extract_crop(frame, to_frame, CANONICAL_SIZE)
    dense = np.asarray(cv2.resize(mask, crop.picture.shape[1::-1]), np.uint8)
    pasted = frame.copy()
    paste(pasted, crop.picture, dense, crop.to_frame)
    touched = cv2.warpAffine(mask, to_frame, frame.shape[1::-1]) > 0
    off = pasted[touched].astype(np.float64) - frame[touched]
    return float(10 * np.log10(255**2 / (off**2).mean()))


def median_ms(work: Callable[[], object], rounds: int = 200) -> float:
    """Median time of a call."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return float(np.median(times)) * 1e3


def paste_figure(mode: BlendMode, name: str, goal_ms: float) -> Figure:
    """Time of one paste on the frame's own grid."""
    frame, patch, mask = mouth_patch()
    to_frame = np.array([[1.0, 0.0, 150.0], [0.0, 1.0, 150.0]])
    value = median_ms(lambda: paste(frame, patch, mask, to_frame, mode=mode))
    return Figure(name=name, value=value, unit="ms", goal=goal_ms, better="lower", n=200)


def speaking_figures() -> list[Figure]:
    """How far the transforms are from the truth."""
    clip = speaking_clip()
    transforms = clip.track().transforms
    errors = crop_errors(clip, transforms)
    roll = np.degrees(roll_of(transforms) - roll_of(clip.truth))
    scale = 100 * (scale_of(transforms) / scale_of(clip.truth) - 1)
    rows = [
        ("transform error, synthetic video", rms(errors), "px of 256 crop", 0.25),
        ("transform jitter > 5 Hz", rms(above(errors, JITTER_HZ)), "px of 256 crop", 0.05),
        ("transform roll error", float(np.sqrt((roll**2).mean())), "degrees", 0.15),
        ("transform scale error", float(np.sqrt((scale**2).mean())), "%", 0.3),
    ]
    return [
        Figure(name=name, value=value, unit=unit, goal=goal, better="lower", n=SPEAKING_FRAMES)
        for name, value, unit, goal in rows
    ]


def jumping_figures() -> list[Figure]:
    """A fast move: as prepared, and as the live filter sees it on landmarks alone."""
    clip = jumping_clip()
    prepared = clip.track().transforms[:, 0] @ [128.0, 128.0, 1.0]
    live = causal_one_euro(clip.landmarks[:, FACE_MESH.points, 0]).mean(axis=1)
    figures = []
    for form, x in (("prepared", prepared), ("live One-Euro", live)):
        lag, overshoot = lag_and_overshoot(clip, x)
        pair = (("lag", lag, "frames", 1.0), ("overshoot", overshoot, "%", 5.0))
        figures += [
            Figure(
                name=f"fast head move, {form}: {what}",
                value=value,
                unit=unit,
                goal=goal,
                better="lower",
                n=1,
            )
            for what, value, unit, goal in pair
        ]
    return figures


def talking_figures() -> list[Figure]:
    """The real video: does the patch stay on the skin."""
    clip = talking_clip()
    error = step_error(clip.track().transforms, picture_motion(clip))
    steps = len(clip.frames) - 1
    name = "talking video: step error against its own motion"
    return [Figure(name=name, value=error, unit="px", goal=0.25, better="lower", n=steps)]


def crop_figure() -> Figure:
    """The worst avatar's own crop, pasted back."""
    clips = [speaking_clip(), *([talking_clip()] if TALKING.exists() else [])]
    finder = FaceFinder(MODELS)
    pictures = [portrait(), *(frame for clip in clips for frame in clip.frames[::25])]
    values = [own_crop_psnr(picture, finder.find(picture)[0].mesh.points) for picture in pictures]
    name = "pasting an avatar's own crop back"
    return Figure(name=name, value=min(values), unit="dB", goal=45, better="higher", n=len(values))


def measure(out: Path) -> list[Figure]:
    """All figures of the stabilizers; the plot goes to `out`."""
    draw(out / "stabilizers.png")
    return [
        paste_figure("feather", "composite alone, feather", 0.4),
        paste_figure("poisson", "composite alone, Poisson", 3.0),
        *speaking_figures(),
        *jumping_figures(),
        crop_figure(),
        *(talking_figures() if TALKING.exists() else []),
    ]
