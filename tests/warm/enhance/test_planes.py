"""Tests of crops of decoded frames, and of adding detail to them."""

import av
import numpy as np
import pytest

from tests.warm.portraits import portrait
from warm.enhance.film_reader import lines_of
from warm.enhance.planes import FULL_RANGE, IDENTITY, Colours, Planes

LIMITED, BT709, BT601 = 1, 1, 5
PLACE = np.array([[0.71, 0.05, 120.3], [-0.05, 0.71, 90.6]])


def planes_of(colours: Colours) -> tuple[Planes, np.ndarray]:
    """The portrait as planes, and the picture that FFmpeg decodes from them."""
    frame = av.VideoFrame.from_ndarray(portrait(), format="bgr24").reformat(
        format="yuv420p", dst_colorspace=colours.matrix, dst_color_range=colours.range
    )
    planes = Planes(*(lines_of(plane).copy() for plane in frame.planes))
    return planes, frame.to_ndarray(format="bgr24")


@pytest.mark.parametrize("colours", [Colours(BT709, LIMITED), Colours(BT601, FULL_RANGE)])
def test_a_crop_has_the_colours_that_the_frame_states(colours: Colours) -> None:
    planes, decoded = planes_of(colours)
    crop = planes.crop(np.array([[1.0, 0, 200], [0, 1.0, 150]]), 128, colours)
    assert np.abs(crop.astype(int) - decoded[150:278, 200:328]).mean() < 2.5


@pytest.mark.parametrize("colours", [Colours(BT709, LIMITED), Colours(BT601, FULL_RANGE)])
def test_detail_changes_the_crop_by_what_it_says_and_nothing_else(colours: Colours) -> None:
    planes, _ = planes_of(colours)
    size = 256
    before = planes.crop(PLACE, size, colours)
    detail = np.zeros((size, size, 3), np.float32)
    change = np.array([12.0, -6.0, 9.0], np.float32)
    detail[64:192, 64:192] = colours.to_yuv() @ change
    changed = planes.copy()
    changed.add(detail, PLACE)
    after = changed.crop(PLACE, size, colours).astype(int) - before
    middle = after[90:166, 90:166].reshape(-1, 3)
    assert np.abs(np.median(middle, axis=0) - change).max() <= 1.5
    assert np.abs(after[:40]).max() <= 3
    assert (changed.luma[:60] == planes.luma[:60]).all()


def test_a_crop_outside_the_frame_changes_nothing() -> None:
    planes, _ = planes_of(Colours(BT601, LIMITED))
    changed = planes.copy()
    changed.add(np.full((64, 64, 3), 40, np.float32), np.array([[1.0, 0, 9000], [0, 1.0, 0]]))
    assert (changed.luma == planes.luma).all()


def test_photos_keep_their_full_colour_resolution() -> None:
    picture = portrait()
    blue, green, red = (np.ascontiguousarray(picture[..., c]) for c in range(3))
    planes = Planes(blue, green, red, step=1)
    colours = Colours(IDENTITY, FULL_RANGE)
    crop = planes.crop(np.array([[1.0, 0, 200], [0, 1.0, 150]]), 64, colours)
    assert (crop == picture[150:214, 200:264]).all()


def test_frames_with_odd_sides_get_one_more_row_or_column() -> None:
    planes = Planes.unpacked(np.arange(7 * 5 + 2 * 4 * 3, dtype=np.uint8), 7, 5)
    assert planes.padded_to_even().size == (8, 6)
    assert (planes.padded_to_even().luma[:5, 7] == planes.luma[:, 6]).all()
