"""The arrays of a learned mouth, as preparation stores them with an avatar."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warm.engines.viseme.anatomy import Floats, Floats32


@dataclass(frozen=True, slots=True, eq=False)
class RegressionData:
    """See `regression.Regression`."""

    centres: Floats32
    weights: Floats32
    limits: Floats32


@dataclass(frozen=True, slots=True, eq=False)
class ShapeData:
    """See `shape_model.ShapeModel`; k: modes."""

    grid: Floats32
    """(2, 1 + k, NODES, NODES, 2) mean and modes of the opening, see `footage.Opening`."""
    lip_line: Floats32
    """(2, 1 + k, LIP_LINE_POINTS, 2) the same along the lip line."""
    regression: RegressionData
    deviations: Floats32
    """(k,) standard deviation of each mode's weight."""
    edges: Floats
    """(4, 2) see `shape_model.fit_edges`."""


@dataclass(frozen=True, slots=True, eq=False)
class TextureData:
    """One texture: its low frequencies by regression, the high ones from trained frames.

    j: modes, d: frames whose detail is kept.
    """

    atlas: Floats
    """(5,), see `Atlas.as_array`."""
    coarse: Floats32
    """(1 + j, …, …, 3) mean and modes, BGR 0…255, at a lower resolution than the atlas'."""
    regression: RegressionData
    detail: NDArray[np.int8]
    """(d, h, w, 3) grey levels."""
    detail_centres: Floats32
    """(d, 6) scaled inputs of the frames."""


@dataclass(frozen=True, slots=True, eq=False)
class DriveData:
    """See `drive.Drive`."""

    full_gap: Floats
    """() gap at an opening of 1, IOD."""
    width_curve: Floats
    """(3,) width of the mouth as a polynomial of its gap."""
    thickness_curve: Floats
    """(4, 2) thickness of both lips as a linear function of 1, gap, gap² and width."""
    numbers: Floats
    """(m, 4) of the trained frames."""


@dataclass(frozen=True, slots=True, eq=False)
class LearnedData:
    """Everything that drawing a learned mouth needs in addition to the painted mouth's arrays.

    n: frames of the avatar.
    """

    shape: ShapeData
    drive: DriveData
    input_mean: Floats32
    input_scale: Floats32
    """(6,) see `regression.Scaling`."""
    lips: TextureData
    """Change of the closed lips' picture as they open."""
    inside: TextureData
    """Picture of the inside, between the lips."""
    inside_shift: Floats32
    """(7, 2) see `alignment.Alignment`."""
    light: Floats32
    """(n, 3) light on the lips, relative."""
    turns_deg: Floats32
    """(n, 2) turn of the head in the avatar's frames."""
    trust: Floats32
    """(n,) 0…1, see `gate.pose_trust`."""
