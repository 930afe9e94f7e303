"""Pictures of a face as overlays drawn on the avatar's frames."""

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from session.overlaid_picture import Background, OverlaidPicture, Overlay, Picture
from stabilizers.blend import BlendMode, Box, blend
from warm.avatars.avatar import Avatar, Shown
from warm.avatars.eyelids import lid_changes
from warm.engines.base import Patch
from warm.render.backgrounds import Backgrounds
from warm.render.compositing import composite, drawn_frames, faded, own_frames

Change = tuple[Box, NDArray[np.uint8]]
"""A box of a frame and its new content, (h, w, 3) BGR."""


class Compositor:
    """Draws patches on the frames of avatars, without copying the frames if possible.

    A picture that needs more than a few rectangles, such as a glide, is drawn as a whole. Owned by
    the render thread.
    """

    def __init__(self, *, mode: BlendMode, subpixel: bool) -> None:
        self._mode, self._subpixel = mode, subpixel
        self._backgrounds = Backgrounds()

    def composite(
        self, avatar: Avatar, shown: Sequence[Shown], patches: Sequence[Patch]
    ) -> list[Picture]:
        """Return the pictures of `compositing.composite`."""
        remaining = iter(patches)
        return [self._composited(avatar, one, remaining) for one in shown]

    def own_frames(self, avatar: Avatar, shown: Sequence[Shown]) -> list[Picture]:
        """Return the pictures of `compositing.own_frames`."""
        return [self._own_frame(avatar, one) for one in shown]

    def _composited(self, avatar: Avatar, one: Shown, remaining: Iterator[Patch]) -> Picture:
        patches = [next(remaining) for _ in drawn_frames(avatar, one)]
        overlaid = self._overlaid(avatar, one, patches)
        if overlaid is not None:
            return overlaid
        return composite(avatar, [one], patches, mode=self._mode, subpixel=self._subpixel)[0]

    def _own_frame(self, avatar: Avatar, one: Shown) -> Picture:
        overlaid = self._overlaid(avatar, one)
        return own_frames(avatar, [one])[0] if overlaid is None else overlaid

    def _overlaid(
        self, avatar: Avatar, one: Shown, patches: Sequence[Patch] = ()
    ) -> OverlaidPicture | None:
        """Return the picture as a frame with rectangles; None if it must be drawn as a whole."""
        if one.into >= 0:
            return None
        backgrounds = self._backgrounds.of(avatar)
        changes = [*lid_changes(avatar.frames[one.frame], avatar.extras, one)]
        for patch in patches:
            changes += self._mouth_changes(avatar, one.frame, patch)
        overlaid = overlay(backgrounds.of(one.frame), changes)
        backgrounds.forget(one.frame)
        return overlaid

    def _mouth_changes(self, avatar: Avatar, frame: int, patch: Patch) -> list[Change]:
        change = blend(
            avatar.frames[frame],
            patch.picture,
            faded(patch.mask, avatar.mouth_share(frame)),
            patch.to_frame,
            mode=self._mode,
            subpixel=self._subpixel,
        )
        return [] if change is None else [change]


def overlay(background: Background, changes: Sequence[Change]) -> OverlaidPicture | None:
    """Return a frame with its changes; None if they overlap, or touch an odd edge."""
    height, width = background.bgr.shape[:2]
    boxes = [even_box(box) for box, _ in changes]
    if any(right > width or bottom > height for _, _, right, bottom in boxes):
        return None
    if any(do_overlap(one, other) for one, other in combinations(boxes, 2)):
        return None
    return OverlaidPicture(
        background,
        tuple(
            widened(background.bgr, change, box) for change, box in zip(changes, boxes, strict=True)
        ),
    )


def even_box(box: Box) -> Box:
    """The smallest box with even sides and an even position that contains a box."""
    left, top, right, bottom = box
    return left - left % 2, top - top % 2, right + right % 2, bottom + bottom % 2


def do_overlap(one: Box, other: Box) -> bool:
    """True if two boxes share a pixel."""
    is_apart_x = one[2] <= other[0] or other[2] <= one[0]
    is_apart_y = one[3] <= other[1] or other[3] <= one[1]
    return not (is_apart_x or is_apart_y)


def widened(frame: NDArray[np.uint8], change: Change, box: Box) -> Overlay:
    """The content of `box`: the smaller change, surrounded by the frame."""
    (inner_left, inner_top, inner_right, inner_bottom), content = change
    left, top, right, bottom = box
    if change[0] == box:
        return Overlay(left, top, content)
    picture = np.array(frame[top:bottom, left:right])
    picture[inner_top - top : inner_bottom - top, inner_left - left : inner_right - left] = content
    return Overlay(left, top, picture)
