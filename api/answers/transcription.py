"""Answers about recordings that are recognised."""

from typing import Literal

from pydantic import Field

from api.answers import Answer
from api.example import example


class TranscriptionTimings(Answer):
    """Seconds after the last byte of the recording had arrived."""

    decode_s: float = Field(description="Until all of it was decoded.")
    recognise_s: float = Field(description="From then on until its words were known.")
    total_s: float


class TranscriptionAnswer(Answer):
    """The words of a recording."""

    model_config = example(
        text="What is the capital of France?",
        language="en",
        duration_s=2.6,
        speech_s=1.9,
        model="moonshine-tiny-en",
        timings={"decode_s": 0.01, "recognise_s": 0.09, "total_s": 0.1},
    )

    text: str = Field(description="Empty if nobody speaks in it, or nothing was understood.")
    language: str | None
    duration_s: float
    speech_s: float = Field(description="Duration of the speech in it; 0 if nobody speaks.")
    model: str
    timings: TranscriptionTimings


class RecogniserAnswer(Answer):
    """The recogniser of speech."""

    model_config = example(
        name="moonshine-tiny-en",
        kind="embedded",
        phase="fetching",
        progress=0.4,
        detail="downloading moonshine-voice==0.0.73: 27 of 68 MB",
        licence="MIT",
        languages=["en"],
    )

    name: str
    kind: Literal["embedded", "remote", "none"]
    phase: Literal[
        "ready", "unloaded", "loading", "fetching", "absent", "unreachable", "unknown", "off"
    ]
    progress: float | None = Field(description="Share of its files that is fetched.")
    detail: str
    licence: str
    languages: list[str] = Field(description="Languages that it knows; empty if not known.")


class DurationUsage(Answer):
    """The duration of a recording, as OpenAI counts it."""

    type: Literal["duration"]
    seconds: int


class OpenAISegment(Answer):
    """A part of a recording that was recognised in one step."""

    id: int
    start: float
    end: float
    text: str


class OpenAITranscription(Answer):
    """The words of a recording in OpenAI's formats `json` and `verbose_json`."""

    model_config = example(
        text="What is the capital of France?", usage={"type": "duration", "seconds": 3}
    )

    text: str
    usage: DurationUsage
    task: Literal["transcribe"] | None = Field(None, description="Only in `verbose_json`.")
    language: str | None = Field(None, description="Likewise; empty if it is not known.")
    duration: float | None = Field(None, description="Likewise.")
    segments: list[OpenAISegment] | None = Field(None, description="Likewise.")
