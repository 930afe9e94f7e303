"""Credentials of a LiveKit server."""

import os
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Credentials:
    """Address, key and secret of a LiveKit server."""

    url: str
    key: str
    secret: str = field(repr=False)

    @classmethod
    def of(cls, url: str | None, key: str | None, secret: str | None) -> "Credentials":
        """Return the credentials; what is None comes from the environment. Raises ValueError."""
        found = {
            "LIVEKIT_URL": url or os.getenv("LIVEKIT_URL"),
            "LIVEKIT_API_KEY": key or os.getenv("LIVEKIT_API_KEY"),
            "LIVEKIT_API_SECRET": secret or os.getenv("LIVEKIT_API_SECRET"),
        }
        missing = [name for name, value in found.items() if not value]
        if missing:
            raise ValueError(
                f"{', '.join(missing)}: is not set; pass livekit_url, livekit_api_key and"
                " livekit_api_secret, or set the environment variables"
            )
        return cls(*(str(value) for value in found.values()))
