"""Voices that follow the styles of a text: languages, voices, speeds and pauses of its parts."""

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

from tts.speech import Speech
from tts.text.plain_text import PlainText, Style
from tts.voice import BadSpeechRequest, VoiceChoice, Voices


@runtime_checkable
class ReadsStyles(Protocol):
    """Optional interface of `tts.voice.Voices`. Other voices speak the text in one style."""

    def read(self, text: PlainText, choice: VoiceChoice) -> Iterator[Speech]:
        """Yield the speech of a text; parts without a style are spoken as chosen."""
        ...

    def check(self, style: Style, choice: VoiceChoice) -> None:
        """Raise BadSpeechRequest unless a part of a text can be spoken in a style."""
        ...


def read_text(text: PlainText, choice: VoiceChoice, voices: Voices) -> Iterator[Speech]:
    """Yield the speech of a text, in the styles of its parts if the voices have them."""
    if isinstance(voices, ReadsStyles):
        return voices.read(text, choice)
    return voices.speak(text.text, choice)


def check_styles(text: PlainText, voices: Voices, choice: VoiceChoice) -> None:
    """Raise BadSpeechRequest for the first part of a text that names no known voice or language."""
    if not isinstance(voices, ReadsStyles):
        return
    checked = set[Style]()
    for span in text.spans:
        style = Style(language=span.style.language, voice=span.style.voice)
        if style in checked:
            continue
        checked.add(style)
        try:
            voices.check(style, choice)
        except BadSpeechRequest as error:
            place = text.origins[span.start] + 1
            raise BadSpeechRequest("text", f"at character {place}, {error}") from error
