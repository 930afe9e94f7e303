"""Opens the voices that the settings name."""

import ssl
from pathlib import Path

from tts.catalogue import open_families
from tts.coqui.models import read_models
from tts.languages import bcp47
from tts.openai.voices import LANGUAGES, SpeechServer
from tts.registry import VoiceRegistry
from tts.voice import BadSpeechRequest
from warm.settings import BadSettings, Settings
from warm.settings.network import words


def configured_voices(settings: Settings, *, is_loaded: bool = True) -> VoiceRegistry:
    """Return all voices.

    `is_loaded`: start to load the voice of the settings, so that its first sentence does not wait.

    Raises BadSettings if a setting names a voice that does not exist, and VoiceUnavailable if no
    voice can be started.
    """
    families = open_families(
        voices_dir=settings.voices_folder,
        coqui_models=read_models(settings.coqui_voices or {}),
        speech_server=speech_server(settings),
    )
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


def speech_server(settings: Settings) -> SpeechServer | None:
    """The speech server of the settings, None if there is none; raises BadSettings."""
    if settings.tts_url is None:
        return None
    key = settings.tts_key
    return SpeechServer(
        url=settings.tts_url,
        key=None if key is None else key.get_secret_value(),
        model=settings.tts_model,
        voices=words(settings.tts_voices),
        languages=tuple(map(bcp47, words(settings.tts_languages))) or LANGUAGES,
        pcm_rate_hz=settings.tts_rate_hz,
        tls=None if settings.tts_ca_file is None else trusted(settings.tts_ca_file),
        connect_timeout_s=settings.tts_connect_timeout_s,
        timeout_s=settings.tts_timeout_s,
        stall_timeout_s=settings.tts_stall_timeout_s,
        max_parallel=settings.tts_max_parallel,
    )


def trusted(ca_file: Path) -> ssl.SSLContext:
    """The certificates in a file; raises BadSettings."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # also of a file that is no certificate
        raise BadSettings(
            f"tts_ca_file = {str(ca_file)!r}: cannot be read as certificates"
            f" ({error.strerror or error}); allowed: a file in PEM format"
        ) from error
