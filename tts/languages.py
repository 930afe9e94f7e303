"""Language tags: their standard case, and lookup of a tag among known ones."""

from collections.abc import Collection

DEFAULT_LANGUAGE = "en-US"

_SCRIPT_LETTERS, _REGION_LETTERS = 4, 2


def bcp47(tag: str) -> str:
    """Return a language tag in the case of RFC 5646: `EN-us` is `en-US`, `fa-latn` is `fa-Latn`."""
    language, *rest = tag.lower().replace("_", "-").split("-")
    private = rest.index("x") if "x" in rest else len(rest)
    cased = [_subtag(part) if index < private else part for index, part in enumerate(rest)]
    return "-".join([language, *cased])


def look_up(tag: str, known: Collection[str]) -> str | None:
    """Look a tag up (RFC 4647): drop subtags from the right until it is known."""
    candidate = bcp47(tag.strip())
    while candidate:
        if candidate in known:
            return candidate
        candidate = candidate.rpartition("-")[0]
    return None


def _subtag(part: str) -> str:
    if len(part) == _REGION_LETTERS:
        return part.upper()
    return part.title() if len(part) == _SCRIPT_LETTERS and part.isalpha() else part
