"""First pass over a film: the times of its frames and the tracks of its faces, in pieces.

A piece is written to the work folder every PIECE_FRAMES frames. It holds what was found since the
piece before, and the state that the next frame needs. Pictures are not written: the last ones of a
shot are decoded again.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warm.enhance.errors import InputChanged
from warm.enhance.face_tracks import (
    HELD_PICTURES,
    ActiveFace,
    FaceFollower,
    FaceTrack,
    Sighting,
)
from warm.enhance.film_reader import FilmFrame
from warm.enhance.shots import ShotDetector
from warm.enhance.upright import UprightView
from warm.enhance.work_folder import WorkFolder

PIECE_FRAMES = 250
"""Frames per piece: the most that are searched again after an interruption."""

Arrays = Mapping[str, NDArray[Any]]


def read_pieces(work: WorkFolder) -> list[Arrays]:
    """Return the pieces that an earlier run has written, up to the first unreadable one."""
    pieces: list[Arrays] = []
    while (piece := work.read_arrays(piece_name(len(pieces)))) is not None:
        pieces.append(piece)
    return pieces


def forget_pieces(work: WorkFolder) -> None:
    """Remove all pieces."""
    for path in work.path.glob(piece_name("*")):
        path.unlink()


def piece_name(index: int | str) -> str:
    """Return the name of a piece's file."""
    return f"search-{index}.npz"


def first_frame(pieces: Sequence[Arrays]) -> int:
    """Return the first frame that must be decoded to continue after these pieces."""
    if not pieces:
        return 0
    done = sum(len(piece["times"]) for piece in pieces)
    return max(int(pieces[-1]["shot"]), done - HELD_PICTURES)


@dataclass(slots=True, eq=False)
class FaceSearch:
    """The search in one film. Not thread-safe."""

    work: WorkFolder
    view: UprightView
    follower: FaceFollower | None
    """None: only the times of the frames are recorded."""
    times: list[tuple[int, int]] = field(default_factory=list)
    """Presentation time and duration of each frame."""
    _shots: ShotDetector = field(default_factory=ShotDetector)
    _pieces: int = 0
    _written: list[int] = field(default_factory=list)
    """Number of sightings of each track that are in pieces."""

    def add(self, frame: FilmFrame) -> None:
        """Search the next frame; raises EnhanceDiskFull."""
        self.times.append((frame.pts, frame.duration))
        if self.follower is not None:
            is_cut = self._shots.is_cut(frame.planes.luma)
            self.follower.add(self.view.picture(frame.planes), is_cut=is_cut)
        if len(self.times) % PIECE_FRAMES == 0:
            self.work.write_arrays(piece_name(self._pieces), self._next_piece())
            self._pieces += 1

    def restore(self, pieces: Sequence[Arrays]) -> None:
        """Continue after the pieces of an earlier run."""
        for piece in pieces:
            self.times += [(pts, duration) for pts, duration in piece["times"].tolist()]
            if self.follower is not None:
                self._restore_tracks(self.follower, piece)
        self._pieces = len(pieces)
        if pieces and self.follower is not None:
            self._shots.last, self._shots.usual = pieces[-1]["small"], float(pieces[-1]["usual"])
            restore_state(self.follower, pieces[-1])

    def remaining(self, frames: Iterator[FilmFrame], first: int) -> Iterator[FilmFrame]:
        """Yield the frames that were not searched yet, of a film that is read from `first`.

        Raises InputChanged if the others are not those of the earlier run.
        """
        for index, frame in enumerate(frames, first):
            if index >= len(self.times):
                yield frame
            elif frame.pts != self.times[index][0]:
                raise InputChanged(
                    "The source has other frames than before. Run the command again."
                )
            elif self.follower is not None:
                self.follower.recent.append(self.view.picture(frame.planes))

    def _next_piece(self) -> Arrays:
        piece = {"times": np.array(self.times[-PIECE_FRAMES:], np.int64), "shot": np.array(0)}
        if self.follower is None:
            return piece
        tracks = self.follower.tracks
        self._written += [0] * (len(tracks) - len(self._written))
        new = [track.sightings[done:] for track, done in zip(tracks, self._written, strict=True)]
        self._written = [len(track.sightings) for track in tracks]
        small, usual = self._shots.last, self._shots.usual
        assert small is not None
        return {
            **piece,
            **sighting_arrays([each for found in new for each in found]),
            "counts": np.array([len(found) for found in new], np.int64),
            "is_from_start": np.array([track.is_from_start for track in tracks], np.bool_),
            "is_to_end": np.array([track.is_to_end for track in tracks], np.bool_),
            **state_arrays(self.follower),
            "small": small,
            "usual": np.array(usual),
        }

    def _restore_tracks(self, follower: FaceFollower, piece: Arrays) -> None:
        """Add the sightings of a piece to the tracks, of which some may be new."""
        tracks, found = follower.tracks, sightings_of(piece)
        for index, is_from_start in enumerate(piece["is_from_start"].tolist()):
            if index == len(tracks):
                tracks.append(FaceTrack([], is_from_start=is_from_start))
            tracks[index].is_to_end = bool(piece["is_to_end"][index])
            tracks[index].sightings += islice(found, int(piece["counts"][index]))
        self._written = [len(track.sightings) for track in tracks]


def state_arrays(follower: FaceFollower) -> Arrays:
    """Return the state that the next frame needs, without pictures."""
    active = follower.active
    numbers = {id(track): number for number, track in enumerate(follower.tracks)}
    return {
        "frame": np.array(follower.frame),
        "shot": np.array(follower.shot),
        "too_many": np.array(follower.too_many),
        "active": np.array([numbers[id(face.track)] for face in active], np.int64),
        "landmarks": np.array([face.landmarks for face in active], np.float32),
        "seen": np.array([face.seen for face in active], np.int64),
    }


def restore_state(follower: FaceFollower, piece: Arrays) -> None:
    """Restore the state of `state_arrays`; the tracks are complete already."""
    follower.frame, follower.shot = int(piece["frame"]), int(piece["shot"])
    follower.too_many = int(piece["too_many"])
    places = zip(piece["active"].tolist(), piece["landmarks"], piece["seen"].tolist(), strict=True)
    follower.active = [
        ActiveFace(follower.tracks[number], landmarks, seen) for number, landmarks, seen in places
    ]


def sighting_arrays(sightings: Sequence[Sighting]) -> Arrays:
    """Return sightings as arrays with a row for each."""
    return {
        "frames": np.array([each.frame for each in sightings], np.int64),
        "stable": np.array([each.stable for each in sightings], np.float64),
        "five": np.array([each.five for each in sightings], np.float64),
        "gaps": np.array([each.gap for each in sightings], np.float64),
        "evidence": np.array([each.evidence for each in sightings], np.float64),
        "motions": np.array([each.motion for each in sightings], np.float64),
    }


def sightings_of(piece: Arrays) -> Iterator[Sighting]:
    """Yield the sightings of `sighting_arrays`."""
    frames, gaps, evidence = (piece[name].tolist() for name in ("frames", "gaps", "evidence"))
    stable, five, motions = (piece[name] for name in ("stable", "five", "motions"))
    for row in zip(frames, stable, five, gaps, evidence, motions, strict=True):
        yield Sighting(*row)
