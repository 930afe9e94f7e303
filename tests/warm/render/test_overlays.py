"""Pictures as backgrounds with rectangles have the same pixels as pictures drawn as a whole."""

import gc
import mmap
import re
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from session.overlaid_picture import OverlaidPicture
from session.planes import Planes
from tests.tiny_face import HEIGHT, WIDTH, tiny_avatar
from warm.avatars.avatar import LID_TRANSFORMS, LIDS, Avatar, Shown
from warm.engines.base import Patch
from warm.render.backgrounds import Backgrounds, MappedFrames
from warm.render.compositing import composite, own_frames
from warm.render.overlays import Compositor


@pytest.fixture
def avatar(tmp_path: Path) -> Avatar:
    """The tiny avatar with noisy frames, and lids in the upper left corner."""
    rng = np.random.default_rng(1)
    tiny = tiny_avatar(tmp_path)
    lids = rng.integers(0, 256, (2, 1, 7, 9, 4)).astype(np.uint8)
    places = np.tile(np.array([[1, 0, 3.5], [0, 1, 2.25]]), (len(tiny.frames), 1, 1, 1))
    return replace(
        tiny,
        frames=rng.integers(0, 256, tiny.frames.shape).astype(np.uint8),
        extras={**tiny.extras, LIDS: lids, LID_TRANSFORMS: places},
    )


def patch_at(left: float, top: float, size: tuple[int, int] = (20, 14)) -> Patch:
    """Noise with a soft mask."""
    width, height = size
    mask = np.zeros((height, width), np.uint8)
    mask[3:-3, 4:-3] = 255
    soft = np.asarray(cv2.blur(mask, (3, 3)), np.uint8)
    picture = np.random.default_rng(2).integers(0, 256, (height, width, 3)).astype(np.uint8)
    return Patch(picture, soft, np.array([[1, 0, left], [0, 1, top]]))


def drawn(avatar: Avatar, shown: Shown, *patches: Patch, is_poisson: bool = False) -> bool:
    """Compare a picture with the same one drawn as a whole; return True if it is overlaid."""
    mode = "poisson" if is_poisson else "feather"
    compositor = Compositor(mode=mode, subpixel=True)  # type: ignore[arg-type]
    (made,) = compositor.composite(avatar, [shown], patches)
    whole = composite(avatar, [shown], patches, mode=mode, subpixel=True)  # type: ignore[arg-type]
    assert np.array_equal(np.asarray(made), whole[0])
    return isinstance(made, OverlaidPicture)


@pytest.mark.parametrize("left", [20, 21, 20.4, WIDTH - 9, -5])
@pytest.mark.parametrize("top", [30, 31, HEIGHT - 8])
def test_a_mouth_is_the_only_rectangle_that_differs(
    avatar: Avatar, left: float, top: float
) -> None:
    assert drawn(avatar, Shown(0), patch_at(left, top))


def test_gradients_are_matched_to_the_frame(avatar: Avatar) -> None:
    assert drawn(avatar, Shown(0), patch_at(21, 31), is_poisson=True)


def test_a_mouth_outside_the_frame_changes_nothing(avatar: Avatar) -> None:
    assert drawn(avatar, Shown(0), patch_at(WIDTH + 5, 3))


def test_lids_are_further_rectangles(avatar: Avatar) -> None:
    assert drawn(avatar, Shown(0, lid=2), patch_at(31, 33))


def test_a_mouth_that_meets_the_lids_is_drawn_over_them(avatar: Avatar) -> None:
    assert not drawn(avatar, Shown(0, lid=1), patch_at(6, 4))


def test_a_glide_is_drawn_as_a_whole(avatar: Avatar) -> None:
    patches = patch_at(21, 31), patch_at(22, 30)
    assert not drawn(avatar, Shown(0, into=2, share=0.3), *patches)


def test_an_odd_edge_is_drawn_as_a_whole(avatar: Avatar) -> None:
    odd = replace(avatar, frames=np.ascontiguousarray(avatar.frames[:, :-1, :-1]))
    assert drawn(odd, Shown(0), patch_at(21, 31))
    assert not drawn(odd, Shown(0), patch_at(WIDTH - 12, HEIGHT - 8))


def test_own_frames_are_those_of_the_avatar(avatar: Avatar) -> None:
    shown = [Shown(0), Shown(1, lid=1), Shown(0, into=2, share=0.5)]
    made = Compositor(mode="feather", subpixel=True).own_frames(avatar, shown)
    for one, expected in zip(made, own_frames(avatar, shown), strict=True):
        assert np.array_equal(np.asarray(one), expected)


def test_the_backgrounds_of_an_avatar_are_kept_until_it_is_gone(avatar: Avatar) -> None:
    backgrounds = Backgrounds()
    again = replace(avatar)
    assert backgrounds.of(again) is backgrounds.of(again)
    assert len(backgrounds) == 1
    del again
    gc.collect()
    assert len(backgrounds) == 0


def test_forgotten_pages_of_mapped_frames_are_read_again(tmp_path: Path) -> None:
    pictures = np.random.default_rng(1).integers(0, 256, (3, 70, 90, 3)).astype(np.uint8)
    np.save(tmp_path / "frames.npy", pictures)
    mapped: NDArray[np.uint8] = np.asarray(np.load(tmp_path / "frames.npy", mmap_mode="r"))
    assert mapped[0].nbytes > 2 * mmap.PAGESIZE
    frames = MappedFrames(mapped)
    for frame in range(3):
        frames.forget(frame)
        assert np.array_equal(mapped, pictures)


def resident_bytes(path: Path) -> int:
    """Bytes of a mapped file that are in the memory of this process."""
    of_file = re.compile(
        rf"^\S+ \S+ \S+ \S+ \S+ +{re.escape(str(path))}\n.*?^Rss: +(\d+) kB$", re.M | re.S
    )
    smaps = Path("/proc/self/smaps").read_text(encoding="utf-8")
    return sum(1024 * int(found) for found in of_file.findall(smaps))


def test_pictures_that_were_encoded_leave_no_frame_in_memory(tmp_path: Path) -> None:
    pictures = np.random.default_rng(1).integers(0, 256, (12, 480, 512, 3)).astype(np.uint8)
    path = tmp_path / "frames.npy"
    np.save(path, pictures)
    frames: NDArray[np.uint8] = np.asarray(np.load(path, mmap_mode="r"))
    avatar = replace(tiny_avatar(tmp_path), frames=frames, extras={})
    compositor = Compositor(mode="feather", subpixel=True)
    planes, expected = Planes.empty(512, 480), Planes.empty(512, 480)
    for index, picture in enumerate(pictures):
        (made,) = compositor.own_frames(avatar, [Shown(index)])
        assert isinstance(made, OverlaidPicture)
        made.write_to(planes)
        expected.convert_from(picture)
        assert all(map(np.array_equal, planes, expected))
    assert resident_bytes(path) < 0.3 * frames.nbytes


def test_frames_in_memory_are_not_forgotten() -> None:
    pictures = np.random.default_rng(1).integers(0, 256, (2, 70, 90, 3)).astype(np.uint8)
    before = pictures.copy()
    MappedFrames(pictures).forget(0)
    assert np.array_equal(pictures, before)
