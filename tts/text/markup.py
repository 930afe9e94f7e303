"""Markup of a text: the kinds that a request may name, and the text that is spoken."""

from typing import Literal

from tts.text.characters import silent_edits
from tts.text.draft import Draft
from tts.text.markdown import read_markdown
from tts.text.plain_text import PlainText
from tts.text.sentences import has_word, shown, speakable_text
from tts.text.ssml import is_ssml, read_ssml
from tts.voice import BadSpeechRequest

Markup = Literal["auto", "markdown", "ssml", "plain", "none"]
"""`auto` is SSML if the text begins with `<speak>`, or else Markdown; `none` is `plain`."""


def check_text(text: str, *, max_chars: int, markup: Markup = "plain") -> PlainText:
    """Return what is spoken of `text`; raises BadSpeechRequest if it is empty or too long."""
    check_length(len(text), max_chars)
    speakable_text(text)
    plain = read_markup(text, markup)
    kept = plain.edited(silent_edits(Draft.of(plain.text))).stripped()
    if not has_word(kept.text) and not any(span.style.spoken for span in kept.spans):
        raise BadSpeechRequest(
            "text",
            f"text must contain at least one letter or digit outside of its markup, received "
            f"{shown(text)}. Code blocks, comments and addresses of links are not spoken. "
            'Send `markup`: "plain" to have all characters spoken.',
        )
    return kept


def check_length(chars: int, max_chars: int) -> None:
    """Raise BadSpeechRequest for a text of too many characters."""
    if chars > max_chars:
        raise BadSpeechRequest(
            "text",
            f"text has {chars} characters; at most {max_chars} are allowed (max_text_chars). "
            "Send it in parts.",
        )


def read_markup(text: str, markup: Markup) -> PlainText:
    """Return the text without its markup; raises BadSpeechRequest for broken SSML."""
    if markup == "ssml" or (markup == "auto" and is_ssml(text)):
        return read_ssml(text)
    return PlainText.of(text) if markup in ("plain", "none") else read_markdown(text)
