"""The shared talking video as an avatar: its speed, its steadiness, and what it lends itself.

The lips of the same avatar are measured by `bench.faces.lips`.
"""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from matplotlib.figure import Figure as Plot
from numpy.typing import NDArray

from bench.faces.lips import TALKING_VIDEO, figure, stage_for
from bench.figure import Figure
from stabilizers.blend import paste
from stabilizers.similarity import apply, compose, invert
from stabilizers.track import FACE_MESH
from warm.avatars.avatar import Avatar
from warm.avatars.recipe import PreparationSettings
from warm.avatars.store import AvatarStore
from warm.engines.base import PatchRequest
from warm.face.finder import FaceFinder
from warm.prepare.idle.close_video import MouthCloser
from warm.prepare.idle.lower_face import LIPS
from warm.prepare.progress import no_progress
from warm.prepare.run import FACE_MODELS, prepare
from warm.prepare.source import Footage, read_footage

SENTENCE = "My mother bought a very good piece of blue cheese from the farm today."
AROUND_FACE_PX = 30
BESIDE_SWITCH = 2
"""Frames on each side of a change of the main reference that count as the change."""
LIP_MARGIN_PX = 6

Curve = NDArray[np.float64]


def measure(out: Path) -> list[Figure]:
    """Time, step error and the difference where another reference takes over.

    Raises FileNotFoundError where the shared video is not there.
    """
    if not TALKING_VIDEO.is_file():
        raise FileNotFoundError(f"{TALKING_VIDEO} is not there; it is the avatar measured here")
    with TemporaryDirectory() as name:
        folder = Path(name)
        avatar = prepare(TALKING_VIDEO, avatar_id="video", store=AvatarStore(folder), force=True)
        spent_ms = mouth_and_composite_ms(avatar)
        footage = read_footage(
            TALKING_VIDEO, FaceFinder(FACE_MODELS), PreparationSettings(), folder, no_progress
        )
        errors_px = step_errors_px(footage)
        differences, switching = lip_differences(footage)
    draw(errors_px, differences, switching, out / "video.png")
    ratio = np.median(differences[switching]) / np.median(differences[~switching])
    frames = len(errors_px)
    return [
        figure("video: mouth + composite", np.median(spent_ms), "ms", 6.0, len(spent_ms)),
        figure("video: step error against its own motion", errors_px.mean(), "px", 0.25, frames),
        figure("video: difference at a reference switch", ratio, "of calm", 1.2, frames),
    ]


def mouth_and_composite_ms(avatar: Avatar) -> Curve:
    """(frames,) milliseconds to draw and paste the mouth of each frame of a sentence."""
    stage = stage_for(avatar)
    speech = next(iter(stage.voices.speak(SENTENCE, stage.voices.choose())))
    rows = stage.engine.encode_speech(
        speech, frames=int(speech.duration_s * avatar.fps), fps=avatar.fps
    )
    spent_ms = []
    for cursor, row in enumerate(rows):
        frame = avatar.index_at(cursor)
        picture = np.array(avatar.frames[frame])
        start = time.perf_counter()
        patch = stage.engine.submit([PatchRequest(avatar, frame, row)]).patches()[0]
        paste(picture, patch.picture, patch.mask, patch.to_frame, mode="feather", subpixel=True)
        spent_ms.append(1000 * (time.perf_counter() - start))
    return np.array(spent_ms)


def step_errors_px(footage: Footage) -> Curve:
    """(n - 1,) how far each step of the transforms is from the head's own step in the picture.

    The head's own step is dense optical flow, which preparation does not use, in the middle of the
    points that move with the skull.
    """
    stable = list(FACE_MESH.points)
    steps = compose(footage.transforms[1:], invert(footage.transforms[:-1]))
    errors = []
    for t, step in enumerate(steps):
        places = footage.landmarks[t, stable, :2].astype(np.float64)
        seen = flow_at(footage, t, places)
        errors.append(np.median(seen, axis=0) - np.median(apply(step, places) - places, axis=0))
    return np.asarray(np.linalg.norm(errors, axis=1))


def flow_at(footage: Footage, t: int, places: Curve) -> Curve:
    """(k, 2) pixels that frame `t` moves at (k, 2) places until the next frame."""
    points = footage.landmarks[t, :, :2]
    low = np.maximum(points.min(axis=0) - AROUND_FACE_PX, 0).astype(int)
    high = (points.max(axis=0) + AROUND_FACE_PX).astype(int)
    here, there = (
        cv2.cvtColor(frame[low[1] : high[1], low[0] : high[0]], cv2.COLOR_BGR2GRAY)
        for frame in footage.frames[t : t + 2]
    )
    dense = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    dense.setFinestScale(0)
    flow = dense.calc(here, there, np.zeros((*here.shape, 2), np.float32))
    x, y = (places - low).astype(np.float32).T
    return np.asarray(cv2.remap(flow, x[None], y[None], cv2.INTER_LINEAR)[0], np.float64)


def lip_differences(footage: Footage) -> tuple[Curve, NDArray[np.bool_]]:
    """(n - 1,) mean difference of the closed lips from frame to frame, and where the reference
    that lends most changes."""
    closer = MouthCloser(footage.frames, footage.landmarks, footage.transforms)
    lips = closer.face.layout[list(LIPS)]
    low, high = lips.min(axis=0) - LIP_MARGIN_PX, lips.max(axis=0) + LIP_MARGIN_PX
    to_frame = compose(footage.transforms, closer.face.to_crop)
    to_lips = np.array([[1, 0, low[0]], [0, 1, low[1]]])
    size = tuple(np.ceil(high - low).astype(int).tolist())
    shown = np.stack(
        [
            cv2.warpAffine(
                closer.close_frame(i),
                compose(place, to_lips),
                size,
                flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
            )
            for i, place in enumerate(to_frame)
        ]
    ).astype(np.float32)
    changes = np.flatnonzero(np.diff(closer.weights.argmax(axis=1)))
    switching = np.zeros(len(shown) - 1, np.bool_)
    for change in changes:
        switching[max(0, change - BESIDE_SWITCH) : change + BESIDE_SWITCH + 1] = True
    return np.abs(np.diff(shown, axis=0)).mean(axis=(1, 2, 3)).astype(np.float64), switching


def draw(errors_px: Curve, differences: Curve, switching: NDArray[np.bool_], path: Path) -> None:
    """Both courses over the frames."""
    sheet = Plot(figsize=(10, 5), layout="constrained")
    steps, lips = sheet.subplots(2, 1, sharex=True)
    steps.plot(errors_px)
    steps.axhline(0.25, color="grey", linewidth=0.5)
    steps.set_ylabel("step error, px")
    lips.plot(differences)
    lips.plot(np.flatnonzero(switching), differences[switching], ".", label="near a switch")
    lips.set(xlabel="frame", ylabel="change of the closed lips, grey levels")
    lips.legend()
    sheet.savefig(path, dpi=100)
