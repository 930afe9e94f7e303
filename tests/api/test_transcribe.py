"""`POST /transcribe` and OpenAI's `POST /v1/audio/transcriptions`: recordings in, words out."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
