"""Opens the recogniser of speech that the settings name."""

from stt.disabled import NoRecogniser
from stt.embedded import EmbeddedOptions, EmbeddedRecogniser
from stt.pins import PINNED_MODELS
from stt.recogniser import Recogniser
from stt.remote.address import parse_recogniser_address
from stt.remote.recogniser import DEFAULT_MODEL, RemoteOptions, RemoteRecogniser
from warm.settings import Settings
from warm.settings.recogniser import NO_RECOGNISER


def configured_recogniser(settings: Settings) -> Recogniser:
    """Return the recogniser of the settings. Nothing is fetched, loaded or asked yet."""
    if settings.transcriber == NO_RECOGNISER:
        return NoRecogniser()
    if settings.transcriber in PINNED_MODELS:
        options = EmbeddedOptions(
            models_dir=settings.models_dir,
            idle_s=settings.stt_idle_s,
            timeout_s=settings.stt_timeout_s,
            threads=settings.stt_threads,
            allow_fetch=settings.stt_fetch,
        )
        return EmbeddedRecogniser(settings.transcriber, options)
    key = settings.stt_key
    return RemoteRecogniser(
        RemoteOptions(
            address=parse_recogniser_address(settings.transcriber),
            model=settings.stt_model or DEFAULT_MODEL,
            key=None if key is None else key.get_secret_value(),
            timeout_s=settings.stt_timeout_s,
        )
    )
