"""Answers of D-ID's API."""

from typing import Any, Literal

from pydantic import Field, RootModel

from api.answers import Answer

Status = Literal["created", "started", "done", "error", "rejected"]
Moment = str
"""ISO 8601 with milliseconds, UTC; empty if it has not happened yet."""


class FilmCreated(Answer):
    """A talk or clip that was just created."""

    id: str
    object: Literal["talk", "clip"]
    created_at: Moment
    created_by: str
    status: Literal["created"]


class FilmError(Answer):
    """The reason why there is no film."""

    kind: str
    description: str


class FilmMetadata(Answer):
    """Facts of a film."""

    num_frames: int
    num_faces: int
    processing_fps: float | None = Field(description="Frames that were rendered per second.")
    resolution: list[int] = Field(description="Width and height.")
    size_kib: float
    mouth_open: bool = Field(description="True if the mouth of the source is open.")
    fps: float | None
    voice: str | None = Field(description="The voice that spoke.")


class FilmConfigAnswer(Answer):
    """The form of a film."""

    fluent: bool
    pad_audio: float
    stitch: bool
    result_format: str
    output_resolution: int | None


class FilmAnswer(Answer):
    """A talk or clip. Texts are present in every state; they may be empty."""

    id: str
    user_id: str
    created_by: str
    created_at: Moment
    started_at: Moment
    modified_at: Moment
    status: Status
    audio_url: str
    result_url: str = Field(
        description="Address of the film, which needs no key; empty until it is done."
    )
    name: str
    user_data: Any
    webhook: str
    script: dict[str, Any]
    config: FilmConfigAnswer
    remarks: list[str] = Field(description="Parts of the request that have no effect, in words.")
    duration: float = Field(default=0.0, description="Seconds; only when it is done.")
    metadata: FilmMetadata | None = Field(default=None, description="Only when it is done.")
    error: FilmError | None = Field(default=None, description="Only after a failure.")


class TalkAnswer(FilmAnswer):
    """A talk."""

    object: Literal["talk"]
    source_url: str
    driver_url: str


class TalksAnswer(Answer):
    """A page of talks, the newest first."""

    talks: list[TalkAnswer]
    token: str | None = Field(description="Token of the next page; null on the last one.")


class ClipBackground(Answer):
    """The background of a clip."""

    color: str | None


class ClipAnswer(FilmAnswer):
    """A clip."""

    object: Literal["clip"]
    presenter_id: str
    driver_id: str
    background: ClipBackground | None


class ClipsAnswer(Answer):
    """A page of clips, the newest first."""

    clips: list[ClipAnswer]
    token: str | None = Field(description="Token of the next page; null on the last one.")


class AttemptAnswer(Answer):
    """One request to the address of a webhook."""

    number: int
    started_at: Moment
    duration_s: float
    status: int | None = Field(description="Status of the answer; null if there was none.")
    error: str = Field(description="Why the attempt failed; empty if it succeeded.")


class DeliveryAnswer(Answer):
    """One message to the address of a webhook."""

    id: str = Field(description="The header `Webhook-Id` of every attempt.")
    url: str
    status: Literal["pending", "delivered", "failed"]
    created_at: Moment
    next_attempt_at: Moment
    attempts: list[AttemptAnswer]


class DeliveriesAnswer(Answer):
    """The messages at the end of a talk or clip."""

    webhooks: list[DeliveryAnswer]


class PresenterAnswer(Answer):
    """An avatar as a presenter."""

    presenter_id: str
    name: str
    gender: Literal["unknown"]
    preview_url: str = Field(description="The idle film.")
    talking_preview_url: str
    thumbnail_url: str
    image_url: str
    created_at: Moment
    modified_at: Moment
    driver_id: str
    width: int
    height: int


class PresentersAnswer(Answer):
    """A page of presenters."""

    presenters: list[PresenterAnswer]
    token: str | None = Field(description="Token of the next page; null on the last one.")


class DriverAnswer(Answer):
    """The movements of a presenter."""

    driver_id: str
    presenter_id: str
    preview_url: str


class DriversAnswer(Answer):
    """The drivers of a presenter."""

    clips_drivers: list[DriverAnswer]
    token: str | None


class ImageAnswer(Answer):
    """A stored picture."""

    url: str = Field(description="The `source_url` of talks.")
    id: str


class AudioAnswer(Answer):
    """A stored sound."""

    url: str = Field(description="The `audio_url` of scripts.")
    id: str
    duration: float | None = Field(description="Seconds; null if the file does not state it.")


class CreditEntry(Answer):
    """Credits of the caller."""

    owner_id: str
    remaining: int
    total: int


class CreditsAnswer(Answer):
    """Credits; nothing is charged, so they are constant."""

    credits: list[CreditEntry]
    remaining: int
    total: int


class VoiceLanguage(Answer):
    """A language of a voice."""

    language: str = Field(description="English name, or the tag.")
    locale: str = Field(description="BCP 47 tag.")


class DidVoice(Answer):
    """A voice."""

    id: str
    name: str
    gender: Literal["female", "male", "neutral", "unknown"]
    provider: str
    access: Literal["public"]
    languages: list[VoiceLanguage]
    styles: list[str]


class DidVoicesAnswer(RootModel[list[DidVoice]]):
    """The voices that can speak."""


class AgentSessionAnswer(Answer):
    """A face that has joined a room of LiveKit."""

    id: str = Field(description="Its session.")
    agent_id: str
    status: Literal["started"]
