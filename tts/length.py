"""How long a text is to be heard, before anybody speaks it."""

import re

LETTERS_PER_S = 50.0
"""No voice at its own pace says more letters and digits of ordinary text; the fastest says 22."""
LONGEST_WORD = 40
"""Letters of a word that count: a voice may leave out the rest of what is no word."""


def least_duration_s(text: str, speed: float) -> float:
    """A text takes at least so long, in whatever voice."""
    words = re.findall(r"\w+", re.sub(r"(\w)\1+", r"\1", text))
    letters = sum(min(LONGEST_WORD, len(word)) for word in words)
    return letters / (LETTERS_PER_S * speed)
