"""Clients of a server that will be killed, and the record of its acknowledgements."""

import http.client
import json
import random
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from bench.films.server_under_test import NETWORK_ERRORS, POLL_S, ServerUnderTest

TEXTS = ("Yes.", "Good morning, and thank you for calling.", "One. Two. Three, four.")
_RESET_SHARE = 0.2
"""Share of requests that follow a reset."""


@dataclass(slots=True)
class SessionRecord:
    """Everything that clients and viewers of a session have received; it must survive the kill."""

    name: str
    film: Path
    clips: dict[int, dict[str, Any]] = field(default_factory=dict)
    """Clips of 200 responses, by index."""
    fragments: list[dict[str, Any]] = field(default_factory=list)
    """Fragments of events."""
    streams: list[tuple[str, bytearray]] = field(default_factory=list)
    """Film id and first bytes, as received by each viewer."""
    removed: set[str] = field(default_factory=set)
    """Ids of films whose reset was acknowledged."""
    is_resetting: bool = False
    """A reset was requested but not acknowledged: the film may exist or not."""
    no_reset: Lock = field(default_factory=Lock)
    """Held while the session must not be reset."""
    resets: int = 0
    """Number of acknowledged resets."""
    maybe_removed: set[str] = field(default_factory=set)
    """Ids of films that a viewer opened while a reset was in progress."""

    def end_reset(self) -> None:
        """Record that the session's film is removed."""
        self.resets += 1
        self.removed |= {film for film, _ in self.streams}
        self.is_resetting = False
        self.clips.clear()
        self.fragments.clear()


def speak(server: ServerUnderTest, record: SessionRecord, text: str) -> None:
    """Request one clip and wait for all of it."""
    body = {"text": text, "session_id": record.name}
    clip = server.request("POST", "/speak", body)["clip"]
    record.clips[clip["index"]] = clip


def speak_and_reset(server: ServerUnderTest, record: SessionRecord, rng: random.Random) -> None:
    """Request clips until the server is gone, some of them after a reset."""
    with suppress(*NETWORK_ERRORS):
        while True:
            if rng.random() < _RESET_SHARE:
                with record.no_reset:
                    record.is_resetting = True
                    server.request("POST", "/reset", {"session_id": record.name})
                    record.end_reset()
            speak(server, record, rng.choice(TEXTS))


def speak_with_events(server: ServerUnderTest, record: SessionRecord, rng: random.Random) -> None:
    """Request clips with an event for each fragment, until the server is gone."""
    with suppress(*NETWORK_ERRORS):
        while True:
            body = {"text": rng.choice(TEXTS), "session_id": record.name}
            with (
                record.no_reset,
                server.response("POST", "/speak", body, Accept="text/event-stream") as response,
            ):
                if not record_events(response, record):
                    return


def record_events(response: http.client.HTTPResponse, record: SessionRecord) -> bool:
    """Record the events of a request; return False if they end early."""
    name = ""
    while line := response.readline().decode():
        key, _, value = line.strip().partition(": ")
        if key == "event":
            name = value
        elif key == "data" and name == "fragment":
            record.fragments.append(json.loads(value))
        elif key == "data" and name == "done":
            clip = json.loads(value)["clip"]
            record.clips[clip["index"]] = clip
            return True
    return False


def watch(server: ServerUnderTest, record: SessionRecord, _: random.Random) -> None:
    """Watch one film after another, and record every byte."""
    path = f"/sessions/{record.name}/stream?from=0"
    with suppress(*NETWORK_ERRORS):
        while True:
            resets = record.resets
            with server.response("GET", path) as response:
                if response.status != http.HTTPStatus.OK:
                    time.sleep(POLL_S)
                    continue
                film_id, received = response.headers["Warmtalk-Film"], bytearray()
                if record.is_resetting or record.resets != resets:
                    record.maybe_removed.add(film_id)
                record.streams.append((film_id, received))
                while chunk := response.read1(1 << 16):
                    received += chunk
