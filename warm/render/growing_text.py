"""Growing text: a text that is spoken while it is still being written."""

import time
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from tts.text.plain_text import PlainText
from tts.text.sentences import has_word, shown
from tts.voice import BadSpeechRequest

JOINT = " "
"""Stands between two units in the whole text."""


class GrowingClosed(RuntimeError):
    """Nothing can be added to a growing text any more.

    Its clip has ended or is about to. The rest of the text needs another clip, unless the job of
    this one was interrupted or failed.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowingUnit:
    """A part of a growing text that is synthesized as a whole."""

    plain: PlainText
    is_sentence_end: bool
    """False for a clause whose sentence goes on in the next unit."""
    start: int
    """Index of its first character in the whole text."""


class GrowingText:
    """Units of a text in order, added by its writer and taken by its clip. Any thread.

    A unit is synthesized as soon as it is added. When the viewer has nearly seen everything and no
    unit waits, the clip ends and the text is closed: the writer continues with another one.
    """

    def __init__(self, *, chars_before: int = 0) -> None:
        """`chars_before`: characters of the same answer in earlier texts, for its length limit."""
        self._lock = Lock()
        self._units: list[GrowingUnit] = []
        self._length = 0
        self._is_ended = self._is_closed = False
        self._error: Exception | None = None
        self.chars_before = chars_before
        """Characters of the same answer in earlier texts."""
        self.begun_s: float | None = None
        """Time of the first unit, by `time.monotonic`."""
        self._check: Callable[[PlainText, int], None] = lambda _plain, _chars: None
        self._notify: Callable[[], None] = lambda: None

    def add(self, plain: PlainText, *, is_sentence_end: bool = True) -> None:
        """Add a unit; one that does not end a sentence is followed by a shorter pause.

        Raises GrowingClosed, BadSpeechRequest for a unit that cannot be spoken or a text that has
        become too long, SessionFull and DiskNearlyFull. Nothing is added then.
        """
        if not has_word(plain.text) and not any(span.style.spoken for span in plain.spans):
            raise BadSpeechRequest(
                "text",
                f"a unit must contain at least one letter or digit, received {shown(plain.text)}.",
            )
        with self._lock:
            self._require_open()
            check, chars = self._check, self.chars_before + self._length
        check(plain, chars)
        with self._lock:
            self._require_open()
            start = self._length + (len(JOINT) if self._units else 0)
            unit = GrowingUnit(plain=plain, is_sentence_end=is_sentence_end, start=start)
            self._units.append(unit)
            self.begun_s = self.begun_s or time.monotonic()
            self._length = start + len(plain.text)
        self._notify()

    def end(self) -> None:
        """Mark the text as complete; its clip ends when all of it is spoken."""
        with self._lock:
            self._is_ended = True
        self._notify()

    def fail(self, error: Exception) -> None:
        """End the text because of an error: what was added is spoken, then its job fails."""
        with self._lock:
            if self._is_ended or self._is_closed:
                return
            self._error, self._is_ended = error, True
        self._notify()

    @property
    def is_closed(self) -> bool:
        """True if `add` raises GrowingClosed."""
        return self._is_closed or self._is_ended

    @property
    def error(self) -> Exception | None:
        """The error of the writer."""
        return self._error

    @property
    def text(self) -> str:
        """The units so far as one text."""
        with self._lock:
            return JOINT.join(unit.plain.text for unit in self._units)

    @property
    def chars(self) -> int:
        """Characters of the answer so far, those of earlier texts included."""
        with self._lock:
            return self.chars_before + self._length

    @property
    def units(self) -> tuple[GrowingUnit, ...]:
        """The units so far."""
        with self._lock:
            return tuple(self._units)

    def place_of(self, index: int) -> tuple[int, int]:
        """Return the unit that contains a character of the whole text, and its index there.

        An index between two units is the end of the first of them.
        """
        with self._lock:
            number = max(0, bisect_right(self._units, index, key=lambda unit: unit.start) - 1)
            unit = self._units[number]
        return number, min(index - unit.start, len(unit.plain.text))

    def attach(self, check: Callable[[PlainText, int], None], notify: Callable[[], None]) -> None:
        """Call `check` with every further unit and the characters before it, and `notify` after
        each change. `check` raises the errors of `add`."""
        with self._lock:
            self._check, self._notify = check, notify

    def unit(self, number: int) -> GrowingUnit | None:
        """Return a unit by its number, from 0; None if it has not been added."""
        with self._lock:
            return self._units[number] if number < len(self._units) else None

    def awaits(self, number: int) -> bool:
        """Return True if the unit of this number may still be added, and has not been."""
        with self._lock:
            return len(self._units) <= number and not (self._is_ended or self._is_closed)

    def close(self) -> None:
        """Refuse further units."""
        with self._lock:
            self._is_closed = True

    def close_after(self, number: int) -> bool:
        """Refuse further units if there are `number` of them; False if there are more."""
        with self._lock:
            if len(self._units) > number:
                return False
            self._is_closed = True
            return True

    def _require_open(self) -> None:
        if self._is_closed or self._is_ended:
            raise GrowingClosed(
                "the clip of this text has ended or is about to; continue in another clip"
            )
