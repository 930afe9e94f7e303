"""Placement of an action's frames in the avatar's: the same camera, or a similar one.

Frames of the same camera need only be scaled. Of another framing, the face is moved to where that
of the avatar is, by one similarity for the whole film, so that nothing shakes. The borders that
this leaves empty are filled from the avatar's own picture.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stabilizers.similarity import apply, fit_similarity, invert, roll_of, scale_of
from stabilizers.track import FACE_MESH
from warm.avatars.avatar import AvatarBuild
from warm.face.landmarks import inter_ocular
from warm.prepare.action.errors import ActionFramingError
from warm.prepare.action.job import ActionJob
from warm.prepare.action.tracked_film import END_S, TrackedFilm

SAME_ASPECT = 0.02
"""Largest relative difference of two aspect ratios that count as one."""
NEAR_IOD, NEAR_SCALE = 0.5, 1.06
"""A face this near to the avatar's, and of nearly its size, may come from the same camera."""
SAME_CAMERA_BONUS = 0.85
"""Differences of the picture are multiplied by this if the frames are only scaled."""
MAX_ENLARGEMENT = 1.4
MAX_UNCOVERED = 0.2
"""Largest share of the avatar's frame that a placed film may leave empty."""
MAX_ROLL_DEG = 12.0
FADE_PX = 24
"""Width over which the film fades into the avatar's picture at its own border."""
SAMPLE_STRIDE = 8


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """The place of a film in the avatar's frame."""

    to_frame: NDArray[np.float64]
    """(2, 3) similarity, pixels of the film to pixels of the avatar's frame."""
    size: tuple[int, int]
    """(width, height) of the avatar's frame."""
    backdrop: NDArray[np.uint8]
    """(h, w, 3) the avatar's picture, for what the film does not cover."""

    def picture(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return a frame of the film (h, w, 3) as one of the avatar's."""
        if self.is_identity(frame):
            return frame
        flags = cv2.INTER_AREA if float(scale_of(self.to_frame)) < 0.5 else cv2.INTER_CUBIC
        moved = cv2.warpAffine(
            frame, self.to_frame, self.size, flags=flags, borderMode=cv2.BORDER_REPLICATE
        )
        cover = self._cover(frame.shape[:2])
        if cover.min() >= 1:
            return np.asarray(moved, np.uint8)
        return np.asarray(cv2.blendLinear(moved, self.backdrop, cover, 1 - cover), np.uint8)

    def points(self, landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return (n, 468, 3) landmarks of the film in the avatar's frame."""
        placed = landmarks * np.float32(scale_of(self.to_frame))
        placed[..., :2] = apply(self.to_frame, landmarks[..., :2].astype(np.float64))
        return placed

    def is_identity(self, frame: NDArray[np.uint8]) -> bool:
        """Return True if frames stay as they are."""
        is_same = frame.shape[1::-1] == self.size
        return is_same and bool(np.allclose(self.to_frame, np.eye(2, 3), atol=1e-6))

    def _cover(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Return the (h, w) opacity of a film of a shape in the avatar's frame."""
        return cover_of(self.to_frame, (shape[1], shape[0]), self.size)


def cover_of(
    to_frame: NDArray[np.float64], film: tuple[int, int], size: tuple[int, int]
) -> NDArray[np.float32]:
    """Return (h, w) 1 well inside a film of (width, height), 0 outside, of a frame of `size`.

    A border of the film that lies on that of the frame, or outside of it, does not fade.
    """
    x, y = np.meshgrid(np.arange(size[0], dtype=np.float64), np.arange(size[1], dtype=np.float64))
    inside = apply(invert(to_frame), np.stack([x, y], axis=-1).reshape(-1, 2))
    scale = float(scale_of(to_frame))
    beyond = np.array(film) - 1
    low, high = inside * scale, (beyond - inside) * scale
    ends = apply(invert(to_frame), np.array([[0.0, 0.0], [size[0] - 1.0, size[1] - 1.0]]))
    is_open = np.concatenate([ends.min(axis=0) < -1, ends.max(axis=0) > beyond + 1])
    distance = np.concatenate([low, high], axis=1)[:, is_open]
    if not distance.shape[1]:
        return np.ones(size[::-1], np.float32)
    fade = np.clip(distance.min(axis=1) / FADE_PX, 0, 1)
    return np.asarray(fade.reshape(size[::-1]), np.float32)


def place_film(film: TrackedFilm, job: ActionJob) -> Placement:
    """Choose the place of a film in the frames of the avatar; raises ActionFramingError."""
    build, loop = job.build, job.loop
    size = build.frames.shape[2], build.frames.shape[1]
    backdrop = np.array(build.frames[0])
    fitted = Placement(face_fit(film, build, loop, job.fps), size, backdrop)
    scaled = same_camera(film, build, loop, size)
    if scaled is not None:
        same = Placement(scaled, size, backdrop)
        ends = (0, len(film.frames) - 1)
        differences = [
            sum(difference(place.picture(film.frames[end]), build, loop) for end in ends)
            for place in (same, fitted)
        ]
        if SAME_CAMERA_BONUS * differences[0] <= differences[1]:
            return same
    check_fit(job.name, fitted, film)
    return fitted


def face_fit(film: TrackedFilm, build: AvatarBuild, loop: int, fps: int) -> NDArray[np.float64]:
    """Return the similarity that moves the face at the film's ends to that of the avatar."""
    stable = list(FACE_MESH.points)
    need = round(END_S * fps)
    ends = np.concatenate([film.landmarks[:need], film.landmarks[-need:]])
    target = np.median(build.landmarks[:loop, stable, :2], axis=0).astype(np.float64)
    source = np.median(ends[:, stable, :2], axis=0).astype(np.float64)
    return fit_similarity(source, target)


def same_camera(
    film: TrackedFilm, build: AvatarBuild, loop: int, size: tuple[int, int]
) -> NDArray[np.float64] | None:
    """Return the scaling to the avatar's size; None if the face is then far from the avatar's."""
    ratios = np.array(size) / np.array(film.size)
    if abs(ratios[0] / ratios[1] - 1) > SAME_ASPECT:
        return None
    x, y = ratios
    scaling = np.array([[x, 0, x / 2 - 0.5], [0, x, y / 2 - 0.5]])
    landmarks = build.landmarks[:loop]
    iod = float(np.median(inter_ocular(landmarks)))
    centres = landmarks[:, list(FACE_MESH.points), :2].mean(axis=1)
    for end in (0, -1):
        points = film.landmarks[end]
        centre = apply(scaling, points[list(FACE_MESH.points), :2].astype(np.float64)).mean(axis=0)
        ratio = float(inter_ocular(points)) * x / iod
        is_near = np.linalg.norm(centres - centre, axis=1).min() < NEAR_IOD * iod
        if not is_near or not 1 / NEAR_SCALE < ratio < NEAR_SCALE:
            return None
    return scaling


def difference(picture: NDArray[np.uint8], build: AvatarBuild, loop: int) -> float:
    """Return how different a picture is from the most similar of some frames of the loop."""
    step = max(1, loop // 24)
    sampled = build.frames[:loop:step, ::SAMPLE_STRIDE, ::SAMPLE_STRIDE].astype(np.float32)
    own = picture[::SAMPLE_STRIDE, ::SAMPLE_STRIDE].astype(np.float32)
    return float(np.abs(sampled - own).mean(axis=(1, 2, 3)).min())


def check_fit(name: str, placement: Placement, film: TrackedFilm) -> None:
    """Raise ActionFramingError if a film cannot be brought to the avatar's framing."""
    enlarged = float(scale_of(placement.to_frame))
    rolled = abs(float(np.degrees(roll_of(placement.to_frame))))
    cover = cover_of(placement.to_frame, film.size, placement.size)
    uncovered = float((cover <= 0).mean())
    width, height = placement.size
    if enlarged > MAX_ENLARGEMENT:
        raise ActionFramingError(
            name,
            f"shows the person too small: the frames would be enlarged {enlarged:.2f} times to "
            f"match the avatar of {width}x{height}; at most {MAX_ENLARGEMENT} times is sharp "
            "enough. Film it from closer up, or crop the video around the person.",
        )
    if rolled > MAX_ROLL_DEG:
        raise ActionFramingError(
            name,
            f"is rolled by {rolled:.0f}° against the avatar; at most {MAX_ROLL_DEG:.0f}° can be "
            "aligned. Turn the video.",
        )
    if uncovered > MAX_UNCOVERED:
        raise ActionFramingError(
            name,
            f"shows the person too large, or too near to an edge: aligned with the avatar's face, "
            f"it leaves {100 * uncovered:.0f} % of the picture empty; at most "
            f"{100 * MAX_UNCOVERED:.0f} % can be filled. Film it with the framing of the avatar.",
        )
