"""Mouth of an avatar on the frames of an action: the rows of its arrays for further frames.

Everything that belongs to the whole avatar stays: the layout, the displacement fields, the textures
and the tables. Only what is measured frame by frame is measured in the new ones, too.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from warm.avatars.avatar import Avatar, AvatarBuild
from warm.engines.viseme.anatomy import Anatomy, Floats, build_anatomy, further_frames
from warm.engines.viseme.calibration import FaceRuler, gains_of, half_gaps, steady_gaps
from warm.engines.viseme.learned.atlas import lips_atlas
from warm.engines.viseme.learned.data import LearnedData
from warm.engines.viseme.learned.footage import light_levels, relative_light
from warm.engines.viseme.learned.gate import trust_near
from warm.engines.viseme.learned.renderer import LearnedMouth
from warm.engines.viseme.learned.storage import PREFIX as LEARNED_PREFIX
from warm.engines.viseme.learned.storage import load_learned
from warm.engines.viseme.lip_line import lip_line_offset
from warm.engines.viseme.mouth import Mouth, MouthData
from warm.engines.viseme.preparation import array_names, load_painted, pixels_per_iod
from warm.engines.viseme.silhouette import patch_masks

SAMPLED_FRAMES = 7
"""Frames of the loop on which a mouth is measured again, as reference."""
LIGHT_FRAMES = 60
"""Frames of the loop whose light is measured again."""
PAINTED = ("to_frame", "lip_lines", "curvatures", "masks", "gains")
LEARNED = ("light", "turns_deg", "trust")
"""Fields with one row per frame."""


def extended_rows(
    build: AvatarBuild, part: AvatarBuild, ruler: FaceRuler
) -> dict[str, NDArray[np.generic]]:
    """Return the rows of the arrays of a mouth for the frames of `part`; see `ExtendableEngine`."""
    avatar, count = build.avatar(), build.base_frames or len(build.frames)
    base = build_anatomy(build.landmarks[:count], build.transforms[:count], build.loop)
    offset = lip_line_offset(base, build.frames[:count])
    more = further_frames(base, part.landmarks, part.transforms, offset)
    whole, names = load_painted(avatar), array_names()
    data = replace(
        whole,
        to_frame=more.to_frame,
        lip_lines=more.lip_lines.astype(np.float32),
        curvatures=more.curvatures,
        masks=patch_masks(more),
        gains=np.ones(len(part.frames), np.float32),
    )
    learned = load_learned(avatar)
    if learned is not None:
        learned = further_learned(learned, base, more, build.frames[:count], part)
    usual = usual_gap(avatar, whole, count, ruler)
    gaps = steady_gaps(mouth_of(data, learned, part.frames), part.landmarks, ruler, "pingpong")
    data = replace(data, gains=gains_of(gaps, usual))
    rows = {names[field]: np.asarray(getattr(data, field)) for field in PAINTED}
    if learned is not None:
        rows |= {LEARNED_PREFIX + field: getattr(learned, field) for field in LEARNED}
    return rows


def mouth_of(data: MouthData, learned: LearnedData | None, frames: NDArray[np.uint8]) -> Mouth:
    """Return the mouth that draws on some frames."""
    return Mouth(data, frames) if learned is None else LearnedMouth(data, learned, frames)


def usual_gap(avatar: Avatar, data: MouthData, count: int, ruler: FaceRuler) -> float:
    """Return the gap of half an opening to which the gains of the loop lead, IOD."""
    frames = np.unique(np.linspace(0, count - 1, SAMPLED_FRAMES).astype(int))
    mouth = mouth_of(data, load_learned(avatar), avatar.frames)
    return float(np.median(half_gaps(mouth, avatar.landmarks, frames, ruler)))


def further_learned(
    learned: LearnedData,
    base: Anatomy,
    more: Anatomy,
    frames: NDArray[np.uint8],
    part: AvatarBuild,
) -> LearnedData:
    """Return a learned mouth for the frames of `part`; `base` and `frames`: those of the loop."""
    atlas = lips_atlas(base, pixels_per_iod(base))
    step = max(1, len(frames) // LIGHT_FRAMES)
    sampled = replace(base, to_frame=base.to_frame[::step])
    usual = np.median(light_levels(sampled, frames[::step], atlas), axis=0)
    turns = turns_of(part)
    return replace(
        learned,
        light=relative_light(light_levels(more, part.frames, atlas), usual),
        turns_deg=turns.astype(np.float32),
        trust=trust_near(turns, learned.turns_deg[: len(frames)], learned.trust[: len(frames)]),
    )


def turns_of(part: AvatarBuild) -> Floats:
    """Return (n, 2) turns of the head in the frames of an action; raises ValueError without any."""
    if part.turns_deg is None:
        raise ValueError("the frames of an action have no turns of the head (turns_deg)")
    return part.turns_deg
