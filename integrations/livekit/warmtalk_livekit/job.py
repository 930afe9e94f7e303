"""The job of a worker: the room, and the face that joins it."""

import json
from dataclasses import dataclass, field, fields

from warmtalk_client import Address
from warmtalk_client.face import check_rate


@dataclass(frozen=True, kw_only=True)
class Job:
    """One face for one room."""

    livekit_url: str
    token: str = field(repr=False)
    """Access token of the room."""
    warmtalk_url: str
    session_id: str
    avatar_id: str | None = None
    api_key: str | None = field(default=None, repr=False)
    """Key of the Warmtalk server."""
    sample_rate: int = 24_000
    """Rate of the sound that is published."""

    @classmethod
    def parse(cls, text: str) -> "Job":
        """Return the job in a JSON object; raises ValueError."""
        data = json.loads(text)
        if not isinstance(data, dict):
            raise ValueError("the job is not a JSON object")  # noqa: TRY004 - as all other faults
        known = {each.name for each in fields(cls)}
        unknown = sorted(set(data) - known)
        if unknown:
            raise ValueError(f"{unknown[0]}: is unknown; a job has {', '.join(sorted(known))}")
        try:
            job = cls(**data)
        except TypeError as error:
            raise ValueError(str(error).removeprefix("Job.__init__() ")) from None
        check_rate(job.sample_rate)
        Address(job.warmtalk_url)
        return job
