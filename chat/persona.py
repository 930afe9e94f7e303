"""A persona: the character that a language model plays, and its system text."""

from dataclasses import dataclass

SPOKEN = "Your answers are spoken aloud: one to three short sentences, in plain words, no lists."


@dataclass(frozen=True, slots=True, kw_only=True)
class Persona:
    """A character."""

    id: str
    name: str
    style: str = ""
    """Instructions for the model: how it speaks and behaves."""
    language: str | None = None
    """BCP 47 tag of the language of its answers and voice; None: that of the user."""
    greeting: str = ""
    """Spoken at the start of a conversation, if a client asks for it."""
    facts: tuple[str, ...] = ()
    """Facts about itself and its subject that it knows."""
    voice: str | None = None
    """A voice from `GET /voices`; None: that of the session."""


def system_text(persona: Persona) -> str:
    """Return the system message of a persona.

    It is the same in every turn, so that a model need not read it again, and short, because small
    models read slowly.
    """
    parts = [f"You are {persona.name}.", persona.style, SPOKEN]
    if persona.language:
        parts.append(f"Answer in {language_name(persona.language)}.")
    if persona.facts:
        parts.append("What you know: " + " ".join(map(_sentence, persona.facts)))
    return " ".join(part for part in parts if part)


def language_name(tag: str) -> str:
    """Return the English name of a BCP 47 tag's language; the tag itself if it is not listed."""
    return _NAMES.get(tag.lower().partition("-")[0], tag)


def _sentence(text: str) -> str:
    return text if text[-1:] in ".!?…。！？" else f"{text}."


_NAMES = {
    "ar": "Arabic",
    "cs": "Czech",
    "da": "Danish",
    "de": "German",
    "el": "Greek",
    "en": "English",
    "es": "Spanish",
    "fi": "Finnish",
    "fr": "French",
    "he": "Hebrew",
    "hi": "Hindi",
    "hu": "Hungarian",
    "id": "Indonesian",
    "it": "Italian",
    "ja": "Japanese",
    "ko": "Korean",
    "nb": "Norwegian",
    "nl": "Dutch",
    "no": "Norwegian",
    "pl": "Polish",
    "pt": "Portuguese",
    "ro": "Romanian",
    "ru": "Russian",
    "sv": "Swedish",
    "th": "Thai",
    "tr": "Turkish",
    "uk": "Ukrainian",
    "vi": "Vietnamese",
    "zh": "Chinese",
}
