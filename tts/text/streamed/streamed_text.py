"""Text that arrives in pieces, as a language model writes it, cut into speakable units."""

from typing import Literal

from tts.text.characters import silent_edits
from tts.text.draft import Draft, Edit, remove
from tts.text.markup import read_markup
from tts.text.sentences import has_word, sentence_bounds
from tts.text.streamed.speakable_unit import SpeakableUnit

StreamedMarkup = Literal["auto", "markdown", "plain", "none"]


class StreamedText:
    """One text, owned by one thread.

    How the text is divided into pieces has no effect on its units.
    """

    def __init__(self, *, markup: StreamedMarkup = "markdown", language: str | None = None) -> None:
        self._markup: StreamedMarkup = markup
        self._language = language
        self._text = ""

    def feed(self, piece: str) -> list[SpeakableUnit]:
        """Return the units that are complete with the next piece."""
        self._text += piece
        return []

    def end(self) -> list[SpeakableUnit]:
        """Return the remaining units; the text is complete."""
        plain = read_markup(self._text, self._markup)
        kept = plain.edited(silent_edits(Draft.of(plain.text)))
        units = []
        for start, end in sentence_bounds(kept.text):
            part = kept.edited(_outside(start, end, len(kept.text))).stripped()
            if has_word(part.text):
                units.append(SpeakableUnit(part, part.origins[0], part.origins[-1] + 1, True))
        self._text = ""
        return units


def _outside(start: int, end: int, length: int) -> list[Edit]:
    return [remove(0, start), remove(end, length)]
