"""Calibration of the mouth's opening, so that it looks as wide as requested on every face.

The edges of the drawn lips are known exactly, but lips look further apart or closer together than
their edges are, differently for every mouth. Preparation therefore draws the avatar's own mouth at
several openings and measures it with the attention mesh. A reading corrects the known gap by a
bounded factor, since the mesh sometimes takes bright teeth for lips. The inverted curve is applied
at run time.
"""

from enum import IntEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from warm.avatars.avatar import Loop
from warm.engines.viseme.anatomy import Floats, Floats32, Pixels, smooth_along_loop
from warm.engines.viseme.shape import FULL_GAP_IOD, Shape
from warm.face.landmarks import down_and_iod, lip_gap
from warm.face.mesh import Mesh

DRAWN_OPENINGS = np.array([0.0, 0.12, 0.24, 0.36, 0.5, 0.7, 0.95, 1.2])
"""Openings that are drawn and measured."""
LEVELS = 33
"""Entries of a finished table: OPEN = 0…1 in equal steps."""
SAMPLED_FRAMES = 3
"""Frames of the loop that are measured at each opening."""
MAX_DISAGREEMENT = 1.6
"""Largest factor between a reading and the gap of the drawn lips that counts as plausible."""
READING_WEIGHT = 0.85
"""Weight of a reading against the gap of the drawn lips, both as logarithms."""
READ_SLOPE, LEAST_SCALE = 1.04, 0.85
"""Slope of the readings over OPEN above which a table is scaled down; least scale."""
NOMINAL_RANGE = (0.5, 1.6)
"""Limits of a drawn gap, relative to OPEN * FULL_GAP_IOD."""
LEAST_SLOPE = 0.4
"""Least slope of the apparent gap over the nominal one."""
LAST_SLOPE = 0.25
"""Slope of a limited table at OPEN = 1, relative to the unlimited one."""
MIDDLE_FROM = 0.3
"""The middle of the lips begins at this share of their width."""
GAIN_STEP, GAIN_SMOOTH_FRAMES = 8, 3.0
"""Spacing of the frames whose gain is measured, and the low-pass on the measured gains."""
GAIN_RANGE = (0.8, 1.25)


class OpeningKind(IntEnum):
    """Ways to open the mouth, each with its own table."""

    WIDE = 0
    ROUND = 1
    TEETH = 2


COMPANION_SHAPES = {
    OpeningKind.WIDE: None,
    OpeningKind.ROUND: Shape.ROUND,
    OpeningKind.TEETH: Shape.TEETH,
}
"""Shape that is drawn at 1 along with each kind of opening."""


class FaceRuler(Protocol):
    """A face mesh that measures pictures, such as `warm.face.attention_mesh.AttentionMesh`."""

    def track(self, picture: Pixels, points: Floats32) -> Mesh:
        """Return the landmarks of the face that is near `points` (468, 3)."""
        ...


class MouthRenderer(Protocol):
    """A painted or learned mouth."""

    def draw_in_frame(self, frame: int, mouth_shape: Floats32) -> Pixels:
        """Return the whole frame (h, w, 3) with the mouth in a shape (7,)."""
        ...

    def drawn_lips(self, frame: int, mouth_shape: Floats32) -> Floats32:
        """(2, k, 2) the inner edges of the lips that it draws, frame pixels."""
        ...


def identity_tables() -> NDArray[np.float32]:
    """(3, LEVELS) tables that change nothing."""
    return np.tile(np.linspace(0, 1, LEVELS, dtype=np.float32), (len(OpeningKind), 1))


def calibrate(mouth: MouthRenderer, landmarks: Floats32, ruler: FaceRuler) -> NDArray[np.float32]:
    """(3, LEVELS) opening to draw at OPEN = 0…1 so that it looks OPEN * FULL_GAP_IOD wide.

    `mouth` must use the identity tables. Landmarks are (n, 468, 3).
    """
    frames = np.unique(np.linspace(0, len(landmarks) - 1, SAMPLED_FRAMES).astype(int))
    return np.stack(
        [calibrate_kind(mouth, landmarks, ruler, frames, kind) for kind in OpeningKind]
    ).astype(np.float32)


def calibrate_kind(
    mouth: MouthRenderer,
    landmarks: Floats32,
    ruler: FaceRuler,
    frames: NDArray[np.int_],
    kind: OpeningKind,
) -> Floats:
    """(LEVELS,) table of one kind of opening, from the medians over some frames."""
    shapes = [shape_of(kind, float(opening)) for opening in DRAWN_OPENINGS]
    drawn = [[drawn_gap(mouth, landmarks, int(f), shape) for f in frames] for shape in shapes]
    read = [[read_gap(mouth, landmarks, int(f), shape, ruler) for f in frames] for shape in shapes]
    return table_of(np.median(drawn, axis=1), np.median(read, axis=1))


def limited(tables: NDArray[np.float32], widest: float) -> NDArray[np.float32]:
    """Return tables that draw OPEN = 1 like `widest`, at most 1; small openings are unchanged.

    Above a knee the slope decreases, down to LAST_SLOPE of the original one at OPEN = 1.
    """
    levels = np.linspace(0, 1, LEVELS)
    missing = max(1 - widest, 1e-6)
    bend = min(2 * missing / (1 - LAST_SLOPE), 1.0)
    shown = levels - missing * (np.maximum(levels - (1 - bend), 0) / bend) ** 2
    return np.stack([np.interp(shown, levels, table) for table in tables]).astype(np.float32)


def frame_gains(
    mouth: MouthRenderer, landmarks: Floats32, ruler: FaceRuler, loop: Loop
) -> NDArray[np.float32]:
    """(n,) factor of an opening on each frame: a nod hides a part of the gap.

    Measured at half an opening on every GAIN_STEP-th frame; `mouth` must use the avatar's tables.
    """
    steady = steady_gaps(mouth, landmarks, ruler, loop)
    return gains_of(steady, float(np.median(steady)))


def steady_gaps(mouth: MouthRenderer, landmarks: Floats32, ruler: FaceRuler, loop: Loop) -> Floats:
    """(n,) gap that half an opening seems to have on each frame, IOD."""
    frames = np.unique(np.append(np.arange(0, len(landmarks), GAIN_STEP), len(landmarks) - 1))
    gaps = np.interp(np.arange(len(landmarks)), frames, half_gaps(mouth, landmarks, frames, ruler))
    return smooth_along_loop(gaps, loop, GAIN_SMOOTH_FRAMES)


def half_gaps(
    mouth: MouthRenderer, landmarks: Floats32, frames: NDArray[np.int_], ruler: FaceRuler
) -> Floats:
    """(k,) gap that half an opening seems to have on each of (k,) frames, IOD."""
    half = shape_of(OpeningKind.WIDE, 0.5)
    drawn = np.array([drawn_gap(mouth, landmarks, int(f), half) for f in frames])
    read = np.array([read_gap(mouth, landmarks, int(f), half, ruler) for f in frames])
    return plausible_gaps(drawn, read)


def gains_of(steady: Floats, usual: float) -> NDArray[np.float32]:
    """(n,) factors of an opening that make its gap the usual one on each frame."""
    least, most = GAIN_RANGE
    return np.clip(usual / np.maximum(steady, 1e-6), least, most).astype(np.float32)


def shape_of(kind: OpeningKind, opening: float) -> Floats32:
    """(7,) mouth shape of an opening of one kind."""
    mouth_shape = np.zeros(len(Shape), np.float32)
    mouth_shape[Shape.OPEN] = opening
    if (companion := COMPANION_SHAPES[kind]) is not None:
        mouth_shape[companion] = 1.0
    return mouth_shape


def read_gap(
    mouth: MouthRenderer, landmarks: Floats32, frame: int, shape: Floats32, ruler: FaceRuler
) -> float:
    """Return the gap of a drawn mouth in IOD, as the mesh reads it."""
    picture = mouth.draw_in_frame(frame, shape)
    return float(lip_gap(ruler.track(picture, landmarks[frame]).points))


def drawn_gap(mouth: MouthRenderer, landmarks: Floats32, frame: int, shape: Floats32) -> float:
    """Return the mean gap between the drawn edges in the middle of the lips, in IOD."""
    lips = mouth.drawn_lips(frame, shape)
    count = lips.shape[1]
    middle = slice(round(MIDDLE_FROM * count), round((1 - MIDDLE_FROM) * count))
    down, iod = down_and_iod(landmarks[frame])
    return float(((lips[1] - lips[0])[middle] @ down).mean() / iod)


def table_of(drawn: Floats, read: Floats) -> Floats:
    """(LEVELS,) openings that look OPEN * FULL_GAP_IOD wide, for OPEN = 0…1.

    `drawn` and `read` (len(DRAWN_OPENINGS),) are the gaps of the lips' edges and those that the
    mesh reads, in IOD. For any readings, the table starts at 0 and always rises.
    """
    levels = np.linspace(0.0, 1.0, LEVELS)
    targets = levels * FULL_GAP_IOD
    readable = np.clip(np.nan_to_num(read), 0.0, 1.0)
    table = np.interp(targets, apparent_gaps(drawn, readable), DRAWN_OPENINGS)
    table = np.minimum(table, DRAWN_OPENINGS[-1] - LEAST_SLOPE * (1 - levels))
    slope = np.polyfit(targets, np.interp(table, DRAWN_OPENINGS, readable), 1)[0]
    return np.asarray(table * np.clip(READ_SLOPE / max(slope, READ_SLOPE), LEAST_SCALE, 1.0))


def apparent_gaps(drawn: Floats, read: Floats) -> Floats:
    """(len(DRAWN_OPENINGS),) gap that each opening seems to have, in IOD; from 0, always rising.

    The gap that the mesh reads between closed lips is subtracted.
    """
    nominal = DRAWN_OPENINGS * FULL_GAP_IOD
    low, high = (factor * nominal for factor in NOMINAL_RANGE)
    known = np.clip(np.where(np.isfinite(drawn), drawn, nominal), low, high)
    apparent = plausible_gaps(known, read - read[0])
    apparent[0] = 0.0
    for k in range(1, len(nominal)):
        least = LEAST_SLOPE * (nominal[k] - nominal[k - 1])
        apparent[k] = max(apparent[k], apparent[k - 1] + least)
    return apparent


def plausible_gaps(drawn: Floats, read: Floats) -> Floats:
    """Return drawn gaps, corrected by the mesh's readings within the limits of plausibility."""
    known = np.maximum(drawn, 1e-6)
    ratio = np.clip(read / known, 1 / MAX_DISAGREEMENT, MAX_DISAGREEMENT)
    return np.asarray(known * ratio**READING_WEIGHT)
