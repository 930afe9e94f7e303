"""Enhancement of a film: a first pass follows the faces, a second one makes the film in parts.

Memory use does not grow with the film, apart from a few bytes per frame and face.
"""

import errno
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from session.errors import FilmFullError
from session.mp4.delivery import read_made_file
from stabilizers.settings import TrackSettings
from warm.enhance.detail_filter import DetailFilter
from warm.enhance.errors import EnhanceError, InputChanged, NoFaceToEnhance
from warm.enhance.face_arrays import FoundFaces
from warm.enhance.face_painter import MIN_IOD_PX, FacePainter, PaintedFace, face_notes
from warm.enhance.face_search import FaceSearch, first_frame, forget_pieces, read_pieces
from warm.enhance.face_tracks import MAX_FACES, FaceFollower, FaceTrack
from warm.enhance.film_file import join_film, write_video
from warm.enhance.film_reader import Film, FilmFacts, FilmFrame, open_film
from warm.enhance.options import EnhanceOptions
from warm.enhance.part_encoder import encode_part
from warm.enhance.planes import Planes
from warm.enhance.restorer import FaceRestorer
from warm.enhance.steady_faces import SteadyFace, steady_face
from warm.enhance.upright import UprightView
from warm.enhance.upscalers import Upscaler
from warm.enhance.work_folder import TRACKS, WorkFolder, disk_errors, state_name
from warm.face.finder import FaceFinder

MILLISECONDS = 1000
PART_FRAMES = 25
"""Frames per part: the most that are lost if the enhancement is killed."""
MIN_TRACK_S = 0.2
"""In a film longer than this, faces seen for less time count as false detections."""
MAX_SIDE = 8192
"""Longest side of an enlarged frame, pixels."""
VIDEO, JOINED = "video.mp4", "joined.mp4"
FINDING, ENHANCING, JOINING = "following the faces", "enhancing", "writing the film"
NO_FACE = (
    "No face was found in {path}. Use a film whose faces are seen from the front, with at least "
    "{pixels:.0f} pixels between the eyes; --faces none only enlarges the film."
)
MANY_NOTE = "The film shows more than {most} faces at a time; the others are left as they are."

Progress = Callable[[str, int, int], None]
"""Called as (stage, done, total)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmJob:
    """Everything that one enhancement of a film needs."""

    source: Path
    options: EnhanceOptions
    work: WorkFolder
    models: Path
    """Folder of the face models."""
    restorer: FaceRestorer | None
    """None: no faces are restored."""
    upscaler: Upscaler
    track: TrackSettings
    longest_s: float | None
    """Only this much of the film is read; None: all of it."""
    progress: Progress
    check: Callable[[], None]
    """Called often; an exception that it raises stops the work, which can be continued."""


def enhance_film(job: FilmJob) -> tuple[Path, list[str]]:
    """Return the finished film in the work folder, and remarks for the user.

    Raises EnhanceError and MediaError; finished parts stay in the work folder.
    """
    found = found_faces(job)
    facts = make_parts(job, found)
    film, notes = join(job, found, facts)
    return film, [*found.notes, *notes]


def found_faces(job: FilmJob) -> FoundFaces:
    """Return the faces of the film, from the work folder if they were found before."""
    held = job.work.read_arrays(TRACKS)
    if held is not None:
        return FoundFaces.from_arrays(held)
    found = find_faces(job)
    job.work.write_arrays(TRACKS, found.to_arrays())
    forget_pieces(job.work)
    return found


def find_faces(job: FilmJob) -> FoundFaces:
    """Follow all faces through the film, from where an earlier run stopped.

    Raises NoFaceToEnhance and InputChanged.
    """
    pieces = read_pieces(job.work)
    first = first_frame(pieces)
    with open_film(job.source, first=first) as film:
        check_size(film.facts, job.options.upscale)
        view = UprightView.of(film.facts)
        follower = None
        if job.restorer is not None:
            follower = FaceFollower(FaceFinder(job.models), float(film.facts.fps))
        search = FaceSearch(job.work, view, follower)
        search.restore(pieces)
        times = search.times
        for frame in search.remaining(film.frames(), first):
            job.check()
            if is_beyond(frame, times, film.facts, job.longest_s):
                break
            search.add(frame)
            job.progress(FINDING, len(times), max(film.facts.announced_frames, len(times)))
        notes = list(film.notes)
        faces = [] if follower is None else steady_faces(follower, film.facts, view, job, notes)
    return FoundFaces(np.array(times, np.int64).reshape(-1, 2), faces, tuple(notes))


def steady_faces(
    follower: FaceFollower, facts: FilmFacts, view: UprightView, job: FilmJob, notes: list[str]
) -> list[SteadyFace]:
    """Return the faces to restore; adds to `notes`, and raises NoFaceToEnhance."""
    tracks, frames = follower.finish(), follower.frame
    kept, small = chosen(tracks, view, job, facts, frames)
    notes += [MANY_NOTE.format(most=MAX_FACES)] if follower.too_many else []
    if not kept:
        raise NoFaceToEnhance(NO_FACE.format(path=job.source, pixels=MIN_IOD_PX))
    faces = [steady_face(track, float(facts.fps), job.track) for track in kept]
    notes += face_notes(faces, small=small)
    return faces


def is_beyond(
    frame: FilmFrame, times: list[tuple[int, int]], facts: FilmFacts, longest_s: float | None
) -> bool:
    """Return True if a frame begins later than `longest_s` after the first."""
    if longest_s is None or not times:
        return False
    longest = Fraction(longest_s).limit_denominator(MILLISECONDS)
    return (frame.pts - times[0][0]) * facts.time_base >= longest


def chosen(
    tracks: list[FaceTrack],
    view: UprightView,
    job: FilmJob,
    facts: FilmFacts,
    frames: int,
) -> tuple[list[FaceTrack], int]:
    """Return the tracks to restore, and the number of those whose faces are too small."""
    shortest = min(frames, MIN_TRACK_S * float(facts.fps))
    long = [track for track in tracks if len(track.sightings) >= shortest]
    large = [track for track in long if track.iod * view.scale >= MIN_IOD_PX]
    small = len(long) - len(large)
    if job.options.faces == "largest":
        return [track for track in large if is_largest(track, large)], small
    return large, small


def is_largest(track: FaceTrack, tracks: list[FaceTrack]) -> bool:
    """Return True if no track that shares half of its frames has a larger face."""
    length = track.last - track.first + 1
    for other in tracks:
        shared = min(track.last, other.last) - max(track.first, other.first) + 1
        if other is not track and 2 * shared >= length and other.iod > track.iod:
            return False
    return True


def check_size(facts: FilmFacts, upscale: int) -> None:
    """Raise EnhanceError if the enlarged frames would be too large."""
    longest = max(facts.width, facts.height)
    if longest > MAX_SIDE:
        raise EnhanceError(
            f"The frames have {facts.width}x{facts.height} pixels; at most {MAX_SIDE} are allowed "
            "on a side. Scale the film down."
        )
    if longest * upscale > MAX_SIDE:
        raise EnhanceError(
            f"upscale is {upscale}; frames of {facts.width}x{facts.height} would become larger "
            f"than {MAX_SIDE} pixels. Choose at most {MAX_SIDE // longest}."
        )


def make_parts(job: FilmJob, found: FoundFaces) -> FilmFacts:
    """Make the missing parts of the film; return the facts of the film."""
    total = len(found.times)
    done = job.work.finished_parts()
    first = min(done * PART_FRAMES, total)  # the last part may be shorter than the others
    with open_film(job.source, first=first) as film:
        painter = make_painter(job, found, film.facts)
        if done:
            load_state(job.work, done, painter)
        frames = checked_frames(film, found, first)
        for index, part in enumerate(parts_of(frames), done):
            planes = []
            for offset, frame in enumerate(part):
                job.check()
                at = index * PART_FRAMES + offset
                planes.append(enhanced(frame, at, painter, job))
                job.progress(ENHANCING, at + 1, total)
            samples = encode_part(planes, film.facts)
            save_state(job.work, index + 1, painter)
            job.work.write_part(index, samples)
            forget_state(job.work, index - 1)
        return film.facts


def parts_of(frames: Iterator[FilmFrame]) -> Iterator[Iterator[FilmFrame]]:
    """Yield the frames of each part; consume those of one part before the next."""
    for first in frames:
        yield chain([first], islice(frames, PART_FRAMES - 1))


def checked_frames(film: Film, found: FoundFaces, first: int) -> Iterator[FilmFrame]:
    """Yield the frames of the second pass; raises InputChanged if they differ from the first."""
    count = first
    for frame in islice(film.frames(), len(found.times) - first):
        if frame.pts != found.times[count, 0]:
            raise InputChanged("The source has other frames than before. Run the command again.")
        count += 1
        yield frame
    if count != len(found.times):
        raise InputChanged("The source has fewer frames than before. Run the command again.")


def enhanced(frame: FilmFrame, at: int, painter: FacePainter | None, job: FilmJob) -> Planes:
    """Return the enlarged frame with its restored faces."""
    enlarged = job.upscaler.enlarge(frame.planes, job.options.upscale)
    if painter is not None:
        painter.paint(at, frame.planes, enlarged)
    return enlarged.padded_to_even()


def make_painter(job: FilmJob, found: FoundFaces, facts: FilmFacts) -> FacePainter | None:
    """Return the painter of the film's faces; None if nothing is restored."""
    if job.restorer is None or job.options.strength == 0:
        return None
    return FacePainter(
        restorer=job.restorer,
        faces=found.faces,
        to_stored=UprightView.of(facts).to_stored(),
        colours=facts.colours,
        strength=job.options.strength,
        upscale=job.options.upscale,
    )


def save_state(work: WorkFolder, index: int, painter: FacePainter | None) -> None:
    """Write the state of the painter before part `index`."""
    arrays: dict[str, NDArray[Any]] = {}
    for number, each in (painter.painted if painter is not None else {}).items():
        if each.filter.detail is not None and each.filter.source is not None:
            arrays[f"detail{number}"] = each.filter.detail
            arrays[f"source{number}"] = each.filter.source
            arrays[f"gap{number}"] = np.array(each.filter.gap)
    work.write_arrays(state_name(index), arrays or {"empty": np.zeros(0)})


def load_state(work: WorkFolder, index: int, painter: FacePainter | None) -> None:
    """Restore the state that was written before part `index`."""
    arrays = work.read_arrays(state_name(index)) or {}
    for name in arrays:
        if painter is not None and name.startswith("detail"):
            number = int(name.removeprefix("detail"))
            size = arrays[name].shape[0]
            held = PaintedFace(painter.faces[number], size, DetailFilter(size))
            held.filter.detail = arrays[name]
            held.filter.source = arrays[f"source{number}"]
            held.filter.gap = float(arrays[f"gap{number}"])
            painter.painted[number] = held


def forget_state(work: WorkFolder, index: int) -> None:
    """Remove a state that is no longer needed."""
    (work.path / state_name(index)).unlink(missing_ok=True)


def join(job: FilmJob, found: FoundFaces, facts: FilmFacts) -> tuple[Path, list[str]]:
    """Write the whole film in the work folder; return it and remarks. Raises EnhanceError."""
    video, joined = job.work.path / VIDEO, job.work.path / JOINED
    count = -(-len(found.times) // PART_FRAMES)
    size = tuple(side * job.options.upscale for side in (facts.width, facts.height))
    coded = (size[0] + size[0] % 2, size[1] + size[1] % 2)
    with disk_errors(job.work.path):
        job.progress(JOINING, 0, 2)
        parts = (job.work.read_part(index) or [] for index in range(count))
        write_video(video, parts, facts, found.times.tolist(), coded)
        job.progress(JOINING, 1, 2)
        try:
            notes = join_film(video, job.source, joined, facts, check=job.check)
        except FilmFullError as error:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        made = read_made_file(joined)
        if made.frames != len(found.times):
            raise EnhanceError(
                f"The film has {made.frames} of {len(found.times)} frames. Run the command again."
            )
        job.progress(JOINING, 2, 2)
    return joined, notes
