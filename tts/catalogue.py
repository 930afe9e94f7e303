"""Catalogue: opens the families of voices, the preferred ones first."""

from tts.espeak.voices import EspeakVoices
from tts.family import VoiceFamily
from tts.openai.voices import OpenAIVoices, SpeechServer
from tts.registry import VoiceRegistry


def open_families(*, speech_server: SpeechServer | None = None) -> list[VoiceFamily]:
    """Return all families; raises VoiceUnavailable if espeak-ng cannot be started."""
    return [EspeakVoices(), OpenAIVoices(speech_server)]


def espeak_voices() -> VoiceRegistry:
    """Return the voices of espeak-ng alone; raises VoiceUnavailable."""
    return VoiceRegistry([EspeakVoices()])
