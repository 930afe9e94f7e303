"""A talking video's mouth, closed in every frame, so that speech can be drawn on it later.

Each frame is un-opened by a warp of its own pixels (so jaw, skin and light stay this frame's), and
only the lips are borrowed, from frames of the same clip in which the mouth is closed.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from stabilizers.interpolation import smoothstep
from stabilizers.similarity import apply
from warm.face.landmarks import lip_gap
from warm.prepare.idle.closed_frames import find_closed_frames
from warm.prepare.idle.closing_warp import OPENING_IOD, ClosingWarp, FrameWarp
from warm.prepare.idle.lower_face import JAW_SHARE, LIPS
from warm.prepare.idle.pose import RestingFace, resting_face
from warm.prepare.idle.references import choose_references, reference_shares

THREADS = 2
LOAN_INNER, LOAN_OUTER = 1.05, 1.75
"""Radii of the ellipse around the lips between which the borrowed lips fade."""
MOUTH_REACH_PX = 28.0
"""How far around the lips, in the crop, landmarks are those of the closed face."""
OPENED_SIGMA_FRAMES = 1.0
MAX_GAIN = 1.35
"""The borrowed lips are made no brighter or darker than this."""


def close_mouth(
    frames: NDArray[np.uint8],
    landmarks: NDArray[np.float32],
    transforms: NDArray[np.float64],
    *,
    out: NDArray[np.uint8],
    progress: Callable[[int, int], None] | None = None,
) -> NDArray[np.float32]:
    """Write `frames` with the mouth closed into `out`; the landmarks of the closed frames.

    frames, out: (n, h, w, 3) BGR; landmarks: (n, 468, 3) as measured, frame by frame: smoothed
    ones no longer know how far the mouth was open; transforms: (n, 2, 3) canonical crop to frame,
    steady. `progress` is told (done, all) frames, in the calling thread.
    """
    closer = MouthCloser(frames, landmarks, transforms)

    def write(i: int) -> None:
        out[i] = closer.closed(i)

    with ThreadPoolExecutor(THREADS) as pool:
        for done, _ in enumerate(pool.map(write, range(len(frames))), 1):
            if progress:
                progress(done, len(frames))
    return closer.landmarks(landmarks, transforms)


class MouthCloser:
    """Everything that the frames of one clip share."""

    def __init__(
        self,
        frames: NDArray[np.uint8],
        landmarks: NDArray[np.float32],
        transforms: NDArray[np.float64],
    ) -> None:
        gaps = lip_gap(landmarks)
        self._frames = frames
        closed = find_closed_frames(frames, landmarks, gaps)
        self.face: RestingFace = resting_face(landmarks, transforms, closed)
        self._opened = how_open(gaps, float(np.median(gaps[closed])))
        self._closing_warp = ClosingWarp(self.face, transforms)
        lenders = choose_references(self.face.turns_deg, self.face.closed)
        self.shares = reference_shares(self.face.turns_deg, lenders)
        """(n, r) how much of each reference the lips of each frame are."""
        self._lent = [(frames[i], self._warp(int(i))) for i in lenders]

    def closed(self, i: int) -> NDArray[np.uint8]:
        """(h, w, 3) frame `i` with its mouth closed."""
        frame = np.array(self._frames[i])
        box = self._closing_warp.box(i, frame.shape)
        x0, y0, x1, y1 = box
        if self._mouth_in_picture(i, frame.shape):
            picture = self._closing_warp.closed(frame, self._warp(i), i, box).astype(np.float32)
            self._lend_lips(picture, i, box)
            frame[y0:y1, x0:x1] = np.clip(picture + 0.5, 0, 255)
        return frame

    def landmarks(
        self, landmarks: NDArray[np.float32], transforms: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        """(n, 468, 3) of the closed frames."""
        face = self.face
        flat = face.measured + lower_face_share(face.layout)[:, None] * (
            face.expected - face.measured
        )
        flat[:, list(LIPS)] = apply(face.to_crop, face.layout[list(LIPS)])
        closed = landmarks.copy()
        closed[..., :2] = apply(transforms, flat)
        return closed

    def _mouth_in_picture(self, i: int, shape: tuple[int, ...]) -> bool:
        """Whether the middle of the mouth is; a face may leave the picture for a while."""
        x, y = apply(self._closing_warp.to_frame[i], self.face.layout[[13]])[0]
        return bool(0 <= x < shape[1] and 0 <= y < shape[0])

    def _warp(self, i: int) -> FrameWarp:
        return self._closing_warp.warp(i, float(self._opened[i]))

    def _lend_lips(
        self, picture: NDArray[np.float32], i: int, box: tuple[int, int, int, int]
    ) -> None:
        """Lay the references' lips over those of `picture`, the pixels of a box of frame `i`."""
        radius = self._closing_warp.in_box(self._closing_warp.guides[..., 1:], i, box)
        inside = np.argwhere(radius < LOAN_OUTER)
        (y0, x0), (y1, x1) = inside.min(axis=0), inside.max(axis=0) + 1
        lips = (box[0] + x0, box[1] + y0, box[0] + x1, box[1] + y1)
        lent = np.sum(
            [
                share * self._closing_warp.closed(*self._lent[r], i, lips).astype(np.float32)
                for r, share in enumerate(self.shares[i])
                if share > 0
            ],
            axis=0,
        )
        lay_over(picture[y0:y1, x0:x1], lent, radius[y0:y1, x0:x1])


def lay_over(
    own: NDArray[np.float32], lent: NDArray[np.float32], radius: NDArray[np.float32]
) -> None:
    """Fade `lent` lips into `own`, both (h, w, 3), inside an ellipse; `own` gives the light.

    radius: (h, w), 1 on the ellipse around the lips.
    """
    rim = ((radius > LOAN_INNER) & (radius < LOAN_OUTER))[..., None]
    light = (own * rim).sum(axis=(0, 1)), (lent * rim).sum(axis=(0, 1))
    gain = np.clip(light[0] / np.maximum(light[1], 1), 1 / MAX_GAIN, MAX_GAIN)
    share = smoothstep((LOAN_OUTER - radius) / (LOAN_OUTER - LOAN_INNER))
    own += share[..., None] * (lent * gain - own)


def how_open(gaps: NDArray[np.float64], closed_gap: float) -> NDArray[np.float64]:
    """(n,) 0 for a frame that shows the mouth closed … 1 for one that shows its inside."""
    opened = smoothstep((gaps - closed_gap) / OPENING_IOD)
    return np.asarray(gaussian_filter1d(opened, OPENED_SIGMA_FRAMES, mode="nearest"))


def lower_face_share(layout: NDArray[np.float64]) -> NDArray[np.float64]:
    """(468,) how far each landmark's place is given by the closed face and not by the film."""
    share = np.zeros(len(layout))
    share[list(JAW_SHARE)] = list(JAW_SHARE.values())
    below = layout[:, 1] > layout[2, 1]
    near = np.exp(
        -0.5
        * (np.linalg.norm(layout - layout[[13, 14]].mean(axis=0), axis=1) / MOUTH_REACH_PX) ** 2
    )
    return np.maximum(share, np.where(below, near, 0.0))
