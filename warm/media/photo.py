"""One photo: upright by its EXIF mark, 8-bit BGR, nothing transparent."""

import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from warm.media.scaling import crop_to_even, scale_down
from warm.media.sniff import DamagedMediaError, MediaError, sniff

BACKDROP = 255
"""Grey level that shows through transparent parts."""


@dataclass(frozen=True, slots=True, eq=False)
class Photo:
    """A photo, ready to use."""

    picture: NDArray[np.uint8]
    """(h, w, 3) BGR, upright, even sides."""
    stored_size: tuple[int, int]
    """(width, height) upright, before it was scaled down."""
    notes: tuple[str, ...] = ()
    """What the person who sent it should know."""


def read_photo(path: Path, *, max_side: int) -> Photo:
    """Decode a photo; raises MediaError for what is too large, damaged or truncated."""
    name = sniff(path).demuxer
    try:
        with path.open("rb") as file, open_image(file, name, path) as image:
            return decode(image, max_side)
    except (OSError, SyntaxError, ValueError) as error:
        if isinstance(error, MediaError):
            raise
        raise DamagedMediaError(
            f"The {name} photo {path} is damaged or truncated ({error}). Send the file again."
        ) from error


def open_image(file: IO[bytes], name: str, path: Path) -> Image.Image:
    """Open without decoding, and refuse what would not fit in memory."""
    try:
        with warnings.catch_warnings(action="error", category=Image.DecompressionBombWarning):
            return Image.open(file, formats=[name])
    except UnidentifiedImageError as error:
        raise DamagedMediaError(
            f"The {name} photo {path} has no readable header. Send the file again."
        ) from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise MediaError(
            f"The photo {path} has more than 89 megapixels, which would fill the memory. "
            "Scale it down."
        ) from error


def decode(image: Image.Image, max_side: int) -> Photo:
    """Pixels of an opened image; raises OSError when they break off."""
    upright = eight_bit(ImageOps.exif_transpose(image))
    notes: tuple[str, ...] = ()
    try:
        colour = in_srgb(upright)
    except ImageCms.PyCMSError:
        colour = as_it_is(upright)
        notes = ("The photo's colour profile is broken; its colours are taken as sRGB.",)
    rgb = flatten_alpha(np.asarray(colour))
    picture = np.ascontiguousarray(crop_to_even(scale_down(rgb, max_side))[..., ::-1])
    return Photo(picture, colour.size, notes)


def in_srgb(image: Image.Image) -> Image.Image:
    """8-bit sRGB with or without alpha, through the photo's own colour profile if it has one.

    Raises ImageCms.PyCMSError for a profile that is broken or of other colours than the photo.
    """
    profile = image.info.get("icc_profile")
    if profile is None or image.mode not in {"RGB", "RGBA", "CMYK"}:
        return as_it_is(image)
    converted = ImageCms.profileToProfile(
        image,
        ImageCms.getOpenProfile(io.BytesIO(profile)),
        ImageCms.createProfile("sRGB"),
        outputMode="RGBA" if image.mode == "RGBA" else "RGB",
    )
    return cast(Image.Image, converted)


def as_it_is(image: Image.Image) -> Image.Image:
    """RGB or, where there is any transparency, RGBA, taken as sRGB."""
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def eight_bit(image: Image.Image) -> Image.Image:
    """Grey levels of 16 or 32 bits brought to 8: Pillow's own conversion would clip them."""
    if not image.mode.startswith(("I", "F")):
        return image
    levels = np.asarray(image).astype(np.float64)
    if image.mode == "F":
        return Image.fromarray((levels.clip(0, 1) * 255).round().astype(np.uint8))
    return Image.fromarray((levels.clip(0, 65535) / 257).round().astype(np.uint8))


def flatten_alpha(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(h, w, 3) of (h, w, 3 or 4): laid on an opaque BACKDROP."""
    if picture.shape[2] == 3:
        return picture
    alpha = picture[..., 3:].astype(np.uint16)
    mixed = picture[..., :3] * alpha + BACKDROP * (255 - alpha)
    return ((mixed + 127) // 255).astype(np.uint8)
