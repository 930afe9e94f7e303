"""Archives of films that were reset."""

from collections.abc import Callable
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from session.fragmented.check import check_film
from session.fragmented.journal import journal_path
from tests.api.sessions.clients import problem, say
from warm.sessions.paths import RECORD_NAME
from warm.settings import Settings


def test_a_reset_archives_the_film_if_the_setting_says_so(
    serve: Callable[..., FlaskClient], settings: Settings
) -> None:
    client = serve(archive_on_reset=True)
    film = Path(say(client, "bob")["video_path"])
    whole = film.read_bytes()
    kept = client.get("/reset?session_id=bob").get_json()["archive"]
    assert not film.exists()
    assert not journal_path(film).exists()
    path = settings.results_dir / "archive" / "bob" / kept["name"]
    assert path.read_bytes() == whole
    assert check_film(path).faults == []
    assert client.get("/archives").get_json() == {"archives": [kept]}
    assert client.get("/sessions/bob").get_json()["archives"] == [kept]
    assert client.get("/archives?session_id=other").get_json() == {"archives": []}
    part = client.get(kept["url"], headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.data) == (206, whole[10:20])
    part.close()
    assert client.get("/reset?session_id=bob").get_json()["archive"] is None
    assert client.delete("/sessions/bob").status_code == 200
    assert client.delete(kept["url"]).status_code == 200
    problem(client.get(kept["url"]), 404, kept["name"], "GET /archives")
    problem(client.delete("/archives/bob/..%2f..%2fx.mp4"), 404)
    assert not path.parent.exists()


@pytest.mark.parametrize("writer", ["fragments", "concat"])
def test_captions_are_archived_with_their_film(
    serve: Callable[..., FlaskClient], settings: Settings, writer: str
) -> None:
    client = serve(archive_on_reset=True, writer=writer)
    say(client, "bob")
    client.post("/speak", json={"text": "One & two. Three!", "session_id": "bob"})
    reply = client.get("/sessions/bob/full_session.vtt").text
    assert reply.count("-->") == 3
    kept = client.get("/reset?session_id=bob").get_json()["archive"]
    answer = client.get(kept["captions_url"])
    assert answer.text == reply
    assert answer.mimetype == "text/vtt"
    again = client.get(kept["captions_url"], headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304
    path = settings.results_dir / "archive" / "bob" / kept["name"]
    path.write_bytes(b"this is no film")
    problem(client.get(kept["captions_url"]), 409, "session film")
    client.delete(kept["url"])
    problem(client.get(kept["captions_url"]), 404, kept["name"], "GET /archives")


def test_an_archived_film_without_journal_has_no_captions(
    serve: Callable[..., FlaskClient], settings: Settings
) -> None:
    """The texts are in the journal only."""
    client = serve(archive_on_reset=True)
    say(client, "bob")
    kept = client.get("/reset?session_id=bob").get_json()["archive"]
    journal_path(settings.results_dir / "archive" / "bob" / kept["name"]).unlink()
    assert client.get(kept["captions_url"]).text == "WEBVTT\n"


def test_without_an_archive_a_reset_deletes_the_film(
    client: FlaskClient, settings: Settings
) -> None:
    say(client, "bob")
    assert client.get("/reset?session_id=bob").get_json()["archive"] is None
    left = sorted(path.name for path in settings.results_dir.glob("sessions/bob/*"))
    assert left == [RECORD_NAME]
    client.delete("/sessions/bob")
    assert not (settings.results_dir / "sessions" / "bob").exists()


def test_the_number_of_archives_is_limited_and_the_newest_is_kept(
    serve: Callable[..., FlaskClient],
) -> None:
    client = serve(archive_on_reset=True, max_archives=2)
    names = []
    for session_id in ("one", "two", "three"):
        say(client, session_id)
        names.append(client.get(f"/reset?session_id={session_id}").get_json()["archive"]["name"])
        kept = [each["name"] for each in client.get("/archives").get_json()["archives"]]
        assert names[-1] in kept
    assert len(kept) == 2
