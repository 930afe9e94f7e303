"""Colours of decoded photos: conversion to opaque 8-bit sRGB."""

import io
from collections.abc import Callable
from typing import cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from session.transparency import flatten_alpha

PROFILE_MODES = {"RGB": "RGB", "RGBA": "RGBA", "CMYK": "RGB", "L": "RGB"}
"""Modes in which colour profiles are applied, and the modes that result."""
INVALID_PROFILE_NOTE = (
    "The photo's colour profile is invalid or of another kind; its colours are read as sRGB."
)

ToRgb = Callable[[Image.Image], NDArray[np.uint8]]
"""Converts a photo, or a part of it, to (h, w, 3) RGB."""
Flatten = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
"""Takes (h, w, 3 or 4), with the opacity last."""


def rgb_conversion(
    image: Image.Image, flatten: Flatten = flatten_alpha
) -> tuple[ToRgb, tuple[str, ...]]:
    """Return the conversion of a photo's parts to sRGB, and notes for the user.

    `flatten` gets the parts with their opacity, and by default makes them opaque.
    """
    mode = _direct_mode(image)
    notes: tuple[str, ...] = ()
    transform: ImageCms.ImageCmsTransform | None = None
    if (profile := image.info.get("icc_profile")) and mode in PROFILE_MODES:
        try:
            transform = _to_srgb(profile, mode)
        except (ImageCms.PyCMSError, OSError):
            notes = (INVALID_PROFILE_NOTE,)

    def convert(part: Image.Image) -> NDArray[np.uint8]:
        part = to_eight_bit(part)
        if transform is None:
            part = assume_srgb(part)
        else:
            direct = part if part.mode == mode else part.convert(mode)
            part = cast(Image.Image, ImageCms.applyTransform(direct, transform))
        return flatten(np.asarray(part))

    return convert, notes


def _to_srgb(icc: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Return the transform by a profile; raises PyCMSError or OSError for an invalid one.

    Grey photos often have the profile of a colour photo. It does not concern them: returns None.
    """
    profile = ImageCms.getOpenProfile(io.BytesIO(icc))
    if mode == "L" and profile.profile.xcolor_space.strip() != "GRAY":
        return None
    srgb = ImageCms.createProfile("sRGB")
    return ImageCms.buildTransform(profile, srgb, mode, PROFILE_MODES[mode])


def _direct_mode(image: Image.Image) -> str:
    """Return the mode without a palette."""
    if image.mode != "P" and not (image.mode == "RGB" and image.has_transparency_data):
        return image.mode
    return "RGBA" if image.has_transparency_data else "RGB"


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
