"""Films can be deleted when not a single block of the disk is free."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from session.fragmented.journal import journal_path
from tests.api.sessions.clients import problem, say
from tests.polling import wait_until
from warm.settings import Settings


def fill_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every call fail that needs a block: new folders, and bytes of new or longer files."""

    def refuse(*_arguments: Any, **_named: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for name in ("mkdir", "pwrite", "write"):
        monkeypatch.setattr(os, name, refuse)


def files_in(results: Path) -> set[str]:
    """Names of all files except those of avatars."""
    return {path.name for path in results.rglob("*.mp4*") if "avatars" not in path.parts}


def test_sessions_are_deleted_and_reset_on_a_full_disk(
    serve: Callable[..., FlaskClient], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = serve()
    for session_id in ("bob", "ann"):
        say(client, session_id)
    fill_disk(monkeypatch)
    assert client.delete("/sessions/bob").status_code == 200
    assert client.post("/reset", json={"session_id": "ann"}).status_code == 200
    wait_until(lambda: not files_in(settings.results_dir), "removal of the films")
    monkeypatch.undo()
    assert say(client, "ann")["clip"]["index"] == 0


def test_a_reset_that_changes_choices_on_a_full_disk_changes_nothing(
    serve: Callable[..., FlaskClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = serve()
    film = Path(say(client, "ann")["video_path"])
    before = film.read_bytes()
    fill_disk(monkeypatch)
    refused = client.post("/reset", json={"session_id": "ann", "speed": 1.5})
    problem(refused, 507, "make room")
    assert film.read_bytes() == before


def test_archives_are_made_and_deleted_on_a_full_disk(
    serve: Callable[..., FlaskClient], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = serve(archive_on_reset=True)
    say(client, "ann")
    first = client.post("/reset", json={"session_id": "ann"}).get_json()["archive"]
    film = Path(say(client, "ann")["video_path"])
    content, journal = film.read_bytes(), journal_path(film).read_bytes()
    fill_disk(monkeypatch)
    second = client.post("/reset", json={"session_id": "ann"}).get_json()["archive"]
    kept = settings.results_dir / "archive" / "ann" / second["name"]
    assert (kept.read_bytes(), journal_path(kept).read_bytes()) == (content, journal)
    for archive in (first, second):
        assert client.delete(archive["url"]).status_code == 200
    wait_until(lambda: not files_in(settings.results_dir), "removal of the archives")
