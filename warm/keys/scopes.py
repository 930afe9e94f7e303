"""Scopes of API keys."""

from collections.abc import Iterable
from typing import Literal, get_args

KeyScope = Literal["speak", "watch", "prepare", "admin"]
"""speak: make films and change sessions. watch: read everything. prepare: make and delete avatars.
admin: all of these, and what belongs to other keys."""

ALL_SCOPES: frozenset[KeyScope] = frozenset(get_args(KeyScope))


class BadScope(ValueError):
    """A word is not a scope."""

    def __init__(self, word: str) -> None:
        super().__init__(f"scope = {word!r}: allowed: {', '.join(get_args(KeyScope))}")


def read_scopes(words: Iterable[str]) -> frozenset[KeyScope]:
    """Return words as scopes; raises BadScope."""
    found: set[KeyScope] = set()
    for word in words:
        scope = next((each for each in get_args(KeyScope) if each == word), None)
        if scope is None:
            raise BadScope(word)
        found.add(scope)
    return frozenset(found)
