"""Learning of a mouth from the footage of its avatar."""

import numpy as np
from numpy.typing import NDArray

from warm.avatars.avatar import AvatarBuild
from warm.avatars.filmed_mouth import FilmedMouth
from warm.engines.viseme.anatomy import Anatomy, Floats32
from warm.engines.viseme.learned.alignment import Alignment, align
from warm.engines.viseme.learned.atlas import Atlas, inside_atlas, lips_atlas
from warm.engines.viseme.learned.data import LearnedData, TextureData
from warm.engines.viseme.learned.drive import learn_drive
from warm.engines.viseme.learned.eigenspace import refill
from warm.engines.viseme.learned.footage import Footage, Opening, lips_window
from warm.engines.viseme.learned.gate import OPEN_GAP_IOD, pose_trust
from warm.engines.viseme.learned.lip_tracking import LipTracks
from warm.engines.viseme.learned.numbers import Number, numbers_of
from warm.engines.viseme.learned.opening_mask import extended, opening_mask
from warm.engines.viseme.learned.regression import Scaling
from warm.engines.viseme.learned.shape_model import learn_shape
from warm.engines.viseme.learned.texture import learn_texture

DETAIL_BYTES = 1_600_000
"""Memory for the detail of each texture."""


def learn(
    anatomy: Anatomy,
    build: AvatarBuild,
    filmed: FilmedMouth,
    lips: LipTracks,
    used: NDArray[np.bool_] | None = None,
) -> LearnedData:
    """Learn from the frames that are `used` (n,), by default all that show the mouth."""
    footage = Footage(anatomy, build.frames, filmed, lips)
    numbers = numbers_of(lips.filmed)
    usable = ~filmed.covered if used is None else used & ~filmed.covered
    chosen = np.flatnonzero(usable)
    is_open = numbers[chosen, Number.GAP] > OPEN_GAP_IOD
    scaling = Scaling.of(np.column_stack([numbers, filmed.turns_deg])[chosen])
    inputs = scaling.apply(np.column_stack([numbers, filmed.turns_deg])[chosen])
    openings = [footage.opening(int(i)) for i in chosen]
    scale = float(np.median(np.sqrt(np.linalg.det(anatomy.to_frame[:, :, :2]))))
    light = footage.light(lips_atlas(anatomy, scale))
    opened = [opening for opening, shown in zip(openings, is_open, strict=True) if shown]
    inside, alignment = learn_inside(
        footage, chosen[is_open], opened, inputs[is_open], inside_atlas(anatomy, scale), light
    )
    return LearnedData(
        shape=learn_shape(openings, inputs, numbers[chosen]),
        drive=learn_drive(numbers[chosen]),
        input_mean=scaling.mean,
        input_scale=scaling.scale,
        lips=learn_lips(footage, chosen, openings, inputs, lips_atlas(anatomy, scale), light),
        inside=inside,
        inside_shift=alignment.weights,
        light=light,
        turns_deg=filmed.turns_deg.astype(np.float32),
        trust=pose_trust(filmed.turns_deg, chosen[is_open], build.loop),
    )


def learn_lips(
    footage: Footage,
    chosen: NDArray[np.intp],
    openings: list[Opening],
    inputs: Floats32,
    atlas: Atlas,
    light: Floats32,
) -> TextureData:
    """Learn how the closed lips' picture changes as they open."""
    window = lips_window(footage.anatomy, atlas)[..., None]
    rows = np.stack(
        [
            footage.lips(int(i), opening, atlas) * window / light[i]
            for i, opening in zip(chosen, openings, strict=True)
        ]
    )
    return learn_texture(rows, inputs, atlas, kept=spread(len(rows), rows[0].size))


def learn_inside(
    footage: Footage,
    chosen: NDArray[np.intp],
    openings: list[Opening],
    inputs: Floats32,
    atlas: Atlas,
    light: Floats32,
) -> tuple[TextureData, Alignment]:
    """Learn what the frames `chosen`, with their `openings`, show between the lips."""
    line = footage.anatomy.lip_line
    pictures = np.stack([footage.inside(int(i), atlas) / light[i] for i in chosen])
    seen = np.stack([opening_mask(line + opening.lip_line, atlas) for opening in openings])
    pictures, seen, alignment = align(pictures, seen, inputs, atlas)
    area = np.maximum(seen.sum(axis=(1, 2)), 1).astype(np.float64)
    known = np.repeat(seen.reshape(len(seen), -1), 3, axis=1)
    filled = refill(pictures.reshape(len(pictures), -1), known, area).reshape(pictures.shape)
    filled = extended(filled, seen)
    kept = spread(len(filled), filled[0].size)
    texture = learn_texture(filled, inputs, atlas, reliability=area, trusted=seen, kept=kept)
    return texture, alignment


def spread(count: int, size: int) -> NDArray[np.intp]:
    """Return evenly spread indices below `count`, for as many rows of `size` bytes as fit."""
    kept = min(count, max(DETAIL_BYTES // size, 1))
    return np.unique(np.linspace(0, count - 1, kept).round().astype(np.intp))
