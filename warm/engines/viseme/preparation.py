"""Preparation of an avatar's mouth: anatomy, displacement fields, textures and calibration."""

from dataclasses import dataclass, replace
from dataclasses import fields as fields_of

import numpy as np

from warm.avatars.avatar import Avatar, AvatarBuild
from warm.avatars.filmed_mouth import FilmedMouth
from warm.avatars.mouth_report import MouthChoice, MouthReport
from warm.avatars.shown_mouth import ShownMouth
from warm.avatars.store import AvatarOutdated
from warm.engines.viseme.anatomy import Anatomy, Floats32, Pixels, build_anatomy
from warm.engines.viseme.calibration import (
    FaceRuler,
    calibrate,
    frame_gains,
    identity_tables,
    limited,
)
from warm.engines.viseme.displacement_fields import Region, build_displacement_fields
from warm.engines.viseme.face_light import FaceLight
from warm.engines.viseme.interior_textures import InteriorTextures
from warm.engines.viseme.learned.data import LearnedData
from warm.engines.viseme.learned.gate import mouth_report
from warm.engines.viseme.learned.learning import learn
from warm.engines.viseme.learned.lip_tracking import track_lips
from warm.engines.viseme.learned.numbers import numbers_of
from warm.engines.viseme.learned.renderer import LearnedMouth
from warm.engines.viseme.learned.storage import load_learned, store_learned
from warm.engines.viseme.lip_line import snap_to_dark_line
from warm.engines.viseme.mouth import Mouth, MouthData
from warm.engines.viseme.mouth_colours import MouthColours
from warm.engines.viseme.own_colours import own_colours
from warm.engines.viseme.own_teeth import OwnTeeth, find_own_teeth, photo_to_texture
from warm.engines.viseme.own_teeth_gate import TeethEvidence, lip_colours, teeth_note
from warm.engines.viseme.shape import FULL_GAP_IOD
from warm.engines.viseme.silhouette import patch_masks
from warm.installation import own_command

PREFIX = "viseme_"
"""Prefix of this engine's arrays in an avatar."""
STORED_NAMES = {"lip_line_shifts": "seam_moves", "lip_lines": "seams"}
"""Fields of MouthData whose name on disk differs."""
TEXTURES = ("upper_teeth", "lower_teeth", "tongue", "cavity")
"""Fields of MouthData that `InteriorTextures` holds."""


@dataclass(frozen=True, slots=True, eq=False)
class PreparedMouth:
    """The mouth of one avatar: painted, or learned."""

    data: MouthData
    learned: LearnedData | None
    """None if the mouth is painted."""
    report: MouthReport

    def mouth(self, frames: Pixels) -> Mouth:
        """Return the mouth, which draws on the avatar's frames (n, h, w, 3)."""
        if self.learned is None:
            return Mouth(self.data, frames)
        return LearnedMouth(self.data, self.learned, frames)

    def store(self, build: AvatarBuild) -> None:
        """Write the mouth to the avatar's folder."""
        for field, name in array_names().items():
            build.write_array(name, getattr(self.data, field))
        if self.learned is not None:
            store_learned(self.learned, build)
        build.mouth = self.report


def prepare_mouth(build: AvatarBuild, ruler: FaceRuler, choice: MouthChoice) -> PreparedMouth:
    """Compute everything that drawing the avatar's mouth needs.

    Raises PreparationError if `choice` is learned but the footage does not allow it.
    """
    anatomy = build_anatomy(build.landmarks, build.transforms, build.loop)
    anatomy = snap_to_dark_line(anatomy, build.frames)
    lips = None
    if build.filmed is not None and choice != "painted":
        lips = track_lips(anatomy, build.frames, build.filmed, ruler)
    report = mouth_report(build.filmed, None if lips is None else numbers_of(lips.filmed), choice)
    learned = None
    if build.filmed is not None and lips is not None and report.kind == "learned":
        learned = learn(anatomy, build, build.filmed, lips)
    data = uncalibrated_mouth(anatomy, build.frames)
    if build.filmed is not None:
        data = with_own_colours(data, anatomy, build.frames, build.filmed)
    if build.teeth_kept:
        data = replace(data, upper_teeth=transparent(data.upper_teeth))
    elif build.shown is not None:
        data, note = with_own_teeth(data, anatomy, build, build.shown, ruler)
        report = replace(report, reason=f"{report.reason} {note}".strip())
    return calibrated(PreparedMouth(data, learned, report), build, ruler)


def calibrated(prepared: PreparedMouth, build: AvatarBuild, ruler: FaceRuler) -> PreparedMouth:
    """Return the mouth with its tables and gains."""
    tables = calibrate(prepared.mouth(build.frames), build.landmarks, ruler)
    if prepared.learned is not None:
        tables = limited(tables, float(prepared.learned.drive.full_gap) / FULL_GAP_IOD)
    prepared = replace(prepared, data=replace(prepared.data, calibration=tables))
    gains = frame_gains(prepared.mouth(build.frames), build.landmarks, ruler, build.loop)
    return replace(prepared, data=replace(prepared.data, gains=gains))


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
        curvatures=anatomy.curvatures,
        masks=patch_masks(anatomy),
        upper_teeth=interior.upper_teeth,
        lower_teeth=interior.lower_teeth,
        tongue=interior.tongue,
        cavity=interior.cavity,
        scale=np.array(pixels_per_iod(anatomy)),
        middle=np.array(anatomy.middle),
        calibration=identity_tables(),
        gains=np.ones(len(frames), np.float32),
    )


def transparent(texture: Floats32) -> Floats32:
    """Return a texture (h, w, 4) that hides nothing: the person's own teeth are in its place."""
    hidden = texture.copy()
    hidden[..., 3] = 0
    return hidden


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


def with_own_teeth(
    data: MouthData, anatomy: Anatomy, build: AvatarBuild, shown: ShownMouth, ruler: FaceRuler
) -> tuple[MouthData, str]:
    """Return the mouth with the upper teeth that the photo shows, if they are good enough.

    The second value is a sentence about them for the avatar's report, or empty.
    """
    frame, scale = build.frames[0], float(data.scale)
    colours = MouthColours.of(anatomy, frame, FaceLight.of(anatomy, frame))
    refined = ruler.track(shown.picture, shown.landmarks).points
    to_texture = photo_to_texture(shown, build.landmarks[0], anatomy, scale)
    own = find_own_teeth(shown.picture, refined, to_texture, colours, scale)
    if own is None:
        return data, teeth_note(None, "")
    evidence = TeethEvidence.of(own, lip_colours(shown.picture, refined), colours, scale)
    note = teeth_note(own, evidence.objection)
    if evidence.objection:
        return data, note
    interior = paint_interior(anatomy, frame, own=own.lit(colours))
    return replace(data, **{name: getattr(interior, name) for name in TEXTURES}), note


def paint_interior(
    anatomy: Anatomy,
    frame: Pixels,
    colours: MouthColours | None = None,
    own: OwnTeeth | None = None,
) -> InteriorTextures:
    """Paint the mouth's interior in the light of the avatar's first frame.

    Without `colours` they are derived from the same frame; the upper row looks like the person's
    `own` teeth if they were seen.
    """
    light = FaceLight.of(anatomy, frame)
    colours = colours or MouthColours.of(anatomy, frame, light)
    return InteriorTextures.paint(pixels_per_iod(anatomy), colours, light, anatomy.sides, own)


def pixels_per_iod(anatomy: Anatomy) -> float:
    """Pixels per IOD, the median of all frames."""
    return float(np.median(np.sqrt(np.linalg.det(anatomy.to_frame[:, :, :2]))))


def load_mouth(avatar: Avatar) -> Mouth:
    """Return the mouth that preparation stored; raises AvatarOutdated if an array is missing."""
    data, learned = load_painted(avatar), load_learned(avatar)
    if learned is None:
        return Mouth(data, avatar.frames)
    return LearnedMouth(data, learned, avatar.frames)


def load_painted(avatar: Avatar) -> MouthData:
    """Read the arrays of a painted mouth, which a learned one needs, too."""
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
