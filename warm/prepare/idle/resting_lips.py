"""Picture of one person's closed lips, blended into every frame of a clip.

It lies in the layout of the resting face. Its light, the low spatial frequencies, is a mean of
several closed frames, weighted by nearness in pose, so that it follows the head without a switch.
Its details, the high ones, are those of the sharpest closed frame: a mean would lose hairs,
wrinkles and the line between the lips. They are toned down where they exceed those of most frames
in focus.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from stabilizers.interpolation import pixel_grid, sample_at, smoothstep
from stabilizers.similarity import apply, compose, invert, scale_of
from warm.avatars.avatar import CANONICAL_IOD
from warm.prepare.idle.closing_warp import Box, ClosingWarp, FrameWarp, below_lip_line, lip_radius
from warm.prepare.idle.lower_face import CHIN, LIPS, lip_line
from warm.prepare.idle.references import choose_references, reference_weights
from warm.prepare.idle.resting_face import RestingFace

SIDE_IOD, ABOVE_IOD, BELOW_IOD = 0.5, 0.4, 0.15
"""Reach of a sheet beyond the mouth's corners, above the lips and below the chin."""
COARSE_SCALE = 1.2
"""Sheet pixels per crop pixel at which closed frames are compared."""
OVERSAMPLING, MIN_SCALE, MAX_SCALE = 1.6, 1.2, 6.0
"""Sheet pixels of the details per frame pixel, so that resampling does not blur them; limits of
their sheet pixels per crop pixel."""
LIGHT_SCALE = 0.5
"""Sheet pixels per crop pixel of the light."""
LIGHT_SIGMA_IOD = 0.1
"""Standard deviation of the low-pass filter that separates the light from the details."""
LIGHT_FLOOR = 8.0
"""Added to the light before details are divided by it, so that noise in shadows counts less."""
MAX_OFFSET_IOD, OFFSET_SIGMA_IOD = 0.06, 0.08
"""Limit and smoothness of the correction of the sharpest frame's shape."""
LINE_REACH_IOD, LINE_SIDE_IOD = 0.045, 0.04
"""Reach of the search for the line around the mesh's; distance at which the lips are brighter."""
LINE_STEP_IOD, LINE_COLUMNS = 0.005, 61
LINE_PERCENTILE = 30
"""The contrast of a line is that of its weaker parts: gaps and teeth have dark parts only."""
CLEAR_CONTRAST = 0.15
"""Contrast of a line that is clearly seen; more of it hardly makes a frame better."""
BAND_SIGMAS_IOD = (0.02, 0.045)
"""Standard deviations of the low-pass filters that divide the details into two bands."""
ENERGY_SIGMA_IOD = 0.05
"""Reach of the mean of the details' energy."""
IN_FOCUS = 0.75
"""A frame with this share of the sharpest one's fine details is in focus as well."""
FINE_SIGMA_IOD, MAX_FOCUS = 0.02, 1.5
"""Standard deviation of the low-pass filter that leaves fine details; a frame with this many times
the usual details is in focus, one with more is noisy."""
TURN_WIDTH_DEG = 12.0
"""A frame turned this much from the clip's median has 0.6 of the score of one that is not."""
ODD_WIDTH = 2.5
"""The same for a frame whose light differs from the median by this multiple of the usual."""

GAP_WIDTH_IOD, CLOSED_PERCENTILE = 0.02, 10
"""The same for a gap this much wider than this percentile: its line may be an opening."""

NEVER_CLOSED_IOD = 0.06
"""The mesh reads closed lips at most this far apart."""
GAP_LEFT, TEETH_LEFT_IOD = 0.3, 0.035
"""The closing warp may leave teeth near the line: within this share of the gap plus this."""
LINE_IOD, LINE_DEPTH = 0.013, np.array([0.52, 0.52, 0.36])
"""Half width of a painted line between the lips, and its darkness in BGR: it is brownish."""

Picture = NDArray[np.float32]
WarpOf = Callable[[int], FrameWarp]


class Sheet:
    """Pixels of the layout around the closed lips."""

    def __init__(self, layout: NDArray[np.float64], scale: float) -> None:
        """`scale`: pixels per crop pixel."""
        lips = layout[list(LIPS)]
        reach = CANONICAL_IOD * np.array([SIDE_IOD, ABOVE_IOD])
        low, high = lips.min(axis=0) - reach, lips.max(axis=0) + reach
        high[1] = layout[list(CHIN), 1].max() + BELOW_IOD * CANONICAL_IOD
        width, height = np.ceil((high - low) * scale).astype(int).tolist()
        self.box: Box = (0, 0, width, height)
        self.from_layout = scale * np.column_stack([np.eye(2), -low])
        """(2, 3) layout to pixels."""
        self.iod_px = scale * CANONICAL_IOD

    def moved(self, picture: Picture, offset: Picture) -> Picture:
        """Return an (h, w, 3) picture, read at an offset (h', w', 2) in pixels."""
        points = pixel_grid(*self.box) + cv2.resize(offset, self.box[2:])
        return np.asarray(sample_at(picture, points, cv2.INTER_CUBIC))

    def light(self, picture: Picture) -> Picture:
        """Return the low frequencies of an (h, w, 3) picture, sampled at LIGHT_SCALE."""
        shrink = LIGHT_SCALE * CANONICAL_IOD / self.iod_px
        size = [max(1, round(side * shrink)) for side in picture.shape[1::-1]]
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        sigma = LIGHT_SIGMA_IOD * CANONICAL_IOD * LIGHT_SCALE
        blurred = cv2.GaussianBlur(small, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
        return np.asarray(blurred + LIGHT_FLOOR, np.float32)


class RestingLips:
    """Closed lips of one person in the light of any frame. Immutable, hence thread-safe."""

    def __init__(
        self,
        frames: NDArray[np.uint8],
        face: RestingFace,
        gaps: NDArray[np.float64],
        closing_warp: ClosingWarp,
        warp_of: WarpOf,
    ) -> None:
        """frames: (n, h, w, 3); gaps: (n,) IOD; warp_of: the warp that closes a frame's mouth."""
        coarse = Sheet(face.layout, COARSE_SCALE)
        shown = closed_pictures(frames, face.closed, coarse, closing_warp, warp_of)
        gap = float(np.median(gaps[face.closed]))
        if gap > NEVER_CLOSED_IOD:
            shown = np.stack([with_painted_line(one, face.layout, gap, coarse) for one in shown])
        references = choose_references(face.turns_deg, face.closed)
        rows = [int(np.flatnonzero(face.closed == i)[0]) for i in references]
        self.weights = reference_weights(face.turns_deg, references)
        """(n, r) weight of each reference in the light of the lips of each frame."""
        self._lights = np.stack([coarse.light(shown[row]) for row in rows])
        sharpest = find_sharpest(shown, face, gaps[face.closed], coarse)
        self.sharpest = int(face.closed[sharpest])
        """The frame that the details are from."""
        wanted = OVERSAMPLING * float(np.median(scale_of(closing_warp.to_frame)))
        self._sheet = Sheet(face.layout, float(np.clip(wanted, MIN_SCALE, MAX_SCALE)))
        (picture,) = closed_pictures(frames, [self.sharpest], self._sheet, closing_warp, warp_of)
        offset = offset_from(np.median(shown, axis=0), shown[sharpest], coarse)
        picture = self._sheet.moved(picture, offset * self._sheet.iod_px / coarse.iod_px)
        if gap > NEVER_CLOSED_IOD:
            picture = with_painted_line(picture, face.layout, gap, self._sheet)
        details = (picture + LIGHT_FLOOR) / self._enlarged(self._sheet.light(picture))
        usual = usual_energy(in_focus(shown, sharpest, coarse), coarse)
        self._details = toned_down(details, self._sheet, usual)

    def picture(self, i: int, to_frame: NDArray[np.float64], box: Box) -> Picture:
        """Return the lips, (h, w, 3), at a box of frame `i`; to_frame: (2, 3) from the layout."""
        light = np.tensordot(self.weights[i].astype(np.float32), self._lights, axes=1)
        lips = self._enlarged(light) * self._details - LIGHT_FLOOR
        x0, y0, x1, y1 = box
        matrix = compose(to_frame, invert(self._sheet.from_layout)) - [[0, 0, x0], [0, 0, y0]]
        size, border = (x1 - x0, y1 - y0), cv2.BORDER_REPLICATE
        return np.asarray(
            cv2.warpAffine(lips, matrix, size, flags=cv2.INTER_CUBIC, borderMode=border)
        )

    def _enlarged(self, light: Picture) -> Picture:
        """Return a light at the pixels of the details."""
        return np.asarray(cv2.resize(light, self._sheet.box[2:], interpolation=cv2.INTER_CUBIC))


def in_focus(pictures: Picture, sharpest: int, sheet: Sheet) -> Picture:
    """Return those of the (k, h, w, 3) pictures that are about as much in focus as the sharpest."""
    details = np.array([fine_detail(picture, sheet) for picture in pictures])
    return np.asarray(pictures[details >= IN_FOCUS * details[sharpest]])


def usual_energy(pictures: Picture, sheet: Sheet) -> list[Picture]:
    """Return for each band the usual local energy (h, w) of (k, h, w, 3) pictures."""
    size = sheet.box[2:]
    energies = []
    for picture in pictures:
        light = cv2.resize(sheet.light(picture), size, interpolation=cv2.INTER_CUBIC)
        details = (picture + LIGHT_FLOOR) / light
        energies.append([local_energy(band, sheet) for band in bands_of(details, sheet)])
    bands = zip(*energies, strict=True)
    return [np.asarray(np.median(band, axis=0), np.float32) for band in bands]


def toned_down(details: Picture, sheet: Sheet, usual: Sequence[Picture]) -> Picture:
    """Return details (h, w, 3) with no more energy around any pixel than is usual there.

    The sharpest frame may have a line between the lips that is much darker than in others.
    """
    for band, most in zip(bands_of(details, sheet), usual, strict=True):
        limit = cv2.resize(most, sheet.box[2:], interpolation=cv2.INTER_LINEAR)
        gain = np.minimum(np.sqrt(limit / np.maximum(local_energy(band, sheet), 1e-9)), 1)
        details = details - band * (1 - gain)[..., None]
    return np.asarray(details, np.float32)


def bands_of(details: Picture, sheet: Sheet) -> list[Picture]:
    """Return the bands of details (h, w, 3), the finest first; coarser structure is left out."""
    sigmas = [sigma * sheet.iod_px for sigma in BAND_SIGMAS_IOD]
    blurred = [np.asarray(cv2.GaussianBlur(details, (0, 0), s), np.float32) for s in sigmas]
    return [np.asarray(fine - coarse) for fine, coarse in pairwise([details, *blurred])]


def local_energy(band: Picture, sheet: Sheet) -> Picture:
    """Return (h, w) the mean square of a band around each pixel."""
    square = (band**2).mean(axis=-1)
    return np.asarray(cv2.GaussianBlur(square, (0, 0), ENERGY_SIGMA_IOD * sheet.iod_px))


def closed_pictures(
    frames: NDArray[np.uint8],
    chosen: Sequence[int] | NDArray[np.intp],
    sheet: Sheet,
    closing_warp: ClosingWarp,
    warp_of: WarpOf,
) -> Picture:
    """Return (k, h, w, 3) the `chosen` frames on a sheet, with their mouths closed."""
    shown = [
        closing_warp.warp_to(sheet.from_layout, sheet.box, frames[i], warp_of(int(i)))
        for i in chosen
    ]
    return np.stack(shown).astype(np.float32)


def with_painted_line(
    picture: Picture, layout: NDArray[np.float64], gap: float, sheet: Sheet
) -> Picture:
    """Return lips (h, w, 3) that were filmed `gap` IOD apart, with a line between them.

    What shows between them is replaced by the colours of the lips above and below it.
    """
    points = apply(invert(sheet.from_layout), pixel_grid(*sheet.box))
    below = below_lip_line(layout, points)[..., None] / CANONICAL_IOD
    radius = lip_radius(layout, points)[..., None]
    half = np.float32(gap * GAP_LEFT + TEETH_LEFT_IOD)
    between = smoothstep(2 - np.abs(below) / half) * smoothstep(3 * (1.1 - radius))
    lips = (smoothstep(np.abs(below) / half - 1) * (radius < 1.2)).astype(np.float32)
    sigma = 2 * float(half) * sheet.iod_px
    near = cv2.GaussianBlur(np.concatenate([picture * lips, lips], axis=-1), (0, 0), sigma)
    colour = near[..., :3] / np.maximum(near[..., 3:], 1e-3)
    line = np.exp(-0.5 * (below / LINE_IOD) ** 2) * np.clip(2 - 2 * radius, 0, 1)
    filled = picture + between * (colour - picture)
    return np.asarray(filled * (1 - line * LINE_DEPTH), np.float32)


def find_sharpest(
    pictures: Picture, face: RestingFace, gaps: NDArray[np.float64], sheet: Sheet
) -> int:
    """Return the index of the best of (k, h, w, 3) closed frames with (k,) gaps.

    It has a dark and even line between the lips, is in focus, is seen from the usual angle,
    has colours like most, and its lips touch.
    """
    contrast = np.array([line_contrast(picture, face.layout, sheet) for picture in pictures])
    clear = (contrast + 1e-3) / (contrast + CLEAR_CONTRAST)
    details = np.array([fine_detail(picture, sheet) for picture in pictures])
    focus = np.minimum(details / max(float(np.median(details)), 1e-6), MAX_FOCUS)
    lights = np.stack([sheet.light(picture) for picture in pictures])
    odd = np.abs(lights - np.median(lights, axis=0)).mean(axis=(1, 2, 3))
    odd /= ODD_WIDTH * max(float(np.median(odd)), 1e-6)
    turns = np.linalg.norm(face.turns_deg[face.closed], axis=1) / TURN_WIDTH_DEG
    parted = np.maximum(gaps - np.percentile(gaps, CLOSED_PERCENTILE), 0) / GAP_WIDTH_IOD
    return int(np.argmax(clear * focus * np.exp(-0.5 * (turns**2 + odd**2 + parted**2))))


def fine_detail(picture: Picture, sheet: Sheet) -> float:
    """Return the usual size of the finest details around the lips, grey levels."""
    width, height = sheet.box[2:]
    middle = picture[height // 6 : -height // 3, width // 6 : -width // 6]
    grey = cv2.cvtColor(middle, cv2.COLOR_BGR2GRAY)
    fine = grey - cv2.GaussianBlur(grey, (0, 0), FINE_SIGMA_IOD * sheet.iod_px)
    return float(np.median(np.abs(fine)))


def offset_from(usual: Picture, picture: Picture, sheet: Sheet) -> Picture:
    """Return (h, w, 2) smooth offsets, pixels, from the usual closed mouth to that of a picture.

    The landmarks of a single frame have errors, those of the usual mouth hardly any.
    """
    dense = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    grey = [cv2.cvtColor(p.astype(np.uint8), cv2.COLOR_BGR2GRAY) for p in (usual, picture)]
    flow = dense.calc(grey[0], grey[1], np.zeros((*grey[0].shape, 2), np.float32))
    limit, sigma = MAX_OFFSET_IOD * sheet.iod_px, OFFSET_SIGMA_IOD * sheet.iod_px
    return np.asarray(cv2.GaussianBlur(np.clip(flow, -limit, limit), (0, 0), sigma))


def line_contrast(picture: Picture, layout: NDArray[np.float64], sheet: Sheet) -> float:
    """Return the depth of the dark line between the lips, relative to the brightness around it.

    A wide dark gap has little depth, since the points next to the darkest one are dark, too.
    """
    line = apply(sheet.from_layout, lip_line(layout))
    x = np.linspace(line[1, 0], line[-2, 0], LINE_COLUMNS)
    side, reach = (round(part / LINE_STEP_IOD) for part in (LINE_SIDE_IOD, LINE_REACH_IOD))
    steps = np.arange(-side - reach, side + reach + 1)[:, None]
    y = np.interp(x, *line.T) + LINE_STEP_IOD * sheet.iod_px * steps
    points = np.stack([np.broadcast_to(x, y.shape), y], axis=-1).astype(np.float32)
    light = sample_at(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), points)
    columns = np.arange(LINE_COLUMNS)
    darkest = side + light[side:-side].argmin(axis=0)
    lips = np.minimum(light[darkest - side, columns], light[darkest + side, columns])
    depth = np.maximum(lips - light[darkest, columns], 0)
    return float(np.percentile(depth, LINE_PERCENTILE) / max(float(light.mean()), 1.0))
