"""Pictures, samples and cues that a clip takes, and their validation."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from session.film import Cue, FilmSpec
from session.overlaid_picture import Picture

Pictures = Sequence[Picture]
"""(h, w, 3) BGR each."""
Samples = NDArray[np.float32]
"""(n,) 48 kHz mono."""


def require_matching_media(spec: FilmSpec, pictures: Pictures, samples: Samples) -> None:
    """Raise ValueError unless pictures and samples have the shapes and types of the film."""
    _require_pictures(spec, pictures)
    expected = (len(pictures) * spec.samples_per_frame,)
    if samples.shape != expected or samples.dtype != np.float32:
        raise ValueError(
            f"samples is {samples.shape} {samples.dtype}; {len(pictures)} pictures need"
            f" {expected} float32."
        )
    if not np.isfinite(samples).all():
        raise ValueError("samples contains NaN or infinity; every sample must be finite.")


def _require_pictures(spec: FilmSpec, pictures: Pictures) -> None:
    shape = (spec.height, spec.width, 3)
    if not pictures:
        raise ValueError("pictures is empty; a fragment needs one or more.")
    for picture in pictures:
        if picture.shape != shape or picture.dtype != np.uint8:
            raise ValueError(
                f"A picture is {picture.shape} {picture.dtype}; this film needs {shape} uint8."
            )


def require_cues_in_range(
    cues: Sequence[Cue], *, first_frame: int, frames: int, begun: Sequence[Cue]
) -> None:
    """Raise ValueError unless every cue begins on one of these frames of the film.

    A cue may also replace one of `begun`, the earlier cues of the clip.
    """
    replaceable = {cue.first_frame for cue in begun}
    for cue in cues:
        is_new = first_frame <= cue.first_frame < first_frame + frames
        if not (is_new or cue.first_frame in replaceable) or cue.frames < 1:
            raise ValueError(
                f"A cue begins at frame {cue.first_frame} and lasts {cue.frames} frames; it must"
                f" begin on these pictures, {first_frame} to {first_frame + frames - 1}, and last 1"
                " frame or more."
            )
