"""Answers about the heads that share a results folder."""

from typing import Any

from pydantic import Field

from api.answers import Answer


class HeadAnswer(Answer):
    """One head."""

    name: str
    url: str = Field(description="Address at which the other heads reach it.")
    version: str
    is_own: bool = Field(description="True if this head made the answer.")
    is_answering: bool
    is_draining: bool | None = Field(description="Null if it does not answer.")
    sessions: list[str] | None = Field(description="Those that it has; null if it does not answer.")


class HeadsAnswer(Answer):
    """All heads that run."""

    heads: list[HeadAnswer] = Field(description="Empty if this server is alone.")


class OwnHeadAnswer(Answer):
    """The state that a head reports to another one."""

    head: str
    version: str
    holds: bool = Field(description="True if the session belongs to it.")
    is_draining: bool
    sessions: list[str]


class OwnAvatarAnswer(Answer):
    """The use of an avatar by one head, as another head reads it."""

    jobs: list[str] = Field(description="Unfinished jobs that use it, in words.")


class OwnJobsAnswer(Answer):
    """The jobs of one head, as another head reads them."""

    jobs: list[dict[str, Any]]
    token: str | None = Field(description="Token of the older ones; null if there are none.")


class OwnUploadAnswer(Answer):
    """An upload of one head, as another head reads it."""

    upload: dict[str, Any] | None = Field(description="Its record; null if it is not there.")


class RemovedAnswer(Answer):
    """The answer to a head that removes an upload."""

    is_used: bool = Field(description="True if a job uses the upload, which then stays.")


class ReleasedAnswer(Answer):
    """The answer to a head that asks for a session."""

    released: bool
    reason: str | None = Field(description="Reason for which the session stays.")


class DrainedAnswer(Answer):
    """The state of a head that takes no more sessions."""

    head: str
    is_drained: bool = Field(description="True if it can be stopped without ending any speech.")
    sessions: list[str] = Field(description="Sessions that it still has.")
    speaking: int = Field(description="Clips that are being rendered.")
    waiting: int = Field(description="Requests to speak that wait.")
