"""Voices that a speech server lists, read in the background and cached."""

import json
import logging
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tts.openai.address import VOICES_ROUTE
from tts.openai.client import SpeechServerClient
from tts.openai.errors import ServerFailed

MAX_LIST_BYTES = 1 << 20
MAX_VOICES = 1000
MAX_NAME_CHARS = 200
FRESH_S = 300.0
"""Time after which a list is read again when it is asked for."""
RETRY_S = 20.0
"""Time after a failure until the next attempt."""

_LIST_KEYS = ("voices", "data", "items", "speakers")
_ID_KEYS = ("id", "voice_id", "voice", "name")
_OK = 200

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ListedVoice:
    """A voice as the server lists it."""

    name: str
    """The name that a request sends as `voice`."""
    title: str
    language: str | None
    gender: str | None


class VoiceList:
    """The cached list. Thread-safe; no method waits for the server except `refresh`."""

    def __init__(self, client: SpeechServerClient) -> None:
        self._client = client
        self._lock = threading.Lock()
        """Guards the members below."""
        self._voices: tuple[ListedVoice, ...] = ()
        self._problem: str | None = None
        self._read_at_s: float | None = None
        self._next_s = float("-inf")
        self._is_reading = False
        self._is_closed = False

    def voices(self) -> tuple[ListedVoice, ...]:
        """Return what is known, and have the list read in the background if it is old."""
        with self._lock:
            is_due = time.monotonic() >= self._next_s
            if is_due and not self._is_reading and not self._is_closed:
                self._is_reading = True
                threading.Thread(
                    target=self.refresh, name="speech-server-voices", daemon=True
                ).start()
            return self._voices

    @property
    def problem(self) -> str | None:
        """The reason why the last attempt failed, None if it did not."""
        with self._lock:
            return self._problem

    def refresh(self) -> None:
        """Read the list now. A server without one has no listed voices, which is not a failure."""
        try:
            voices, problem = self._read(), None
        except ServerFailed as error:
            voices, problem = None, self._client.redacted(str(error))
        with self._lock:
            self._is_reading = False
            if problem not in (None, self._problem) and not self._is_closed:
                log.warning("the voices of the speech server are unknown: it %s", problem)
            self._problem = problem
            self._next_s = time.monotonic() + (FRESH_S if problem is None else RETRY_S)
            if voices is not None:
                self._voices = voices

    def close(self) -> None:
        """Stop reading."""
        with self._lock:
            self._is_closed = True

    def _read(self) -> tuple[ListedVoice, ...]:
        patience = self._client.patience(lambda: False)
        with self._client.exchange(VOICES_ROUTE, patience) as answer:
            if answer.status in (404, 405, 501):
                return ()
            if answer.status != _OK:
                raise ServerFailed(
                    f"answers {answer.status} to GET {VOICES_ROUTE}"
                    f" ({self._client.message_of(answer)})",
                    "",
                )
            return parse_voices(answer.read(MAX_LIST_BYTES))


def parse_voices(body: bytes) -> tuple[ListedVoice, ...]:
    """Return the voices of a list in any of the usual shapes; invalid entries are left out."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return ()
    found = dict[str, ListedVoice]()
    for entry in _entries(content):
        voice = _voice(entry)
        if voice is not None and len(found) < MAX_VOICES:
            found.setdefault(voice.name, voice)
    return tuple(found.values())


def is_voice_name(name: str) -> bool:
    """Return True for a text that can be the name of a voice."""
    return 0 < len(name) <= MAX_NAME_CHARS and name.isprintable() and name == name.strip()


def _entries(content: Any) -> Iterator[Any]:
    if isinstance(content, Mapping):
        content = next((content[key] for key in _LIST_KEYS if key in content), ())
    if isinstance(content, Sequence | Mapping) and not isinstance(content, str):
        yield from content  # a mapping has the names as its keys


def _voice(entry: object) -> ListedVoice | None:
    fields = {"id": entry} if isinstance(entry, str) else entry
    if not isinstance(fields, Mapping):
        return None
    name = next((fields[key] for key in _ID_KEYS if isinstance(fields.get(key), str)), "")
    if not is_voice_name(name):
        return None
    title = fields.get("name")
    return ListedVoice(
        name,
        title if isinstance(title, str) and is_voice_name(title) else name,
        _text(fields, ("language", "lang", "locale", "lang_code")),
        _text(fields, ("gender", "sex")),
    )


def _text(fields: Mapping[Any, Any], keys: tuple[str, ...]) -> str | None:
    for key in keys:
        value = fields.get(key)
        if isinstance(value, str) and is_voice_name(value):
            return value
    return None
