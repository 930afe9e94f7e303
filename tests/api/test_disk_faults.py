"""Files that the server may not read are answered 503, and name the remedy."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.api.growing_films import say, status_of


@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO, errno.ENFILE, errno.ESTALE])
@pytest.mark.parametrize("call", ["stat", "open", "listdir", "scandir"])
def test_a_session_folder_that_cannot_be_read_is_no_internal_error(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    say(client, session_id="bob")
    original: Callable[..., Any] = getattr(os, call)

    def refuse(path: Any, *arguments: Any, **named: Any) -> Any:
        if not isinstance(path, int) and "sessions/ann" in os.fspath(path):
            raise OSError(code, os.strerror(code), os.fspath(path))
        return original(path, *arguments, **named)

    monkeypatch.setattr(os, call, refuse)
    for answer in (
        client.post("/speak", json={"text": "Hello.", "session_id": "ann"}),
        client.post("/sessions", json={"session_id": "ann"}),
        client.post("/reset", json={"session_id": "ann"}),
        client.get("/sessions/ann/full_session.mp4"),
        client.delete("/sessions/ann"),
    ):
        if answer.status_code >= 400:
            assert status_of(answer) in {404, 409, 503}
            if answer.status_code == 503:
                assert os.strerror(code) in answer.get_json()["detail"]
    assert Path(say(client, session_id="bob")).exists()
