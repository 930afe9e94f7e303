"""Messages of the worker about clips: their beginning, and their frames."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from warm.avatars.avatar import Shown
from warm.live.feed.played_clip import FilmFrame, PlayedClip


def clip_of(header: Mapping[str, Any]) -> PlayedClip:
    """Return the clip that a message begins."""
    first, tapped = header["first_frame"], header["tapped_from"]
    start = first if tapped == first else min(tapped, max(first, header["position"]))
    return PlayedClip(
        number=header["clip"],
        utterance=header["utterance"],
        skipped=header["skipped"],
        avatar_key=header["avatar"],
        first_frame=first,
        next_frame=start,
        film_until=tapped,
        path=header["path"],
    )


def frames_of(header: Mapping[str, Any], payload: memoryview) -> list[FilmFrame]:
    """Return the frames of a message, as views of its payload."""
    width, height = header["size"]
    count, size = len(header["shown"]), width * height * 3
    pictures = np.frombuffer(payload[: count * size], np.uint8).reshape(count, height, width, 3)
    samples = np.frombuffer(payload[count * size :], np.float32)
    pictures.setflags(write=False)
    each = len(samples) // max(1, count)
    return [
        FilmFrame(
            picture=pictures[index],
            samples=samples[index * each : (index + 1) * each],
            shown=Shown(*shown),
        )
        for index, shown in enumerate(header["shown"])
    ]
