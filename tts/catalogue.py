"""Catalogue: opens the families of voices, the preferred ones first."""

from pathlib import Path

from tts.espeak.isolated import IsolatedEspeak
from tts.espeak.voices import EspeakVoices
from tts.family import VoiceFamily
from tts.onnx_voices.piper import PiperVoices
from tts.openai.voices import OpenAIVoices, SpeechServer
from tts.registry import VoiceRegistry


def open_families(
    *, voices_dir: Path, speech_server: SpeechServer | None = None
) -> list[VoiceFamily]:
    """Return all families; raises VoiceUnavailable if espeak-ng cannot be started.

    `voices_dir`: folder of voices in files, which need not exist.
    """
    espeak = IsolatedEspeak()
    return [
        PiperVoices(voices_dir, espeak),
        EspeakVoices(espeak),
        OpenAIVoices(speech_server),
    ]


def espeak_voices() -> VoiceRegistry:
    """Return the voices of espeak-ng alone; raises VoiceUnavailable."""
    return VoiceRegistry([EspeakVoices()])
