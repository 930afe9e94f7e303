"""Measurements of every frame of a raw video: shots, the speaker's face, its quality."""

import io
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Self

import numpy as np
from av import VideoFrame
from numpy.typing import NDArray

from session.disk import replace_file
from warm.face.landmarks import inter_ocular, lip_gap, lip_width
from warm.media.picture_size import scaled_size
from warm.media.video import Video
from warm.prepare.face_checks import sharpness, yaw_deg
from warm.training_data.face_box import face_box, landmarks_68
from warm.training_data.fingerprints import spread
from warm.training_data.shots import ShotMeter, find_cuts
from warm.training_data.speaker_tracking import Sighting, SpeakerTracker
from warm.training_data.write_errors import write_errors_explained

ANALYSIS_SIDE = 1280
"""Longest side in pixels of pictures that are analysed; larger ones are scaled down."""
SHARPNESS_EVERY = 5
"""Frames between two measurements of the sharpness, which takes as long as the tracking."""
NOSE, CHIN = 1, 152
"""Landmarks of the mesh."""

Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Analysis:
    """Measurements of n frames."""

    size: NDArray[np.int32]
    """(2,) width and height of the frames."""
    is_cut: NDArray[np.bool_]
    """(n,) True for the first frame of a shot, and for frames of a dissolve."""
    has_face: NDArray[np.bool_]
    """(n,)"""
    is_new_face: NDArray[np.bool_]
    """(n,) True if the face may be another one than in the frame before."""
    box: NDArray[np.int32]
    """(n, 4) x1, y1, x2, y2; 0 without a face."""
    landmarks: NDArray[np.int32]
    """(n, 68, 2)"""
    extent: NDArray[np.float32]
    """(n, 4) of the mesh, which may extend outside the picture."""
    lips: NDArray[np.float32]
    """(n, 3) gap and width of the lips, and distance of nose and chin, in eye distances."""
    yaw_deg: NDArray[np.float32]
    """(n,)"""
    sharpness: NDArray[np.float32]
    """(n,) NaN where it was not measured."""
    other: NDArray[np.float32]
    """(n,) size of the largest other face relative to the speaker's."""
    is_damaged: NDArray[np.bool_]
    """(n,) True for a frame that the decoder could not restore completely."""
    is_repeated: NDArray[np.bool_]
    """(n,) True for a frame that repeats the one before, which is shown for longer."""
    prints: NDArray[np.str_]
    """(k,) fingerprints of pictures."""

    @property
    def frames(self) -> int:
        """Number of frames."""
        return len(self.is_cut)

    def save(self, path: Path) -> None:
        """Write all arrays to a file, atomically; raises TrainingDataError."""
        buffer = io.BytesIO()
        np.savez(buffer, **{each.name: getattr(self, each.name) for each in fields(self)})
        with write_errors_explained(path):
            replace_file(path, buffer.getvalue())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the file that `save` wrote."""
        with np.load(path, allow_pickle=False) as stored:
            return cls(**{each.name: stored[each.name] for each in fields(cls)})


@dataclass(frozen=True, slots=True, eq=False)
class ClipScale:
    """Scale from the pictures of the analysis to those of the clips."""

    factors: NDArray[np.float64]
    """(2,) for x and y."""
    size: tuple[int, int]
    """(width, height) of the clips."""

    @classmethod
    def of(cls, stored: tuple[int, int], max_side: int) -> Self:
        """Return the scale for a video of (width, height) `stored`."""
        clip = np.array(scaled_size(*stored, max_side))
        seen = np.array(scaled_size(*stored, min(max_side, ANALYSIS_SIDE)))
        width, height = (clip & ~1).tolist()
        return cls(clip / seen, (width, height))

    def placed(self, mesh: NDArray[np.float32]) -> NDArray[np.float32]:
        """(468, 2) landmarks in the pictures of the clips; centres of pixels are whole numbers."""
        return np.asarray((mesh[:, :2] + 0.5) * self.factors - 0.5, np.float32)


@dataclass(slots=True)
class Rows:
    """Rows of the arrays that are being collected."""

    has_face: list[bool] = field(default_factory=list)
    is_new_face: list[bool] = field(default_factory=list)
    is_damaged: list[bool] = field(default_factory=list)
    is_repeated: list[bool] = field(default_factory=list)
    box: list[NDArray[np.int32]] = field(default_factory=list)
    landmarks: list[NDArray[np.int32]] = field(default_factory=list)
    numbers: list[NDArray[np.float32]] = field(default_factory=list)
    """Extent, lips, yaw, sharpness, other."""

    def add(self, picture: Picture, seen: Sighting | None, scale: ClipScale) -> None:
        """Add the next frame."""
        self.has_face.append(seen is not None)
        self.is_new_face.append(seen is not None and seen.is_new)
        if seen is None:
            self.box.append(np.zeros(4, np.int32))
            self.landmarks.append(np.zeros((68, 2), np.int32))
            self.numbers.append(np.full(10, np.nan, np.float32))
            return
        placed = scale.placed(seen.mesh)
        self.box.append(face_box(placed, scale.size))
        self.landmarks.append(landmarks_68(placed))
        self.numbers.append(self._numbers(picture, seen, placed))

    def _numbers(
        self, picture: Picture, seen: Sighting, placed: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        is_measured = len(self.box) % SHARPNESS_EVERY == 1 and is_inside(seen.mesh, picture)
        sharp = sharpness(picture, seen.mesh) if is_measured else np.nan
        facts = [*lip_measures(seen.mesh), yaw_deg(seen.mesh), sharp, seen.other]
        return np.array([*placed.min(axis=0), *placed.max(axis=0), *facts], np.float32)


def lip_measures(mesh: NDArray[np.float32]) -> tuple[float, float, float]:
    """Return gap and width of the lips, and distance of nose and chin, in eye distances."""
    jaw = float(np.linalg.norm(mesh[CHIN] - mesh[NOSE])) / float(inter_ocular(mesh))
    return float(lip_gap(mesh)), float(lip_width(mesh)), jaw


def is_inside(points: NDArray[np.float32], picture: Picture) -> bool:
    """Return True if the middle of the points' box is in the picture."""
    x, y = (points[:, :2].min(axis=0) + points[:, :2].max(axis=0)) / 2
    return bool(0 <= x < picture.shape[1] and 0 <= y < picture.shape[0])


class Analyser:
    """Measures the frames of one video, one after another."""

    def __init__(self, models: Path, max_side: int) -> None:
        """Open the face models in a folder; `max_side` of the clips. Raises FaceModelError."""
        self._tracker, self._meter = SpeakerTracker(models), ShotMeter()
        self._rows, self._max_side = Rows(), max_side
        self._scale: ClipScale | None = None
        self._shown: tuple[VideoFrame, Picture] | None = None

    def add(self, video: Video, frame: VideoFrame) -> None:
        """Measure the next of the `stored_frames` of a video."""
        is_repeated = self._shown is not None and self._shown[0] is frame
        if self._shown is None or not is_repeated:
            self._shown = frame, video.picture(frame)
        picture = self._shown[1]
        self._scale = self._scale or ClipScale.of(video.stored_size, self._max_side)
        is_cut = self._meter.add(picture)
        seen = self._tracker.track(picture, is_cut=is_cut)
        self._rows.add(picture, seen, self._scale)
        self._rows.is_damaged.append(frame.is_corrupt)
        self._rows.is_repeated.append(is_repeated)

    def result(self) -> Analysis:
        """Return the measurements of all frames, of which there is at least one."""
        assert self._scale is not None
        rows, numbers = self._rows, np.stack(self._rows.numbers)
        return Analysis(
            size=np.array(self._scale.size, np.int32),
            is_cut=find_cuts(np.array(self._meter.steps), np.array(self._meter.strides)),
            has_face=np.array(rows.has_face),
            is_new_face=np.array(rows.is_new_face),
            is_damaged=np.array(rows.is_damaged),
            is_repeated=np.array(rows.is_repeated),
            box=np.stack(rows.box),
            landmarks=np.stack(rows.landmarks),
            extent=numbers[:, :4],
            lips=numbers[:, 4:7],
            yaw_deg=numbers[:, 7],
            sharpness=numbers[:, 8],
            other=numbers[:, 9],
            prints=np.array(spread(self._meter.prints), np.str_),
        )
