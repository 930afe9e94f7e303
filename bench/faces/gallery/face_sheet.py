"""Contact sheet of one face: source, visemes, the decoded film, the loop at rest and a blink."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.faces.contact_sheet import VISEMES, WIDTH_PX, grid, phoneme_label, shape_weights
from bench.faces.gallery.film import FaceFilm
from bench.faces.gallery.source_face import SourceFace
from stabilizers.blend import paste
from warm.avatars.avatar import Avatar
from warm.engines.base import PatchRequest
from warm.face.landmarks import eye_centres, inter_ocular

FRAME_STEP = 3
LARGEST_PICTURES = 60
"""Pictures of the film in a sheet."""
IDLE_PICTURES = 6
BLINK_FRAMES = 12
MOUTH_IOD, EYES_IOD = (0.80, 0.62, 0.78), (0.95, 0.45, 0.45)
"""Extent of a picture of mouth or eyes: to each side of their middle, above it and below it."""
COMPARED = (64, 32)
"""Width and height at which pictures of the eyes are compared."""

Picture = NDArray[np.uint8]


def write_sheet(film: FaceFilm, source: SourceFace, path: Path) -> None:
    """Write the sheet as PNG."""
    parts = [source_row(film, source), viseme_rows(film), film_rows(film), *eye_rows(film.avatar)]
    width = max(part.shape[1] for part in parts)
    padded = [np.pad(part, ((0, 0), (0, width - part.shape[1]), (0, 0))) for part in parts]
    if not cv2.imwrite(str(path), np.vstack(padded)):
        raise OSError(f"{path} could not be written.")


def source_row(film: FaceFilm, source: SourceFace) -> Picture:
    """Return the mouth of the source, next to mouths of the loop at rest."""
    avatar = film.avatar
    chosen = np.linspace(0, len(avatar.frames) - 1, IDLE_PICTURES - 1).astype(int)
    cells = [labelled(crop_mouth(source.picture, source.points), "source")]
    for i in chosen:
        cell = crop_mouth(avatar.frames[i], avatar.landmarks[i])
        cells.append(labelled(cell, f"loop {i}"))
    return grid(cells)


def viseme_rows(film: FaceFilm) -> Picture:
    """Return the visemes on the first frame of the loop."""
    return grid(
        [
            labelled(crop_mouth(draw(film, shape_weights(weights)), film.avatar.landmarks[0]), name)
            for name, weights in VISEMES.items()
        ]
    )


def draw(film: FaceFilm, shape: NDArray[np.float32]) -> Picture:
    """Return the first frame of the loop with the mouth in a shape (7,)."""
    picture = np.array(film.avatar.frames[0])
    (patch,) = film.engine.submit([PatchRequest(film.avatar, 0, shape)]).patches()
    paste(picture, patch.picture, patch.mask, patch.to_frame)
    return picture


def film_rows(film: FaceFilm) -> Picture:
    """Return every third decoded picture of the film's speech."""
    wanted = dict(labelled_frames(film))
    cells: list[Picture] = []
    for frame, picture in enumerate(film.pictures()):
        if frame in wanted and len(cells) < LARGEST_PICTURES:
            points = film.avatar.landmarks[film.avatar.index_at(frame)]
            cells.append(labelled(crop_mouth(picture, points), wanted[frame]))
    return grid(cells)


def labelled_frames(film: FaceFilm) -> Iterator[tuple[int, str]]:
    """Yield every third frame of the sentences with its phoneme."""
    fps = film.avatar.fps
    for part in film.parts:
        for frame in range(0, int(part.speech.duration_s * fps), FRAME_STEP):
            yield part.first_frame + frame, phoneme_label(part.speech, frame, fps)


def eye_rows(avatar: Avatar) -> list[Picture]:
    """Return the eyes around the loop's greatest change of the eyes: a blink, if it has one."""
    small = np.stack(
        [
            cv2.resize(crop_eyes(avatar, i), COMPARED, interpolation=cv2.INTER_AREA)
            for i in range(len(avatar.frames))
        ]
    ).astype(np.float32)
    change = np.abs(small - np.median(small, axis=0)).mean(axis=(1, 2, 3))
    middle = int(change.argmax())
    around = range(middle - BLINK_FRAMES // 2, middle + BLINK_FRAMES // 2)
    inside = [i for i in around if 0 <= i < len(avatar.frames)]
    return [grid([labelled(crop_eyes(avatar, i), f"eyes {i}") for i in inside])]


def crop_eyes(avatar: Avatar, i: int) -> Picture:
    """Return the eyes of a frame, WIDTH_PX wide."""
    points = avatar.landmarks[i]
    return crop(avatar.frames[i], eye_centres(points).mean(axis=0), EYES_IOD, points)


def crop_mouth(picture: Picture, points: NDArray[np.float32]) -> Picture:
    """Return the mouth of a face with (468, 3) landmarks, WIDTH_PX wide."""
    return crop(picture, points[[61, 291], :2].mean(axis=0), MOUTH_IOD, points)


def crop(
    picture: Picture,
    middle: NDArray[np.floating],
    extent_iod: tuple[float, float, float],
    points: NDArray[np.float32],
) -> Picture:
    """Return the part around `middle`, WIDTH_PX wide; border pixels are repeated outside."""
    side, above, below = (part * float(inter_ocular(points)) for part in extent_iod)
    x, y = (float(value) for value in middle)
    scale = WIDTH_PX / (2 * side)
    matrix = np.array([[scale, 0, (side - x) * scale], [0, scale, (above - y) * scale]])
    size = (WIDTH_PX, round((above + below) * scale))
    flags, border = cv2.INTER_CUBIC, cv2.BORDER_REPLICATE
    return np.asarray(
        cv2.warpAffine(picture, matrix, size, flags=flags, borderMode=border), np.uint8
    )


def labelled(picture: Picture, text: str) -> Picture:
    """Write a label into the corner of a picture; OpenCV's fonts are ASCII only."""
    text = text.encode("ascii", "ignore").decode()
    for colour, thick in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(
            picture, text, (6, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, thick, cv2.LINE_AA
        )
    return picture
