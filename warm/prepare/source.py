"""Sources of avatars: pictures of a photo or video with landmarks and transforms, unchanged."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from stabilizers.settings import Crop
from stabilizers.track import track_face
from warm.avatars.avatar import CANONICAL_EYES, CANONICAL_IOD
from warm.avatars.face_report import FaceReport
from warm.avatars.recipe import PreparationSettings
from warm.avatars.verdict import Remark
from warm.face.finder import FaceFinder
from warm.face.landmarks import turned_points
from warm.face.roll import RolledFace, find_any_roll, is_sure
from warm.media.isolated_pictures import IsolatedVideo, open_isolated_video, read_photo_isolated
from warm.prepare.arrays import FrameFile
from warm.prepare.background import replacement_of
from warm.prepare.errors import NoFaceError, ShortVideoError
from warm.prepare.face_checks import (
    check_mouth_can_close,
    check_mouth_in_picture,
    face_remarks,
    is_mouth_covered,
)
from warm.prepare.face_tracking import (
    FaceTracker,
    check_face_size,
    fill_gaps,
    is_long_enough,
    longest_stretch,
)
from warm.prepare.idle.lower_face import LIPS
from warm.prepare.mouth_cover import find_covered, with_margin
from warm.prepare.progress import FaceObserver, Progress, no_observer
from warm.prepare.remarks import (
    cover_remarks,
    cut_remarks,
    faces_remarks,
    missing_face_remarks,
    never_closed_remarks,
    open_mouth_remarks,
)
from warm.prepare.upright import all_turned, find_turn, turned, turned_remarks, turned_size

T = TypeVar("T")
R = TypeVar("R")
SOURCE_FRAMES = "source.npy"
"""File of a video's original frames, until preparation has finished."""
MIN_VIDEO_S = 0.2
MIN_EVIDENCE = 8.0
"""Objects and animals give less evidence of a face than this."""
SAMPLED_FRAMES, MOSTLY_COVERED = 9, 0.8
"""Frames of a video that are checked one by one, and the share that must be covered."""
COVERED_PHOTO = (
    "Something seems to cover the mouth, or part of it; the spoken mouth is drawn on top of it. "
    "Send a photo that shows the lips."
)
CROP = Crop(iod=CANONICAL_IOD, eyes=CANONICAL_EYES)


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """A photo with a face in it."""

    picture: NDArray[np.uint8]
    """(h, w, 3) BGR."""
    landmarks: NDArray[np.float32]
    """(468, 3)."""
    notes: list[str]
    """Facts about the file for the user."""
    remarks: list[Remark] = field(default_factory=list)
    """Findings about the face."""
    eyes: NDArray[np.float32] | None = None
    """(468, 3) landmarks by which lids are drawn; None: by `landmarks`. The plain mesh sees closed
    eyes as slightly open."""
    face: FaceReport | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Footage:
    """A video with one tracked face, the mouth as filmed."""

    frames: NDArray[np.uint8]
    """(n, h, w, 3) BGR memory map."""
    landmarks: NDArray[np.float32]
    """(n, 468, 3) as the mesh measured them frame by frame."""
    transforms: NDArray[np.float64]
    """(n, 2, 3) canonical crop to frame, stabilized."""
    covered: NDArray[np.bool_]
    """(n,) True for frames in which something covers the mouth, and for those next to them."""
    notes: list[str]
    """Facts about the file for the user."""
    remarks: list[Remark] = field(default_factory=list)
    """Findings about the face."""
    face: FaceReport | None = None


def read_portrait(source: Path, finder: FaceFinder, settings: PreparationSettings) -> Portrait:
    """Read a photo, find its largest face and turn it upright.

    Raises MediaError or PreparationError.
    """
    photo = read_photo_isolated(source, max_side=settings.max_side)
    size = photo.picture.shape[1], photo.picture.shape[0]
    face, faces = find_main_face(photo.picture, finder, source)
    picture = turned(photo.picture, face.quarters)
    mesh = finder.mesh.track(picture, turned_points(face.points, face.quarters, size))
    points = mesh.points
    check_face_size(points, size)
    check_mouth_in_picture(points, turned_size(size, face.quarters))
    notes = [*photo.notes, *scaling_note(photo.stored_size, size)]
    remarks = [*turned_remarks(face.quarters, "photo"), *faces_remarks(faces)]
    if is_mouth_covered(picture, points, finder.mesh):
        remarks.append(Remark("mouth_covered", COVERED_PHOTO, "severe"))
    else:
        points = with_refined_lips(points, picture, finder)
        check_mouth_can_close(points)
        remarks += open_mouth_remarks(points, settings.teeth)
    remarks += face_remarks(picture, points)
    eyes = finder.attention_mesh.track(picture, points).points
    report = FaceReport(evidence=round(mesh.logit, 2), faces=faces)
    replacement = replacement_of(settings, finder.models)
    if replacement is not None:
        picture = replacement.replaced(picture, points)
        remarks += replacement.remarks()
    return Portrait(picture, points, notes, remarks, eyes, report)


def with_refined_lips(
    points: NDArray[np.float32], picture: NDArray[np.uint8], finder: FaceFinder
) -> NDArray[np.float32]:
    """Return (468, 3) landmarks with the lips as the attention mesh sees them.

    Runs twice: the crop around the points of the first run is more accurate.
    """
    mesh, refined = finder.attention_mesh, points.copy()
    seen = mesh.track(picture, mesh.track(picture, points).points).points
    refined[list(LIPS)] = seen[list(LIPS)]
    return refined


def find_main_face(
    picture: NDArray[np.uint8], finder: FaceFinder, source: Path
) -> tuple[RolledFace, int]:
    """Return the face to use, and the number of faces; raises NoFaceError."""
    faces = find_any_roll(finder, picture)
    if not faces:
        raise NoFaceError(
            f"No face was found in {source}. Send a photo of one person who faces the camera."
        )
    if faces[0].evidence < MIN_EVIDENCE:
        raise NoFaceError(
            f"Something in {source} resembles a face but was not recognised as one. Send a photo "
            "of one person who faces the camera, in good light, with nothing in front of the face."
        )
    return faces[0], max(1, sum(is_sure(face) for face in faces))


def read_footage(
    source: Path,
    finder: FaceFinder,
    settings: PreparationSettings,
    folder: Path,
    progress: Progress,
    observer: FaceObserver = no_observer,
) -> Footage:
    """Decode a video into `folder/SOURCE_FRAMES`, track its largest face and stabilize the track.

    Raises MediaError or PreparationError.
    """
    quarters = find_turn(source, finder, settings)
    tracker = FaceTracker(finder, observer)
    path = folder / SOURCE_FRAMES
    with open_isolated_video(source, fps=settings.fps, max_side=settings.max_side) as video:
        measured = measure_video(video, quarters, tracker, settings, path, progress)
        notes = length_note(video, settings, len(measured))
        notes += video.notes
        stored_size = turned_size(video.stored_size, quarters)
    check_length(len(measured), settings.fps)
    keep, landmarks = fill_gaps(measured, settings.fps)
    frames = np.load(path, mmap_mode="r", allow_pickle=False)[keep]
    covered = find_covered(frames, landmarks, np.array(tracker.evidence[keep]))
    covered |= is_always_covered(frames, landmarks, finder)
    unusable = with_margin(covered)
    part = part_without(unusable, settings.fps)
    check_length(part.stop - part.start, settings.fps)
    size = frames.shape[2], frames.shape[1]
    check_face_size(np.median(landmarks, axis=0), size)
    notes += scaling_note(stored_size, size)
    middle = (part.start + part.stop) // 2
    used = slice(keep.start + part.start, keep.start + part.stop)
    has_face = np.array([points is not None for points in measured])
    is_covered = np.zeros(len(measured), np.bool_)
    is_covered[keep] = covered
    remarks = [
        *turned_remarks(quarters, "video"),
        *faces_remarks(tracker.faces),
        *missing_face_remarks(has_face, keep, settings.fps),
        *cover_remarks(is_covered, used, settings.fps),
        *cut_remarks(landmarks[part], used.start, settings.fps),
        *never_closed_remarks(landmarks[part], unusable[part]),
        *face_remarks(frames[middle], landmarks[middle]),
    ]
    transforms = stabilize(frames[part], landmarks[part], settings, progress)
    remarks += replace_backgrounds(path, used, landmarks[part], settings, finder.models, progress)
    report = FaceReport(
        evidence=round(float(np.median(tracker.evidence[used])), 2),
        faces=tracker.faces,
        frames_with_face=round(float(has_face.mean()), 4),
    )
    return Footage(
        frames[part], landmarks[part], transforms, unusable[part], notes, remarks, report
    )


def replace_backgrounds(
    path: Path,
    used: slice,
    landmarks: NDArray[np.float32],
    settings: PreparationSettings,
    models: Path,
    progress: Progress,
) -> list[Remark]:
    """Put the background of the settings, if there is one, behind the person in a file's frames."""
    replacement = replacement_of(settings, models)
    if replacement is None:
        return []
    frames = np.load(path, mmap_mode="r+", allow_pickle=False)[used]
    for done, points in enumerate(landmarks):
        progress("matting", done, len(frames))
        frames[done] = replacement.replaced(frames[done], points)
    progress("matting", len(frames), len(frames))
    return replacement.remarks()


def is_always_covered(
    frames: NDArray[np.uint8], landmarks: NDArray[np.float32], finder: FaceFinder
) -> bool:
    """Return True if the mouth seems to be covered in most of the sampled frames of a video."""
    chosen = np.unique(np.linspace(0, len(frames) - 1, SAMPLED_FRAMES).astype(int))
    covered = [is_mouth_covered(frames[i], landmarks[i], finder.mesh) for i in chosen]
    return float(np.mean(covered)) > MOSTLY_COVERED


def part_without(covered: NDArray[np.bool_], fps: int) -> slice:
    """Return the longest uncovered part of (n,) frames; all if it is too short for a loop."""
    part = longest_stretch(~covered)
    return part if is_long_enough(part, len(covered), fps) else slice(0, len(covered))


def measure_video(
    video: IsolatedVideo,
    quarters: int,
    tracker: FaceTracker,
    settings: PreparationSettings,
    path: Path,
    progress: Progress,
) -> list[NDArray[np.float32] | None]:
    """Write the frames of a video, turned upright by quarter turns, to `path`.

    Returns the landmarks of each, None without a face.
    """
    total = expected_frames(video, settings)
    frames = all_turned(islice(video.frames(), settings.max_s * settings.fps), quarters)
    pictures = write_through(frames, path)
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
) -> NDArray[np.float64]:
    """Return the (n, 2, 3) stabilized transforms of frames whose landmarks were measured singly."""
    done = iter(range(1, len(frames) + 1))
    track = track_face(
        frames,
        landmarks,
        CROP,
        fps=settings.fps,
        settings=settings.track,
        progress=lambda: progress("stabilizing", next(done), len(frames)),
    )
    return track.transforms


def expected_frames(video: IsolatedVideo, settings: PreparationSettings) -> int:
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


def length_note(video: IsolatedVideo, settings: PreparationSettings, frames: int) -> list[str]:
    """Return a note if only the beginning of a long video is used."""
    announced = video.announced_s
    if frames < settings.max_s * settings.fps or announced is None or announced <= settings.max_s:
        return []
    return [
        f"The video is {float(announced):.1f} s long; only its first {settings.max_s} s are used; "
        "--max-seconds allows up to 60."
    ]
