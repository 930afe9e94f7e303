"""Pictures of coloured blocks, and a check that a film shows them in place."""

from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

SIZES = [(width, height) for width in (64, 66, 68, 70) for height in (64, 66, 68, 70)]
SIZES += [(576, 722), (722, 576)]
ODD_SIZES = [(65, 66), (66, 65), (67, 69), (69, 67), (575, 721)]
FINE = 1
"""Constant quality of nearly lossless encoding."""
_BGR = np.array(
    [(35, 56, 196), (198, 89, 34), (50, 170, 64), (170, 170, 170), (35, 201, 215), (181, 69, 185)]
)
"""Colours that 8-bit limited range represents nearly exactly."""
_ROWS, _COLUMNS = 3, 2
_FLAT_PX = 6
"""H.264 rings near edges: pixels at least this far from all edges count as flat."""


def blocks(size: tuple[int, int], number: int) -> Picture:
    """Draw 3 by 2 blocks as (h, w, 3) BGR, in other colours for each `number`.

    All edges are between two pairs of pixels, where 4:2:0 represents them exactly.
    """
    return _BGR[_labels(size, number)].astype(np.uint8)


def require_blocks(path: Path, size: tuple[int, int], numbers: list[int]) -> None:
    """Assert that a film of odd or even `size` shows these blocks and nothing after them.

    Every pixel must be nearest to the colour of its own block; the mean of each flat area must be
    within 2 levels of it, and single pixels within 3, since rounding to planes costs up to 2. The
    film must be encoded at FINE: the usual quantizer costs up to 3 more.
    """
    shown = [_bgr(frame) for frame in _decoded(path)]
    assert len(shown) == len(numbers)
    for picture, number in zip(shown, numbers, strict=True):
        _require(picture, size, number)


def _require(shown: NDArray[np.float64], size: tuple[int, int], number: int) -> None:
    width, height = size
    down, right = height % 2, width % 2
    assert shown.shape == (height + down, width + right, 3)
    labels = np.pad(_labels(size, number), ((0, down), (0, right)), mode="edge")
    nearest = np.linalg.norm(shown[:, :, None] - _BGR, axis=3).argmin(axis=2)
    assert np.array_equal(nearest, labels), f"edges moved in picture {number}"
    flat = _far_from_edges(labels)
    for label, colour in enumerate(_BGR):
        off = shown[flat & (labels == label)] - colour
        assert np.abs(off.mean(axis=0)).max() <= 2, f"{colour} is off in picture {number}"
        assert np.abs(off).max() <= 3, f"{colour} is uneven in picture {number}"


def _labels(size: tuple[int, int], number: int) -> NDArray[np.intp]:
    rows, columns = _places(size[1], _ROWS), _places(size[0], _COLUMNS)
    grid = (np.arange(_ROWS * _COLUMNS) + number).reshape(_ROWS, _COLUMNS) % len(_BGR)
    return grid[rows][:, columns]


def _places(length: int, count: int) -> NDArray[np.intp]:
    """Return the block of each pixel along one side."""
    edges = [length * each // count // 2 * 2 for each in range(count)] + [length]
    return np.repeat(np.arange(count), [end - start for start, end in pairwise(edges)])


def _far_from_edges(labels: NDArray[np.intp]) -> NDArray[np.bool_]:
    around = np.ones((2 * _FLAT_PX + 1,) * 2, np.uint8)
    colours = labels.astype(np.uint8)
    return np.asarray(cv2.erode(colours, around) == cv2.dilate(colours, around))


def _decoded(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def _bgr(frame: av.VideoFrame) -> NDArray[np.float64]:
    """Convert to (h, w, 3) by the definition of ITU-R BT.601, limited range, with doubled chroma.

    Uses the planes directly, so that the test does not depend on the conversions of PyAV.
    """
    assert (frame.format.name, frame.colorspace, frame.color_range) == ("yuv420p", 6, 1)
    luma, cb, cr = (_plane(plane) for plane in frame.planes)
    luma = (luma - 16) / 219
    cb, cr = (np.kron((each - 128) / 224, np.ones((2, 2))) for each in (cb, cr))
    blue, red = luma + 1.772 * cb, luma + 1.402 * cr
    green = (luma - 0.114 * blue - 0.299 * red) / 0.587
    return np.stack([blue, green, red], axis=2) * 255


def _plane(plane: av.video.plane.VideoPlane) -> NDArray[np.float64]:
    lines = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
    return lines[:, : plane.width].astype(np.float64)
