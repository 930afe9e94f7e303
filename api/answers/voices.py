"""Answers about voices."""

from pydantic import Field

from api.answers import Answer
from tts.voice import Gender, PhonemeTimes


class VoiceAnswer(Answer):
    """A voice."""

    id: str
    name: str
    languages: list[str] = Field(description="BCP 47 tags, the default one first.")
    gender: Gender
    licence: str
    sample_rate_hz: int
    phoneme_times: PhonemeTimes
    streams: bool
    is_live: bool
    is_remote: bool
    loads: bool
    problem: str | None
    knows_phonemes: bool
    sample_url: str | None


class VoicesAnswer(Answer):
    """All voices, and the one of the default session."""

    default: str
    default_language: str
    voices: list[VoiceAnswer]
