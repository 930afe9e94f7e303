"""The script of a talk or clip: a text with a voice, or a sound."""

import re
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from api.did.lenient import Lenient

MIN_SPEED, MAX_SPEED = 0.5, 2.0
NAMED_RATES = {
    "x-slow": 0.5, "slow": 0.75, "medium": 1.0, "default": 1.0, "fast": 1.25, "x-fast": 1.6,
}  # fmt: skip
RATE = re.compile(r"([+-]?)(\d{1,4}(?:\.\d{1,6})?|\.\d{1,6})(%?)")


class VoiceConfig(Lenient):
    """Manner of speaking."""

    rate: str | None = Field(
        default=None,
        description="Speed: a factor from 0.5 to 2, `+20%`, or a word from `x-slow` to `x-fast`.",
    )
    pitch: str | None = Field(default=None, description="No effect.")
    style: str | None = Field(default=None, description="No effect.")

    @property
    def speed(self) -> float | None:
        """Factor of the speed; None without a rate."""
        return None if self.rate is None else speed_of(self.rate)

    @field_validator("rate")
    @classmethod
    def _check_rate(cls, value: str | None) -> str | None:
        if value is not None:
            speed_of(value)
        return value


class Provider(Lenient):
    """The voice."""

    type: str | None = Field(default=None, description="Any provider.")
    voice_id: str | None = Field(
        default=None,
        max_length=200,
        description="A voice of `GET /tts/voices`, or the id of a provider's voice.",
    )
    voice_config: VoiceConfig = VoiceConfig()
    language: str | None = Field(default=None, max_length=80)


class Script(Lenient):
    """The text or sound to speak."""

    type: Literal["text", "audio"] = "text"
    input: str | None = None
    audio_url: str | None = Field(
        default=None, description="Address of a sound: what `POST /audios` has returned."
    )
    ssml: bool = False
    subtitles: bool = False
    provider: Provider = Provider()

    @model_validator(mode="before")
    @classmethod
    def _guess_type(cls, value: Any) -> Any:
        """A script with a sound and no text needs no type."""
        if isinstance(value, dict) and "type" not in value and "audio_url" in value:
            return {**value, "type": "text" if "input" in value else "audio"}
        return value

    @field_validator("type", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return value.strip().lower() if isinstance(value, str) else value


def speed_of(rate: str) -> float:
    """Return a rate as a factor of the speed; raises ValueError."""
    text = rate.strip().lower()
    found = RATE.fullmatch(text)
    if text in NAMED_RATES:
        speed = NAMED_RATES[text]
    elif found:
        sign, number, percent = found.groups()
        amount = float(number) / (100 if percent else 1)
        speed = 1 + amount if sign == "+" else 1 - amount if sign == "-" else amount
    else:
        speed = 0.0
    if not MIN_SPEED <= speed <= MAX_SPEED:
        raise ValueError(
            f"must be a factor from {MIN_SPEED} to {MAX_SPEED}, a percentage such as +20%, or one "
            f"of {', '.join(NAMED_RATES)}"
        )
    return speed
