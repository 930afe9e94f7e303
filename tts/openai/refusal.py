"""Answers of a speech server that are not sound, and the errors that they mean."""

import math
import re
from dataclasses import dataclass

from tts.openai.address import SPEECH_ROUTE
from tts.openai.errors import ServerFailed
from tts.voice import BadSpeechRequest, SentenceFailed

MAX_WAIT_S = 3.0
"""A server that asks for a longer pause with `Retry-After` is not asked again."""
MAX_PASSED_ON_S = 300
"""Longest `Retry-After` that is passed on to a client."""

_BUSY = frozenset([429, 503])
_NO_ROUTE = frozenset([404, 405, 501])
_BAD_KEY = frozenset([401, 403])
_BAD_REQUEST = frozenset([400, 404, 413, 422])
_NAMES_VOICE = re.compile(r"\b(voices?|speakers?)\b", re.IGNORECASE)
_NAMES_MODEL = re.compile(r"\bmodels?\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A status that is an error."""

    status: int
    message: str
    """The server's own words, may be empty."""
    retry_after_s: float | None

    @property
    def lacks_route(self) -> bool:
        """True if the server does not have the route, or does not show it."""
        return self.status in _NO_ROUTE or self.status in _BAD_KEY

    def wait_s(self, left_s: float) -> float | None:
        """Return the pause after which the request is worth repeating within `left_s`."""
        wait_s = self.retry_after_s
        is_short = wait_s is not None and wait_s <= min(MAX_WAIT_S, left_s)
        return wait_s if self.status in _BUSY and is_short else None

    def error(self, *, voice: str, model: str, has_key: bool) -> Exception:
        """Return the error of a request for a sentence."""
        if self.status in _BAD_KEY:
            return self._key_error(has_key)
        if self.status in _BAD_REQUEST and _NAMES_VOICE.search(self.message):
            return BadSpeechRequest(
                "voice",
                f"the speech server refuses the voice {voice!r} ({self._shown}). "
                "Choose one from GET /voices.",
            )
        if self.status in _BAD_REQUEST and _NAMES_MODEL.search(self.message):
            return ServerFailed(
                f"refuses the model {model!r} ({self._shown})", "Set tts_model to one that it has."
            )
        if self.status in _NO_ROUTE:
            return ServerFailed(
                f"has no route POST {SPEECH_ROUTE} ({self._shown})",
                "Correct tts_url: it usually ends with /v1.",
            )
        if self.status in _BAD_REQUEST:
            return SentenceFailed(f"is refused by the speech server ({self._shown})")
        return self._server_error()

    def _key_error(self, has_key: bool) -> ServerFailed:
        if has_key:
            return ServerFailed(
                f"does not accept the key ({self._shown})", "Set tts_key to a valid key."
            )
        return ServerFailed(f"requires a key ({self._shown})", "Set tts_key.")

    def _server_error(self) -> ServerFailed:
        if self.status in _BUSY:
            wait_s = self.retry_after_s
            return ServerFailed(
                f"accepts no further request ({self._shown})",
                "Try again soon." if wait_s is None else f"Try again in {wait_s:.0f} s.",
                1 if wait_s is None else max(1, math.ceil(min(MAX_PASSED_ON_S, wait_s))),
            )
        return ServerFailed(
            f"fails ({self._shown})",
            "Try again; read the log of the speech server if the error persists.",
        )

    @property
    def _shown(self) -> str:
        return f"status {self.status}" + (f": {self.message}" if self.message else "")
