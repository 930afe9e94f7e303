"""Catalogue: opens the families of voices."""

from tts.espeak.voices import EspeakVoices
from tts.registry import VoiceRegistry


def espeak_voices() -> VoiceRegistry:
    """Return the voices of espeak-ng alone; raises VoiceUnavailable."""
    return VoiceRegistry([EspeakVoices()])
