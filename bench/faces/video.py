"""The talking video as an avatar: drawing time, steadiness, and switches of the reference mouth.

`bench.faces.lips` measures the lips of the same avatar.
"""

import time
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from matplotlib.figure import Figure as Plot
from numpy.typing import NDArray

from bench.avatars import (
    TALKING_VIDEO,
    load_engine,
    prepare_talking_video,
    require_talking_video,
)
from bench.figure import Figure
from stabilizers.blend import paste
from stabilizers.similarity import apply, compose, invert
from stabilizers.track import FACE_MESH
from tts.catalogue import espeak_voices
from warm.avatars.avatar import Avatar
from warm.avatars.recipe import PreparationSettings
from warm.engines.base import PatchRequest
from warm.face.finder import FaceFinder
from warm.prepare.idle.close_video import MouthCloser
from warm.prepare.idle.lower_face import LIPS
from warm.prepare.progress import no_progress
from warm.prepare.run import FACE_MODELS
from warm.prepare.source import Footage, read_footage

SENTENCE = "My mother bought a very good piece of blue cheese from the farm today."
FACE_MARGIN_PX = 30
SWITCH_MARGIN = 2
"""Frames on each side of a change of the main reference that count as the change."""
LIP_MARGIN_PX = 6
STEP_GOAL_PX = 0.25

Curve = NDArray[np.float64]


def measure(out: Path) -> list[Figure]:
    """Measure drawing time, step error, and the change of the lips at a reference switch.

    Raises FileNotFoundError if the shared video is missing.
    """
    require_talking_video()
    with TemporaryDirectory() as name:
        folder = Path(name)
        times_ms = mouth_and_composite_ms(prepare_talking_video(folder))
        footage = read_footage(
            TALKING_VIDEO, FaceFinder(FACE_MODELS), PreparationSettings(), folder, no_progress
        )
        errors_px = step_errors_px(footage)
        differences, switching = lip_differences(footage)
    plot(errors_px, differences, switching, out / "video.png")
    ratio = float(np.median(differences[switching]) / np.median(differences[~switching]))
    step, frames = float(errors_px.mean()), len(errors_px)
    mouth_ms = float(np.median(times_ms))
    return [
        Figure.at_most("video: mouth + composite", mouth_ms, "ms", 6.0, len(times_ms)),
        Figure.at_most(
            "video: step error against its own motion", step, "px", STEP_GOAL_PX, frames
        ),
        Figure.at_most("video: difference at a reference switch", ratio, "of calm", 1.2, frames),
    ]


def mouth_and_composite_ms(avatar: Avatar) -> Curve:
    """Return (frames,) milliseconds to draw and paste the mouth of each frame of a sentence."""
    engine = load_engine(avatar)
    with closing(espeak_voices()) as voices:
        (speech,) = voices.speak(SENTENCE, voices.choose())
    frames = int(speech.duration_s * avatar.fps)
    times_ms = []
    for cursor, row in enumerate(engine.encode_speech(speech, frames=frames, fps=avatar.fps)):
        index = avatar.index_at(cursor)
        picture = np.array(avatar.frames[index])
        start = time.perf_counter()
        patch = engine.submit([PatchRequest(avatar, index, row)]).patches()[0]
        paste(picture, patch.picture, patch.mask, patch.to_frame, mode="feather", subpixel=True)
        times_ms.append(1000 * (time.perf_counter() - start))
    return np.array(times_ms)


def step_errors_px(footage: Footage) -> Curve:
    """Return (n - 1,) distances between each step of the transforms and the head's own step.

    The head's own step is the median of dense optical flow, which preparation does not use, at the
    landmarks that move with the skull.
    """
    stable = list(FACE_MESH.points)
    steps = compose(footage.transforms[1:], invert(footage.transforms[:-1]))
    errors = []
    for index, step in enumerate(steps):
        points = footage.landmarks[index, stable, :2].astype(np.float64)
        flow = flow_at(footage, index, points)
        errors.append(np.median(flow, axis=0) - np.median(apply(step, points) - points, axis=0))
    return np.asarray(np.linalg.norm(errors, axis=1))


def flow_at(footage: Footage, index: int, points: Curve) -> Curve:
    """Return (k, 2) pixels that the picture moves at (k, 2) points from a frame to the next."""
    landmarks = footage.landmarks[index, :, :2]
    low = np.maximum(landmarks.min(axis=0) - FACE_MARGIN_PX, 0).astype(int)
    high = (landmarks.max(axis=0) + FACE_MARGIN_PX).astype(int)
    current, following = (
        cv2.cvtColor(frame[low[1] : high[1], low[0] : high[0]], cv2.COLOR_BGR2GRAY)
        for frame in footage.frames[index : index + 2]
    )
    dense = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    dense.setFinestScale(0)
    flow = dense.calc(current, following, np.zeros((*current.shape, 2), np.float32))
    x, y = (points - low).astype(np.float32).T
    return np.asarray(cv2.remap(flow, x[None], y[None], cv2.INTER_LINEAR)[0], np.float64)


def lip_differences(footage: Footage) -> tuple[Curve, NDArray[np.bool_]]:
    """Return (n - 1,) mean differences of the closed lips from frame to frame, in grey levels,
    and a mask of those near a change of the main reference."""
    closer = MouthCloser(footage.frames, footage.landmarks, footage.transforms)
    lips = closed_lips(closer, footage.transforms)
    differences = np.abs(np.diff(lips, axis=0)).mean(axis=(1, 2, 3)).astype(np.float64)
    switching = np.zeros(len(differences), np.bool_)
    for change in np.flatnonzero(np.diff(closer.lips.weights.argmax(axis=1))):
        switching[max(0, change - SWITCH_MARGIN) : change + SWITCH_MARGIN + 1] = True
    return differences, switching


def closed_lips(closer: MouthCloser, transforms: Curve) -> NDArray[np.float32]:
    """Return (n, h, w, 3) the closed lips of each frame, aligned with each other."""
    lips = closer.face.layout[list(LIPS)]
    low, high = lips.min(axis=0) - LIP_MARGIN_PX, lips.max(axis=0) + LIP_MARGIN_PX
    to_frame = compose(transforms, closer.face.to_crop)
    to_lips = np.array([[1, 0, low[0]], [0, 1, low[1]]])
    size = tuple(np.ceil(high - low).astype(int).tolist())
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    pictures = [
        cv2.warpAffine(closer.close_frame(index), compose(matrix, to_lips), size, flags=flags)
        for index, matrix in enumerate(to_frame)
    ]
    return np.stack(pictures).astype(np.float32)


def plot(errors_px: Curve, differences: Curve, switching: NDArray[np.bool_], path: Path) -> None:
    """Plot step errors and lip differences over the frames."""
    sheet = Plot(figsize=(10, 5), layout="constrained")
    steps, lips = sheet.subplots(2, 1, sharex=True)
    steps.plot(errors_px)
    steps.axhline(STEP_GOAL_PX, color="grey", linewidth=0.5)
    steps.set_ylabel("step error, px")
    lips.plot(differences)
    lips.plot(np.flatnonzero(switching), differences[switching], ".", label="near a switch")
    lips.set(xlabel="frame", ylabel="change of the closed lips, grey levels")
    lips.legend()
    sheet.savefig(path, dpi=100)
