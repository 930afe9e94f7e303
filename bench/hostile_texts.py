"""Seeded texts of many kinds that have crashed native text-to-speech code, or might."""

import random
from collections.abc import Callable, Iterator, Sequence

MAX_CHARS = 400
_WORDS = {
    "Latin": ["hello", "Straße", "naïve", "s'il", "o'clock", "Dr", "it's", "l'eau", "über"],
    "Cyrillic": ["привет", "ещё", "щука", "п'ять"],
    "Greek": ["καλημέρα", "Ωμέγα"],
    "Devanagari": ["नमस्ते", "लच्छेद", "क्ष"],
    "Arabic": ["سلام", "مرحبا", "پارسی"],
    "Hebrew": ["שלום", "עברית"],
    "Han": ["你好", "漢字", "龘"],
    "Kana": ["こんにちは", "カタカナ"],
    "Hangul": ["안녕", "한국어"],
    "Thai": ["สวัสดี", "ไทย"],
    "Tamil": ["வணக்கம்"],
    "Georgian": ["გამარჯობა"],
    "Ethiopic": ["ሰላም"],
    "Tibetan": ["བོད"],
}
_AFFIXES = ["s'", "'s", "'", "’", "l'", "d'", "n't", "'ll", "un", "re", "-", "ing", "ness", "ʼ"]
_DASHES = ["-", "--", "---", "–", "—", "‐", "‑", "−", "_", "~", "·", "…", "...", "''", "``"]
_COMBINING = [*map(chr, range(0x0300, 0x0370)), "\u093c", "\u094d", "\u05b0", "\u0e31", "\u20dd"]
_CONTROLS = [*map(chr, range(32)), "\x7f", *map(chr, range(0x80, 0xA0))]
_INVISIBLE = ["\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u034f", "\u180e"]
_BIDI = [*map(chr, range(0x202A, 0x202F)), *map(chr, range(0x2066, 0x206A)), "\u200e", "\u200f"]
_EMOJI = ["😀", "🚺", "👩‍👩‍👧‍👦", "🇩🇪", "1️⃣", "❤️", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "👍🏽"]
_PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~¡¿«»‹›„“”‚‘’、。「」〈〉‽†‡•※°№§¶"
_DIGITS = ["0123456789", "٠١٢٣٤٥٦٧٨٩", "०१२३४५६७८९", "０１２３４５６７８９", "一二三四五六七八九十"]
_SSML = ["<speak>", "</speak>", '<break time="9999999s"/>', '<prosody rate="x">', "<p>", "<s/>"]
_SSML += ['<say-as interpret-as="characters">', '<audio src="/dev/zero"/>', "<mark name='", "&#0;"]
_SSML += ['<voice name="../../etc/passwd">', "&amp;", "&#x110000;", "<![CDATA[", "]]>", "<?xml"]
_PHONEMES = [
    "[[",
    "]]",
    "[[h@l'oU]]",
    "[[_:]]",
    "[[" + "t" * 40,
    "||",
    "_::_",
    "[[;;]]",
    "@@",
    "\x01",
]

Generator = Callable[[random.Random], str]


def _repeated(rng: random.Random, piece: str) -> str:
    return piece * rng.choice([1, 2, 3, 7, 40, 70, 100, 150])


def _word(rng: random.Random) -> str:
    return rng.choice(_WORDS[rng.choice(list(_WORDS))])


def _mixed(rng: random.Random, pieces: Sequence[str], least: int = 1, most: int = 40) -> str:
    """Return some pieces, with words between them."""
    chosen = (rng.choice(pieces) if rng.random() < 0.7 else _word(rng) for _ in range(most))
    return "".join(list(chosen)[: rng.randint(least, most)]) + rng.choice(["", " a", "a", "."])


def affixes(rng: random.Random) -> str:
    """Apostrophes and affixes, repeated, around a word."""
    run = _repeated(rng, rng.choice(_AFFIXES))
    return rng.choice([run, _word(rng) + run, run + _word(rng), f"{run} {_word(rng)}"])


def dashes(rng: random.Random) -> str:
    """Dashes before, in or after a word."""
    dash = rng.choice(_DASHES) * rng.randint(1, 6)
    return rng.choice(["{0}{1}", "{1}{0}", "{1}{0}{1}", "{0} {1}", "{1} {0}{1}{0}"]).format(
        dash, _word(rng)
    )


def scripts(rng: random.Random) -> str:
    """Words of several scripts, with and without spaces."""
    return rng.choice(["", " ", "-", "'"]).join(_word(rng) for _ in range(rng.randint(2, 12)))


def combining_marks(rng: random.Random) -> str:
    """Combining marks in any number, also without a letter."""
    return _word(rng)[0] + "".join(rng.choices(_COMBINING, k=rng.randint(1, 80))) + _word(rng)


def controls(rng: random.Random) -> str:
    """Control characters, null among them."""
    return _mixed(rng, _CONTROLS)


def invisible(rng: random.Random) -> str:
    """Zero-width, soft-hyphen and bidirectional characters."""
    return _mixed(rng, [*_INVISIBLE, *_BIDI])


def surrogates(rng: random.Random) -> str:
    """Lone surrogates, private-use characters and noncharacters."""
    ranges = [(0xD800, 0xDFFF), (0xE000, 0xF8FF), (0xFFF0, 0xFFFF), (0xF0000, 0x10FFFF)]
    return _mixed(rng, [chr(rng.randint(*rng.choice(ranges))) for _ in range(8)])


def digits(rng: random.Random) -> str:
    """Numbers of all lengths, in several scripts, with separators."""
    figures = rng.choice(_DIGITS)
    number = "".join(rng.choices(figures, k=rng.choice([1, 3, 9, 12, 15, 19, 33, 64, 130])))
    return rng.choice(
        ["{}", "-{}", "{}.{}", "{},{}", "{}%", "{}e{}", "{}:{}", "#{}", "{}th"]
    ).format(number, number[:9])


def emoji(rng: random.Random) -> str:
    """Emoji, sequences and flags."""
    return _mixed(rng, [*_EMOJI, "\ufe0f", "\u20e3", "\U0001f3fd"])


def ssml(rng: random.Random) -> str:
    """SSML, HTML and XML, whole and broken."""
    return _mixed(rng, _SSML, 1, 12)


def phonemes(rng: random.Random) -> str:
    """Phoneme input of espeak."""
    return _mixed(rng, _PHONEMES, 1, 12)


def long_words(rng: random.Random) -> str:
    """Very long words."""
    length = rng.choice([50, 100, 161, 200, 320])
    alphabet = rng.choice([_word(rng), "abcdefghij", "x", "ß", "क्ष", "漢"])
    return "".join(rng.choices(alphabet, k=length))


def punctuation(rng: random.Random) -> str:
    """Punctuation marks, alone and around words."""
    return _mixed(rng, [*_PUNCTUATION])


def any_characters(rng: random.Random) -> str:
    """Characters from all of Unicode."""
    planes = [(0x20, 0x7E), (0xA0, 0x24F), (0x250, 0x1FFF), (0x2000, 0xD7FF), (0x10000, 0x1FFFF)]
    return "".join(chr(rng.randint(*rng.choice(planes))) for _ in range(rng.randint(1, 60)))


def words_with_marks(rng: random.Random) -> str:
    """A sentence whose words have anything at their ends."""
    marks = [*_AFFIXES, *_DASHES, *_INVISIBLE, *_EMOJI, *_PUNCTUATION]
    words = (rng.choice(marks) + _word(rng) + rng.choice(marks) for _ in range(rng.randint(1, 8)))
    return " ".join(words)


GENERATORS: tuple[Generator, ...] = (
    affixes,
    dashes,
    scripts,
    combining_marks,
    controls,
    invisible,
    surrogates,
    digits,
    emoji,
    ssml,
    phonemes,
    long_words,
    punctuation,
    any_characters,
    words_with_marks,
)


def hostile_texts(seed: int) -> Iterator[str]:
    """Yield texts of all kinds in turn, without end."""
    rng = random.Random(seed)
    while True:
        for generate in GENERATORS:
            yield generate(rng)[:MAX_CHARS]
