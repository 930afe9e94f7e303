"""From a photo or video to pictures, their landmarks and transforms: mouths as they were filmed."""

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
from warm.prepare.face_tracking import FaceTracker, bridged, check_face_size, cuts
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
    """What the person who asked should know."""


@dataclass(frozen=True, slots=True, eq=False)
class Footage:
    """A video with one face followed through it, mouth as filmed."""

    frames: NDArray[np.uint8]
    """(n, h, w, 3) BGR memory map."""
    landmarks: NDArray[np.float32]
    """(n, 468, 3) as the mesh measured them frame by frame."""
    transforms: NDArray[np.float64]
    """(n, 2, 3)."""
    notes: list[str]


def read_portrait(source: Path, finder: FaceFinder, settings: PreparationSettings) -> Portrait:
    """The photo and its largest face; raises MediaError or PreparationError."""
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
    notes = [*photo.notes, *scaled_note(photo.stored_size, size), *crowd_note(len(faces))]
    if (gap := float(lip_gap(points))) >= CLOSED_GAP_IOD:
        notes.append(
            f"The mouth in the photo is open ({gap:.2f} eye distances); a photo with closed lips "
            "gives a better mouth."
        )
    return Portrait(picture, points, notes)


def read_footage(
    source: Path,
    finder: FaceFinder,
    settings: PreparationSettings,
    folder: Path,
    progress: Progress,
) -> Footage:
    """Decode a video into `folder/source.npy`, follow its largest face and steady the track.

    Raises MediaError or PreparationError.
    """
    tracker = FaceTracker(finder)
    path = folder / "source.npy"
    with open_video(source, fps=settings.fps, max_side=settings.max_side) as video:
        total = expected_frames(video, settings)
        pictures = kept(islice(video.frames(), settings.max_s * settings.fps), path)
        seen = []
        for points in beside(tracker.see, pictures):
            seen.append(points)
            progress("reading", len(seen), max(total, len(seen)))
        notes = [*length_note(video, settings, len(seen)), *crowd_note(tracker.faces)]
        notes += [HDR_NOTE] * video.is_hdr
        notes += orientation_note(video)
        stored_size = video.stored_size
    check_length(len(seen), settings.fps)
    keep, measured = bridged(seen, settings.fps)
    frames = np.load(path, mmap_mode="r", allow_pickle=False)[keep]
    check_length(len(frames), settings.fps)
    size = frames.shape[2], frames.shape[1]
    check_face_size(np.median(measured, axis=0), size)
    notes += [*scaled_note(stored_size, size), *cut_note(measured, settings.fps)]
    return tracked(frames, measured, settings, progress, notes)


def kept(pictures: Iterable[NDArray[np.uint8]], path: Path) -> Iterator[NDArray[np.uint8]]:
    """Pass pictures on, each written to the .npy file `path` before."""
    with FrameFile(path) as file:
        for picture in pictures:
            file.append(picture)
            yield picture


def beside(work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """work(item) of each in order, in another thread while this one makes the next item."""
    with ThreadPoolExecutor(1) as pool:
        before: Future[R] | None = None
        for item in items:
            if before is not None:
                yield before.result()
            before = pool.submit(work, item)
        if before is not None:
            yield before.result()


def tracked(
    frames: NDArray[np.uint8],
    measured: NDArray[np.float32],
    settings: PreparationSettings,
    progress: Progress,
    notes: list[str],
) -> Footage:
    """Footage of frames whose landmarks were measured one by one."""
    done = iter(range(1, len(frames) + 1))
    track = track_face(
        frames,
        measured,
        CROP,
        fps=settings.fps,
        settings=settings.track,
        progress=lambda: progress("steadying", next(done), len(frames)),
    )
    return Footage(frames, measured, track.transforms, notes)


def expected_frames(video: Video, settings: PreparationSettings) -> int:
    """How many frames will be read, as far as the container says."""
    limit = settings.max_s * settings.fps
    return (
        limit if video.announced_s is None else min(limit, round(video.announced_s * settings.fps))
    )


def check_length(frames: int, fps: int) -> None:
    """Raise ShortVideoError for what is too short to be a loop."""
    if frames < MIN_VIDEO_S * fps:
        raise ShortVideoError(
            f"The video shows a face for {frames / fps:.2f} s; at least {MIN_VIDEO_S} s are "
            "needed. Send a longer video, or a photo."
        )


def scaled_note(stored: tuple[int, int], used: tuple[int, int]) -> list[str]:
    """Says that pictures were scaled down; cutting off an odd row is not worth a word."""
    if stored[0] - used[0] <= 1 and stored[1] - used[1] <= 1:
        return []
    return [
        f"The picture was scaled down from {stored[0]}x{stored[1]} to {used[0]}x{used[1]}; "
        "--max-side allows more."
    ]


def crowd_note(faces: int) -> list[str]:
    """Says which of several faces is used."""
    return [f"There are {faces} faces; the largest one is used."] if faces > 1 else []


def length_note(video: Video, settings: PreparationSettings, frames: int) -> list[str]:
    """Says that only the beginning of a long video is used."""
    announced = video.announced_s
    if frames < settings.max_s * settings.fps or announced is None or announced <= settings.max_s:
        return []
    return [
        f"The video is {float(announced):.1f} s long; its first {settings.max_s} s are used, "
        "--max-seconds allows up to 60."
    ]


def orientation_note(video: Video) -> list[str]:
    """Says that the video's display matrix is none that can be followed exactly."""
    return [note] if (note := video.orientation.note) else []


def cut_note(landmarks: NDArray[np.float32], fps: int) -> list[str]:
    """Says where the picture seems to be cut."""
    times = ", ".join(f"{frame / fps:.2f} s" for frame in cuts(landmarks))
    return [f"The face jumps at {times}: a cut? It will show in the loop."] if times else []
