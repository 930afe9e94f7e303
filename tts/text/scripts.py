"""Runs of a text by script, and the language that reads each."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from tts.text.characters import script_of
from tts.text.vocabulary import primary_subtag

_JOINED = {
    **dict.fromkeys(["HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "VERTICAL"], "KANA"),
    **dict.fromkeys(["CJK", "IDEOGRAPHIC", "BOPOMOFO"], "HAN"),
}
_BY_SCRIPT = {
    "LATIN": "en",
    "CYRILLIC": "ru",
    "GREEK": "el",
    "ARABIC": "ar",
    "HEBREW": "he",
    "DEVANAGARI": "hi",
    "BENGALI": "bn",
    "GURMUKHI": "pa",
    "GUJARATI": "gu",
    "ORIYA": "or",
    "TAMIL": "ta",
    "TELUGU": "te",
    "KANNADA": "kn",
    "MALAYALAM": "ml",
    "SINHALA": "si",
    "THAI": "th",
    "MYANMAR": "my",
    "GEORGIAN": "ka",
    "ARMENIAN": "hy",
    "ETHIOPIC": "am",
    "HANGUL": "ko",
    "KANA": "ja",
    "HAN": "zh",
    "CHEROKEE": "chr",
    "LAO": "lo",
    "KHMER": "km",
    "TIBETAN": "bo",
    "THAANA": "dv",
    "SYRIAC": "syr",
    "MONGOLIAN": "mn-Mong",
}
LATIN_LANGUAGE = "en"
"""Language of Latin words in a text of another script."""
UNKNOWN_LANGUAGE = "und"
"""Tag for letters of other scripts (BCP 47, "undetermined")."""
_BY_LETTER = {
    "CYRILLIC": {
        "uk": "іїєґІЇЄҐ",
        "be": "ўЎ",
        "sr": "ђћџљњјЂЋЏЉЊЈ",
        "mk": "ѓќѕЃЌЅ",
        "kk": "әғқңһұ",
    },
    "ARABIC": {"ur": "ٹڈڑںےھ", "fa": "پچژگ"},
}
"""Letters that distinguish languages of the same script; the first language found is taken."""
_SCRIPTS = {
    "CYRILLIC": "ru uk be bg mk kk ky tt ba cv tg mn sr hbs bs uz nog",
    "GREEK": "el grc",
    "ARABIC": "ar fa ur ug sd ku ps ks",
    "HEBREW": "he yi",
    "DEVANAGARI": "hi mr ne kok sa bho mai",
    "BENGALI": "bn as bpy",
    "ETHIOPIC": "am ti",
    "HAN": "zh hak ja ko",
    "KANA": "ja",
    "ARMENIAN": "hy hyw",
}
"""Languages of the scripts that several languages use."""
_BOTH_LATIN = frozenset(["sr", "hbs", "bs", "uz", "kk", "tt", "nog", "az", "ku", "tk"])
"""Languages that are also written in Latin letters."""
_LATIN_SUBTAG = re.compile(r"-latn\b|-pinyin\b", re.IGNORECASE)
_TOKEN = re.compile(r"\S+")
_ADDRESS = re.compile(r"://|www\.|@|\w[./\\_]\w")
"""Addresses, paths and identifiers have no language."""
_MIN_LATIN_WORDS = 3
"""Fewer Latin words inside text of another script are names, which its own voice reads."""
_MIN_WORD, _MIN_LETTERS = 2, 2


@dataclass(frozen=True, slots=True)
class Run:
    """A part of a text in one language."""

    start: int
    end: int
    language: str | None
    """BCP 47 tag; None: the language of the text."""


@dataclass(slots=True)
class _Word:
    """Consecutive letters of one script."""

    start: int
    end: int
    script: str


def script_runs(text: str, language: str) -> list[Run]:
    """Divide a text into parts that voices of different languages read.

    Together they are the whole text: digits, spaces and punctuation belong to the letters before
    them, and to those after them at the beginning.
    """
    if text.isascii() and "LATIN" in scripts_of_language(language):
        return [Run(0, len(text), None)]
    groups = _grouped(list(_words(text)))
    languages = [_language_of(group, groups, text, language) for group in groups]
    starts = [0] + [_start(text, group[0].start) for group in groups[1:]]
    runs: list[Run] = []
    for start, found in zip(starts, languages, strict=False):
        if runs and runs[-1].language == found:
            continue
        runs.append(Run(start, start, found))
    ends = [run.start for run in runs[1:]] + [len(text)]
    if not runs:
        return [Run(0, len(text), None)]
    return [Run(run.start, end, run.language) for run, end in zip(runs, ends, strict=True)]


def scripts_of_language(language: str) -> frozenset[str]:
    """Return the scripts that a language is written in; Latin for those that are not listed."""
    primary = primary_subtag(language)
    if _LATIN_SUBTAG.search(language):
        return frozenset(["LATIN"])
    found = {script for script, tags in _SCRIPTS.items() if primary in tags.split()}
    found |= {script for script, tag in _BY_SCRIPT.items() if tag.split("-")[0] == primary}
    if not found or primary in _BOTH_LATIN:
        found.add("LATIN")
    return frozenset(found)


def _words(text: str) -> Iterator[_Word]:
    tokens = _TOKEN.finditer(text)
    spans = [token.span() for token in tokens if _ADDRESS.search(token.group())]
    inside = {index for start, end in spans for index in range(start, end)}
    word: _Word | None = None
    for index, character in enumerate(text):
        script = "" if index in inside else script_of(character)
        script = _JOINED.get(script, script)
        if word and (script == word.script or unicodedata.category(character)[0] == "M"):
            word.end = index + 1
            continue
        if word:
            yield word
        word = _Word(index, index + 1, script) if script else None
    if word:
        yield word


def _grouped(words: list[_Word]) -> list[list[_Word]]:
    """Join consecutive words of one script; kana make the Han next to them Japanese."""
    has_kana = any(word.script == "KANA" for word in words)
    groups: list[list[_Word]] = []
    for word in words:
        if has_kana and word.script == "HAN":
            word.script = "KANA"
        if groups and groups[-1][0].script == word.script:
            groups[-1].append(word)
        else:
            groups.append([word])
    return groups


def _language_of(
    group: list[_Word], groups: list[list[_Word]], text: str, language: str
) -> str | None:
    script = group[0].script
    own = scripts_of_language(language)
    if script in own or (script == "KANA" and primary_subtag(language) == "ja"):
        return None
    letters = sum(word.end - word.start for word in group)
    if script == "LATIN":
        all_letters = sum(word.end - word.start for each in groups for word in each)
        words = sum(word.end - word.start >= _MIN_WORD for word in group)
        is_most = letters * 2 > all_letters and words >= _MIN_WORD
        return LATIN_LANGUAGE if words >= _MIN_LATIN_WORDS or is_most else None
    if letters < _MIN_LETTERS and script == "GREEK":
        return None  # in a formula
    return _by_letters(script, "".join(text[word.start : word.end] for word in group))


def _by_letters(script: str, letters: str) -> str:
    for language, own in _BY_LETTER.get(script, {}).items():
        if set(own) & set(letters):
            return language
    return _BY_SCRIPT.get(script, UNKNOWN_LANGUAGE)


def _start(text: str, index: int) -> int:
    """Return the start of a run: opening brackets and quotes before its first letter are in it."""
    while index and (
        unicodedata.category(text[index - 1]) in ("Ps", "Pi") or text[index - 1] in "¿¡"
    ):
        index -= 1
    return index
