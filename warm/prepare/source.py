"""Sources of avatars: pictures of a photo or video with landmarks and transforms, unchanged."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from stabilizers.settings import Crop
from stabilizers.track import track_face
from warm.avatars.avatar import CANONICAL_EYES, CANONICAL_IOD
from warm.avatars.recipe import PreparationSettings
from warm.face.finder import FaceFinder
from warm.face.landmarks import CLOSED_GAP_IOD, lip_gap
from warm.media.photo import read_photo
from warm.media.video import Video, open_video
from warm.prepare.arrays import FrameFile
from warm.prepare.errors import NoFaceError, ShortVideoError
from warm.prepare.face_tracking import FaceTracker, check_face_size, fill_gaps, find_cuts
from warm.prepare.progress import Progress

T = TypeVar("T")
R = TypeVar("R")
MIN_VIDEO_S = 0.2
HDR_NOTE = "The video is HDR; its colours will look pale. Record or export it as SDR (Rec. 709)."
CROP = Crop(iod=CANONICAL_IOD, eyes=CANONICAL_EYES)


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """A photo with a face in it."""

    picture: NDArray[np.uint8]
    """(h, w, 3) BGR."""
    landmarks: NDArray[np.float32]
    """(468, 3)."""
    notes: list[str]
    """Remarks for the user."""


@dataclass(frozen=True, slots=True, eq=False)
class Footage:
    """A video with one tracked face, the mouth as filmed."""

    frames: NDArray[np.uint8]
    """(n, h, w, 3) BGR memory map."""
    landmarks: NDArray[np.float32]
    """(n, 468, 3) as the mesh measured them frame by frame."""
    transforms: NDArray[np.float64]
    """(n, 2, 3) canonical crop to frame, stabilized."""
    notes: list[str]
    """Remarks for the user."""


def read_portrait(source: Path, finder: FaceFinder, settings: PreparationSettings) -> Portrait:
    """Read a photo and find its largest face; raises MediaError or PreparationError."""
    photo = read_photo(source, max_side=settings.max_side)
    picture = photo.picture
    size = picture.shape[1], picture.shape[0]
    faces = finder.find(picture)
    if not faces:
        raise NoFaceError(
            f"No face was found in {source}. Send a photo of one person who faces the camera."
        )
    points = faces[0].mesh.points
    check_face_size(points, size)
    notes = [*photo.notes, *scaling_note(photo.stored_size, size), *faces_note(len(faces))]
    return Portrait(picture, points, [*notes, *open_mouth_note(points)])


def read_footage(
    source: Path,
    finder: FaceFinder,
    settings: PreparationSettings,
    folder: Path,
    progress: Progress,
) -> Footage:
    """Decode a video into `folder/source.npy`, track its largest face and stabilize the track.

    Raises MediaError or PreparationError.
    """
    tracker = FaceTracker(finder)
    path = folder / "source.npy"
    with open_video(source, fps=settings.fps, max_side=settings.max_side) as video:
        measured = measure_video(video, tracker, settings, path, progress)
        notes = [*length_note(video, settings, len(measured)), *faces_note(tracker.faces)]
        notes += [HDR_NOTE] * video.is_hdr
        notes += orientation_note(video)
        stored_size = video.stored_size
    check_length(len(measured), settings.fps)
    keep, landmarks = fill_gaps(measured, settings.fps)
    frames = np.load(path, mmap_mode="r", allow_pickle=False)[keep]
    check_length(len(frames), settings.fps)
    size = frames.shape[2], frames.shape[1]
    check_face_size(np.median(landmarks, axis=0), size)
    notes += [*scaling_note(stored_size, size), *cut_note(landmarks, settings.fps)]
    return stabilize(frames, landmarks, settings, progress, notes)


def measure_video(
    video: Video,
    tracker: FaceTracker,
    settings: PreparationSettings,
    path: Path,
    progress: Progress,
) -> list[NDArray[np.float32] | None]:
    """Write the frames of a video to `path`; return the landmarks of each, None without a face."""
    total = expected_frames(video, settings)
    pictures = write_through(islice(video.frames(), settings.max_s * settings.fps), path)
    measured = []
    for points in map_ahead(tracker.track, pictures):
        measured.append(points)
        progress("reading", len(measured), max(total, len(measured)))
    return measured


def write_through(pictures: Iterable[NDArray[np.uint8]], path: Path) -> Iterator[NDArray[np.uint8]]:
    """Yield the pictures, each after it was written to the .npy file `path`."""
    with FrameFile(path) as file:
        for picture in pictures:
            file.append(picture)
            yield picture


def map_ahead(function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Map in order in a second thread, while this thread produces the next item."""
    with ThreadPoolExecutor(1) as pool:
        pending: Future[R] | None = None
        for item in items:
            if pending is not None:
                yield pending.result()
            pending = pool.submit(function, item)
        if pending is not None:
            yield pending.result()


def stabilize(
    frames: NDArray[np.uint8],
    landmarks: NDArray[np.float32],
    settings: PreparationSettings,
    progress: Progress,
    notes: list[str],
) -> Footage:
    """Compute the stabilized transforms of frames whose landmarks were measured one by one."""
    done = iter(range(1, len(frames) + 1))
    track = track_face(
        frames,
        landmarks,
        CROP,
        fps=settings.fps,
        settings=settings.track,
        progress=lambda: progress("stabilizing", next(done), len(frames)),
    )
    return Footage(frames, landmarks, track.transforms, notes)


def expected_frames(video: Video, settings: PreparationSettings) -> int:
    """Return the number of frames to read; the limit if the container states no duration."""
    limit = settings.max_s * settings.fps
    if video.announced_s is None:
        return limit
    return min(limit, round(video.announced_s * settings.fps))


def check_length(frames: int, fps: int) -> None:
    """Raise ShortVideoError if there are too few frames for a loop."""
    if frames < MIN_VIDEO_S * fps:
        raise ShortVideoError(
            f"The video shows a face for {frames / fps:.2f} s; at least {MIN_VIDEO_S} s are "
            "needed. Send a longer video, or a photo."
        )


def scaling_note(stored: tuple[int, int], used: tuple[int, int]) -> list[str]:
    """Return a note if pictures were scaled down; none if only an odd row or column was cut."""
    if stored[0] - used[0] <= 1 and stored[1] - used[1] <= 1:
        return []
    return [
        f"The picture was scaled down from {stored[0]}x{stored[1]} to {used[0]}x{used[1]}; "
        "--max-side allows more."
    ]


def faces_note(faces: int) -> list[str]:
    """Return a note if there are several faces."""
    return [f"There are {faces} faces; the largest one is used."] if faces > 1 else []


def open_mouth_note(landmarks: NDArray[np.float32]) -> list[str]:
    """Return a note if the mouth of (468, 3) landmarks is open."""
    gap = float(lip_gap(landmarks))
    if gap < CLOSED_GAP_IOD:
        return []
    return [
        f"The mouth in the photo is open ({gap:.2f} eye distances); a photo with closed lips "
        "gives a better mouth."
    ]


def length_note(video: Video, settings: PreparationSettings, frames: int) -> list[str]:
    """Return a note if only the beginning of a long video is used."""
    announced = video.announced_s
    if frames < settings.max_s * settings.fps or announced is None or announced <= settings.max_s:
        return []
    return [
        f"The video is {float(announced):.1f} s long; only its first {settings.max_s} s are used; "
        "--max-seconds allows up to 60."
    ]


def orientation_note(video: Video) -> list[str]:
    """Return a note if the video's display matrix cannot be applied exactly."""
    return [note] if (note := video.orientation.note) else []


def cut_note(landmarks: NDArray[np.float32], fps: int) -> list[str]:
    """Return a note with the times of suspected cuts."""
    times = ", ".join(f"{frame / fps:.2f} s" for frame in find_cuts(landmarks))
    return [f"The face jumps at {times}, perhaps at a cut; the loop will show it."] if times else []
