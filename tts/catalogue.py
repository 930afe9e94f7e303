"""Catalogue: opens the families of voices, the preferred ones first."""

from collections.abc import Sequence
from pathlib import Path

from tts.alignment.aligner import Aligner
from tts.alignment.references import ReferenceVoices
from tts.coqui.models import CoquiModel
from tts.coqui.voices import CoquiVoices
from tts.espeak.isolated import IsolatedEspeak
from tts.espeak.voices import EspeakVoices
from tts.family import VoiceFamily
from tts.heart.voices import HeartVoices
from tts.onnx_voices.kokoro import KokoroVoices
from tts.onnx_voices.piper import PiperVoices
from tts.openai.voices import OpenAIVoices, SpeechServer
from tts.registry import VoiceRegistry


def open_families(
    *,
    voices_dir: Path,
    coqui_models: Sequence[CoquiModel] = (),
    speech_server: SpeechServer | None = None,
) -> list[VoiceFamily]:
    """Return all families; raises VoiceUnavailable if espeak-ng cannot be started.

    `voices_dir`: folder of voices in files, which need not exist.
    """
    espeak = IsolatedEspeak()
    robots = EspeakVoices(espeak)
    heart = HeartVoices()
    align = Aligner(ReferenceVoices([heart, robots]))
    return [
        heart,
        PiperVoices(voices_dir, espeak, align=align),
        KokoroVoices(voices_dir, espeak),
        robots,
        CoquiVoices(coqui_models, align),
        OpenAIVoices(speech_server, align),
    ]


def espeak_voices() -> VoiceRegistry:
    """Return the voices of espeak-ng alone; raises VoiceUnavailable."""
    return VoiceRegistry([EspeakVoices()])
