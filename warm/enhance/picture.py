"""Enhancement of a photo."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from isolation.item import Item
from session.disk import replace_file
from stabilizers.similarity import invert
from warm.enhance.alignment import TEMPLATE_SIZE, aligned_transform, five_points
from warm.enhance.errors import EnhanceError, NoFaceToEnhance
from warm.enhance.face_painter import MIN_IOD_PX, FacePainter, face_notes
from warm.enhance.face_tracks import MIN_EVIDENCE
from warm.enhance.options import EnhanceOptions
from warm.enhance.planes import FULL_RANGE, IDENTITY, Colours, Planes
from warm.enhance.restorer import FaceRestorer
from warm.enhance.steady_faces import SteadyFace, frontal_weights, misfits
from warm.enhance.upscalers import Upscaler
from warm.enhance.work_folder import disk_errors
from warm.face.detector import merge_overlapping
from warm.face.finder import FaceFinder
from warm.media.isolated import decode_isolated
from warm.media.photo import opened_photo
from warm.media.photo_colour import rgb_conversion
from warm.media.picture_size import scaled_strips
from warm.media.sniff import MediaError

MAX_SIDE = 8192
"""Longest side of an enlarged picture, pixels."""
BGR = Colours(IDENTITY, FULL_RANGE)
SUFFIXES: dict[str, list[int]] = {
    ".png": [],
    ".jpg": [cv2.IMWRITE_JPEG_QUALITY, 95],
    ".jpeg": [cv2.IMWRITE_JPEG_QUALITY, 95],
    ".webp": [cv2.IMWRITE_WEBP_QUALITY, 95],
}
"""Suffixes of pictures that can be written, with their OpenCV parameters."""
GRIDS = (1, 2, 4, 8)
NO_FACE = (
    "No face was found in {path}. Use a picture whose faces are seen from the front, with at least "
    "{pixels:.0f} pixels between the eyes; --faces none only enlarges it."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureJob:
    """Everything that the enhancement of one photo needs."""

    source: Path
    options: EnhanceOptions
    models: Path
    """Folder of the face models."""
    restorer: FaceRestorer | None
    """None: no faces are restored."""
    upscaler: Upscaler


def enhance_picture(job: PictureJob) -> tuple[NDArray[np.uint8], list[str]]:
    """Return the enhanced (h, w, 3) BGR picture, and remarks; raises EnhanceError, MediaError."""
    picture, notes = read_whole_photo(job.source, MAX_SIDE // job.options.upscale)
    blue, green, red = (np.ascontiguousarray(picture[..., channel]) for channel in range(3))
    source = Planes(blue, green, red, step=1)
    enlarged = job.upscaler.enlarge(source, job.options.upscale)
    if job.restorer is not None:
        faces, found = find_faces(picture, job)
        notes += found
        painter = FacePainter(
            restorer=job.restorer,
            faces=faces,
            to_stored=np.eye(2, 3),
            colours=BGR,
            strength=job.options.strength,
            upscale=job.options.upscale,
        )
        painter.paint(0, source, enlarged)
    return np.dstack([enlarged.luma, enlarged.cb, enlarged.cr]), notes


def find_faces(picture: NDArray[np.uint8], job: PictureJob) -> tuple[list[SteadyFace], list[str]]:
    """Return the faces of a picture, and remarks; raises NoFaceToEnhance."""
    finder = FaceFinder(job.models)
    found = [face for grid in GRIDS for face in finder.detector.find_in_tiles(picture, grid)]
    meshes = [finder.mesh.at_detection(picture, each) for each in merge_overlapping(found)]
    sure = [mesh for mesh in meshes if mesh.logit >= MIN_EVIDENCE]
    points = sorted((five_points(mesh.points) for mesh in sure), key=eye_distance, reverse=True)
    separate = distinct(points)
    large = [each for each in separate if eye_distance(each) >= MIN_IOD_PX]
    if not large:
        raise NoFaceToEnhance(NO_FACE.format(path=job.source, pixels=MIN_IOD_PX))
    kept = large[:1] if job.options.faces == "largest" else large
    faces = [still_face(each) for each in kept]
    return faces, face_notes(faces, small=len(separate) - len(large))


def distinct(points: list[NDArray[np.float64]]) -> list[NDArray[np.float64]]:
    """Return (5, 2) points of faces, the largest first, without duplicates of the same face."""
    kept: list[NDArray[np.float64]] = []
    for each in points:
        centre = each.mean(axis=0)
        distances = [np.linalg.norm(other.mean(axis=0) - centre) for other in kept]
        if all(far > eye_distance(o) / 2 for far, o in zip(distances, kept, strict=True)):
            kept.append(each)
    return kept


def eye_distance(points: NDArray[np.float64]) -> float:
    """Return the eye distance of (5, 2) points, pixels."""
    return float(np.linalg.norm(points[1] - points[0]))


def still_face(points: NDArray[np.float64]) -> SteadyFace:
    """Return a face with a single frame."""
    transform = invert(aligned_transform(points, TEMPLATE_SIZE))
    return SteadyFace(0, transform[None], frontal_weights(misfits(points[None])), np.zeros(1))


def read_whole_photo(path: Path, max_side: int) -> tuple[NDArray[np.uint8], list[str]]:
    """Decode a photo at its original size, in a separate process; raises MediaError."""
    with closing(decode_isolated(whole_photo_items, path, max_side=max_side)) as items:
        facts, picture = next(items)
    assert picture is not None
    return picture, list(facts["notes"])


def whole_photo_items(path: Path, *, max_side: int) -> Iterator[Item]:
    """Yield the upright BGR picture, then its notes."""
    with opened_photo(path, max_side=max_side) as photo:
        if max(photo.size) > max_side:
            raise MediaError(too_large(path, photo.size, max_side))
        loaded = photo.load()
        convert, notes = rgb_conversion(loaded.image)
        rgb = scaled_strips(loaded.image, convert, loaded.image.size)
        upright = photo.orientation.applied(rgb)
        notes = (*photo.notes, *notes, *([CUT_OFF] if loaded.is_incomplete else []))
        notes += (TRANSPARENT_NOTE,) if is_transparent(loaded.image) else ()
        yield Item({"notes": notes}, np.ascontiguousarray(upright[..., ::-1]))


def too_large(path: Path, size: tuple[int, int], max_side: int) -> str:
    """Explain that a photo has more pixels on a side than are allowed with the chosen upscale."""
    pixels = f"The photo {path} has {size[0]}x{size[1]} pixels"
    if max(size) > MAX_SIDE:
        return f"{pixels}; at most {MAX_SIDE} are allowed on a side. Scale it down."
    return (
        f"{pixels}; with this upscale at most {max_side} are allowed on a side. "
        "Choose a smaller upscale, or scale the photo down."
    )


def is_transparent(image: Image.Image) -> bool:
    """Return True if a part of an image is not opaque."""
    if not image.has_transparency_data:
        return False
    lowest = image.convert("RGBA").getchannel("A").getextrema()[0]
    return lowest != OPAQUE


OPAQUE = 255
TRANSPARENT_NOTE = "The photo is transparent; the result shows it over white."
CUT_OFF = "The end of the file is missing or damaged; the picture is used up to there."


def write_picture(picture: NDArray[np.uint8], out: Path) -> None:
    """Write an (h, w, 3) BGR picture in the format of OUT's suffix, atomically."""
    done, data = cv2.imencode(out.suffix.lower(), picture, SUFFIXES[out.suffix.lower()])
    if not done:
        raise EnhanceError(f"{out} cannot be written as {out.suffix}; choose .png.")
    with disk_errors(out):
        replace_file(out, data.tobytes())
