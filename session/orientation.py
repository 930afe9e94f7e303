"""Orientation of decoded pictures: the eight rotations and reflections of a display matrix.

A display matrix ((a, b), (c, d)) shows the pixel (x, y) at (a x + c y, b x + d y), y pointing down
(ISO/IEC 14496-12, section 6.2.2). FFmpeg attaches it to decoded pictures, whether it comes from
an MP4's track header, a Matroska projection, an H.264 or HEVC SEI or a JPEG's EXIF.
"""

import struct
from dataclasses import dataclass
from fractions import Fraction
from math import radians, tan
from typing import Any

import numpy as np
from av import VideoFrame
from av.filter import Graph
from av.sidedata.sidedata import Type
from numpy.typing import NDArray

_ONE = 1 << 16
"""Matrix entries are 16.16 fixed-point numbers."""
_TOLERANCE = tan(radians(1))
"""Angles within one degree of a right angle count as right angles, as in FFmpeg."""
_SIDE_DATA_TYPES = 64
"""More types than FFmpeg has; those unknown to PyAV must be removed too."""
_NAMES = {
    (False, False, False): "as stored",
    (False, True, False): "mirrored left to right",
    (False, False, True): "mirrored top to bottom",
    (False, True, True): "turned by 180°",
    (True, False, False): "mirrored along the diagonal from the top left",
    (True, True, False): "turned by 90° clockwise",
    (True, False, True): "turned by 90° counter-clockwise",
    (True, True, True): "mirrored along the diagonal from the top right",
}
"""By (is_transposed, flips_x, flips_y)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Orientation:
    """Transformation from stored to upright pictures: transpose first, then flip."""

    is_transposed: bool = False
    flips_x: bool = False
    """Swap left and right."""
    flips_y: bool = False
    """Swap top and bottom."""
    inexact: tuple[int, int, int, int] | None = None
    """(a, b, c, d), 16.16, of a matrix that is none of the eight; the nearest is used instead."""

    def __str__(self) -> str:
        name = _NAMES[self.is_transposed, self.flips_x, self.flips_y]
        return name if self.inexact is None else f"{name} (matrix {_format_matrix(self.inexact)})"

    @property
    def note(self) -> str:
        """Message for the user about an approximated matrix; empty for an exact one."""
        if self.inexact is None:
            return ""
        nearest = _NAMES[self.is_transposed, self.flips_x, self.flips_y]
        return (
            f"The display matrix {_format_matrix(self.inexact)} is not a right-angled turn or"
            f" mirror; the pictures are used {nearest}."
        )

    def applied(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return an upright view of a stored (h, w, …) picture."""
        turned = picture.swapaxes(0, 1) if self.is_transposed else picture
        return turned[:: -1 if self.flips_y else 1, :: -1 if self.flips_x else 1]

    def swapped(self, size: tuple[int, int]) -> tuple[int, int]:
        """Convert a stored (width, height) to the displayed one, or back."""
        return size[::-1] if self.is_transposed else size


AS_STORED = Orientation()


def orientation_of(matrix: bytes) -> Orientation:
    """Return the orientation of a display matrix: nine native 32-bit integers, as in FFmpeg.

    The scale is ignored, since FFmpeg reports it as the pixel aspect ratio. A singular matrix,
    which would show nothing, leaves the pictures as stored.
    """
    a, b, _, c, d, _, _, _, _ = struct.unpack("=9i", matrix)
    if a * d == b * c:
        return Orientation(inexact=(a, b, c, d))
    is_transposed = abs(a * d) < abs(b * c)
    (x, off_x), (y, off_y) = ((b, a), (c, d)) if is_transposed else ((a, b), (d, c))
    is_exact = abs(off_x) <= _TOLERANCE * abs(x) and abs(off_y) <= _TOLERANCE * abs(y)
    return Orientation(
        is_transposed=is_transposed,
        flips_x=(c if is_transposed else a) < 0,
        flips_y=(b if is_transposed else d) < 0,
        inexact=None if is_exact else (a, b, c, d),
    )


class OrientationReader:
    """Reads the orientation of decoded frames. Not thread-safe.

    PyAV's `frame.side_data` cannot be used directly: it raises ValueError for side data of an
    unknown type (EXIF), and frees the names of ICC profiles twice, which crashes the process.
    FFmpeg's `sidedata` filters remove everything but the matrix first.
    """

    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._format: tuple[int, int, str] | None = None

    def read(self, frame: VideoFrame) -> Orientation:
        """Return the orientation of one frame."""
        graph_format = frame.width, frame.height, frame.format.name
        if self._graph is None or self._format != graph_format:
            self._graph, self._format = _matrix_filter(frame), graph_format
        self._graph.push(frame)
        passed = self._graph.pull()
        assert passed is not None
        side_data: Any = passed.side_data  # the stub only has motion vectors
        return orientation_of(bytes(side_data[0])) if len(side_data) else AS_STORED


def _matrix_filter(like: VideoFrame) -> Graph:
    """Build a filter graph that removes all side data except the display matrix."""
    graph = Graph()
    source = graph.add_buffer(
        width=like.width, height=like.height, format=like.format, time_base=Fraction(1, 1000)
    )
    removed = set(range(_SIDE_DATA_TYPES)) - {Type.DISPLAYMATRIX.value}
    filters = [graph.add("sidedata", f"mode=delete:type={number}") for number in removed]
    graph.link_nodes(source, *filters, graph.add("buffersink")).configure()
    return graph


def _format_matrix(matrix: tuple[int, int, int, int]) -> str:
    a, b, c, d = (f"{value / _ONE:.4g}" for value in matrix)
    return f"(({a}, {b}), ({c}, {d}))"
