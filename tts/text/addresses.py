"""Addresses, paths and codes as people read them: `example.com/a` is "example dot com slash a".

The words are those of the language. In a language without a vocabulary only parts that are
never spoken are removed, such as `https://`, and the voice reads the rest.
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from urllib.parse import unquote

from tts.text.draft import Draft, Edit
from tts.text.vocabulary import Vocabulary

MAX_SEGMENTS = 3
"""Parts of a path that are read; further ones become "and so on"."""
MAX_SEGMENT_CHARS = 32
MAX_SPELT_CHARS = 12
"""Longer codes are cut."""
CUT_CODE_CHARS = 6
"""Characters of a long code that are spelt."""

_URL = re.compile(
    r"(?<![\w@])(?:(?:https?|ftps?|wss?|file)://+|www\.(?=\w))[^\s<>\"'`|^{}，。！？；：、）」\ue001]+",
    re.IGNORECASE,
)
_EMAIL = re.compile(
    r"(?<![\w.+-])(?:mailto:)?([\w.+-]{1,64})@([\w-]{1,63}(?:\.[\w-]{1,63}){1,5})(?!\w)"
)
_DOMAINS = (
    "com org net edu gov mil int info biz app dev io ai tech blog shop site online cloud xyz wiki "
    "de uk fr es nl pl ru ch eu jp cn br au ca se dk fi cz ua kr nz ie hu gr tr il mx za"
).replace(" ", "|")
_SHORT_DOMAINS = "co|ly|me|tv|gg|to|be|us|it|at|in|is|no|fm|gl|so|gd|im|link|page|news"
"""Domains that are words or abbreviations too: only with a path."""
_BARE_DOMAIN = re.compile(
    rf"(?<![\w@./-])(?:[a-z0-9][a-z0-9-]{{0,62}}\.){{1,5}}"
    rf"(?:(?:{_DOMAINS})(?![\w-]|\.\w)|(?:{_SHORT_DOMAINS})(?=/))(?::\d+)?"
    r"(?:/[^\s<>\"'`|^{}，。！？；：、）」\ue001]*)?",
    re.IGNORECASE,
)
_TRAILING = ".,;:!?)]}'\"”’…»、。，！？）」"
_EXTENSIONS = (
    "pdf docx? xlsx? pptx? txt md rst csv tsv json ya?ml toml ini cfg conf log xml html? css js ts "
    "tsx jsx py ipynb rb rs go java kt c h cpp hpp cs php sh bat ps1 sql db png jpe?g gif webp svg "
    "bmp tiff? mp3 wav ogg opus flac m4a mp4 mkv mov avi webm zip tar gz tgz 7z rar iso exe dll so "
    "deb rpm dmg apk onnx bin lock env"
).replace(" ", "|")
_FILE = re.compile(rf"(?<![\w./\\@-])[\w-]+(?:\.[\w-]+)*\.(?:{_EXTENSIONS})(?![\w/\\]|\.\w)")
_UNIX_PATH = re.compile(
    r"(?<![\w/.~<])(?:~|\.{1,2})?(?:/[\w.+@-]+){2,}/?|(?<![\w/.~])~/[\w.+@-]+/?"
)
_WINDOWS_PATH = re.compile(
    r"(?<!\w)[A-Za-z]:\\(?:[\w.+@ -]{0,80}\w\\)*[\w.+@-]*|\\\\(?:[\w.+@$-]+\\?){2,}"
)
_RELATIVE_PATH = re.compile(rf"(?<![\w/.-])[\w.-]+(?:/[\w.-]+){{1,12}}\.(?:{_EXTENSIONS})(?![\w/])")
_UUID = re.compile(r"(?<![\w-])[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}(?![\w-])")
_CODE = re.compile(r"(?<![\w/+=-])(?:[A-Za-z0-9]{7,}|[A-Za-z0-9+/_-]{20,}={0,2})(?![\w/+=-])")
_GROUPED = re.compile(
    r"(?<![\w-])(?:[A-Z]{2}\d{2}(?: [A-Z0-9]{4}){2,8}(?: [A-Z0-9]{1,4})?"
    r"|\d{4}(?:[ -]\d{4}){2,5}|\d{1,5}(?:-\d{1,7}){3,5}(?:-[\dX])?|\d{3}-\d{2}-\d{4})(?![\w-])"
)
"""Numbers of accounts, cards and books."""
_SERIAL = re.compile(
    r"(?<![\w-])(?=[A-Z]*\d)(?=\d*[A-Z])[A-Z0-9]{3,6}(?:-(?=[A-Z]*\d)[A-Z0-9]{3,6}){1,6}(?![\w-])"
)
_HEX = re.compile(r"(?<!\w)(?:0x|#)([0-9a-fA-F]{2,64})(?!\w)")
_HEX_RUN = re.compile(r"[0-9a-f]{7,}|[0-9A-F]{7,}")
_MIN_CHANGES = 3
_CHANGES_SHARE = 0.25
"""A string that changes between letters, capitals and digits this often per character is random."""
_PIECES = re.compile(r"[^\W\d_]+|\d+|[._~+=-]")
_IPV6 = re.compile(r"(?<![\w:])(?:[0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}(?![\w:])")
_MAC = re.compile(r"(?<![\w:-])[0-9a-fA-F]{2}(?:[:-][0-9a-fA-F]{2}){5}(?![\w:-])")
_LONGEST_NUMBER = 4
"""Longer numbers in addresses are read digit by digit."""
_TWO = 2


def address_edits(draft: Draft, vocabulary: Vocabulary) -> Iterator[Edit]:
    """Replace URLs and e-mail addresses."""
    for match in _URL.finditer(draft.pattern):
        yield _edit(match, match.group(), _read_url, vocabulary)
    for match in _EMAIL.finditer(draft.pattern):
        if vocabulary.has_words:
            yield Edit(*match.span(), _read_email(match, vocabulary), is_protected=True)


def domain_edits(draft: Draft, vocabulary: Vocabulary) -> Iterator[Edit]:
    """Replace domains without `www.`."""
    for match in _BARE_DOMAIN.finditer(draft.pattern):
        yield _edit(match, match.group(), _read_url, vocabulary)


def code_edits(draft: Draft, vocabulary: Vocabulary) -> Iterator[Edit]:
    """Replace identifiers that are not read as words: spell short ones, and cut long ones."""
    for match in _GROUPED.finditer(draft.pattern):
        groups = ", ".join(spelt(group, vocabulary) for group in re.split(r"[ -]", match.group()))
        yield Edit(*match.span(), groups, is_protected=True)
    for pattern in (_UUID, _IPV6, _MAC, _CODE):
        for match in pattern.finditer(draft.pattern):
            if pattern is not _CODE or is_random(match.group()):
                yield _code_edit(match, match.group(), vocabulary)
    for match in _SERIAL.finditer(draft.pattern):
        groups = ", ".join(spelt(group, vocabulary) for group in match.group().split("-"))
        yield Edit(*match.span(), groups, is_protected=True)
    for match in _HEX.finditer(draft.pattern):
        digits = match.group(1)
        if match.group()[0] == "#" and (digits.isdecimal() or len(digits) not in (3, 6, 8)):
            continue
        yield _code_edit(match, match.group().lstrip("#"), vocabulary)


def path_edits(draft: Draft, vocabulary: Vocabulary) -> Iterator[Edit]:
    """Replace paths and names of files."""
    for pattern in (_WINDOWS_PATH, _UNIX_PATH, _RELATIVE_PATH, _FILE):
        for match in pattern.finditer(draft.pattern):
            if vocabulary.has_words:
                yield _edit(match, match.group(), _read_path, vocabulary)


def is_random(text: str) -> bool:
    """Return True for a hash, a key or another string that is not a word."""
    if not any(each.isdigit() for each in text) or text.isdigit():
        return False
    if _HEX_RUN.fullmatch(text) and sum(each.isdigit() for each in text) >= _TWO:
        return not re.fullmatch(r"\d+[eE]\d+|\d+[a-zA-Z]{1,2}", text)
    kinds = ["d" if each.isdigit() else "u" if each.isupper() else "l" for each in text]
    changes = sum(one != other for one, other in pairwise(kinds))
    return len(text) > MAX_SPELT_CHARS and changes >= max(_MIN_CHANGES, _CHANGES_SHARE * len(text))


def spelt(text: str, vocabulary: Vocabulary) -> str:
    """Return the letters and digits of `text` so that each is read by its name."""
    return " ".join(_letter(each, vocabulary) for each in text if each.isalnum())


def identifier(text: str) -> str:
    """Return `snake_case` and `camelCase` as words."""
    spaced = re.sub(r"[_]+", " ", text)
    spaced = re.sub(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])", " ", spaced)
    return camel_words(spaced)


def camel_words(text: str) -> str:
    """Return `camelCase` and `XMLParser` as words."""
    text = re.sub(r"(?<=[a-zà-ÿ])(?=[A-ZÀ-Þ])", " ", text)
    return re.sub(r"(?<=[A-Z])(?=[A-Z][a-z])", " ", text)


def _letter(character: str, vocabulary: Vocabulary) -> str:
    if vocabulary.language == "en" and character in "aA":
        return "eigh"  # voices take a lone "a" for the article
    return character


def _edit(match: re.Match[str], text: str, read: object, vocabulary: Vocabulary) -> Edit:
    kept = text.rstrip(_TRAILING)
    if ")" in text and "(" in kept:
        kept = text.rstrip(_TRAILING.replace(")", ""))
    assert callable(read)
    return Edit(match.start(), match.start() + len(kept), read(kept, vocabulary), is_protected=True)


def _code_edit(match: re.Match[str], code: str, vocabulary: Vocabulary) -> Edit:
    plain = "".join(each for each in code if each.isalnum())
    if len(plain) <= MAX_SPELT_CHARS:
        return Edit(*match.span(), spelt(plain, vocabulary), is_protected=True)
    words = [spelt(plain[:CUT_CODE_CHARS], vocabulary), vocabulary.word("and_so_on"), ""]
    return Edit(*match.span(), ", ".join(words).rstrip(), is_protected=True)


def _read_url(url: str, vocabulary: Vocabulary) -> str:
    """Return host and path of a URL; query and fragment are for machines."""
    rest = re.sub(r"^[a-zA-Z]+://+", "", url)
    rest = re.split(r"[?#]", rest, maxsplit=1)[0].rstrip("/")
    host, _, path = rest.partition("/")
    host = host.rpartition("@")[2].lower()
    if not vocabulary.has_words:
        return unquote(rest)
    words = _read_host(host, vocabulary)
    segments = [each for each in unquote(path).split("/") if each]
    for count, segment in enumerate(segments):
        if count == MAX_SEGMENTS or len(segment) > MAX_SEGMENT_CHARS or is_random(segment):
            return f"{words}, {vocabulary.word('and_so_on')},"
        words += f" {vocabulary.word('slash')} {_read_segment(segment, vocabulary)}"
    return words


def _read_host(host: str, vocabulary: Vocabulary) -> str:
    name, _, port = host.partition(":")
    labels = name.split(".")
    dot = f" {vocabulary.word('dot')} "
    words = dot.join(_read_label(label, vocabulary) for label in labels)
    return f"{words} {vocabulary.word('colon')} {port}" if port else words


def _read_label(label: str, vocabulary: Vocabulary) -> str:
    if label.lower() == "www" or (len(label) == _TWO and label.isalpha()):
        return spelt(label, vocabulary)
    if label.startswith("xn--"):
        try:
            label = label.encode().decode("idna")
        except UnicodeError:
            return spelt(label[4:], vocabulary)
    return _read_segment(label, vocabulary, dash=vocabulary.word("dash"))


def _read_segment(segment: str, vocabulary: Vocabulary, *, dash: str = "") -> str:
    """Return one part of an address or a path: words, numbers and named marks."""
    marks = {".": "dot", "~": "", "+": "plus", "=": "equals", "_": ""}
    words = []
    for piece in _PIECES.findall(camel_words(segment)):
        if piece == "-":
            words.append(dash)
        elif piece in marks:
            words.append(vocabulary.word(marks[piece]) if marks[piece] else "")
        elif piece.isdigit():
            too_long = len(piece) > _LONGEST_NUMBER or (len(piece) > 1 and piece[0] == "0")
            words.append(spelt(piece, vocabulary) if too_long else piece)
        else:
            words.append(_letter(piece, vocabulary) if len(piece) == 1 else piece)
    return " ".join(word for word in words if word)


def _read_email(match: re.Match[str], vocabulary: Vocabulary) -> str:
    dash, underscore = vocabulary.word("dash"), vocabulary.word("underscore")
    parts = re.split(r"(_)", match.group(1))
    local = " ".join(
        underscore if part == "_" else _read_segment(part, vocabulary, dash=dash)
        for part in parts
        if part
    )
    return f"{local} {vocabulary.word('at')} {_read_host(match.group(2).lower(), vocabulary)}"


def _read_path(path: str, vocabulary: Vocabulary) -> str:
    names = {"/": "slash", "\\": "backslash", ":": "colon"}
    words = []
    for part in re.split(r"([/\\:])", path):
        if part in names:
            words.append(vocabulary.word(names[part]))
        elif part == "~":
            words.append("tilde")
        else:
            words.append(_read_segment(part, vocabulary, dash=vocabulary.word("dash")))
    return " ".join(word for word in words if word)
