"""Photo files, decoded to upright, opaque 8-bit BGR pictures."""

import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from warm.media.picture_size import crop_to_even, scale_down
from warm.media.sniff import DamagedMediaError, MediaError, sniff

BACKDROP = 255
"""Grey level behind transparent parts."""


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
    """Decode a photo; raises MediaError if it is too large, damaged or truncated."""
    name = sniff(path).demuxer
    try:
        with path.open("rb") as file, open_image(file, name, path) as image:
            return decode_image(image, max_side)
    except (OSError, SyntaxError, ValueError) as error:
        if isinstance(error, MediaError):
            raise
        raise DamagedMediaError(
            f"The {name} photo {path} is damaged or truncated ({error}). Send the file again."
        ) from error


def open_image(file: IO[bytes], name: str, path: Path) -> Image.Image:
    """Open a photo without decoding it; raises MediaError if it is too large for the memory."""
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


def decode_image(image: Image.Image, max_side: int) -> Photo:
    """Decode an open image; raises OSError if it is truncated."""
    upright = to_eight_bit(ImageOps.exif_transpose(image))
    notes: tuple[str, ...] = ()
    try:
        colour = to_srgb(upright)
    except ImageCms.PyCMSError:
        colour = assume_srgb(upright)
        notes = ("The photo's colour profile is invalid; its colours are read as sRGB.",)
    rgb = flatten_alpha(np.asarray(colour))
    picture = np.ascontiguousarray(crop_to_even(scale_down(rgb, max_side))[..., ::-1])
    return Photo(picture, colour.size, notes)


def to_srgb(image: Image.Image) -> Image.Image:
    """Convert to 8-bit sRGB, with or without alpha, by the photo's colour profile if it has one.

    Raises ImageCms.PyCMSError for a profile that is invalid or of another colour space.
    """
    profile = image.info.get("icc_profile")
    if profile is None or image.mode not in {"RGB", "RGBA", "CMYK"}:
        return assume_srgb(image)
    converted = ImageCms.profileToProfile(
        image,
        ImageCms.getOpenProfile(io.BytesIO(profile)),
        ImageCms.createProfile("sRGB"),
        outputMode="RGBA" if image.mode == "RGBA" else "RGB",
    )
    return cast(Image.Image, converted)


def assume_srgb(image: Image.Image) -> Image.Image:
    """Convert to RGB, or RGBA if there is transparency, reading the colours as sRGB."""
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def to_eight_bit(image: Image.Image) -> Image.Image:
    """Scale grey levels of 16 or 32 bits to 8 bits; Pillow's own conversion would clip them."""
    if not image.mode.startswith(("I", "F")):
        return image
    levels = np.asarray(image).astype(np.float64)
    if image.mode == "F":
        return Image.fromarray((levels.clip(0, 1) * 255).round().astype(np.uint8))
    return Image.fromarray((levels.clip(0, 65535) / 257).round().astype(np.uint8))


def flatten_alpha(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(h, w, 3) of (h, w, 3 or 4), composited over BACKDROP."""
    if picture.shape[2] == 3:
        return picture
    alpha = picture[..., 3:].astype(np.uint16)
    mixed = picture[..., :3] * alpha + BACKDROP * (255 - alpha)
    return ((mixed + 127) // 255).astype(np.uint8)
