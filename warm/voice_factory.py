"""Opens the voices that the settings name."""

from tts.catalogue import open_families
from tts.registry import VoiceRegistry
from tts.voice import BadSpeechRequest
from warm.settings import BadSettings, Settings


def configured_voices(settings: Settings, *, is_loaded: bool = True) -> VoiceRegistry:
    """Return all voices.

    `is_loaded`: start to load the voice of the settings, so that its first sentence does not wait.

    Raises BadSettings if a setting names a voice that does not exist, and VoiceUnavailable if no
    voice can be started.
    """
    families = open_families()
    try:
        voices = VoiceRegistry(families, fallback=settings.voice_fallback)
        choice = voices.choose(voice=settings.voice, language=settings.language)
    except BadSpeechRequest as error:
        for family in families:
            family.close()
        raise BadSettings(f"{error.field}: {error}") from error
    if is_loaded:
        voices.prepare(choice.voice)
    return voices
