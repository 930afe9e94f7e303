"""Form of a film's file: the area of the picture, its size, and the place of the logo."""

from pathlib import Path

import numpy as np

from session.mp4.delivery import Area, FilmForm, Overlay
from warm.avatars.avatar import CANONICAL_SIZE, Avatar
from warm.production.errors import UnsupportedOption
from warm.production.film_options import FilmOptions, Logo

Size = tuple[int, int]
"""(width, height)."""


def form_of(
    options: FilmOptions, avatar: Avatar, *, logo: Path | None, logo_size: Size, captions: Path
) -> FilmForm:
    """Return the form of a film; raises UnsupportedOption if the logo does not fit.

    `logo`: a PNG file of this size; `captions`: a WebVTT file.
    """
    width, height = avatar.size
    crop = None if options.stitch else face_area(avatar)
    shown = (width, height) if crop is None else (crop.width, crop.height)
    size = scaled(shown, options.output_resolution)
    overlay = None
    if options.logo is not None and logo is not None:
        x, y = logo_place(options.logo, logo_size, size)
        overlay = Overlay(path=logo, x=x, y=y)
    return FilmForm(
        container=options.result_format,
        crop=crop,
        size=None if size == shown else size,
        fps=None if options.fps in (None, avatar.fps) else options.fps,
        overlay=overlay,
        captions=captions if options.subtitles else None,
    )


def face_area(avatar: Avatar) -> Area:
    """Return the square that contains the face in every picture, cut off at the edges."""
    width, height = avatar.size
    side = CANONICAL_SIZE
    corners = np.array([(0, 0, 1), (side, 0, 1), (0, side, 1), (side, side, 1)], np.float64)
    places = avatar.transforms @ corners.T  # (n, 2, 4)
    low, high = places.min(axis=(0, 2)), places.max(axis=(0, 2))
    longest = min(float((high - low).max()), width, height)
    length = max(2, int(longest) & ~1)
    x, y = (
        round(min(max(0.0, centre - length / 2), limit - length)) & ~1
        for centre, limit in zip((low + high) / 2, (width, height), strict=True)
    )
    return Area(x, y, length, length)


def scaled(size: Size, shorter: int | None) -> Size:
    """Return a size whose shorter side is `shorter`, or the next even number of pixels."""
    if shorter is None:
        return size
    scale = shorter / min(size)
    width, height = (2 * round(side * scale / 2) for side in size)
    return width, height


def logo_place(logo: Logo, logo_size: Size, size: Size) -> tuple[int, int]:
    """Return the upper left corner of a logo; raises UnsupportedOption if it does not fit."""
    place = tuple(
        at if at >= 0 else whole - part + at + 1
        for at, part, whole in zip((logo.x, logo.y), logo_size, size, strict=True)
    )
    x, y = place
    if x < 0 or y < 0 or x + logo_size[0] > size[0] or y + logo_size[1] > size[1]:
        raise UnsupportedOption(
            "options.logo",
            f"{logo_size[0]}x{logo_size[1]} pixels at ({logo.x}, {logo.y})",
            f"does not fit into a film of {size[0]}x{size[1]} pixels. Send a smaller picture, or "
            "another position",
        )
    return x, y
