"""Scene of a feed: draws its shots, and glides where the head would jump."""

import cv2
import numpy as np
from numpy.typing import NDArray

from warm.avatars.avatar import Avatar, Shown
from warm.live.feed.shot import Shot
from warm.motion.glide import mixed, moved, smooth
from warm.render.compositing import own_frames

GLIDE_S = 0.4
"""Time in which the head glides from one place to another."""
BLEND_S = 0.16
"""Time in which the pictures of both places are blended: a half-transparent mouth must be brief."""

Picture = NDArray[np.uint8]


class Scene:
    """Draws the pictures of one avatar. One thread at a time."""

    def __init__(self, avatar: Avatar, fps: int) -> None:
        self.avatar, self.fps = avatar, fps
        self._glide_length = max(2, round(GLIDE_S * fps))
        self._blend_length = max(1, round(BLEND_S * fps))
        self._last: Shot | None = None
        self._glide: Glide | None = None
        self._drawn: Picture | None = None
        """The last picture."""

    def draw(self, shot: Shot) -> Picture:
        """Return the (h, w, 3) BGR picture of a shot, which must not be modified."""
        if shot.is_repeated and self._drawn is not None:
            return self._drawn
        self.pass_over(shot)
        picture = self._plain(shot)
        if self._glide is not None:
            picture = self._glided(self._glide, shot, picture)
            if self._glide.step >= self._glide_length:
                self._glide = None
        picture.setflags(write=False)
        self._drawn = picture
        return picture

    def pass_over(self, shot: Shot) -> None:
        """Note a shot that nobody sees."""
        self._drawn = None
        if not shot.is_repeated:
            if self._last is not None and not self._continues(self._last, shot):
                self._glide = self._glide_from(self._last)
            self._last = shot

    def _continues(self, before: Shot, shot: Shot) -> bool:
        """Return True if a shot is the successor of the one before it."""
        if shot.cursor != before.cursor + 1 and shot.cursor != before.cursor:
            return False
        is_own, was_own = shot.frame is None, before.frame is None
        if is_own == was_own and not (is_own and shot.closed == 0 < before.closed):
            return True
        return before.shown == self.avatar.shown_at(before.cursor) or before.shown == shot.shown

    def _glide_from(self, before: Shot) -> "Glide":
        """Return a glide from a shot: its idle loop goes on, another picture stands still."""
        place = None if self._glide is None else self._glide.place
        is_idle = before.frame is None and not before.closed
        return Glide(before.shown, before.cursor + 1 if is_idle else None, place)

    def _plain(self, shot: Shot) -> Picture:
        if shot.picture is None:
            return self._own(shot.shown)
        if not shot.closed:
            return shot.picture
        own = self._own(shot.shown)
        return np.asarray(
            cv2.addWeighted(shot.picture, 1 - shot.closed, own, shot.closed, 0), np.uint8
        )

    def _own(self, shown: Shown) -> Picture:
        return own_frames(self.avatar, [shown])[0]

    def _place(self, shown: Shown) -> NDArray[np.float64]:
        """Return the (2, 3) transform of the face in a picture."""
        transforms = self.avatar.transforms
        if shown.into < 0:
            return np.asarray(transforms[shown.frame])
        return mixed(transforms[shown.frame], transforms[shown.into], shown.share)

    def _glided(self, glide: "Glide", shot: Shot, picture: Picture) -> Picture:
        """Return a picture on the way from the beginning of a glide to a shot."""
        glide.step += 1
        share = smooth(glide.step / (self._glide_length + 1))
        there = self._place(shot.shown)
        shown = glide.shown
        if glide.cursor is not None:
            shown = self.avatar.shown_at(glide.cursor)
            glide.cursor += 1
        here = self._place(shown)
        start = here if glide.start is None else glide.start
        glide.place = place = mixed(start, there, share)
        far = moved(picture, there, place)
        weight = smooth(min(1.0, glide.step / (self._blend_length + 1)))
        if weight >= 1:
            return far
        near = moved(self._own(shown), here, place)
        return np.asarray(cv2.addWeighted(near, 1 - weight, far, weight, 0), np.uint8)


class Glide:
    """A movement of the head from one place to another."""

    def __init__(self, shown: Shown, cursor: int | None, start: NDArray[np.float64] | None) -> None:
        """`cursor`: of the idle loop that goes on; None: the picture `shown` stands still.

        `start`: place of the head, if it is not that of the picture: another glide is interrupted.
        """
        self.shown, self.cursor, self.start = shown, cursor, start
        self.step = 0
        self.place: NDArray[np.float64] | None = start
