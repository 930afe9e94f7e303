"""The file of personas: YAML, one document with a mapping from ids to personas."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from chat.persona import Persona

MAX_FILE_BYTES = 1 << 20
MAX_PERSONAS = 100
MAX_FACTS = 50
MAX_CHARS = {"name": 80, "style": 1000, "greeting": 500, "fact": 300, "voice": 200}

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TAG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_FIELDS = ("name", "style", "language", "greeting", "facts", "voice")


class BadPersonas(ValueError):
    """A file of personas cannot be used; the message names the place, the value and what is
    allowed."""


@dataclass(frozen=True, slots=True)
class Personas:
    """The personas of a file, by id; there is at least one."""

    by_id: Mapping[str, Persona]

    @property
    def default(self) -> Persona:
        """The first persona of the file."""
        return next(iter(self.by_id.values()))


def read_personas(path: Path) -> Personas:
    """Read a file; raises BadPersonas."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise BadPersonas(f"{path}: cannot be read ({error.strerror or error})") from error
    if len(content) > MAX_FILE_BYTES:
        raise BadPersonas(f"{path}: is too large; allowed: up to {MAX_FILE_BYTES} bytes")
    try:
        parsed = yaml.safe_load(content)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        where = " ".join(str(error).split())[:200]
        raise BadPersonas(f"{path}: is not valid YAML ({where})") from error
    try:
        return Personas(_personas(parsed))
    except BadPersonas as error:
        raise BadPersonas(f"{path}: {error}") from None


def _personas(parsed: Any) -> Mapping[str, Persona]:
    if not isinstance(parsed, Mapping) or not 1 <= len(parsed) <= MAX_PERSONAS:
        raise BadPersonas(
            f"has no personas; allowed: 1 to {MAX_PERSONAS} entries, each an id with the members "
            f"{', '.join(_FIELDS)}"
        )
    return {str(key): persona_of(str(key), value) for key, value in parsed.items()}


def persona_of(persona_id: str, value: Any) -> Persona:
    """Return the persona of a mapping; raises BadPersonas."""
    if not _ID.fullmatch(persona_id):
        raise BadPersonas(
            f"{persona_id[:80]!r} is not an id; allowed: 1 to 64 letters, digits, `_`, `-`"
        )
    if not isinstance(value, Mapping):
        raise BadPersonas(f"{persona_id}: is not a mapping; allowed members: {', '.join(_FIELDS)}")
    unknown = [str(key) for key in value if key not in _FIELDS]
    if unknown:
        raise BadPersonas(
            f"{persona_id}.{unknown[0][:80]}: is not known; allowed: {', '.join(_FIELDS)}"
        )
    name = _text(persona_id, value, "name")
    if not name:
        raise BadPersonas(f"{persona_id}.name: is missing, and is required")
    return Persona(
        id=persona_id,
        name=name,
        style=_text(persona_id, value, "style"),
        language=_language(persona_id, value.get("language")),
        greeting=_text(persona_id, value, "greeting"),
        facts=_facts(persona_id, value.get("facts")),
        voice=_text(persona_id, value, "voice") or None,
    )


def _text(persona_id: str, value: Mapping[str, Any], field: str) -> str:
    text = value.get(field)
    return "" if text is None else _checked(f"{persona_id}.{field}", text, MAX_CHARS[field])


def _facts(persona_id: str, facts: Any) -> tuple[str, ...]:
    if facts is None:
        return ()
    if not isinstance(facts, list) or len(facts) > MAX_FACTS:
        raise BadPersonas(
            f"{persona_id}.facts: is not a list, or is too long; "
            f"allowed: a list of up to {MAX_FACTS} texts"
        )
    named = [
        _checked(f"{persona_id}.facts[{index}]", fact, MAX_CHARS["fact"])
        for index, fact in enumerate(facts)
    ]
    return tuple(fact for fact in named if fact)


def _checked(place: str, text: Any, max_chars: int) -> str:
    """Return a text on one line, with single blanks between its words."""
    if not isinstance(text, str):
        raise BadPersonas(
            f"{place}: {str(text)[:80]!r} is not a text; allowed: up to {max_chars} characters, in "
            "quotes if it looks like a number"
        )
    line = " ".join(text.split())
    if len(line) > max_chars or not line.isprintable():
        raise BadPersonas(
            f"{place}: has {len(line)} characters, or some that cannot be printed; allowed: up to "
            f"{max_chars} printable characters"
        )
    return line


def _language(persona_id: str, tag: Any) -> str | None:
    if tag is None:
        return None
    if not isinstance(tag, str) or not _TAG.fullmatch(tag):
        raise BadPersonas(
            f"{persona_id}.language: {str(tag)[:80]!r} is not a language; allowed: BCP 47 tags "
            "such as en, de-AT, pt-BR, in quotes if YAML reads it as something else (no)"
        )
    return tag
