"""A part of a text that is still arriving, ready to be spoken."""

from dataclasses import dataclass

from tts.text.plain_text import PlainText


@dataclass(frozen=True, slots=True)
class SpeakableUnit:
    """A sentence, or a part of one that a voice can speak without sounding cut off."""

    plain: PlainText
    """The words without markup; `origins` are indices in the whole text that has arrived."""
    start: int
    """Index in the whole text of its first character, including marks such as `**`."""
    end: int
    """Index after its last character."""
    is_sentence_end: bool
    """False if its sentence continues in the next unit."""
