"""Closing of the mouth in every frame of a talking video, so that speech can be rendered on it.

A warp of the frame's own pixels closes the mouth, so that jaw, skin and light remain those of the
frame. Only the lips are blended in from frames of the same clip in which the mouth is closed.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from stabilizers.interpolation import smoothstep
from stabilizers.similarity import apply
from warm.avatars.filmed_mouth import FilmedMouth
from warm.face.landmarks import lip_gap
from warm.prepare.idle.closed_frames import find_closed_frames
from warm.prepare.idle.closing_warp import OPENING_IOD, Box, ClosingWarp, FrameWarp
from warm.prepare.idle.lower_face import JAW_SHARE, LIPS
from warm.prepare.idle.references import choose_references, reference_weights
from warm.prepare.idle.resting_face import RestingFace, resting_face

THREADS = 2
BLEND_INNER, BLEND_OUTER = 1.05, 1.75
"""Radii of the ellipses around the lips between which the reference lips fade out."""
MOUTH_REACH_PX = 28.0
"""Distance from the lips, in the crop, within which landmarks are those of the closed face."""
OPENED_SIGMA_FRAMES = 1.0
MAX_GAIN = 1.35
"""Limit of the brightness correction of the reference lips, in either direction."""


def close_mouth(
    frames: NDArray[np.uint8],
    landmarks: NDArray[np.float32],
    transforms: NDArray[np.float64],
    *,
    out: NDArray[np.uint8],
    covered: NDArray[np.bool_] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> NDArray[np.float32]:
    """Write `frames` with the mouth closed into `out`; return the landmarks of the closed frames.

    frames, out: (n, h, w, 3) BGR; landmarks: (n, 468, 3) as measured frame by frame, since
    smoothing loses the opening of the mouth; transforms: (n, 2, 3) canonical crop to frame,
    stabilized; covered: (n,) frames that do not show the mouth. `progress` gets (done, total)
    frames in the calling thread.
    """
    closer = MouthCloser(frames, landmarks, transforms, covered)
    closer.write_frames(out, progress)
    return closer.closed_landmarks(landmarks, transforms)


class MouthCloser:
    """Closes the mouth in the frames of one clip. Immutable, hence thread-safe."""

    def __init__(
        self,
        frames: NDArray[np.uint8],
        landmarks: NDArray[np.float32],
        transforms: NDArray[np.float64],
        covered: NDArray[np.bool_] | None = None,
    ) -> None:
        gaps = lip_gap(landmarks)
        self._frames = frames
        closed = find_closed_frames(frames, landmarks, gaps, covered)
        self.face: RestingFace = resting_face(landmarks, transforms, closed)
        self._opened = openness(gaps, float(np.median(gaps[closed])))
        self._closing_warp = ClosingWarp(self.face, transforms)
        references = choose_references(self.face.turns_deg, self.face.closed)
        self.weights = reference_weights(self.face.turns_deg, references)
        """(n, r) weight of each reference in the lips of each frame."""
        self._references = [(frames[i], self._frame_warp(int(i))) for i in references]

    def write_frames(
        self, out: NDArray[np.uint8], progress: Callable[[int, int], None] | None = None
    ) -> None:
        """Write all frames with the mouth closed into `out`; see `close_mouth`."""

        def write(i: int) -> None:
            out[i] = self.close_frame(i)

        with ThreadPoolExecutor(THREADS) as pool:
            for done, _ in enumerate(pool.map(write, range(len(out))), 1):
                if progress:
                    progress(done, len(out))

    def close_frame(self, i: int) -> NDArray[np.uint8]:
        """Return (h, w, 3) frame `i` with its mouth closed."""
        frame = np.array(self._frames[i])
        if self._is_mouth_in_picture(i, frame.shape):
            box = self._closing_warp.box(i, frame.shape)
            x0, y0, x1, y1 = box
            closed = self._closing_warp.warp_picture(frame, self._frame_warp(i), i, box)
            picture = closed.astype(np.float32)
            self._blend_reference_lips(picture, i, box)
            frame[y0:y1, x0:x1] = np.clip(picture + 0.5, 0, 255)
        return frame

    def closed_landmarks(
        self, landmarks: NDArray[np.float32], transforms: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        """Return the (n, 468, 3) landmarks of the closed frames."""
        face = self.face
        offset = face.expected - face.measured
        flat = face.measured + closed_weight(face.layout)[:, None] * offset
        flat[:, list(LIPS)] = apply(face.to_crop, face.layout[list(LIPS)])
        closed = landmarks.copy()
        closed[..., :2] = apply(transforms, flat)
        return closed

    def filmed_mouth(
        self, landmarks: NDArray[np.float32], covered: NDArray[np.bool_]
    ) -> FilmedMouth:
        """Return the frames as filmed, with the inverse of what closed them."""
        return FilmedMouth(
            frames=self._frames,
            landmarks=landmarks,
            covered=covered,
            turns_deg=self.face.turns_deg,
            layout=self.face.layout,
            to_frame=self._closing_warp.to_frame,
            grid_to_layout=self._closing_warp.grid_to_layout,
            opening_field=lambda i: self._frame_warp(i).field,
        )

    def _is_mouth_in_picture(self, i: int, shape: tuple[int, ...]) -> bool:
        """Return True if the middle of the mouth is in the picture; it may leave for a while."""
        x, y = apply(self._closing_warp.to_frame[i], self.face.layout[[13]])[0]
        return bool(0 <= x < shape[1] and 0 <= y < shape[0])

    def _frame_warp(self, i: int) -> FrameWarp:
        return self._closing_warp.frame_warp(i, float(self._opened[i]))

    def _blend_reference_lips(self, picture: NDArray[np.float32], i: int, box: Box) -> None:
        """Blend the references' lips into `picture`, the pixels of a box of frame `i`."""
        radius = self._closing_warp.resample(self._closing_warp.guides[..., 1:], i, box)
        inside = np.argwhere(radius < BLEND_OUTER)
        (y0, x0), (y1, x1) = inside.min(axis=0), inside.max(axis=0) + 1
        lips_box = (box[0] + x0, box[1] + y0, box[0] + x1, box[1] + y1)
        lips = np.sum(
            [
                weight * self._closing_warp.warp_picture(*reference, i, lips_box).astype(np.float32)
                for reference, weight in zip(self._references, self.weights[i], strict=True)
                if weight > 0
            ],
            axis=0,
        )
        blend_lips(picture[y0:y1, x0:x1], lips, radius[y0:y1, x0:x1])


def blend_lips(
    picture: NDArray[np.float32], lips: NDArray[np.float32], radius: NDArray[np.float32]
) -> None:
    """Blend `lips` into `picture` in place, both (h, w, 3), with the brightness of `picture`.

    radius: (h, w), 1 on the ellipse around the lips.
    """
    rim = ((radius > BLEND_INNER) & (radius < BLEND_OUTER))[..., None]
    light = (picture * rim).sum(axis=(0, 1)), (lips * rim).sum(axis=(0, 1))
    gain = np.clip(light[0] / np.maximum(light[1], 1), 1 / MAX_GAIN, MAX_GAIN)
    weight = smoothstep((BLEND_OUTER - radius) / (BLEND_OUTER - BLEND_INNER))
    picture += weight[..., None] * (lips * gain - picture)


def openness(gaps: NDArray[np.float64], closed_gap: float) -> NDArray[np.float64]:
    """Return (n,) 0 for a frame with a closed mouth … 1 for one that shows the mouth's inside."""
    opened = smoothstep((gaps - closed_gap) / OPENING_IOD)
    return np.asarray(gaussian_filter1d(opened, OPENED_SIGMA_FRAMES, mode="nearest"))


def closed_weight(layout: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (468,) weight of the closed face in each landmark; the rest is as filmed."""
    weight = np.zeros(len(layout))
    weight[list(JAW_SHARE)] = list(JAW_SHARE.values())
    below = layout[:, 1] > layout[2, 1]
    distance = np.linalg.norm(layout - layout[[13, 14]].mean(axis=0), axis=1)
    near = np.exp(-0.5 * (distance / MOUTH_REACH_PX) ** 2)
    return np.maximum(weight, np.where(below, near, 0.0))
