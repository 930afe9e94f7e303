"""The voice of this server that speaks in place of a provider's voice."""

from dataclasses import dataclass

from api.did.errors import BadMember
from api.did.provider_voices import Wanted, language_tag, wanted
from api.did.script import Provider
from tts.languages import bcp47
from tts.voice import BadSpeechRequest, Gender, VoiceChoice, VoiceInfo
from warm.runtime import Runtime

ROBOTIC_PREFIX = "espeak:"
"""Voices that replace another one only if there is no better voice of the language."""


@dataclass(frozen=True, slots=True)
class MatchedVoice:
    """A voice, and remarks on its differences from the provider's voice."""

    choice: VoiceChoice
    remarks: tuple[str, ...] = ()


def match_voice(runtime: Runtime, provider: Provider) -> MatchedVoice:
    """Return the voice for a provider; raises BadMember and BadSpeechRequest.

    A voice of this server is taken by its id. Any other name stands for the language that it begins
    with, else for the language of the provider, else for the voice of the settings.
    """
    speed = provider.voice_config.speed
    ignored = ignored_remarks(provider)
    language = given_language(provider)
    if provider.voice_id is not None and is_own(runtime, provider.voice_id):
        choice = runtime.choose(voice=provider.voice_id, language=language, speed=speed)
        return MatchedVoice(choice, ignored)
    found = Wanted() if provider.voice_id is None else wanted(provider.voice_id)
    language = found.language or language
    try:
        choice = voice_of_language(runtime, language, found.gender, speed)
    except BadSpeechRequest as error:
        if found.language is None or error.field != "language":
            raise
        raise BadMember.of(
            "script.provider.voice_id", f"= {provider.voice_id!r}: no voice speaks it; {error}"
        ) from error
    if provider.voice_id is None:
        return MatchedVoice(choice, ignored)
    remark = f"the voice {choice.voice} speaks in place of {provider.voice_id}"
    return MatchedVoice(choice, (remark, *ignored))


def is_own(runtime: Runtime, voice_id: str) -> bool:
    """True for the id or an alias of a voice of this server."""
    try:
        return bool(runtime.choose(voice=voice_id))
    except BadSpeechRequest as error:
        return "is not one of" not in str(error)  # it exists, but cannot speak


def given_language(provider: Provider) -> str | None:
    """Return the language that a provider names; raises BadMember for any other word."""
    if provider.language is None:
        return None
    tag = language_tag(provider.language)
    if tag is None:
        raise BadMember.of(
            "script.provider.language",
            f"= {provider.language!r}: must be a tag such as en-US, or an English name of a "
            "language",
        )
    return tag


def voice_of_language(
    runtime: Runtime, language: str | None, gender: Gender, speed: float | None
) -> VoiceChoice:
    """Return the voice of the settings if it speaks this variety of the language, else the best.

    A voice of the wanted gender is preferred, unless the only one of the variety is robotic.
    """
    usual = runtime.choose(speed=speed)
    if language is None:
        return usual
    tag = bcp47(language)
    infos = {info.id: info for info in runtime.voices()}
    best = usual
    if usual.voice not in infos or tag not in infos[usual.voice].languages:
        best = runtime.choose(voice="auto", language=tag, speed=speed)
    own = infos.get(best.voice)
    if own is None or gender in ("unknown", own.gender):
        return best
    for variety in (tag, own.languages[0]):
        for info in infos.values():
            if is_substitute(info, own, gender) and variety in info.languages:
                return runtime.choose(voice=info.id, language=variety, speed=speed)
    return best


def is_substitute(info: VoiceInfo, own: VoiceInfo, gender: Gender) -> bool:
    """True for a voice of the gender that is no more robotic than the voice `own`."""
    is_usable = info.problem is None and info.is_live and not info.is_remote
    is_good = own.id.startswith(ROBOTIC_PREFIX) or not info.id.startswith(ROBOTIC_PREFIX)
    return is_usable and is_good and info.gender == gender


def ignored_remarks(provider: Provider) -> tuple[str, ...]:
    """Return a remark on each part of the configuration that has no effect."""
    config = provider.voice_config
    return tuple(
        f"script.provider.voice_config.{name} has no effect"
        for name in ("pitch", "style")
        if getattr(config, name) not in (None, "default", "medium", "0%", "+0%", "1", "1.0")
    )
