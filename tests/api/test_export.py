"""`GET export.mp4` and `export.webm`: the film so far as an ordinary file."""

from pathlib import Path

import av
import numpy as np
import pytest
from flask.testing import FlaskClient

from api.context import context
from api.problem import TooManyExports
from tests.api.growing_films import say, status_of
from tests.shown_person import show_person
from warm.matting.cut_film import pictures_of


def test_the_export_is_an_ordinary_file_of_the_whole_film(
    client: FlaskClient, tmp_path: Path
) -> None:
    film = say(client)
    files = set(film.parent.rglob("*"))
    with client.get("/session/export.mp4") as answer:
        assert (answer.status_code, answer.mimetype) == (200, "video/mp4")
        assert answer.headers["Content-Disposition"] == 'attachment; filename="default.mp4"'
        assert answer.content_length == len(answer.data)
        assert set(film.parent.rglob("*")) == files
        assert answer.data.index(b"moov") < answer.data.index(b"mdat")
    out = tmp_path / "out.mp4"
    out.write_bytes(answer.data)
    with av.open(str(out)) as copy, av.open(str(film)) as original:
        for kept, made in zip(copy.decode(video=0), original.decode(video=0), strict=True):
            assert np.array_equal(kept.to_ndarray(), made.to_ndarray())
    head = client.head("/session/export.mp4")
    assert (head.status_code, head.data) == (200, b"")


def test_the_number_of_exports_that_are_made_at_once_is_limited(client: FlaskClient) -> None:
    assert status_of(client.get("/session/export.mp4")) == 404
    say(client)
    exports = context(client.application).exports
    with exports.hold("local", TooManyExports), exports.hold("local", TooManyExports):
        refused = client.get("/session/export.mp4")
    assert status_of(refused) == 503
    assert int(refused.headers["Retry-After"]) > 0


def test_exports_whose_clients_read_nothing_or_disconnect_do_not_prevent_others(
    client: FlaskClient,
) -> None:
    film = say(client)
    files = set(film.parent.rglob("*"))
    taken = [client.get("/session/export.mp4") for _ in range(4)]
    for begun in taken:
        assert begun.status_code == 200
        next(begun.iter_encoded())
        begun.close()  # before the end
    with client.get("/session/export.mp4") as answer:
        assert answer.status_code == 200
    assert set(film.parent.rglob("*")) == files


def test_an_export_on_a_full_disk_is_answered_507(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    say(client)
    program = tmp_path / "full-ffmpeg"
    program.write_text("#!/bin/sh\necho No space left on device >&2\nexit 0\n")
    program.chmod(0o755)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(program))
    assert status_of(client.get("/session/export.mp4")) == 507


@pytest.mark.slow
def test_a_film_without_a_person_cannot_be_exported_cut_out(client: FlaskClient) -> None:
    assert status_of(client.get("/session/export.webm")) == 404
    say(client)
    refused = client.get("/session/export.webm")
    assert (refused.status_code, refused.get_json()["kind"]) == (409, "AvatarError")
    assert "no person was found in the first picture" in refused.get_json()["detail"]
    head = client.head("/session/export.webm")
    assert (head.status_code, head.mimetype, head.data) == (200, "video/webm", b"")


@pytest.mark.slow
def test_the_person_of_a_film_is_exported_with_transparency_while_it_is_made(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    show_person(monkeypatch)
    film = say(client)
    with client.get("/session/export.webm") as answer:
        assert (answer.status_code, answer.mimetype) == (200, "video/webm")
        (tmp_path / "cut.webm").write_bytes(answer.data)
    pictures = list(pictures_of(tmp_path / "cut.webm"))
    with av.open(str(film)) as original:
        assert len(pictures) == sum(1 for _ in original.decode(video=0)) > 10
    assert max(picture[2:6, 90:94, 3].max() for picture in pictures) < 20
    assert min(picture[70, 48, 3] for picture in pictures) == 255
