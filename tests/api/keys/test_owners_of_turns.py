"""Turns belong to the key that made them; an admin sees all."""

from contextlib import closing
from pathlib import Path

from flask.testing import FlaskClient

from api.context import context
from tests.api.keys.conftest import Served, make_key
from tests.chat.scripted_server import Script, scripted_server
from tests.polling import wait_until


def test_turns_are_shown_to_the_key_that_made_them_and_to_admins(
    served: Served, key_file: Path
) -> None:
    keys = {
        "ann": make_key(key_file, "ann", "watch", "speak"),
        "bob": make_key(key_file, "bob", "watch", "speak"),
        "eve": make_key(key_file, "eve", "watch"),
        "root": make_key(key_file, "root", "admin"),
    }
    with scripted_server(Script(text="Yes.")) as model:
        app = served(chat_url=model.url)
        with closing(context(app).jobs), closing(context(app).conversations):
            clients = {name: client_of(app.test_client(), key) for name, key in keys.items()}
            ask = {"user_text": "Mine.", "session_id": "shared"}
            assert clients["eve"].post("/chat", json=ask).status_code == 403
            turn = clients["ann"].post("/chat", json=ask).json["job_id"]
            wait_until(
                lambda: clients["ann"].get(f"/status/{turn}").json["status"] == "done", "the turn"
            )
            for path in (f"/status/{turn}", f"/video/{turn}", f"/chat/{turn}/events"):
                assert clients["bob"].get(path).status_code == 404
            assert clients["bob"].post(f"/chat/{turn}/cancel").status_code == 404
            assert clients["root"].get(f"/status/{turn}").json["job_id"] == turn
            seen = {name: seen_by(client) for name, client in clients.items()}
            assert seen == {"ann": [turn], "bob": [], "eve": [], "root": [turn]}
            theirs = {**ask, "replaces": turn}
            assert clients["bob"].post("/chat", json=theirs).status_code == 404


def client_of(client: FlaskClient, key: str) -> FlaskClient:
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {key}"
    return client


def seen_by(client: FlaskClient) -> list[str]:
    turns = client.get("/chat/history?session_id=shared").json["turns"]
    return [turn["job_id"] for turn in turns]
