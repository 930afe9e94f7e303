"""SSML (W3C Speech Synthesis Markup Language 1.1) to a text with styles and pauses.

expat parses it. Declarations of document types are refused, so there are no entities to expand and
no files to read. Elements of other vocabularies are ignored with a remark; their text is spoken.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import accumulate
from typing import NoReturn
from xml.parsers import expat

from tts.text.plain_text import Pause, PlainText, Span, Style
from tts.text.pronunciation import MAX_IPA_CHARS, plain_ipa
from tts.text.say_as import KINDS
from tts.voice import BadSpeechRequest

MAX_BREAK_S = 10.0
MIN_RATE, MAX_RATE = 0.25, 4.0
"""Factors of the speed in SSML; the speed that results has its own range."""

_BREAKS_S = {
    "none": 0.0, "x-weak": 0.1, "weak": 0.2, "medium": 0.4, "strong": 0.7, "x-strong": 1.0,
}  # fmt: skip
_RATES = {
    "x-slow": 0.5, "slow": 0.75, "medium": 1.0, "default": 1.0, "fast": 1.25, "x-fast": 1.6,
}  # fmt: skip
_PARAGRAPHS = frozenset(["p", "paragraph", "s", "sentence", "speak"])
_DROPPED = frozenset(["desc", "metadata", "meta", "lexicon", "lookup", "script", "style"])
"""Elements whose text is not spoken."""
_TRANSPARENT = frozenset(["w", "token", "mark", "bookmark"])
_IPA = frozenset(["ipa", "x-ipa", ""])
"""Names of the International Phonetic Alphabet."""
_TIME = re.compile(r"\+?(\d+(?:\.\d*)?|\.\d+)\s*(ms|s)")
_RATE = re.compile(r"([+-]?)(\d+(?:\.\d*)?|\.\d+)(%?)")
_TAG = re.compile(r"[A-Za-z]{2,8}(?:[-_][A-Za-z0-9]{1,8})*")
_PROLOGUE = r"(?>\s*(?:<\?xml[^>]*\?>\s*)?(?:<!--(?:(?!-->).)*-->\s*)*)"
_ROOT = re.compile(rf"{_PROLOGUE}<(?:\w+:)?speak[\s/>]", re.DOTALL)
_DOCTYPE = re.compile(rf"{_PROLOGUE}<!DOCTYPE", re.DOTALL)
_BEFORE_DECLARATION = re.compile(r"\s+(?=<\?xml\s)")
"""Blanks that XML does not allow there."""
_OPEN, _CLOSE = "<speak>", "</speak>"
_SURROGATES = re.compile("[\ud800-\udfff]")
_MAX_REMARKS = 20


def is_ssml(text: str) -> bool:
    """Return True for a text whose first element is `speak`."""
    return bool(_ROOT.match(text.removeprefix("\ufeff")))


def read_ssml(text: str) -> PlainText:
    """Return the text of an SSML document, or of a part of one without `speak`.

    Raises BadSpeechRequest with line and column.
    """
    return _Reader(text).read()


class _Reader:
    """Handlers of one document."""

    def __init__(self, text: str) -> None:
        self._source = _SURROGATES.sub(" ", text.replace("\ufeff", " "))
        has_root = is_ssml(text) or _DOCTYPE.match(text)
        blanks = _BEFORE_DECLARATION.match(self._source)
        self._skipped = blanks.group() if blanks else ""
        body = self._source[len(self._skipped) :]
        self._document = body if has_root else f"{_OPEN}{body}{_CLOSE}"
        self._added = -len(self._skipped) if has_root else len(_OPEN)
        """Characters of the document before those of the text."""
        lengths = (len(character.encode()) for character in self._document)
        self._byte_ends = [0, *accumulate(lengths)]
        self._characters: list[str] = []
        self._origins: list[int] = []
        self._spans: list[Span] = []
        self._pauses: list[Pause] = []
        self._remarks: dict[str, None] = {}
        self._styles = [Style()]
        self._silent = 0
        """Number of open elements whose text is not spoken."""
        self._parser = expat.ParserCreate()
        self._parser.StartDoctypeDeclHandler = self._refuse_doctype
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text

    def read(self) -> PlainText:
        """Parse the document."""
        try:
            self._parser.Parse(self._document, True)
        except expat.ExpatError as error:
            self._refuse(
                f"is not well-formed: {expat.ErrorString(error.code)}",
                "Correct it, or escape & and < in text as &amp; and &lt;.",
                line=error.lineno,
                column=error.offset,
            )
        return PlainText(
            text="".join(self._characters),
            origins=self._origins,
            spans=tuple(self._spans),
            pauses=tuple(self._pauses),
            remarks=tuple(self._remarks)[:_MAX_REMARKS],
        )

    def _refuse(
        self, problem: str, remedy: str, line: int | None = None, column: int | None = None
    ) -> NoReturn:
        line = self._parser.CurrentLineNumber if line is None else line
        column = self._parser.CurrentColumnNumber if column is None else column
        if line == 1:
            column = max(column - self._added - self._skipped.rfind("\n") - 1, 0)
        line += self._skipped.count("\n")
        raise BadSpeechRequest(
            "text",
            f"the SSML {problem}, at line {line}, column {column + 1}. {remedy} "
            'Send `markup`: "plain" to have every character spoken.',
        )

    def _remark(self, remark: str) -> None:
        self._remarks[remark] = None

    @property
    def _place(self) -> int:
        """Index in the text that was sent."""
        index = bisect_left(self._byte_ends, self._parser.CurrentByteIndex)
        return min(max(index - self._added, 0), max(len(self._source) - 1, 0))

    def _refuse_doctype(self, *_declaration: object) -> None:
        self._refuse("declares a document type", "Remove <!DOCTYPE …> and its entities.")

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        prefix, _, local = name.rpartition(":")
        parent = self._styles[-1]
        style = self._with_language(parent, attributes)
        if prefix:
            self._remark(f"the element {name} has no effect")
        elif local in _DROPPED:
            self._silent += 1
        else:
            style = self._styled(local, attributes, style)
        self._styles.append(replace(style) if style is parent else style)
        if local in _PARAGRAPHS and not prefix:
            self._separate()

    def _end(self, name: str) -> None:
        style = self._styles.pop()
        if name in _DROPPED:
            self._silent -= 1
        if name in _PARAGRAPHS:
            self._separate()
        if name == "sub" and style.spoken and not self._has_span(style):
            self._append(style.spoken, replace(style, spoken=None))
        if name == "phoneme" and style.ipa and not self._has_span(style):
            self._append(style.ipa, style)

    def _has_span(self, style: Style) -> bool:
        return bool(self._spans) and self._spans[-1].style is style

    def _text(self, text: str) -> None:
        if not self._silent:
            self._append(
                "".join(" " if each.isspace() else each for each in text), self._styles[-1]
            )

    def _append(self, text: str, style: Style) -> None:
        """Add characters that begin at the current place of the document."""
        start, place = len(self._characters), self._place
        end = start + len(text)
        last = max(len(self._source) - 1, 0)
        self._characters += text
        self._origins += [min(place + index, last) for index in range(len(text))]
        if style == Style():
            return
        if self._has_span(style) and self._spans[-1].end == start:
            self._spans[-1] = replace(self._spans[-1], end=end)
        else:
            self._spans.append(Span(start, end, style))

    def _separate(self) -> None:
        """Begin a new sentence."""
        if self._characters:
            self._characters += "\n\n"
            self._origins += [self._place] * 2

    def _with_language(self, style: Style, attributes: Mapping[str, str]) -> Style:
        tag = attributes.get("xml:lang")
        if tag is None:
            return style
        if not _TAG.fullmatch(tag.strip()):
            self._refuse(f"has xml:lang={tag[:40]!r}", "Send a language tag such as de or en-GB.")
        return replace(style, language=tag.strip())

    def _styled(self, name: str, attributes: Mapping[str, str], style: Style) -> Style:
        """Return the style of the content of an element."""
        readers: dict[str, Callable[[Mapping[str, str], Style], Style]] = {
            "break": self._break,
            "prosody": self._prosody,
            "say-as": self._say_as,
            "sayas": self._say_as,
            "sub": self._sub,
            "voice": self._voice,
            "lang": lambda _attributes, style: style,
            "phoneme": self._phoneme,
            "emphasis": self._emphasis,
            "audio": self._audio,
        }
        if name in readers:
            return readers[name](attributes, style)
        if name not in _PARAGRAPHS and name not in _TRANSPARENT:
            self._remark(f"the element {name} has no effect")
        return style

    def _break(self, attributes: Mapping[str, str], style: Style) -> Style:
        strength = attributes.get("strength", "medium").strip()
        if strength not in _BREAKS_S:
            self._refuse(
                f"has a break of strength {strength[:40]!r}", f"Allowed: {', '.join(_BREAKS_S)}."
            )
        duration_s = _BREAKS_S[strength]
        if "time" in attributes:
            match = _TIME.fullmatch(attributes["time"].strip())
            if match is None:
                self._refuse(
                    f"has a break of time {attributes['time'][:40]!r}",
                    "Send a number and its unit, such as 500ms or 2s.",
                )
            duration_s = float(match.group(1)) / (1000 if match.group(2) == "ms" else 1)
        if duration_s > MAX_BREAK_S:
            self._remark(f"a break is at most {MAX_BREAK_S:g} s long")
        self._pauses.append(Pause(len(self._characters), min(duration_s, MAX_BREAK_S)))
        return style

    def _prosody(self, attributes: Mapping[str, str], style: Style) -> Style:
        for name in ("pitch", "volume", "range", "contour", "duration"):
            if name in attributes:
                self._remark(f"prosody {name} has no effect")
        if "rate" not in attributes:
            return style
        rate = style.rate * self._rate(attributes["rate"].strip())
        return replace(style, rate=min(max(rate, MIN_RATE), MAX_RATE))

    def _rate(self, value: str) -> float:
        if value in _RATES:
            return _RATES[value]
        match = _RATE.fullmatch(value)
        if match is None:
            self._refuse(
                f"has a prosody rate of {value[:40]!r}",
                f"Send one of {', '.join(_RATES)}, or a percentage such as 80% or +20%.",
            )
        sign, number, percent = match.groups()
        amount = float(number) / (100 if percent else 1)
        rate = 1 + amount if sign == "+" else 1 - amount if sign == "-" else amount
        if rate <= 0:
            self._refuse(f"has a prosody rate of {value[:40]!r}", "Send a rate above 0.")
        if not MIN_RATE <= rate <= MAX_RATE:
            self._remark(f"a prosody rate is between {MIN_RATE:.0%} and {MAX_RATE:.0%}")
        return rate

    def _say_as(self, attributes: Mapping[str, str], style: Style) -> Style:
        named = attributes.get("interpret-as", attributes.get("type", "")).strip().lower()
        kind = named.rpartition(":")[2]
        detail = attributes.get("format", "").strip().lower()
        if kind == "number" and detail in KINDS:
            kind, detail = detail, ""
        if kind not in KINDS:
            self._remark(f"say-as {kind[:40] or 'without interpret-as'} has no effect")
            return style
        return replace(style, say_as=f"{kind}:{detail}" if detail else kind)

    def _sub(self, attributes: Mapping[str, str], style: Style) -> Style:
        if "alias" not in attributes:
            self._remark("sub without alias has no effect")
            return style
        return replace(style, spoken=attributes["alias"], say_as=None, ipa=None)

    def _voice(self, attributes: Mapping[str, str], style: Style) -> Style:
        language = attributes.get("languages", attributes.get("language"))
        if language and "xml:lang" not in attributes:
            style = self._with_language(style, {"xml:lang": language.split()[0]})
        if "name" in attributes:
            own = attributes.get("xml:lang") or language
            return replace(
                style, voice=attributes["name"].strip(), language=style.language if own else None
            )
        if not language and "xml:lang" not in attributes:
            self._remark("voice has no effect without a name or a language")
        return style

    def _phoneme(self, attributes: Mapping[str, str], style: Style) -> Style:
        alphabet = attributes.get("alphabet", "ipa").strip().lower()
        if alphabet not in _IPA:
            self._remark(
                f"phoneme with the alphabet {alphabet[:40]} has no effect: its text is spoken; "
                "the alphabet ipa is allowed"
            )
            return style
        given = attributes.get("ph", "")
        ipa = plain_ipa(given)
        if not ipa or len(ipa) > MAX_IPA_CHARS:
            self._refuse(
                f"has a phoneme with ph={given[:40]!r}",
                f"Send 1 to {MAX_IPA_CHARS} characters of IPA, such as təˈmɑːtoʊ.",
            )
        return replace(style, ipa=ipa, say_as=None, spoken=None)

    def _emphasis(self, _attributes: Mapping[str, str], style: Style) -> Style:
        self._remark("emphasis has no effect: its text is spoken")
        return style

    def _audio(self, _attributes: Mapping[str, str], style: Style) -> Style:
        self._remark("audio is not played: its text is spoken")
        return style
