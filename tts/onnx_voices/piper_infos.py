"""Piper's voices as `GET /voices` lists them, and the names of their speakers."""

from collections.abc import Iterator
from dataclasses import replace

from tts.languages import bcp47
from tts.onnx_voices import joe_package
from tts.onnx_voices.piper_config import PiperConfig
from tts.onnx_voices.piper_files import PiperFile
from tts.voice import PhonemeTimes, VoiceInfo

PREFIX = "piper"
MAX_LISTED_SPEAKERS = 20
"""Voices with more speakers are listed once; all of their speakers can be named."""


def infos_of(voice: PiperFile, letters: PhonemeTimes) -> Iterator[VoiceInfo]:
    """Yield a voice, and its speakers unless they are many."""
    info = info_of(voice, letters)
    speakers = {} if voice.config is None else voice.config.speakers
    if len(speakers) <= MAX_LISTED_SPEAKERS:
        yield info
        yield from (speaker_info(info, speaker) for speaker in speakers)
        return
    first, *_, last = speakers
    name = f"{info.name} ({len(speakers)} speakers: {info.id}/{first} to {info.id}/{last})"
    yield replace(info, name=name)


def info_of(voice: PiperFile, letters: PhonemeTimes) -> VoiceInfo:
    """Return a voice with its first speaker.

    `letters`: the source of the lips' timing for a voice that reads letters.
    """
    config = voice.config
    return VoiceInfo(
        id=f"{PREFIX}:{voice.name}",
        name=voice.name if config is None else config.title,
        languages=_languages_in(voice.name) if config is None else config.languages,
        gender=voice.card.gender,
        licence=voice.card.licence,
        sample_rate_hz=joe_package.SAMPLE_RATE_HZ if config is None else config.sample_rate_hz,
        phoneme_times=letters if config is not None and config.phoneme_type == "text" else "own",
        streams=config is not None and config.phoneme_type == "espeak",
        is_live=voice.is_live,
        loads=True,
        problem=voice.problem,
    )


def speaker_info(info: VoiceInfo, speaker: str) -> VoiceInfo:
    """Return one speaker of a voice; the gender may differ from that in the card."""
    return replace(
        info, id=f"{info.id}/{speaker}", name=f"{info.name}, {speaker}", gender="unknown"
    )


def find_speaker(config: PiperConfig, name: str) -> str | None:
    """Return the speaker with this name, in any case; None if there is none."""
    if name in config.speakers:
        return name
    lower = {speaker.lower(): speaker for speaker in reversed(list(config.speakers))}
    return lower.get(name.lower())


def joe_info() -> VoiceInfo:
    """Return the voice of the package joe while that is not installed."""
    return VoiceInfo(
        id=f"{PREFIX}:{joe_package.NAME}",
        name="joe, medium",
        languages=("en-US", "en"),
        gender="male",
        licence=joe_package.LICENCE,
        sample_rate_hz=joe_package.SAMPLE_RATE_HZ,
        problem=joe_package.NOT_INSTALLED,
    )


def _languages_in(name: str) -> tuple[str, ...]:
    """Return the language that a file's name begins with, for a voice without configuration."""
    code = name.partition("-")[0]
    is_code = "_" in code and code.replace("_", "").isalpha() and code.isascii()
    tag = bcp47(code) if is_code else "und"
    return tuple(dict.fromkeys([tag, tag.partition("-")[0]]))
