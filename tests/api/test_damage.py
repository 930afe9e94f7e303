"""Damaged films are named, and their damaged bytes are neither served nor exported."""

import shutil
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from session.fragmented.journal import journal_path
from tests.api.growing_films import say, status_of
from warm.runtime import Runtime

pytestmark = pytest.mark.slow


def damage(film: Path) -> None:
    """Change a byte in the middle of a film."""
    data = bytearray(film.read_bytes())
    data[len(data) // 2] ^= 4
    film.write_bytes(data)


def test_damage_is_named_and_not_served_exported_or_streamed(client: FlaskClient) -> None:
    film = say(client)
    damage(film)
    for path in ("full_session.mp4", "export.mp4", "stream?from=0"):
        answer = client.get(f"/session/{path}")
        assert status_of(answer) == 409
        assert "is damaged: fragment" in answer.get_json()["detail"]
    (named,) = client.get("/sessions/default").get_json()["damage"]
    assert named.startswith("fragment ")
    with client.get("/session/full_session.mp4", headers={"Range": "bytes=0-99"}) as answer:
        assert (answer.status_code, answer.data) == (206, film.read_bytes()[:100])


def test_a_damaged_film_goes_on_after_its_damage(client: FlaskClient) -> None:
    film = say(client)
    damage(film)
    before = film.stat().st_size
    say(client, "More.")
    with client.get("/session/full_session.mp4", headers={"Range": f"bytes={before}-"}) as answer:
        assert answer.data == film.read_bytes()[before:]


def test_a_damaged_archive_is_refused(client: FlaskClient, runtime: Runtime) -> None:
    film = say(client)
    whole = film.read_bytes()
    name = runtime.archive.add("old", "0" * 32, lambda path: shutil.copy(film, path))
    shutil.copy(journal_path(film), journal_path(runtime.archive.find("old", name).path))
    with client.get(f"/archives/old/{name}") as answer:
        assert answer.data == whole
    damage(runtime.archive.find("old", name).path)
    refused = client.get(f"/archives/old/{name}")
    assert status_of(refused) == 409
    assert "is damaged: fragment" in refused.get_json()["detail"]
