"""Photo files, decoded to upright, opaque 8-bit BGR pictures."""

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from warm.media.photo_colour import rgb_conversion
from warm.media.photo_file import (
    DECODER_ERRORS,
    IncompletePhotoError,
    PhotoFile,
    PhotoTooLargeError,
    open_photo,
)
from warm.media.picture_size import crop_to_even, scaled_size, scaled_strips
from warm.media.sniff import DamagedMediaError, MediaError, sniff

MIN_GREY = 0.02
GREY_NOTE = (
    "The lowest {share:.0%} of the photo is plain grey, as if data were missing. If that part "
    "should not be grey, send the file again."
)


@dataclass(frozen=True, slots=True, eq=False)
class Photo:
    """A decoded photo."""

    picture: NDArray[np.uint8]
    """(h, w, 3) BGR, upright, even sides."""
    stored_size: tuple[int, int]
    """(width, height) upright, before scaling."""
    notes: tuple[str, ...] = ()
    """Warnings for the user."""


def read_photo(path: Path, *, max_side: int) -> Photo:
    """Decode a photo; raises MediaError if it is too large, damaged or truncated.

    Damage that leaves most of the picture readable is reported in the notes instead.
    """
    with opened_photo(path, max_side=max_side) as photo:
        return _decode(photo, max_side)


@contextmanager
def opened_photo(path: Path, *, max_side: int) -> Iterator[PhotoFile]:
    """Open a photo for decoding in the block, whose errors become MediaError."""
    name = sniff(path).demuxer
    try:
        with (
            warnings.catch_warnings(action="error", category=Image.DecompressionBombWarning),
            warnings.catch_warnings(action="ignore", category=UserWarning),  # on damaged metadata
            path.open("rb") as file,
        ):
            yield open_photo(file, name, max_side)
    except PhotoTooLargeError as error:
        raise MediaError(f"The photo {path} {error}") from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise MediaError(
            f"The {name} photo {path} would fill the memory. Scale it down."
        ) from error
    except IncompletePhotoError as error:
        raise DamagedMediaError(
            f"The {name} photo {path} is truncated or damaged: about {error.share:.0%} of the "
            "picture, or of its detail, is missing. Send the file again."
        ) from error
    except DECODER_ERRORS as error:
        if isinstance(error, MediaError):
            raise
        reason = "its header is incomplete" if isinstance(error, struct.error) else error
        raise DamagedMediaError(
            f"The {name} photo {path} is damaged or truncated ({reason}). Send the file again."
        ) from error


def _decode(photo: PhotoFile, max_side: int) -> Photo:
    loaded = photo.load()
    convert, notes = rgb_conversion(loaded.image)
    width, height = photo.size[0], round(photo.size[1] * (1 - loaded.missing))
    rgb = scaled_strips(loaded.image, convert, scaled_size(width, height, max_side))
    upright = photo.orientation.applied(rgb)
    picture = np.ascontiguousarray(crop_to_even(upright)[..., ::-1])
    notes = photo.notes + notes
    notes += (_end_note(loaded.missing),) if loaded.is_incomplete else ()
    notes += (GREY_NOTE.format(share=loaded.grey),) if loaded.grey > MIN_GREY else ()
    return Photo(picture, photo.orientation.swapped((width, height)), notes)


def _end_note(missing: float) -> str:
    if not missing:
        return "The end of the file is missing or damaged; the picture is used as far as it goes."
    return f"The end of the file is missing or damaged; {missing:.1%} of the picture was cut off."
