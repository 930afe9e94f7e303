"""Closing of the mouth in every frame of a talking video, so that speech can be rendered on it.

A warp of the frame's own pixels closes the mouth, so that jaw, skin and light remain those of the
frame. Only the lips are blended in from frames of the same clip in which the mouth is closed.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

from stabilizers.interpolation import smoothstep
from stabilizers.similarity import apply, scale_of
from warm.avatars.avatar import CANONICAL_IOD
from warm.avatars.filmed_mouth import FilmedMouth
from warm.face.landmarks import lip_gap
from warm.prepare.idle.closed_frames import find_closed_frames
from warm.prepare.idle.closing_warp import OPENING_IOD, Box, ClosingWarp, FrameWarp
from warm.prepare.idle.lower_face import JAW_SHARE, LIPS
from warm.prepare.idle.resting_face import RestingFace, resting_face
from warm.prepare.idle.resting_lips import RestingLips

THREADS = 2
WARP_BLOCK, WARP_BLOCKS = 32, 4
"""Frames whose warps are computed together, and the blocks of them that are kept."""
BLEND_INNER, BLEND_OUTER = 1.05, 1.75
"""Radii of the ellipses around the lips between which the reference lips fade out."""
MOUTH_REACH_PX = 28.0
"""Distance from the lips, in the crop, within which landmarks are those of the closed face."""
OPENED_SIGMA_FRAMES = 1.0
RIM_INNER, RIM_OUTER = 1.25, 1.8
"""Radii between which the light around the lips is measured."""
MAX_GAIN, MAX_TINT = 3.0, 1.12
"""Limits of the correction of the closed lips' light and of its colour, in either direction."""
LIGHT_IOD_PX = 25.0
"""Eye distance to which a face is scaled down before its light is measured."""
LIGHT_SIGMA_IOD = 0.2
"""Reach of the light around the lips into their middle."""
LIGHT_FLOOR = 8.0
"""Darker pixels count as this bright, so that noise in shadows counts less."""
OTHER_SURFACE = 0.2
"""Larger deviations from the rim's median log ratio come from something else: the neck, an edge."""
RIM_SLACK = 0.02
"""Weight of the mean light where the rim is far."""
WIDE_AREA_IOD = 0.2
"""Gap from which the area of the closed lips is widest."""
AREA_FRAMES, AREA_SIGMA_FRAMES = 5, 1.5


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
        closed_gap = float(np.median(gaps[closed]))
        self._opened = openness(gaps, closed_gap)
        self._closing_warp = ClosingWarp(self.face, transforms)
        self._block = lru_cache(WARP_BLOCKS)(self._warps_of_block)
        self.lips = RestingLips(frames, self.face, gaps, self._closing_warp, self._frame_warp)
        self._area_amount = area_amounts(gaps, closed_gap)

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
            self._blend_resting_lips(picture, i, box)
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
        return self._block(i // WARP_BLOCK)[i % WARP_BLOCK]

    def _warps_of_block(self, block: int) -> list[FrameWarp]:
        frames = range(len(self._frames))[block * WARP_BLOCK : (block + 1) * WARP_BLOCK]
        return self._closing_warp.frame_warps(frames, self._opened[frames.start : frames.stop])

    def _blend_resting_lips(self, picture: NDArray[np.float32], i: int, box: Box) -> None:
        """Blend the closed lips into `picture`, the pixels of a box of frame `i`."""
        closing_warp = self._closing_warp
        narrow, wide = np.moveaxis(
            closing_warp.resample(closing_warp.guides[..., 1:], i, box), -1, 0
        )
        radius = narrow + self._area_amount[i] * (wide - narrow)
        inside = radius < RIM_OUTER
        rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
        y0, y1, x0, x1 = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
        lips_box = (box[0] + int(x0), box[1] + int(y0), box[0] + int(x1), box[1] + int(y1))
        lips = self.lips.picture(i, closing_warp.to_frame[i], lips_box)
        iod = CANONICAL_IOD * float(scale_of(closing_warp.to_frame[i]))
        blend_lips(picture[y0:y1, x0:x1], lips, radius[y0:y1, x0:x1], iod)


def blend_lips(
    picture: NDArray[np.float32],
    lips: NDArray[np.float32],
    radius: NDArray[np.float32],
    iod_px: float,
) -> None:
    """Blend `lips` into `picture` in place, both (h, w, 3), in the light of `picture`.

    radius: (h, w), 1 on the ellipse around the lips.
    """
    weight = smoothstep((BLEND_OUTER - radius) / (BLEND_OUTER - BLEND_INNER)).astype(np.float32)
    gain = light_gain(picture, lips, radius, iod_px)
    picture += weight[..., None] * (lips * gain - picture)


def light_gain(
    picture: NDArray[np.float32],
    lips: NDArray[np.float32],
    radius: NDArray[np.float32],
    iod_px: float,
) -> NDArray[np.float32]:
    """Return (h, w, 3) gains that give `lips` the light that `picture` has around them."""
    height, width = radius.shape
    shrink = min(1.0, LIGHT_IOD_PX / iod_px)
    size = [max(1, round(side * shrink)) for side in (width, height)]
    near, own, small = (
        cv2.resize(values, size, interpolation=cv2.INTER_AREA) for values in (picture, lips, radius)
    )
    rim = ((small > RIM_INNER) & (small < RIM_OUTER)).astype(np.float32)[..., None]
    ratio = np.log(np.maximum(near, LIGHT_FLOOR) / np.maximum(own, LIGHT_FLOOR))
    grey = ratio.mean(axis=-1, keepdims=True)
    usual = np.median(grey[rim > 0]) if rim.any() else 0.0
    rim *= np.abs(grey - usual) < OTHER_SURFACE
    mean = (ratio * rim).sum(axis=(0, 1)) / max(float(rim.sum()), 1.0)
    both = np.concatenate([(ratio - mean) * rim, rim], axis=-1)
    sigma = LIGHT_SIGMA_IOD * iod_px * shrink
    spread = cv2.GaussianBlur(both, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    field = mean + spread[..., :3] / (spread[..., 3:] + RIM_SLACK)
    grey = field.mean(axis=-1, keepdims=True)
    tint = np.clip(field - grey, -np.log(MAX_TINT), np.log(MAX_TINT))
    gain = np.exp(np.clip(grey, -np.log(MAX_GAIN), np.log(MAX_GAIN)) + tint).astype(np.float32)
    return np.asarray(cv2.resize(gain, (width, height), interpolation=cv2.INTER_LINEAR))


def area_amounts(gaps: NDArray[np.float64], closed_gap: float) -> NDArray[np.float64]:
    """Return (n,) 0 for a closed mouth … 1 for one that needs the widest area of closed lips."""
    opening = maximum_filter1d((gaps - closed_gap) / WIDE_AREA_IOD, AREA_FRAMES, mode="nearest")
    smooth = gaussian_filter1d(np.clip(opening, 0, 1), AREA_SIGMA_FRAMES, mode="nearest")
    return np.asarray(smooth)


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
