"""The answer to a failed request."""

from typing import Annotated, Literal

from pydantic import Field

from api.answers import Answer
from api.example import example


class FaultAnswer(Answer):
    """One fault of a member of the body."""

    message: str


class LimitAnswer(Answer):
    """The limit that a request has reached."""

    setting: str
    value: float
    scope: str
    share: float = Field(description="Places that this scope may take at present.")
    used: float = Field(description="Places that it has taken.")


class ProblemAnswer(Answer):
    """Problem details (RFC 9457)."""

    model_config = example(
        type="about:blank",
        title="Unprocessable Entity",
        status=422,
        detail="lead_s = 0.1: must be a number from 0.2 to 60",
        kind="ValidationError",
        description="lead_s = 0.1: must be a number from 0.2 to 60",
        details={"body.lead_s": {"message": "lead_s = 0.1: must be a number from 0.2 to 60"}},
        request_id="f7b8c1a2",
    )

    type: Literal["about:blank"]
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: str = Field(description="What was wrong, the value received, and what is allowed.")
    kind: str
    description: str = Field(description="The same as `detail`.")
    details: dict[str, FaultAnswer] = Field(default={}, description="Faults by field.")
    limit: LimitAnswer | None = None
    request_id: str = Field(default="", description="The server's log has it.")
