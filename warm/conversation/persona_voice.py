"""The voice of an answer."""

from functools import partial

from chat.persona import Persona
from tts.voice import VoiceChoice
from warm.conversation.chat_request import ChatRequest
from warm.runtime import Runtime


def answering_voice(runtime: Runtime, request: ChatRequest, persona: Persona) -> VoiceChoice:
    """Return the voice: of the request, of the session, of the persona, or of the settings.

    A persona without a voice takes that of the settings if it speaks the persona's language. Raises
    BadSpeechRequest.
    """
    session, voice, language = request.session, request.voice, request.language
    choose = partial(runtime.choose, session, speed=request.speed)
    chosen = choose(voice=voice, language=language)
    if any((voice, language, session.choices.voice, session.choices.language)):
        return chosen
    if persona.voice is None and speaks(chosen, persona.language):
        return chosen
    return choose(voice=persona.voice, language=persona.language)


def speaks(choice: VoiceChoice, language: str | None) -> bool:
    """True if a voice speaks a language, in any accent; None is any language."""
    return language is None or primary(choice.language) == primary(language)


def primary(tag: str) -> str:
    """Return the language of a BCP 47 tag, without region and script."""
    return tag.partition("-")[0].lower()
