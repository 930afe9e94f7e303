"""Preparation of an avatar's mouth: anatomy, displacement fields, textures and calibration."""

from dataclasses import fields as fields_of
from dataclasses import replace

import numpy as np

from warm.avatars.avatar import Avatar, AvatarBuild
from warm.avatars.filmed_mouth import FilmedMouth
from warm.avatars.store import AvatarOutdated
from warm.engines.viseme.anatomy import Anatomy, Floats, Pixels, build_anatomy
from warm.engines.viseme.calibration import (
    FaceRuler,
    calibrate,
    frame_gains,
    identity_tables,
)
from warm.engines.viseme.displacement_fields import Region, build_displacement_fields
from warm.engines.viseme.face_light import FaceLight
from warm.engines.viseme.interior_textures import InteriorTextures
from warm.engines.viseme.lip_line import snap_to_dark_line
from warm.engines.viseme.mouth import Mouth, MouthData
from warm.engines.viseme.mouth_colours import MouthColours
from warm.engines.viseme.own_colours import own_colours
from warm.installation import own_command

PREFIX = "viseme_"
"""Prefix of this engine's arrays in an avatar."""
STORED_NAMES = {"lip_line_shifts": "seam_moves", "lip_lines": "seams"}
"""Fields of MouthData whose name on disk differs."""
TEXTURES = ("upper_teeth", "lower_teeth", "tongue", "cavity")
"""Fields of MouthData that `InteriorTextures` holds."""
MASK_SIZE = 64
"""Nodes per side of the patch's mask."""
MASK_FROM, MASK_TO = 0.02, 0.25
"""The patch fades in where the fields' window is between these."""


def prepare_mouth(build: AvatarBuild, ruler: FaceRuler) -> MouthData:
    """Compute everything that drawing the avatar's mouth needs."""
    anatomy = build_anatomy(build.landmarks, build.transforms, build.loop)
    anatomy = snap_to_dark_line(anatomy, build.frames)
    data = uncalibrated_mouth(anatomy, build.frames)
    if build.filmed is not None:
        data = with_own_colours(data, anatomy, build.frames, build.filmed)
    tables = calibrate(Mouth(data, build.frames), build.landmarks, ruler)
    data = replace(data, calibration=tables)
    mouth = Mouth(data, build.frames)
    return replace(data, gains=frame_gains(mouth, build.landmarks, ruler, build.loop))


def uncalibrated_mouth(anatomy: Anatomy, frames: Pixels) -> MouthData:
    """The mouth with identity tables and gains of 1."""
    region, fields = Region.of(anatomy), build_displacement_fields(anatomy)
    interior = paint_interior(anatomy, frames[0])
    return MouthData(
        grid=fields.grid,
        lip_line_shifts=fields.lip_line,
        region=np.array([region.left, region.top, region.right, region.bottom]),
        to_frame=anatomy.to_frame,
        lip_lines=anatomy.lip_lines.astype(np.float32),
        mask=region_mask(region),
        upper_teeth=interior.upper_teeth,
        lower_teeth=interior.lower_teeth,
        tongue=interior.tongue,
        cavity=interior.cavity,
        scale=np.array(pixels_per_iod(anatomy)),
        middle=np.array(anatomy.middle),
        calibration=identity_tables(),
        gains=np.ones(len(frames), np.float32),
    )


def with_own_colours(
    data: MouthData, anatomy: Anatomy, frames: Pixels, filmed: FilmedMouth
) -> MouthData:
    """Return the mouth in the colours that the video shows, if it shows the inside well enough."""

    def painted(colours: MouthColours) -> MouthData:
        interior = paint_interior(anatomy, frames[0], colours)
        return replace(data, **{name: getattr(interior, name) for name in TEXTURES})

    own = own_colours(
        MouthColours.of(anatomy, frames[0], FaceLight.of(anatomy, frames[0])),
        filmed,
        lambda colours: Mouth(painted(colours), frames),
    )
    return data if own is None else painted(own)


def paint_interior(
    anatomy: Anatomy, frame: Pixels, colours: MouthColours | None = None
) -> InteriorTextures:
    """Paint the mouth's interior in the light of the avatar's first frame.

    Without `colours` they are derived from the same frame.
    """
    light = FaceLight.of(anatomy, frame)
    colours = colours or MouthColours.of(anatomy, frame, light)
    return InteriorTextures.paint(pixels_per_iod(anatomy), colours, light, anatomy.sides)


def pixels_per_iod(anatomy: Anatomy) -> float:
    """Pixels per IOD, the median of all frames."""
    return float(np.median(np.sqrt(np.linalg.det(anatomy.to_frame[:, :, :2]))))


def region_mask(region: Region) -> Pixels:
    """(MASK_SIZE, MASK_SIZE) 255 where the patch is opaque, fading out before the border."""
    window: Floats = region.window(region.nodes(MASK_SIZE)).reshape(MASK_SIZE, MASK_SIZE)
    faded = (window - MASK_FROM) / (MASK_TO - MASK_FROM)
    return np.round(np.clip(faded, 0.0, 1.0) * 255).astype(np.uint8)


def store_mouth(data: MouthData, build: AvatarBuild) -> None:
    """Write the mouth to the avatar's folder."""
    for field, name in array_names().items():
        build.write_array(name, getattr(data, field))


def load_mouth(avatar: Avatar) -> MouthData:
    """Read the mouth that `store_mouth` wrote; raises AvatarOutdated if an array is missing."""
    names = array_names()
    if missing := sorted(set(names.values()) - set(avatar.extras)):
        words = ("prepare", "PHOTO_OR_VIDEO", "--avatar-id", avatar.id, "--force")
        raise AvatarOutdated(
            f"The avatar {avatar.id!r} was prepared for another version of the engine: "
            f"{missing[0]} is missing. Prepare it again: {own_command(*words)}"
        )
    return MouthData(**{field: np.asarray(avatar.extras[name]) for field, name in names.items()})


def array_names() -> dict[str, str]:
    """Name of the stored array for each field of MouthData."""
    fields = (field.name for field in fields_of(MouthData))
    return {field: PREFIX + STORED_NAMES.get(field, field) for field in fields}
