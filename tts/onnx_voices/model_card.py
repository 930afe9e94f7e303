"""Facts from the `MODEL_CARD` that is published with a voice: its licence and the speaker."""

import re
from dataclasses import dataclass
from typing import Final

from tts.voice import Gender

UNKNOWN_LICENCE: Final = "see its model card"
_LINE = re.compile(r"^[\s*#>-]*([A-Za-z][A-Za-z ]*?)\W*:\W*(.*\S)", re.MULTILINE)
"""A line such as `* License: CC0`."""
_TUNED_FROM = re.compile(r"fine-?\s?tuned\s+from\s+(.{3,100})", re.IGNORECASE)
_MAX_CHARS = 200


@dataclass(frozen=True, slots=True)
class ModelCard:
    """The facts of a card that were found."""

    licence: str = UNKNOWN_LICENCE
    gender: Gender = "unknown"

    @classmethod
    def parse(cls, text: str) -> "ModelCard":
        """Read a card; missing facts are unknown.

        A voice that was trained from another one also depends on the licence of that one, which the
        card does not state; the licence then says so.
        """
        facts = [(key.lower(), " ".join(value.split())) for key, value in _LINE.findall(text)]
        licences = [value for key, value in facts if key in ("license", "licence")]
        if not licences:
            return cls(UNKNOWN_LICENCE, _gender(facts))
        stated = f"{'; '.join(dict.fromkeys(licences))[:_MAX_CHARS]}, according to its model card"
        tuned = _TUNED_FROM.search(text)
        if tuned is None:
            return cls(stated, _gender(facts))
        origin = " ".join(tuned.group(1).split()).rstrip(".")
        return cls(f"unclear: {stated}; but trained from {origin}", _gender(facts))


UNKNOWN_CARD: Final = ModelCard()


def _gender(facts: list[tuple[str, str]]) -> Gender:
    for key, value in facts:
        word = value.lower().rstrip(".")
        if key in ("gender", "sex") and word in ("female", "male", "neutral"):
            return word  # type: ignore[return-value]  # narrowed by the line above
    return "unknown"
