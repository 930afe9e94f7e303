"""Catalogue: opens the families of voices, the preferred ones first."""

from tts.espeak.voices import EspeakVoices
from tts.family import VoiceFamily
from tts.registry import VoiceRegistry


def open_families() -> list[VoiceFamily]:
    """Return all families; raises VoiceUnavailable if espeak-ng cannot be started."""
    return [EspeakVoices()]


def espeak_voices() -> VoiceRegistry:
    """Return the voices of espeak-ng alone; raises VoiceUnavailable."""
    return VoiceRegistry([EspeakVoices()])
