"""Footage in the reference: the movement and the appearance of each filmed frame."""

from dataclasses import dataclass

import cv2
import numpy as np

from stabilizers.interpolation import smoothstep
from stabilizers.similarity import apply, compose, invert
from warm.avatars.filmed_mouth import FilmedMouth
from warm.engines.viseme.anatomy import (
    LOWER_OUTER,
    UPPER_OUTER,
    Anatomy,
    Floats,
    Floats32,
    Pixels,
    smooth_along_loop,
)
from warm.engines.viseme.displacement_fields import Region, merge_outside_mouth
from warm.engines.viseme.learned.atlas import Atlas
from warm.engines.viseme.learned.lip_moves import LipMoves
from warm.engines.viseme.learned.lip_tracking import LipTracks

NODES = 65
"""Nodes per side of the grid of an opening."""
WINDOW_FROM, WINDOW_TO = 1.25, 1.9
"""Radii of the ellipses around the closed lips between which the lips' residual fades out."""
RIM_FROM, RIM_TO = 1.3, 2.0
"""Radii between which the skin's light is measured."""
CLEAR_IOD, CLEAR_FROM_IOD = 0.018, 0.1
"""Pixels of the lips nearer to their line than this are not learned; and the distance from the
corners at which the limit has its full value."""
LIGHT_SMOOTH_FRAMES, LIGHT_RANGE = 1.5, (0.85, 1.15)


@dataclass(frozen=True, slots=True, eq=False)
class Opening:
    """The move from the closed to the filmed face of one frame, IOD."""

    grid: Floats32
    """(2, NODES, NODES, 2) of the upper and the lower layer over the region."""
    lip_line: Floats32
    """(2, LIP_LINE_POINTS, 2) the same along the lip line."""


class Footage:
    """The filmed frames of one avatar, mapped to its reference."""

    def __init__(
        self, anatomy: Anatomy, closed: Pixels, filmed: FilmedMouth, lips: LipTracks
    ) -> None:
        """`closed`: (n, h, w, 3) the avatar's frames."""
        self.anatomy, self._closed, self._filmed = anatomy, closed, filmed
        self.region = Region.of(anatomy)
        targets = np.concatenate([self.region.nodes(NODES), anatomy.lip_line])
        self._targets, self._window = targets, self.region.window(targets)[:, None]
        self._lip_moves = LipMoves(anatomy, lips, targets)

    def opening(self, i: int) -> Opening:
        """Return the move of frame `i`."""
        nodes, count = self._lip_moves.nodes, len(self._targets)
        warp = self._moves(i, np.concatenate([self._targets, *nodes]))
        at_nodes = np.split(warp[:, count:], [len(nodes[0])], axis=1)
        layers = [
            (warp[k, :count] + self._lip_moves.spread(k, i, at_nodes[k][k])) * self._window
            for k in (0, 1)
        ]
        layers[1] = merge_outside_mouth(layers[0], layers[1], self._targets, self.anatomy)
        both = np.stack(layers).astype(np.float32)
        grid, line = np.split(both, [NODES * NODES], axis=1)
        return Opening(grid.reshape(2, NODES, NODES, 2), line)

    def lips(self, i: int, opening: Opening, atlas: Atlas) -> Floats32:
        """(h, w, 3) frame `i` with its mouth closed by the warp alone, minus the avatar's frame."""
        nodes = atlas.nodes()
        line = np.interp(nodes[..., 0], *self.anatomy.lip_line.T).astype(np.float32)
        below = nodes[..., 1] > line
        # Next to the line a frame may show teeth; the lip is continued instead.
        ends = self.anatomy.lip_line[[0, -1], 0]
        depth = np.minimum(nodes[..., 0] - ends[0], ends[1] - nodes[..., 0])
        clear = CLEAR_IOD * smoothstep(depth / CLEAR_FROM_IOD).astype(np.float32)
        away = np.maximum(np.abs(nodes[..., 1] - line), clear)
        nodes[..., 1] = line + np.where(below, away, -away)
        to_grid = invert(self.region.grid_to_reference(NODES))
        at = apply(to_grid, nodes.reshape(-1, 2)).reshape(nodes.shape).astype(np.float32)
        upper, lower = (
            cv2.remap(layer, at, np.empty(0), cv2.INTER_LINEAR) for layer in opening.grid
        )
        moved = nodes + np.where(below[..., None], lower, upper)
        to_frame = self.anatomy.to_frame[i]
        filmed = sample(self._filmed.frames[i], in_frame(to_frame, moved))
        return filmed - sample(self._closed[i], in_frame(to_frame, nodes))

    def inside(self, i: int, atlas: Atlas) -> Floats32:
        """(h, w, 3) frame `i` as filmed, fixed to the skull."""
        matrix = compose(self.anatomy.to_frame[i], atlas.to_reference)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        picture = cv2.warpAffine(
            self._filmed.frames[i], matrix, atlas.size, flags=flags, borderMode=cv2.BORDER_REPLICATE
        )
        return picture.astype(np.float32)

    def light(self, atlas: Atlas) -> Floats32:
        """(n, 3) light on the skin around the lips of each frame, relative to the median frame."""
        level = light_levels(self.anatomy, self._closed, atlas)
        return relative_light(level, np.median(level, axis=0))

    def _moves(self, i: int, points: Floats) -> Floats:
        """(2, k, 2) moves of points (k, 2) of both layers by the warp that closed frame `i`."""
        to_frame = self.anatomy.to_frame[i]
        to_grid = compose(
            invert(compose(self._filmed.to_frame[i], self._filmed.grid_to_layout)), to_frame
        )
        at = apply(to_grid, points).astype(np.float32)[None]
        field = cv2.remap(
            self._filmed.opening_field(i), at, np.empty(0), cv2.INTER_LINEAR, borderValue=0
        )[0]
        inverse = np.linalg.inv(to_frame[:, :2]).T
        return np.stack([field[:, :2] @ inverse, field[:, 2:] @ inverse])


def light_levels(anatomy: Anatomy, closed: Pixels, atlas: Atlas) -> Floats:
    """(n, 3) light on the skin around the closed lips of each frame, grey levels."""
    radius = lip_radius(anatomy, atlas.nodes())
    rim = (radius > RIM_FROM) & (radius < RIM_TO)
    means = []
    for picture, to_frame in zip(closed, anatomy.to_frame, strict=True):
        points = apply(to_frame, atlas.nodes()[rim][::5].astype(np.float64))
        means.append(sample(picture, points[None])[0].mean(axis=0))
    return smooth_along_loop(np.array(means), "pingpong", LIGHT_SMOOTH_FRAMES)


def relative_light(level: Floats, usual: Floats) -> Floats32:
    """(n, 3) light relative to the usual (3,), within limits."""
    return np.clip(level / usual, *LIGHT_RANGE).astype(np.float32)


def in_frame(to_frame: Floats, points: Floats32) -> Floats:
    """(h, w, 2) frame pixels of reference points (h, w, 2)."""
    return apply(to_frame, points.reshape(-1, 2).astype(np.float64)).reshape(points.shape)


def sample(picture: Pixels, points: Floats) -> Floats32:
    """(h, w, 3) a picture at frame pixels (h, w, 2)."""
    at = points.astype(np.float32)
    read = cv2.remap(picture, at, np.empty(0), cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(read, np.float32)


def lip_radius(anatomy: Anatomy, points: Floats32) -> Floats:
    """(…) 1 on the ellipse around the closed lips."""
    lips = anatomy.points[np.concatenate([UPPER_OUTER, LOWER_OUTER])]
    low, high = lips.min(axis=0), lips.max(axis=0)
    return np.asarray(np.linalg.norm((points - (low + high) / 2) / ((high - low) / 2), axis=-1))


def lips_window(anatomy: Anatomy, atlas: Atlas) -> Floats32:
    """(h, w) 1 on the lips, 0 at the atlas' border."""
    nodes = atlas.nodes()
    fade = (WINDOW_TO - lip_radius(anatomy, nodes)) / (WINDOW_TO - WINDOW_FROM)
    corner = nodes[-1, -1] - nodes[0, 0]
    edge = np.minimum(nodes - nodes[0, 0], corner - (nodes - nodes[0, 0])).min(axis=-1)
    return (smoothstep(fade) * smoothstep(edge / 0.05)).astype(np.float32)
