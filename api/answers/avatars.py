"""Answers about avatars."""

from typing import Annotated

from pydantic import Field

from api.answers import Answer
from api.answers.actions import ActionAnswer
from warm.avatars.face_report import Certainty
from warm.avatars.mouth_report import MouthReport
from warm.avatars.summary import State
from warm.avatars.verdict import Effect, Kind, Summary


class RemarkAnswer(Answer):
    """A finding about the source of an avatar."""

    kind: Kind
    message: str
    effect: Effect
    times: list[Annotated[list[float], Field(min_length=2, max_length=2)]] = Field(
        default=[], description="Pairs of seconds; absent if it concerns the whole source."
    )


class VerdictAnswer(Answer):
    """The verdict of a preparation."""

    summary: Summary
    remarks: list[RemarkAnswer]


class AvatarAnswer(Answer):
    """A prepared face."""

    id: str
    active: bool = Field(description="True for the avatar in the settings.")
    state: State
    problem: str = Field(description="Why it cannot be used, and the remedy; else empty.")
    width: int
    height: int
    fps: int
    frames: int
    loop: str
    source: str
    created: str
    bytes: int
    notes: list[str]
    verdict: VerdictAnswer | None
    mouth: MouthReport | None
    actions: list[ActionAnswer]
    """Clips that `POST /action` shows."""
    preview_url: str
    idle_url: str


class FaceAnswer(Answer):
    """Certainty of the face in the photo or video."""

    certainty: Certainty
    evidence: float
    """15 to 35 for a face from the front; less than 12 for something that only resembles one."""
    faces: int
    frames_with_face: float
    """Share of a video's frames in which the face was found."""


class AvatarDetails(AvatarAnswer):
    """A prepared face, the certainty of its detection, and its uses."""

    face: FaceAnswer | None
    """Null if an older version of the program made it."""
    warnings: list[str]
    """Imperfections, and their remedies."""
    used_by: list[str]
    """Uses that keep it from being deleted."""


class AvatarsAnswer(Answer):
    """All prepared avatars."""

    avatars: list[AvatarAnswer]


Point = Annotated[list[float], Field(min_length=2, max_length=2)]


class CropAnswer(Answer):
    """The upright crop of the face."""

    size: int
    eyes: Point = Field(description="The middle between the eyes.")
    eye_distance: float


class PathAnswer(Answer):
    """The head poses of one turn of the idle loop.

    A pose `[a, b, x, y]` maps a point (u, v) of the crop to (a u - b v + x, b u + a v + y).
    """

    width: int
    height: int
    crop: CropAnswer
    poses: list[Annotated[list[float], Field(min_length=4, max_length=4)]]
