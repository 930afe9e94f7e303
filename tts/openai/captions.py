"""Answers of Kokoro-FastAPI's `POST /dev/captioned_speech`: sound, and the times of its words.

The answer is a JSON object, or a stream of them on a line each: `{"audio": base64, "audio_format",
"timestamps": [{"word", "start_time", "end_time"}]}`.
"""

import base64
import binascii
import json
import math
from typing import Any

from tts.openai.errors import SoundTooLong, UnusableSound, one_line
from tts.openai.sound import MAX_SOUND_S, Sound, SoundBuffer
from tts.speech import WordTime

MAX_LINE_BYTES = 1 << 25
"""Longest JSON object; 120 s of sound take 8 MB."""
MAX_WORDS = 10_000


class CaptionBuffer:
    """Collects the bytes of one answer, however they are divided; bounded in memory."""

    def __init__(self, default_rate_hz: int) -> None:
        self._default_rate_hz = default_rate_hz
        self._line = bytearray()
        self._sound: SoundBuffer | None = None
        self._words: list[WordTime] = []

    def add(self, chunk: bytes) -> None:
        """Append bytes; raises UnusableSound as soon as they cannot become usable sound."""
        *complete, rest = chunk.split(b"\n")
        for each in complete:
            self._line += each
            self._end_line()
        self._line += rest
        if len(self._line) > MAX_LINE_BYTES:
            raise SoundTooLong(f"makes more than {MAX_SOUND_S:g} s of sound for one sentence")

    def result(self) -> tuple[Sound, tuple[WordTime, ...]]:
        """Decode everything; raises UnusableSound."""
        self._end_line()
        sound = self._sound or SoundBuffer("", self._default_rate_hz)
        return sound.sound(), tuple(self._words)

    def _end_line(self) -> None:
        line = bytes(self._line).strip()
        self._line.clear()
        if line:
            self._read(_object(line))

    def _read(self, content: dict[str, Any]) -> None:
        if content.get("audio"):
            if self._sound is None:
                kind = content.get("audio_format")
                self._sound = SoundBuffer(str(kind or ""), self._default_rate_hz)
            self._sound.add(_decoded(content["audio"]))
        elif "audio" not in content:
            raise UnusableSound(f"answers without sound: {one_line(json.dumps(content))}")
        for entry in content.get("timestamps") or ():
            word = _word(entry)
            if word is not None and len(self._words) < MAX_WORDS:
                self._words.append(word)


def _object(line: bytes) -> dict[str, Any]:
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        raise UnusableSound("answers with a line that is not JSON") from None
    if not isinstance(content, dict):
        raise UnusableSound("answers with JSON that is not an object")
    return content


def _decoded(audio: object) -> bytes:
    try:
        return base64.b64decode(str(audio), validate=True)
    except (binascii.Error, ValueError):
        raise UnusableSound("answers with sound that is not base64") from None


def _word(entry: object) -> WordTime | None:
    """Return a word with a plausible time; punctuation and damaged entries are no anchors."""
    if not isinstance(entry, dict):
        return None
    try:
        word = str(entry["word"]).strip()
        start_s, end_s = float(entry["start_time"]), float(entry["end_time"])
    except (KeyError, TypeError, ValueError):
        return None
    is_time = math.isfinite(start_s) and math.isfinite(end_s) and 0 <= start_s <= end_s
    has_letters = any(character.isalnum() for character in word)
    return WordTime(word, start_s, end_s) if is_time and has_letters else None
