"""Configuration of a Piper voice: the JSON file next to its network.

The keys are described in Piper's documentation of training; files of several versions of Piper
differ in the optional ones.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tts.languages import bcp47
from tts.onnx_voices.bad_file import BadVoiceFile

PAD, BEGIN, END = "_", "^", "$"
"""Symbols that Piper adds around and between the phonemes of a sentence."""

SAMPLE_RATES_HZ = range(8_000, 48_001)
QUALITY_RATES_HZ = {
    "x_low": (16_000,),
    "low": (16_000,),
    "medium": (22_050, 24_000),
    "high": (22_050, 24_000, 44_100, 48_000),
}
"""Sample rates of each quality that Piper names."""
DEFAULT_NOISE_SCALE, DEFAULT_LENGTH_SCALE, DEFAULT_NOISE_W = 0.667, 1.0, 0.8
MAX_SCALE = 5.0
MAX_ID = 100_000
"""Maximum number of symbols, and of speakers."""

PhonemeType = Literal["espeak", "text"]
PHONEME_TYPES: tuple[PhonemeType, ...] = ("espeak", "text")


@dataclass(frozen=True, slots=True, kw_only=True)
class PiperConfig:
    """The checked content of a voice's JSON file."""

    sample_rate_hz: int
    phoneme_type: PhonemeType
    """espeak: IPA from espeak-ng. text: the characters of the text."""
    espeak_voice: str
    """Name for espeak-ng, such as `en-us`; empty for `text`."""
    phoneme_ids: Mapping[str, tuple[int, ...]]
    """Numbers of each symbol in the network; a symbol is one or more characters."""
    clusters: tuple[str, ...]
    """Sequences of characters that are one symbol, the longest first."""
    languages: tuple[str, ...]
    """BCP 47 tags: with and without the region."""
    speakers: Mapping[str, int]
    """Number of each speaker by name, in order; empty for a voice with one speaker."""
    noise_scale: float
    """Amount of randomness in the sound."""
    length_scale: float
    """Duration of all phonemes at normal speed, relative to the training."""
    noise_w: float
    """Amount of randomness in the durations."""
    title: str
    """Name and quality for people, such as `amy, medium`."""
    hop: int | None
    """Samples per unit of a duration; None if the file does not state it."""

    @classmethod
    def parse(cls, content: bytes, *, name: str) -> "PiperConfig":
        """Check the content of a JSON file; `name` is the voice's. Raises BadVoiceFile."""
        raw = _parsed(content)
        kind = _phoneme_type(raw)
        espeak_voice = _espeak_voice(raw) if kind == "espeak" else ""
        rate_hz = _sample_rate(raw)
        inference = _mapping(raw, "inference", {})
        return cls(
            sample_rate_hz=rate_hz,
            phoneme_type=kind,
            espeak_voice=espeak_voice,
            phoneme_ids=_phoneme_ids(raw),
            clusters=_clusters(raw),
            languages=_languages(raw, name, espeak_voice),
            speakers=_speakers(raw),
            noise_scale=_scale(inference, "noise_scale", DEFAULT_NOISE_SCALE),
            length_scale=_scale(inference, "length_scale", DEFAULT_LENGTH_SCALE, positive=True),
            noise_w=_scale(inference, "noise_w", DEFAULT_NOISE_W),
            title=_title(raw, name),
            hop=_integer(raw, "hop_length", range(1, 10_001)) if "hop_length" in raw else None,
        )


def _parsed(content: bytes) -> Mapping[str, Any]:
    try:
        raw = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BadVoiceFile(f"is not JSON ({error}): download it again") from error
    if not isinstance(raw, dict):
        raise BadVoiceFile(
            f"must contain a JSON object, found {type(raw).__name__}: download it again"
        )
    return raw


def _phoneme_type(raw: Mapping[str, Any]) -> PhonemeType:
    value = raw.get("phoneme_type", "espeak")
    found = next((kind for kind in PHONEME_TYPES if kind == value), None)
    if found is not None:
        return found
    raise BadVoiceFile(
        f"has phoneme_type {_shown(value)}; supported: {', '.join(PHONEME_TYPES)}. Its text needs "
        "rules of its own language that are not included: choose another voice of that language"
    )


def _espeak_voice(raw: Mapping[str, Any]) -> str:
    voice = _mapping(raw, "espeak", {}).get("voice")
    if isinstance(voice, str) and voice and voice.isprintable():
        return voice
    raise BadVoiceFile(
        f"must name a voice of espeak-ng in espeak.voice, such as 'en-us', found {_shown(voice)}"
    )


def _sample_rate(raw: Mapping[str, Any]) -> int:
    audio = _mapping(raw, "audio")
    rate_hz = _integer(audio, "sample_rate", SAMPLE_RATES_HZ, inside="audio.")
    quality = audio.get("quality")
    usual_hz = QUALITY_RATES_HZ.get(quality, ()) if isinstance(quality, str) else ()
    if usual_hz and rate_hz not in usual_hz:
        raise BadVoiceFile(
            f"has audio.sample_rate {rate_hz}, but voices of audio.quality {quality!r} have "
            f"{' or '.join(map(str, usual_hz))}: correct the wrong one of the two"
        )
    return rate_hz


def _phoneme_ids(raw: Mapping[str, Any]) -> Mapping[str, tuple[int, ...]]:
    ids = {
        symbol: _ids(symbol, numbers) for symbol, numbers in _mapping(raw, "phoneme_id_map").items()
    }
    if missing := [symbol for symbol in (PAD, BEGIN, END) if symbol not in ids]:
        raise BadVoiceFile(
            f"lacks {_shown(missing)} in phoneme_id_map, which every voice of Piper has: "
            "download it again"
        )
    return ids


def _ids(symbol: str, numbers: object) -> tuple[int, ...]:
    listed = numbers if isinstance(numbers, list) else [numbers]
    if listed and all(type(number) is int and 0 <= number < MAX_ID for number in listed):
        return tuple(listed)
    raise BadVoiceFile(
        f"must have a list of numbers from 0 to {MAX_ID - 1} for each symbol in phoneme_id_map, "
        f"found {_shown(numbers)} for {symbol!r}: download it again"
    )


def _clusters(raw: Mapping[str, Any]) -> tuple[str, ...]:
    listed = raw.get("vowel_clusters") or []
    is_valid = isinstance(listed, list) and all(
        isinstance(cluster, list | str) and all(isinstance(part, str) for part in cluster)
        for cluster in listed
    )
    if not is_valid:
        raise BadVoiceFile(
            f"must have a list of lists of characters in vowel_clusters, found {_shown(listed)}"
        )
    return tuple(sorted({"".join(cluster) for cluster in listed}, key=len, reverse=True))


def _languages(raw: Mapping[str, Any], name: str, espeak_voice: str) -> tuple[str, ...]:
    """Return the language of the file, else of the name `en_US-…`, else of espeak's voice."""
    code = _mapping(raw, "language", {}).get("code")
    prefix = name.partition("-")[0]
    if isinstance(code, str) and code.replace("_", "").replace("-", "").isalnum():
        tag = bcp47(code)
    elif "_" in prefix and prefix.replace("_", "").isalpha():
        tag = bcp47(prefix)
    else:
        tag = bcp47(espeak_voice or "und")
    return tuple(dict.fromkeys([tag, tag.partition("-")[0]]))


def _title(raw: Mapping[str, Any], name: str) -> str:
    parts = [raw.get("dataset"), _mapping(raw, "audio").get("quality")]
    words = [part for part in parts if isinstance(part, str) and part and part.isprintable()]
    return ", ".join(words)[:80] if isinstance(parts[0], str) and words else name


def _speakers(raw: Mapping[str, Any]) -> Mapping[str, int]:
    count = _integer(raw, "num_speakers", range(1, MAX_ID)) if "num_speakers" in raw else 1
    named = _mapping(raw, "speaker_id_map", {})
    if count == 1:
        return {}
    speakers = named or {str(number): number for number in range(count)}
    for name, number in speakers.items():
        if type(number) is not int or not 0 <= number < count:
            raise BadVoiceFile(
                f"must have numbers from 0 to {count - 1} in speaker_id_map, found "
                f"{_shown(number)} for {name[:40]!r}"
            )
    return dict(sorted(speakers.items(), key=lambda item: item[1]))


def _scale(
    inference: Mapping[str, Any], key: str, default: float, *, positive: bool = False
) -> float:
    value = inference.get(key, default)
    lowest = 0.05 if positive else 0.0
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and math.isfinite(value) and lowest <= value <= MAX_SCALE:
        return float(value)
    raise BadVoiceFile(
        f"must have a number from {lowest} to {MAX_SCALE} in inference.{key}, found {_shown(value)}"
    )


def _integer(raw: Mapping[str, Any], key: str, allowed: range, *, inside: str = "") -> int:
    value = raw.get(key)
    if type(value) is int and value in allowed:
        return value
    raise BadVoiceFile(
        f"must have a whole number from {allowed[0]} to {allowed[-1]} in {inside}{key}, found "
        f"{_shown(value)}"
    )


def _mapping(
    raw: Mapping[str, Any], key: str, default: Mapping[str, Any] | None = None
) -> Mapping[str, Any]:
    value = raw.get(key, default)
    if isinstance(value, dict):
        return value
    if value is None:
        raise BadVoiceFile(f"lacks {key}, which every voice of Piper has: download it again")
    raise BadVoiceFile(f"must have an object in {key}, found {_shown(value)}")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:60] + "…"
