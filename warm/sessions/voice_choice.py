"""With which voice something is said: as the request wants it, the session, or the settings."""

from tts.voice import VoiceChoice, Voices
from warm.sessions.record import Choices
from warm.settings import Settings


class VoiceResolver:
    """Any thread."""

    def __init__(self, settings: Settings, voices: Voices) -> None:
        self._voices = voices
        self._last = Choices(voice=settings.voice, language=settings.language, speed=settings.speed)

    def choose(self, *voice_resolver: Choices) -> VoiceChoice:
        """A voice by the first of these that names one, else the settings; the same for speed.

        Raises BadSpeechRequest.
        """
        voice, language, speed = None, None, None
        for named in (*voice_resolver, self._last):
            if voice is None and language is None:
                voice, language = named.voice, named.language
            speed = named.speed if speed is None else speed
        return self._voices.choose(voice=voice, language=language, speed=speed)
