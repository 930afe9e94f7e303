"""Places where a text that is still arriving may be cut."""

import re
import unicodedata
from collections.abc import Iterator

from tts.text.abbreviations import stop_ends
from tts.text.sentences import MAX_WEIGHT, WIDE_WEIGHT, sentence_bounds

MAX_LINE = 60
"""A line of at most this weight was ended on purpose; longer ones may have been wrapped."""
MIN_CLAUSE_WORDS, MIN_CLAUSE_WEIGHT = 4, 15
"""Shortest clause that is spoken before the rest of its sentence is known: one second."""
LONG_CLAUSE_WORDS = 7
"""A clause of this length may be followed by any word."""
MIN_REST_WEIGHT = 8
"""A shorter rest of the sentence is spoken together with the clause: `…, too.`"""
_CLAUSE_SHARE = 0.4

_ELLIPSIS = re.compile(r"(?:\.{2,}|…)[\"'”’»)\]]*\s*$")
_LINE_END = re.compile(r"[ \t]*\n\s*")
_OPEN_ENDED = frozenset(",;–—-‑、，；/&+=×→|")
"""A line that ends with one of these goes on."""
_LINE_BEGINNERS = frozenset("\"'“«„‘([（¿¡「$€£¥#~@+")
_LETTER_MARK = re.compile(r"(?:[a-z]|[ivx]{1,4})[.)]\s")
"""Mark of a list item that Markdown does not recognise."""
_MARK_LENGTH = 6
_CLAUSE_MARK = re.compile(r"[,;:،؛](?=\s)|[–—](?=\s)|[，；：](?=\S)|(?<=[ぁ-ん])、(?=\S)")
_JOINT = re.compile(
    r"(?<![,;:]) (?=(?:because|although|though|whereas|while|unless|until|which|but"
    r"|(?:and|or) (?:i|you|he|she|it|we|they|this|that|these|there|then|if|when)"
    r"|mais|car|parce|puisque|tandis|et (?:je|tu|il|elle|on|nous|vous|ils|elles)"
    r"|pero|porque|aunque|mientras|y (?:yo|tú|él|ella|nosotros|ellos)"
    r"|und (?:ich|du|er|sie|es|wir|ihr|man|dann)) )",
    re.IGNORECASE,
)
"""Blank before a word that begins a clause, where people pause without punctuation."""
_PREPOSITIONS = frozenset("of in on at for to from with by through under".split())  # noqa: SIM905
_WIDE_MARKS = "，；：、"
_NAME = re.compile(r"[A-Z]{2}|\S+\.\s")
"""Abbreviations after a comma are part of a name or an address."""
_BRACKETS = {"(": ")", "[": "]", "{": "}", "“": "”", "„": "“", "«": "»", "「": "」", "（": "）",
             "『": "』", "《": "》"}  # fmt: skip
_BEGINNERS = frozenset(
    """
    and but so or nor yet which who whom whose where when while because since although though as if
    unless until after before i you we he she it they there here this that these those the a an
    what how why then with without from in on at for to of by let let's not just like especially
    is are was were can could will would should do does did have has please my your our their his
    und aber oder denn sondern dass weil wenn als ob wie was wo wer der die das den dem des ein eine
    ich du er sie es wir ihr man da dann damit um ohne mit von in auf für zu nicht so auch doch
    et mais ou donc or ni car que qui dont où quand lorsque parce comme si je tu il elle on nous
    vous ils elles ce c le la les un une des de du dans pour avec sans sur par ne à puis
    y e o u pero sino que quien donde cuando porque como si yo tú él ella nosotros ellos el los las
    una unos del en para con sin por no lo se al
    ma che chi dove perché come io lui lei noi di un uno per senza non
    mas onde porque como eu ele ela nós os as um uma do da em com sem não
    и а но или что чтобы который где когда потому если как я ты он она мы вы они это в на с для не
    و أو لكن ثم لأن إذا كما في من
    और लेकिन पर या कि क्योंकि जो जब अगर तो मैं आप यह वह
    """.split()  # noqa: SIM905 - two hundred quoted words would be hard to read
)
"""Words that begin a clause or a phrase. Commas before others separate parts of a list."""


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of each sentence, and of each line that was ended on purpose."""
    held: tuple[int, int] | None = None
    for start, end in sentence_bounds(text):
        if held is not None:
            if _ELLIPSIS.search(text, *held) and text[start].islower():
                held = (held[0], end)
                continue
            yield from _lines(text, *held)
        held = (start, end)
    if held is not None:
        yield from _lines(text, *held)


def _lines(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    for match in _LINE_END.finditer(text, start, end):
        if match.end() < end and _is_line(
            text[start : match.start()], text[match.end() : match.end() + _MARK_LENGTH]
        ):
            yield start, match.end()
            start = match.end()
    yield start, end


def _is_line(before: str, rest: str) -> bool:
    """Return True if a line was not wrapped: it is short, and the next one does not continue it."""
    line, following = before[before.rfind("\n") + 1 :].strip(), rest[0]
    if not line or line[-1] in _OPEN_ENDED:
        return False
    if line[-1] == "." and _is_abbreviation(line[:-1], following):
        return False
    if following.islower():
        return bool(_LETTER_MARK.match(rest))
    is_clear = following.isupper() or line[-1] in ":："
    is_short = weight(line) <= (MAX_LINE if is_clear else MAX_LINE // 2)
    return is_short and (following.isalnum() or following in _LINE_BEGINNERS)


def _is_abbreviation(line: str, following: str) -> bool:
    """Return True if a line ends with an abbreviation such as `Dr.`; single letters are none."""
    word = line.split()[-1:] or [""]
    return len(word[0]) > 1 and not stop_ends(line, word[0], following)


def weight(text: str) -> int:
    """Return the length of a text in Latin letters."""
    return sum(WIDE_WEIGHT if is_wide(character) else 1 for character in text)


def is_wide(character: str) -> bool:
    """Return True for a character that stands for a syllable or more."""
    return unicodedata.east_asian_width(character) == "W"


def first_clause(text: str) -> int | None:
    """Return the end of the first clause of a sentence whose rest is still arriving.

    It is long enough that the rest arrives while it is spoken, and sounds complete: it does not
    end inside brackets or a quotation, nor in a list, a date or an address.
    """
    for match in _CLAUSE_MARK.finditer(text):
        clause, rest = text[: match.start()], text[match.end() :].lstrip()
        if is_complete_clause(clause, rest, match.group()):
            return match.end()
    for match in _JOINT.finditer(text):
        if _is_joint(text[: match.start()], text[match.end() :]):
            return match.end()
    return None


def _is_joint(clause: str, rest: str) -> bool:
    """Return True if a clause without a mark at its end can be spoken before the rest."""
    words, following = clause.split(), rest.split()
    is_long = len(words) >= LONG_CLAUSE_WORDS and weight(clause) >= 2 * MIN_CLAUSE_WEIGHT
    is_whole = len(following) > MIN_CLAUSE_WORDS - 1 and words[-1].lower() not in _PREPOSITIONS
    return is_long and is_whole and not _is_inside(clause)


def is_complete_clause(clause: str, rest: str, mark: str) -> bool:
    """Return True if a clause can be spoken before its sentence is complete."""
    if weight(clause) < MIN_CLAUSE_WEIGHT or weight(rest) < MIN_REST_WEIGHT or _is_inside(clause):
        return False
    if mark in _WIDE_MARKS:
        return weight(clause) >= 2 * MIN_CLAUSE_WEIGHT
    words = clause.split()
    if len(words) < MIN_CLAUSE_WORDS or not stop_ends(clause, words[-1].rstrip("."), "a"):
        return False
    following = rest.split()
    if not rest[0].isalpha() or len(following) < 2 or _NAME.match(rest):
        return False
    first = re.split(r"['’]", following[0])[0].lower().strip('"“(«')
    return mark not in ",،" or first in _BEGINNERS or len(words) >= LONG_CLAUSE_WORDS


def _is_inside(text: str) -> bool:
    """Return True if a bracket or quotation mark is open at the end of a text."""
    if text.count('"') % 2:
        return True
    return any(text.rfind(first) > text.rfind(last) for first, last in _BRACKETS.items())


def long_cut(text: str) -> int:
    """Return where a long sentence is cut: after a clause mark, or between two words."""
    total = clause = joint = safe = space = index = 0
    for index, character in enumerate(text):
        total += WIDE_WEIGHT if is_wide(character) else 1
        if total > MAX_WEIGHT:
            break
        if _CLAUSE_MARK.match(text, index) and total >= _CLAUSE_SHARE * MAX_WEIGHT:
            clause = index + 1
        elif character.isspace():
            space = index + 1
            if total >= _CLAUSE_SHARE * MAX_WEIGHT and _JOINT.match(text, index):
                joint = index + 1
            is_amount = text[index - 1 : index].isdigit() or text[index + 1 : index + 2].isdigit()
            if not is_amount and text[index - 1 : index] != ".":
                safe = index + 1
    return clause or joint or safe or space or _within_word(text, index)


def _within_word(text: str, index: int) -> int:
    """Return an index near `index` that does not separate a letter from its marks."""
    for cut in range(index, max(index - 8, 0), -1):
        if unicodedata.category(text[cut])[0] != "M":
            return cut
    return max(index, 1)
