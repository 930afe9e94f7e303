"""Makes an avatar's mouth at preparation: anatomy, fields, paints and calibration."""

from dataclasses import fields as fields_of
from dataclasses import replace

import numpy as np

from warm.avatars.avatar import Avatar, AvatarBuild
from warm.avatars.store import AvatarOutdated
from warm.engines.viseme.anatomy import CHEEKS, CHIN_PAD, Anatomy, Floats, Pixels, study
from warm.engines.viseme.calibration import calibrate, frame_gains, identity
from warm.engines.viseme.displacement_fields import Region, build_fields
from warm.engines.viseme.interior_textures import CAVITY_BGR, paint_teeth, paint_tongue
from warm.engines.viseme.lip_line import on_dark_line
from warm.engines.viseme.mouth import Mouth, MouthData
from warm.face.mesh import FaceMesh
from warm.installation import own_command

PREFIX = "viseme_"
"""Of the names under which an avatar keeps the engine's arrays."""
MASK = 64
"""Nodes a side of the patch's mask."""
MASK_FROM, MASK_TO = 0.02, 0.25
"""The patch fades in where the fields' window lies between them."""
LIT_PERCENTILE = 90.0


def prepare_mouth(build: AvatarBuild, mesh: FaceMesh) -> MouthData:
    """Everything that drawing the avatar's mouth needs."""
    anatomy = on_dark_line(study(build.landmarks, build.transforms, build.loop), build.frames)
    region = Region.of(anatomy)
    moved = build_fields(anatomy)
    scale = float(np.median(np.sqrt(np.linalg.det(anatomy.to_frame[:, :, :2]))))
    white = brightness(anatomy, build.frames[0])
    sides = anatomy.sides
    data = MouthData(
        grid=moved.grid,
        seam_moves=moved.seam,
        region=np.array([region.left, region.top, region.right, region.bottom]),
        to_frame=anatomy.to_frame,
        seams=anatomy.seams.astype(np.float32),
        mask=region_mask(region),
        upper_teeth=paint_teeth(scale, white, sides, upper=True),
        lower_teeth=paint_teeth(scale, white, sides, upper=False),
        tongue=paint_tongue(scale, white, sides),
        cavity=(CAVITY_BGR * white * 255).astype(np.float32),
        scale=np.array(scale),
        middle=np.array(anatomy.middle),
        calibration=identity(),
        gains=np.ones(len(build.frames), np.float32),
    )
    tables = calibrate(Mouth(data, build.frames).show, build.landmarks, mesh)
    data = replace(data, calibration=tables)
    show = Mouth(data, build.frames).show
    return replace(data, gains=frame_gains(show, build.landmarks, mesh, build.loop))


def brightness(anatomy: Anatomy, frame: Pixels) -> float:
    """0…1: how bright the lit skin around the mouth is, in its brightest colour."""
    at = anatomy.points[np.concatenate([CHEEKS, CHIN_PAD])]
    matrix = anatomy.to_frame[0]
    pixels = np.round(at @ matrix[:, :2].T + matrix[:, 2]).astype(int)
    x, y = np.clip(pixels, 0, [frame.shape[1] - 1, frame.shape[0] - 1]).T
    return float(np.percentile(frame[y, x].max(axis=1), LIT_PERCENTILE)) / 255


def region_mask(region: Region) -> Pixels:
    """(MASK, MASK) 255 where the patch alone shows, running out before the region's border."""
    window: Floats = region.window(region.nodes(MASK)).reshape(MASK, MASK)
    faded = (window - MASK_FROM) / (MASK_TO - MASK_FROM)
    return np.round(np.clip(faded, 0.0, 1.0) * 255).astype(np.uint8)


def store_mouth(data: MouthData, build: AvatarBuild) -> None:
    """Write the mouth to the avatar's folder."""
    for field in fields_of(data):
        build.write_array(PREFIX + field.name, getattr(data, field.name))


def load_mouth(avatar: Avatar) -> MouthData:
    """The mouth that `store_mouth` wrote; raises AvatarOutdated when an array is missing."""
    names = {field.name: PREFIX + field.name for field in fields_of(MouthData)}
    if missing := sorted(set(names.values()) - set(avatar.extras)):
        prepare = own_command("prepare", "PHOTO_OR_VIDEO", "--avatar-id", avatar.id, "--force")
        raise AvatarOutdated(
            f"The avatar {avatar.id!r} was prepared for another version of the engine: "
            f"{missing[0]} is missing. Prepare it again: {prepare}"
        )
    return MouthData(**{name: np.asarray(avatar.extras[key]) for name, key in names.items()})
