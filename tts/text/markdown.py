"""Conversion of Markdown and HTML to the text that a person would read aloud.

Language models answer in Markdown. Its marks are removed; ordinary text that contains such
characters is kept: `3 * 4 * 5`, `snake_case`, `a < b`, `#1`, `C#`.

| markup | spoken |
| --- | --- |
| emphasis, strikethrough, inline code | the text in it |
| link, image | the link text, the alternative text; no address |
| heading, list item, table row | a sentence; the cells of a row are separated by commas |
| formula in TeX | the formula, with signs that the normaliser reads |
| fenced code, rule, comment, script, style | nothing |
| quotation, HTML and SSML tags, entities | the text in it |
| footnote | its text; no mark |
| number of a source: `water[1].` | nothing |
"""

import html
import re
from bisect import bisect_right
from collections.abc import Iterator
from itertools import pairwise

from tts.text.draft import Draft, Edit, disjoint, protect, remove
from tts.text.formulas import math_edits
from tts.text.markdown_blocks import block_edits
from tts.text.markdown_emphasis import emphasis_edits, is_word
from tts.text.plain_text import PlainText

_MARKS = re.compile(
    r"[*_`~#\[\]<>|&\\$¹²³⁰⁴-⁹]|^[ \t]*(?:[-+•:=]|\d+[.)])|[\n\r][ \t]*[-+•:=]|[\n\r][ \t]*\d+[.)]"
)
"""Text without any of these has no markup."""
_FENCE = re.compile(r"^[ \t]*(?:>[ \t]?)*(?:[-*+][ \t]+|\d+[.)][ \t]+)?(`{3,}(?=[^`]*$)|~{3,})")
_ESCAPE_OR_TICKS = re.compile(r"\\([*_`#~\[\]()>|!+\-.<{}])|\\(?=\n)|`+")
_BLANK_LINE = re.compile(r"\n[ \t]*\n")

_BLOCK_TAGS = frozenset(
    """
    address article aside blockquote body center dd details div dl dt fieldset figcaption figure
    footer form h1 h2 h3 h4 h5 h6 head header hr html li main nav ol p pre section summary table
    tbody tfoot thead title tr ul speak s
    """.split()  # noqa: SIM905 - quoted words would be hard to read
)
"""Tags that begin or end a paragraph."""
_INLINE_TAGS = frozenset(
    """
    a abbr acronym audio b bdi bdo big button cite code data del dfn em font i iframe input ins kbd
    label link mark meta meter object option output picture progress q rp rt ruby samp select small
    source span strike strong sub sup svg textarea td th time tt u var video wbr
    break desc emphasis lang lexicon lookup metadata phoneme prosody say-as token voice w
    """.split()  # noqa: SIM905 - as above
)
"""Other tags of HTML and SSML. Names that are not listed are kept: `List<int>`."""
_TAG = re.compile(
    r"</?([A-Za-z][A-Za-z0-9]*(?:-[a-z]+)?)"
    r"((?:\s+[A-Za-z_:@][\w:.-]*\s*=\s*(?:\"[^\"<>]*\"|'[^'<>]*'|[^\s\"'=<>`]+))*)"
    r"(?:\s+(?:open|disabled|checked|hidden|controls|autoplay|loop|muted|required|selected))*"
    r"\s*/?>"
)
_ALT = re.compile(r"\salt\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))", re.IGNORECASE)
_SILENT_ELEMENTS = ("script", "style")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_AUTOLINK = re.compile(r"<((?:https?://|mailto:)[^\s<>]+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+)>")

_LINK_TEXT = r"\[((?:[^\[\]\n]|\n(?![ \t]*\n)|\[[^\[\]\n]*\])*)\]"
_TITLE = r"(?:\s+(?:\"[^\"\n]*\"|'[^'\n]*'|\([^()\n]*\)))?"
_TARGET = rf"\(\s*(<[^<>\n]*>|(?:[^\s()<>]|\([^\s()<>]*\))*){_TITLE}\s*\)"
_IMAGE = re.compile(rf"!\[([^\[\]\n]*)\](?:{_TARGET}|\[[^\[\]\n]*\])")
_LINK = re.compile(_LINK_TEXT + _TARGET)
_REFERENCE = re.compile(rf"!?{_LINK_TEXT}(?:\[([^\[\]\n]*)\])?")
_DEFINITION = re.compile(
    r"^ {0,3}\[([^\]^\n][^\]\n]*)\]:[ \t]+(?:<[^<>\n]*>|\S+)[ \t]*"
    r"(?:\"[^\"\n]*\"|'[^'\n]*'|\([^()\n]*\))?[ \t]*$",
    re.MULTILINE,
)
_FOOTNOTE_DEFINITION = re.compile(r"^ {0,3}\[\^[^\[\]\s]{1,80}\]:[ \t]*", re.MULTILINE)
_FOOTNOTE = re.compile(r"[ \t]*\[\^[^\[\]\s]{1,80}\]")
_SOURCES = r"\[\^?[1-9]\d{0,2}\^?(?:\s?[,–-]\s?[1-9]\d{0,2}){0,8}\]"
_SOURCE_ADDRESS = r"\((?:https?:|#|/)[^\s()]*\)"
_CITATION = re.compile(
    rf"[ \t]*(?:(?:\[{_SOURCES}\]|{_SOURCES}){_SOURCE_ADDRESS})+"
    rf"|(?<=[\w.,;:!?)\"”’»%*])(?:{_SOURCES})+(?![\w(=]|\s=)"
    rf"|(?<=[^\W\d_]{{3}})(?<!\band)(?<!\bsee)(?<!\bund) (?:{_SOURCES} ?)+(?=\s*(?:[.,;:!?]|$))"
    r"|(?<=[.,;:!?)\"”])[¹²³⁰⁴-⁹]+"
)
"""Numbers of sources: behind a word, before a mark, or with an address."""
_ALERT = re.compile(r"^[ \t]*>[ \t>]*(\[!)[A-Z]+(\])[ \t]*$", re.MULTILINE)
"""The first line of a quotation that is a note or a warning."""
_ADDRESS = re.compile(r"\bhttps?://[^\s<>()\[\]*`]*[^\s<>()\[\]*`_~]")
_URL_MARKS = frozenset("/.#:?@")


def read_markdown(text: str) -> PlainText:
    """Return the text without markup, and the place of each character in `text`."""
    if not _MARKS.search(text):
        return PlainText.of(text)
    draft = Draft.of(text)
    for step in (
        _newline_edits,
        _fence_edits,
        math_edits,
        _code_and_escape_edits,
        _silent_element_edits,
        _tag_edits,
        _citation_edits,
        _image_edits,
        _link_edits,
        _definition_edits,
        _reference_edits,
        _address_edits,
        block_edits,
        emphasis_edits,
        _blank_edits,
    ):
        draft = draft.edited(step(draft))
    return PlainText(draft.text, draft.origins)


def _newline_edits(draft: Draft) -> Iterator[Edit]:
    for match in re.finditer(r"\r\n?", draft.pattern):
        yield Edit(*match.span(), "\n")


def _fence_edits(draft: Draft) -> Iterator[Edit]:
    """Remove fenced code with its fences; an open one extends to the end, as in CommonMark."""
    opened: tuple[int, str] | None = None
    for start, end in draft.lines():
        line = draft.pattern[start:end].rstrip()
        if opened is None:
            match = _FENCE.match(line)
            opened = (start + match.start(1), match.group(1)) if match else None
        elif line.strip(" \t>").startswith(opened[1]) and not line.strip(" \t>" + opened[1][0]):
            yield Edit(opened[0], end, "\n")
            opened = None
    if opened is not None:
        yield remove(opened[0], len(draft.pattern))


def _code_and_escape_edits(draft: Draft) -> Iterator[Edit]:
    """Remove the marks of inline code and the backslashes of escapes; protect what they mark."""
    found = list(_ESCAPE_OR_TICKS.finditer(draft.pattern))
    breaks = [match.start() for match in _BLANK_LINE.finditer(draft.pattern)]
    closers = _closing_ticks(found, breaks)
    done = 0
    for match in found:
        start, end = match.span()
        if start < done:
            continue
        if draft.pattern[start] == "\\":
            yield remove(start, start + 1)
            if match.group(1):
                yield protect(draft, start + 1, end)
        elif match in closers:
            closer = closers[match]
            yield remove(start, end)
            yield protect(draft, end, closer.start())
            yield remove(*closer.span())
            done = closer.end()


def _closing_ticks(
    found: list[re.Match[str]], breaks: list[int]
) -> dict[re.Match[str], re.Match[str]]:
    """Map each run of backticks to the next one of the same length in its paragraph.

    A single one inside a word is an apostrophe.
    """
    by_length: dict[str, list[re.Match[str]]] = {}
    for match in found:
        by_length.setdefault(match.group(), []).append(match)
    return {
        one: other
        for ticks, runs in by_length.items()
        if ticks[0] == "`"
        for one, other in pairwise(runs)
        if bisect_right(breaks, one.start()) == bisect_right(breaks, other.start())
        and not (len(ticks) == 1 and is_word(one.string[max(one.start() - 1, 0) : one.start()]))
    }


def _silent_element_edits(draft: Draft) -> Iterator[Edit]:
    """Remove comments, scripts and style sheets with their contents."""
    lower = draft.pattern.lower()
    pairs = [("<!--", "-->"), *((f"<{name}", f"</{name}>") for name in _SILENT_ELEMENTS)]
    spans = sorted(span for opening, closing in pairs for span in _spans(lower, opening, closing))
    done = 0
    for start, end in spans:
        if start >= done:
            yield Edit(start, end, " ")
            done = end


def _spans(text: str, opening: str, closing: str) -> Iterator[tuple[int, int]]:
    start = text.find(opening)
    while start >= 0:
        end = text.find(closing, start + len(opening))
        if end < 0:
            return
        yield start, end + len(closing)
        start = text.find(opening, end + len(closing))


def _tag_edits(draft: Draft) -> Iterator[Edit]:
    """Remove tags, decode entities, and remove the brackets of automatic links."""
    edits = [*map(_tag_edit, _TAG.finditer(draft.pattern))]
    edits += [_entity_edit(match) for match in _ENTITY.finditer(draft.pattern)]
    for match in _AUTOLINK.finditer(draft.pattern):
        edits += [
            remove(match.start(), match.start(1)),
            protect(draft, *match.span(1)),
            remove(match.end(1), match.end()),
        ]
    return disjoint(edit for edit in edits if edit is not None)


def _tag_edit(match: re.Match[str]) -> Edit | None:
    name = match.group(1).lower()
    if name in _BLOCK_TAGS:
        return Edit(*match.span(), "\n\n")
    if name == "br":
        return Edit(*match.span(), "\n")
    if name in ("td", "th") and match.group().startswith("</"):
        return Edit(*match.span(), ", ")
    if name == "img":
        alt = _ALT.search(match.group(2))
        return Edit(*match.span(), html.unescape(alt[alt.lastindex or 0]) if alt else "")
    return remove(*match.span()) if name in _INLINE_TAGS else None


def _entity_edit(match: re.Match[str]) -> Edit | None:
    decoded = html.unescape(match.group())
    if decoded == match.group():
        return None
    return Edit(*match.span(), decoded.replace("\xa0", " "), is_protected=True)


def _citation_edits(draft: Draft) -> Iterator[Edit]:
    """Remove the numbers of sources."""
    for match in _CITATION.finditer(draft.pattern):
        yield remove(*match.span())


def _image_edits(draft: Draft) -> Iterator[Edit]:
    """Keep the alternative text of images."""
    for match in _IMAGE.finditer(draft.pattern):
        yield remove(match.start(), match.start(1))
        yield remove(match.end(1), match.end())


def _link_edits(draft: Draft) -> Iterator[Edit]:
    """Keep the text of links."""
    for match in _LINK.finditer(draft.pattern):
        before = draft.pattern[max(match.start() - 1, 0) : match.start()]
        is_code = before.isalnum() or before in ("_", "]")
        if is_code and not _URL_MARKS & set(match.group(2)):  # calls[i](x)
            continue
        yield remove(match.start(), match.start(1))
        yield remove(match.end(1), match.end())


def _definition_edits(draft: Draft) -> Iterator[Edit]:
    """Remove the marks of footnotes, and of notes and warnings."""
    edits = [remove(*match.span()) for match in _FOOTNOTE_DEFINITION.finditer(draft.pattern)]
    edits += [remove(*match.span()) for match in _FOOTNOTE.finditer(draft.pattern)]
    for match in _ALERT.finditer(draft.pattern):
        edits += [remove(*match.span(1)), Edit(*match.span(2), ".")]
    return disjoint(edits)


def _reference_edits(draft: Draft) -> Iterator[Edit]:
    """Keep the text of links whose addresses are defined elsewhere; remove the definitions."""
    definitions = list(_DEFINITION.finditer(draft.pattern))
    names = {match.group(1).strip().lower() for match in definitions}
    edits = [remove(*match.span()) for match in definitions]
    ends = {match.start() for match in definitions}
    for match in _REFERENCE.finditer(draft.pattern):
        name = (match.group(2) or match.group(1)).strip().lower()
        is_link = name in names or _is_link_without_address(match)
        if is_link and match.start() not in ends:
            edits += [
                remove(match.start(), match.start(1)),
                remove(match.end(1), match.end()),
            ]
    return disjoint(edits)


def _is_link_without_address(match: re.Match[str]) -> bool:
    """Return True for `[the guide][1]`; its address may follow later, or was left out."""
    before = match.string[max(match.start() - 1, 0) : match.start()]
    has_text = len(match.group(1)) > 1 and match.group(1)[0].isalpha()
    return bool(match.group(2)) and has_text and not (before.isalnum() or before in ("_", "]", ")"))


def _address_edits(draft: Draft) -> Iterator[Edit]:
    """Protect the underscores of addresses."""
    for match in _ADDRESS.finditer(draft.pattern):
        yield protect(draft, *match.span())


def _blank_edits(draft: Draft) -> Iterator[Edit]:
    """Reduce several blank lines to one."""
    for match in re.finditer(r"\n[ \t]*\n\s*", draft.pattern):
        yield Edit(match.start(), match.end(), "\n\n")
