"""Contact sheet of one face: source, loop and visemes, then the decoded film with its eyes."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.faces.contact_sheet import VISEMES, WIDTH_PX, grid, phoneme_label, shape_weights
from bench.faces.gallery.film import FaceFilm
from bench.faces.gallery.source_face import SourceFace
from stabilizers.blend import paste
from warm.engines.base import PatchRequest
from warm.face.landmarks import eye_centres, inter_ocular

FRAME_STEP = 3
LARGEST_PICTURES = 60
"""Pictures of the film in a sheet."""
IDLE_PICTURES = 6
WHOLE_PICTURES, BLINK_FRAMES = 6, 12
MOUTH_IOD, EYES_IOD = (0.80, 0.62, 0.78), (0.95, 0.45, 0.45)
"""Extent of a picture of mouth or eyes: to each side of their middle, above it and below it."""
COMPARED = (64, 32)
"""Width and height at which pictures of the eyes are compared."""

Picture = NDArray[np.uint8]


def write_sheet(
    film: FaceFilm, source: SourceFace, landmarks: NDArray[np.float32], path: Path
) -> None:
    """Write the sheet as PNG; `landmarks` (n, 468, 3) are those of the decoded pictures."""
    parts = [source_row(film, source), viseme_rows(film), *film_rows(film, landmarks)]
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


def film_rows(film: FaceFilm, landmarks: NDArray[np.float32]) -> list[Picture]:
    """Return every third mouth of the film's speech, whole pictures, and the eyes in a blink."""
    wanted = dict(labelled_frames(film))
    whole_at = set(np.linspace(0, len(landmarks) - 1, WHOLE_PICTURES).astype(int).tolist())
    mouths: list[Picture] = []
    whole: list[Picture] = []
    eyes: list[Picture] = []
    for frame, (picture, points) in enumerate(zip(film.pictures(), landmarks, strict=False)):
        eyes.append(crop(picture, eye_centres(points).mean(axis=0), EYES_IOD, points))
        if frame in wanted and len(mouths) < LARGEST_PICTURES:
            mouths.append(labelled(crop_mouth(picture, points), wanted[frame]))
        if frame in whole_at:
            size = (WIDTH_PX, round(picture.shape[0] * WIDTH_PX / picture.shape[1]))
            whole.append(np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA)))
    return [grid(mouths), grid(whole), grid(blink(eyes))]


def labelled_frames(film: FaceFilm) -> Iterator[tuple[int, str]]:
    """Yield every third frame of the sentences with its phoneme."""
    fps = film.avatar.fps
    for part in film.parts:
        for frame in range(0, int(part.speech.duration_s * fps), FRAME_STEP):
            yield part.first_frame + frame, phoneme_label(part.speech, frame, fps)


def blink(eyes: list[Picture]) -> list[Picture]:
    """Return the pictures of eyes around their greatest change: a blink, if there is one."""
    small = np.stack(
        [cv2.resize(one, COMPARED, interpolation=cv2.INTER_AREA) for one in eyes]
    ).astype(np.float32)
    change = np.abs(small - np.median(small, axis=0)).mean(axis=(1, 2, 3))
    first = max(0, int(change.argmax()) - BLINK_FRAMES // 2)
    around = range(first, min(first + BLINK_FRAMES, len(eyes)))
    return [labelled(eyes[i], f"eyes {i}") for i in around]


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
    side, above = (part * float(inter_ocular(points)) for part in extent_iod[:2])
    x, y = (float(value) for value in middle)
    scale = WIDTH_PX / (2 * side)
    matrix = np.array([[scale, 0, (side - x) * scale], [0, scale, (above - y) * scale]])
    height = WIDTH_PX * (extent_iod[1] + extent_iod[2]) / (2 * extent_iod[0])
    size = (WIDTH_PX, round(height))
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
