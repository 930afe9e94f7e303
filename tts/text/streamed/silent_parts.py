"""Parts of a reply that are never spoken: reasoning, code, comments, marks of the model itself.

They are recognised while they arrive. The rest is ordinary Markdown.

| part | replaced by |
| --- | --- |
| `<think>…</think>` and similar tags, in upper or lower case, also without an end | a blank |
| a call of a tool, a comment, a script, a style sheet | a blank |
| a fenced code block, also without an end | the end of a paragraph |
| lines of code that are indented by four blanks, outside of lists | the end of a paragraph |
| an object of JSON at the beginning of a line | the end of a paragraph |
| special tokens such as `<|im_end|>`, tags around an answer, marks of sources | nothing |
"""

import re
from collections.abc import Iterator

_REASONING = """
    think thinking thought thoughts reasoning reflection scratchpad analysis antthinking
    inner_monologue internal_monologue seed:think
    """.split()  # noqa: SIM905 - quoted words would be hard to read
_CALLS = """
    tool_call tool_calls function_call function_calls tool_response tool_result
    """.split()  # noqa: SIM905 - as above
_CODE = ["script", "style"]
_WRAPPERS = """
    answer final final_answer response reply result solution assistant bos eos end_of_turn
    start_of_turn
    """.split()  # noqa: SIM905 - as above
"""Tags that are removed without the text in them."""
_FAMILIES = (_REASONING, _CALLS, *([name] for name in _CODE))
_SILENT = frozenset(_REASONING + _CALLS + _CODE)
_NAMES = _SILENT | frozenset(_WRAPPERS)
_LONGEST_TAG = 200
"""A mark that is not complete after this many characters is text."""
_LONGEST_INFO = 200
"""Longest text after the marks that open a code block."""
_LONGEST_CLOSER = 80
_STEP = 256
"""Characters that are examined at a time, so that long pieces take linear time."""

_TAG = re.compile(r"<(/?)([A-Za-z_][A-Za-z_:]*)(?:\s[^<>]*)?(/?)>")
_TAG_BEGINNING = re.compile(r"</?([A-Za-z_][A-Za-z_:]*)?((?:\s[^<>]*)?/?)")
_SPECIAL = re.compile(r"<\|[^\s|<>]{1,40}\|>|\[/?INST\]")
_START = re.compile(r"<\|start\|>\w{0,40}")
_CHANNEL = re.compile(r"<\|channel\|>\s*(\w+)[^<\n]{0,80}<\|message\|>")
_CHANNEL_TOKEN, _MESSAGE_TOKEN = "<|channel|>", "<|message|>"
_SPECIAL_BEGINNING = re.compile(r"<\|[^\s|<>]{0,40}\|?")
_COMMENT = "<!--"
_THOUGHTS = {"[THINK]": "[/THINK]", "◁think▷": "◁/think▷"}
_WORDS = (_COMMENT, "[INST]", "[/INST]", *_THOUGHTS, *_THOUGHTS.values())
_SOURCE = re.compile("【[^【】\n]{0,60}†[^【】\n]{0,100}】|\ue200[^\ue201\n]{0,160}\ue201")
_SOURCE_BEGINNING = re.compile("【[^【】\n]*|\ue200[^\ue201\n]*")
_FIRST = "<[◁【\ue200"
"""First characters of the marks above."""
_SPECIAL_CHARACTER = re.compile(f"[{re.escape(_FIRST)}`~{{]|(?<=\n)")
_QUOTED = "\"'“‘«`("
"""A tag after one of these is mentioned, not used."""
_BEFORE_FENCE = re.compile(r"[ \t]*(?:>[ \t]?)*(?:[-*+][ \t]+|\d{1,9}[.)][ \t]+)?")
_LIST_ITEM = re.compile(r"[ \t]*(?:[-*+•]|\d{1,9}[.)])[ \t]")
_INDENT = 4
_MIN_FENCE = 3
_JSON = re.compile(r"\{\s*(?:\"[^\"\n]*\"\s*:|\})|\[\s*(?:\{\s*\"|\"[^\"\n]*\"\s*[,\]])")
_JSON_BEGINNING = re.compile(r"\{\s*(?:\"[^\"\n]*\"?\s*)?|\[\s*(?:\{\s*|\"[^\"\n]*\"?\s*)?")
_JSON_SIGN = re.compile(r"\\.|[\"{}\[\]]", re.DOTALL)

_Found = Iterator[tuple[str, int]]


class SilentParts:
    """Removes the silent parts of a text that arrives in pieces."""

    def __init__(self) -> None:
        self._held = ""
        """Text that was not examined yet, or that may begin a silent part."""
        self._index = 0
        """Index in the whole text of the first character that is held."""
        self._line = ""
        """Beginning of the current line, as far as it is visible."""
        self._last = ""
        """Last visible character."""
        self._ticks = 0
        """Backticks in the current line."""
        self._is_list = False
        """True inside a list, where indented text belongs to an item."""
        self._may_indent = False
        """True after a blank line outside of a list, and after a line of code."""
        self._closer: re.Pattern[str] | None = None
        """End of the silent part that is open."""
        self._fence = ""
        """Marks of the code block that is open."""
        self._depth = 0
        """Brackets of JSON that are open."""
        self._is_string = False
        """True inside a string of JSON."""
        self._is_long_line = False
        """True inside a line of code that is too long to end the block."""
        self.code_index: int | None = None
        """Index of the first code block."""

    def feed(self, piece: str) -> _Found:
        """Yield each character of the text so far that is visible, with its index."""
        for start in range(0, len(piece), _STEP):
            self._held += piece[start : start + _STEP]
            yield from self._examine(is_last=False)

    def end(self) -> _Found:
        """Yield the visible characters that were held."""
        return self._examine(is_last=True)

    @property
    def length(self) -> int:
        """Length of the text that has been examined."""
        return self._index

    def _examine(self, *, is_last: bool) -> _Found:
        while self._held:
            before = self._state()
            yield from self._step(is_last=is_last)
            if self._state() == before:
                return

    def _state(self) -> tuple[object, ...]:
        return self._index, self._closer, self._fence, self._depth

    def _step(self, *, is_last: bool) -> _Found:
        first = self._held[0]
        if self._closer is not None:
            self._skip(self._closer)
        elif self._fence:
            self._read_code(is_last=is_last)
        elif self._depth:
            self._read_json()
        elif self._is_indented_code():
            yield from self._skip_line()
        elif first in "{[" and not self._line.strip() and self._may_be_json(is_last=is_last):
            yield from self._open_json()
        elif first in "`~" and _BEFORE_FENCE.fullmatch(self._line):
            yield from self._fence_or_text(is_last=is_last)
        elif first in _FIRST and not self._ticks % 2:
            yield from self._mark_or_text(is_last=is_last)
        else:
            yield from self._take(self._ordinary())

    def _ordinary(self) -> int:
        """Return how many characters are text: blanks, or at most the rest of the line."""
        blanks = len(self._held) - len(self._held.lstrip())
        if blanks and not self._line.strip():
            return blanks
        found = _SPECIAL_CHARACTER.search(self._held, 1)
        return found.start() if found else len(self._held)

    def _is_indented_code(self) -> bool:
        """Return True at the first sign of a line that is code because it is indented."""
        indent = self._line.expandtabs(_INDENT)
        is_deep = len(indent) >= _INDENT and not indent.strip()
        return is_deep and self._may_indent and not self._held[0].isspace()

    def _skip_line(self) -> _Found:
        """Remove the rest of a line."""
        if self.code_index is None:
            self.code_index = self._index
        line, newline, _ = self._held.partition("\n")
        self._drop(len(line))
        if newline:
            yield from self._take(1)
            self._may_indent = True

    def _note_line(self) -> None:
        """Record whether the line that ends may be followed by indented code."""
        if not self._line.strip():
            self._may_indent = not self._is_list
        elif _LIST_ITEM.match(self._line):
            self._is_list = True
        elif not self._line[0].isspace():
            self._is_list = False
        if self._line.strip():
            self._may_indent = False

    def _take(self, length: int) -> _Found:
        """Yield the first characters that are held: they are text."""
        for offset, character in enumerate(self._held[:length]):
            if character == "\n":
                self._note_line()
                self._line, self._ticks = "", 0
            elif len(self._line) < _LONGEST_CLOSER:
                self._line += character
            self._ticks += character == "`"
            self._last = character
            yield character, self._index + offset
        self._drop(length)

    def _drop(self, length: int) -> None:
        self._held = self._held[length:]
        self._index += length

    def _skip(self, closer: re.Pattern[str]) -> None:
        found = closer.search(self._held)
        if found:
            self._closer = None
            self._drop(found.end())
        else:
            self._drop(max(len(self._held) - _LONGEST_CLOSER, 0))

    def _fence_or_text(self, *, is_last: bool) -> _Found:
        """Open a code block, unless the marks at the beginning of a line are text."""
        marks = re.match(r"`+|~+", self._held)
        assert marks is not None
        length = marks.end()
        if length == len(self._held) <= _LONGEST_INFO and not is_last:
            return
        info, newline, _ = self._held[length:].partition("\n")
        if length < _MIN_FENCE or (marks.group()[0] == "`" and "`" in info):
            yield from self._take(length)
        elif newline or is_last or length + len(info) > _LONGEST_INFO or marks.group()[0] == "~":
            if self.code_index is None:
                self.code_index = self._index
            yield "\n", self._index
            self._fence, self._is_long_line = marks.group(), True
            self._drop(length)

    def _read_code(self, *, is_last: bool) -> None:
        line, newline, _ = self._held.partition("\n")
        if not newline and not is_last:
            if self._is_long_line or len(line) > _LONGEST_CLOSER:
                self._is_long_line = True
                self._drop(len(line))
            return
        if not self._is_long_line and self._closes(line.rstrip()):
            self._fence = ""
            self._drop(len(line))
        else:
            self._drop(len(line) + len(newline))
        self._is_long_line = False

    def _closes(self, line: str) -> bool:
        starts = line.strip(" \t>").startswith(self._fence)
        return starts and not line.strip(" \t>" + self._fence[0])

    def _may_be_json(self, *, is_last: bool) -> bool:
        beginning = _JSON_BEGINNING.fullmatch(self._held)
        is_begun = beginning is not None and not is_last and len(self._held) < _LONGEST_TAG
        return is_begun or bool(_JSON.match(self._held))

    def _open_json(self) -> _Found:
        """Begin to remove an object of JSON as soon as it is recognised."""
        if _JSON.match(self._held):
            if self.code_index is None:
                self.code_index = self._index
            yield "\n", self._index
            self._read_json()

    def _read_json(self) -> None:
        for match in _JSON_SIGN.finditer(self._held):
            sign = match.group()
            if sign == '"':
                self._is_string = not self._is_string
            elif len(sign) == 1 and not self._is_string:
                self._depth += 1 if sign in "{[" else -1
            if not self._depth:
                self._drop(match.end())
                return
        is_escaped = self._held.endswith("\\") and not self._held.endswith("\\\\")
        self._drop(len(self._held) - is_escaped)

    def _mark_or_text(self, *, is_last: bool) -> _Found:
        """Remove a mark, or open a silent part, if there is one here."""
        length, closer = self._mark()
        if length:
            if closer is not None:
                yield " ", self._index
            self._closer = closer
            self._drop(length)
        elif is_last or not self._may_be_mark():
            yield from self._take(1)

    def _mark(self) -> tuple[int, re.Pattern[str] | None]:
        """Return the length of the mark here, and the end of the silent part that it opens."""
        text = self._held
        if text.startswith(_COMMENT):
            return len(_COMMENT), re.compile("-->")
        for word, closer in _THOUGHTS.items():
            if text.startswith(word):
                return len(word), re.compile(re.escape(closer))
            if text.startswith(closer):
                return len(closer), None
        if text.startswith(_CHANNEL_TOKEN):
            return self._channel()
        start = _START.match(text)
        if start:
            return (0, None) if start.end() == len(text) else (start.end(), None)
        found = _SPECIAL.match(text) or _SOURCE.match(text)
        return (found.end(), None) if found else self._tag()

    def _channel(self) -> tuple[int, re.Pattern[str] | None]:
        found = _CHANNEL.match(self._held)
        if found is None:
            is_short = len(self._held) <= _LONGEST_TAG and "\n" not in self._held
            return (0, None) if is_short else (len(_CHANNEL_TOKEN), None)
        is_silent = found.group(1).lower() != "final"
        return found.end(), re.compile(r"<\|(?:end|return|call|start)\|>") if is_silent else None

    def _tag(self) -> tuple[int, re.Pattern[str] | None]:
        found = _TAG.match(self._held)
        if found is None or (self._last and self._last in _QUOTED):
            return 0, None
        name = found.group(2).lower()
        if name not in _NAMES:
            return 0, None
        if name in _SILENT and not found.group(1) and not found.group(3):
            family = next(names for names in _FAMILIES if name in names)
            names = "|".join(map(re.escape, family))
            return found.end(), re.compile(rf"</\s*(?:{names})\s*>", re.IGNORECASE)
        return found.end(), None

    def _may_be_mark(self) -> bool:
        """Return True if the text that is held may become a mark."""
        text = self._held
        if len(text) > _LONGEST_TAG:
            return False
        if any(word.startswith(text) for word in _WORDS):
            return True
        if text.startswith(_CHANNEL_TOKEN) or _START.fullmatch(text):
            return True
        if _SPECIAL_BEGINNING.fullmatch(text) or _SOURCE_BEGINNING.fullmatch(text):
            return True
        tag = _TAG_BEGINNING.fullmatch(text)
        if tag is None or (self._last and self._last in _QUOTED):
            return False
        name = (tag.group(1) or "").lower()
        return name in _NAMES if tag.group(2) else any(each.startswith(name) for each in _NAMES)
