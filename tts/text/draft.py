"""Draft of a text while it is edited: edits, protected characters, places of origin."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

PART_OF_A_WORD, NO_PART_OF_A_WORD = "x", "\ue000"
"""Characters that may stand for a protected one in patterns; neither is a mark."""


@dataclass(frozen=True, slots=True)
class Edit:
    """Replacement of the characters from `start` to `end`."""

    start: int
    end: int
    text: str
    is_protected: bool = False
    """The replacement is text, whatever marks it looks like."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A text, and where its characters come from."""

    text: str
    pattern: str
    """The text to be searched for marks, of the same length: protected characters are replaced."""
    origins: tuple[int, ...]
    """For each character, its index in the original text."""
    mask: str = PART_OF_A_WORD
    """Stands for a protected character in `pattern`."""

    @classmethod
    def of(cls, text: str, mask: str = PART_OF_A_WORD) -> "Draft":
        """Return the draft of a text that has not been edited."""
        return cls(text, text, tuple(range(len(text))), mask)

    def lines(self) -> Iterator[tuple[int, int]]:
        """Yield start and end of each line, without its newline."""
        start = 0
        for line in self.pattern.split("\n"):
            yield start, start + len(line)
            start += len(line) + 1

    def edited(self, edits: Iterable[Edit]) -> "Draft":
        """Return the draft after edits, which must be in order and must not overlap."""
        texts: list[str] = []
        patterns: list[str] = []
        origins: list[int] = []
        done = 0
        for edit in edits:
            texts += [self.text[done : edit.start], edit.text]
            replaced = self.mask * len(edit.text) if edit.is_protected else edit.text
            patterns += [self.pattern[done : edit.start], replaced]
            origins += self.origins[done : edit.start]
            origins += self._origins_of(edit)
            done = edit.end
        texts.append(self.text[done:])
        patterns.append(self.pattern[done:])
        origins += self.origins[done:]
        return Draft("".join(texts), "".join(patterns), tuple(origins), self.mask)

    def _origins_of(self, edit: Edit) -> Iterable[int]:
        if len(edit.text) == edit.end - edit.start:
            return self.origins[edit.start : edit.end]
        near = min(edit.start, len(self.origins) - 1)
        return [self.origins[near]] * len(edit.text)


def remove(start: int, end: int) -> Edit:
    """Return the edit that removes characters."""
    return Edit(start, end, "")


def protect(draft: Draft, start: int, end: int) -> Edit:
    """Return the edit that keeps characters from being read as marks."""
    return Edit(start, end, draft.text[start:end], is_protected=True)


def disjoint(edits: Iterable[Edit]) -> Iterator[Edit]:
    """Yield edits in order, without those that begin inside an earlier one."""
    done = 0
    for edit in sorted(edits, key=lambda edit: (edit.start, -edit.end)):
        if edit.start >= done:
            yield edit
            done = edit.end
