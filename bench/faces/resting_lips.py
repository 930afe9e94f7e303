"""Resting lips of talking videos: their detail and steadiness, against the filmed closed lips.

The closed lips of all frames are aligned with each other. Detail is what a low-pass filter removes,
relative to the brightness; flicker is the change from one frame to the next. The contact sheet of
each video shows the widest filmed mouths, and the same frames closed.
"""

from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.avatars import TALKING_VIDEO, require_talking_video
from bench.figure import Figure
from stabilizers.similarity import compose, scale_of
from warm.avatars.avatar import CANONICAL_IOD
from warm.avatars.recipe import PreparationSettings
from warm.face.finder import FaceFinder
from warm.face.landmarks import lip_gap
from warm.prepare.idle.close_video import MouthCloser
from warm.prepare.idle.lower_face import LIPS
from warm.prepare.progress import no_progress
from warm.prepare.run import FACE_MODELS
from warm.prepare.source import read_footage

FACES = TALKING_VIDEO.parent / "faces"
DETAIL_IOD = 0.02
"""Standard deviation of the low-pass filter."""
LIPS_RADIUS = 1.1
"""Pixels within this radius count as lips, the ellipse around them being 1."""
MARGIN_PX = 26
DETAIL_GOAL, FLICKER_GOAL = 0.75, 1.0
SHOWN, ZOOM = 6, 3

Pictures = NDArray[np.float32]


class AlignedLips:
    """Cuts the closed lips out of the frames of one clip, in the layout of the resting face."""

    def __init__(self, closer: MouthCloser, transforms: NDArray[np.float64]) -> None:
        lips = closer.face.layout[list(LIPS)]
        low, high = lips.min(axis=0), lips.max(axis=0)
        scale = max(1.0, float(np.median(scale_of(transforms))))
        corner = low - MARGIN_PX
        self._to_layout = np.array([[1 / scale, 0, corner[0]], [0, 1 / scale, corner[1]]])
        self._size = np.ceil((high - low + 2 * MARGIN_PX) * scale).astype(int).tolist()
        self._to_frame = compose(transforms, closer.face.to_crop)
        x, y = np.meshgrid(*(np.arange(side) / scale for side in self._size))
        across, down = ((high - low) / 2).tolist()
        middle = MARGIN_PX + np.array([across, down])
        self.inside = np.hypot((x - middle[0]) / across, (y - middle[1]) / down) < LIPS_RADIUS
        self._sigma = DETAIL_IOD * CANONICAL_IOD * scale

    def cut(self, picture: NDArray[np.uint8], i: int) -> NDArray[np.uint8]:
        """Return (h, w, 3) the lips in a picture of frame `i`."""
        flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        matrix = compose(self._to_frame[i], self._to_layout)
        return np.asarray(cv2.warpAffine(picture, matrix, self._size, flags=flags), np.uint8)

    def detail(self, cut: NDArray[np.uint8]) -> float:
        """Return the relative standard deviation of the details of lips that `cut` returned."""
        grey = cv2.cvtColor(cut, cv2.COLOR_BGR2GRAY).astype(np.float32)
        fine = grey - cv2.GaussianBlur(grey, (0, 0), self._sigma)
        return float(fine[self.inside].std() / max(float(grey[self.inside].mean()), 1.0))

    def change(self, one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
        """Return the mean change from one cut to another in grey levels."""
        return float(np.abs(one.astype(np.float32) - other)[self.inside].mean())


def measure(out: Path) -> list[Figure]:
    """Measure the shared talking video, and the videos in the folder `faces` next to it.

    Raises FileNotFoundError if the shared video is missing.
    """
    require_talking_video()
    videos = [TALKING_VIDEO, *sorted(FACES.glob("*.mp4"))]
    return [figure for video in videos for figure in measure_video(video, out)]


def measure_video(video: Path, out: Path) -> list[Figure]:
    """Return the detail and the flicker of one video's resting lips; writes a contact sheet."""
    with TemporaryDirectory() as name:
        footage = read_footage(
            video, FaceFinder(FACE_MODELS), PreparationSettings(), Path(name), no_progress
        )
        closer = MouthCloser(footage.frames, footage.landmarks, footage.transforms, footage.covered)
        lips = AlignedLips(closer, footage.transforms)
        filmed = [lips.cut(np.array(frame), i) for i, frame in enumerate(footage.frames)]
        closed = [lips.cut(closer.close_frame(i), i) for i in range(len(filmed))]
    resting = sorted(closer.face.closed.tolist())
    pairs = [(i, i + 1) for i in resting if i + 1 in resting]
    source = float(np.median([lips.detail(filmed[i]) for i in resting]))
    detail = float(np.median([lips.detail(cut) for cut in closed])) / source
    flicker = float(np.median([lips.change(*pair) for pair in pairwise(closed)]))
    if pairs:
        flicker /= float(np.median([lips.change(filmed[i], filmed[k]) for i, k in pairs]))
    widest = np.argsort(-lip_gap(footage.landmarks))[: len(filmed) // 3 : len(filmed) // 3 // SHOWN]
    write_sheet([(filmed[i], closed[i]) for i in widest], out / f"resting_{video.stem}.png")
    name = f"resting lips, {video.stem}"
    return [
        Figure.at_least(f"{name}: detail", detail, "of filmed", DETAIL_GOAL, len(closed)),
        Figure.at_most(f"{name}: flicker", flicker, "of filmed", FLICKER_GOAL, len(pairs)),
    ]


def write_sheet(pairs: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]], path: Path) -> None:
    """Write pairs of cuts, filmed and closed, one above the other."""
    rows = [np.hstack([pair[k] for pair in pairs]) for k in (0, 1)]
    sheet = cv2.resize(np.vstack(rows), None, fx=ZOOM, fy=ZOOM, interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(path), sheet)
