"""Normaliser: a sentence as it is written to the words that every voice reads.

Voices read plain words, numbers and the punctuation of their language well. What they omit, spell
or misread is replaced here by words of the language: addresses, codes, symbols, money, units.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from tts.text.addresses import address_edits, code_edits, domain_edits, path_edits
from tts.text.characters import character_edits, look_alike_edits
from tts.text.draft import NO_PART_OF_A_WORD, Draft, Edit, disjoint
from tts.text.numbers import NUMBER_STEPS
from tts.text.symbols import (
    arrow_edits,
    blank_edits,
    emoticon_edits,
    glued_edits,
    greek_edits,
    identifier_edits,
    operator_edits,
    punctuation_edits,
    quote_edits,
    rule_edits,
    space_edits,
)
from tts.text.vocabulary import Vocabulary, vocabulary_of
from tts.text.wording import abbreviation_edits, capital_edits, long_letter_edits, roman_edits

_PLAIN = re.compile(r"(?:[a-z]|(?<![a-z])[A-Z](?=[a-z' ])|[ '](?=\w)|[,;] (?=\w))*[.!?]? ?")
"""Most sentences: nothing in them is to be replaced."""
_LONG = re.compile(r"([a-z])\1\1", re.IGNORECASE)
_WITHOUT_SPACES = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff]"
)
"""Letters that do not belong to the Latin word or the number next to them."""
_NO_WORD = "\ue001"

_STEPS: Sequence[Callable[[Draft, Vocabulary], Iterator[Edit]]] = (
    address_edits,
    emoticon_edits,
    domain_edits,
    path_edits,
    code_edits,
    rule_edits,
    glued_edits,
    blank_edits,
    abbreviation_edits,
    roman_edits,
    *NUMBER_STEPS,
    arrow_edits,
    operator_edits,
    greek_edits,
    quote_edits,
    identifier_edits,
    capital_edits,
    long_letter_edits,
    punctuation_edits,
    space_edits,
)


@dataclass(frozen=True, slots=True)
class Normalised:
    """The words of a sentence."""

    text: str
    origins: Sequence[int]
    """For each character, its index in the sentence as it was written."""


def normalise(text: str, language: str, fixed: Sequence[Edit] = ()) -> Normalised:
    """Return the words of a sentence in a language (a BCP 47 tag).

    `fixed` edits are made first; their words are not changed further.
    """
    if not fixed and _PLAIN.fullmatch(text) and not _LONG.search(text):
        return Normalised(text, range(len(text)))
    vocabulary = vocabulary_of(language)
    draft = Draft.of(text, NO_PART_OF_A_WORD).edited(fixed)
    draft = draft.edited(blank_edits(draft, vocabulary))
    draft = draft.edited(disjoint(character_edits(draft)))
    draft = draft.edited(disjoint(look_alike_edits(draft)))
    draft = replace(draft, pattern=_WITHOUT_SPACES.sub(_NO_WORD, draft.pattern))
    for step in _STEPS:
        draft = draft.edited(disjoint(step(draft, vocabulary)))
    return Normalised(draft.text, draft.origins)
