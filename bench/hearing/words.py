"""Words of a text in the form in which errors are counted: no case, punctuation or digits."""

import re

from tts.text.normaliser import normalise

LANGUAGE = "en-US"
CONTRACTIONS = {
    **{"i'm": "i am", "it's": "it is", "that's": "that is", "let's": "let us", "what's": "what is"},
    **{"don't": "do not", "doesn't": "does not", "can't": "cannot", "won't": "will not"},
    **{"you're": "you are", "we're": "we are", "they're": "they are", "isn't": "is not"},
    **{"i've": "i have", "we've": "we have", "i'll": "i will", "we'll": "we will"},
    **{"haven't": "have not", "didn't": "did not", "wasn't": "was not", "there's": "there is"},
}
"""Short and long forms count as equal. "'s" of a name or a possessive stays."""
_ONES = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = [
    "zero",
    "ten",
    "twenty",
    "thirty",
    "forty",
    "fifty",
    "sixty",
    "seventy",
    "eighty",
    "ninety",
]
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)*")


def words_of(text: str) -> list[str]:
    """Return the words; numbers, times and units are read as the voices read them."""
    read = normalise(text.replace("’", "'"), LANGUAGE).text.lower()
    spelt = re.sub(r"\d{1,6}", lambda number: f" {number_words(int(number[0]))} ", read)
    found = _WORD.findall(spelt)
    return " ".join(CONTRACTIONS.get(word, word) for word in found).split()


def number_words(value: int) -> str:
    """Return a number below a million in words."""
    if value < 20:
        return _ONES[value]
    if value < 100:
        rest = f" {_ONES[value % 10]}" if value % 10 else ""
        return _TENS[value // 10] + rest
    size, name = (100, "hundred") if value < 1000 else (1000, "thousand")
    rest = f" {number_words(value % size)}" if value % size else ""
    return f"{number_words(value // size)} {name}{rest}"


def error_count(said: list[str], heard: list[str]) -> int:
    """Return the number of words to replace, insert or leave out (Levenshtein distance)."""
    row = list(range(len(heard) + 1))
    for number, word in enumerate(said, 1):
        diagonal, row[0] = row[0], number
        for index, other in enumerate(heard, 1):
            step = min(row[index] + 1, row[index - 1] + 1, diagonal + (word != other))
            diagonal, row[index] = row[index], step
    return row[-1]
