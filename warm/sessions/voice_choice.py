"""Avatar and voice that a session chose, and the voice that follows from them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tts.voice import VoiceChoice, Voices
from warm.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """Avatar and voice of a session; None follows the settings."""

    avatar_id: str | None = None
    voice: str | None = None
    language: str | None = None
    speed: float | None = None

    def changed(self, named: Mapping[str, Any]) -> "Choices":
        """Return a copy with the named members replaced.

        Voice and language are one choice in two parts: setting one clears the other.
        """
        speech = {"voice": None, "language": None} if named.keys() & {"voice", "language"} else {}
        return replace(self, **{**speech, **named})


class VoiceResolver:
    """Resolves the voice: request, then session, then settings. Any thread."""

    def __init__(self, settings: Settings, voices: Voices) -> None:
        self._voices = voices
        self._defaults = Choices(
            voice=settings.voice, language=settings.language, speed=settings.speed
        )

    def choose(self, *choices: Choices) -> VoiceChoice:
        """Return the first voice and the first speed that are named, else those of the settings.

        Raises BadSpeechRequest.
        """
        voice, language, speed = None, None, None
        for each in (*choices, self._defaults):
            if voice is None and language is None:
                voice, language = each.voice, each.language
            speed = each.speed if speed is None else speed
        return self._voices.choose(voice=voice, language=language, speed=speed)
