"""A client that chats in a session of its own, and waits for the ends of turns."""

import json
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from api.context import AppContext, context
from tests.chat.scripted_server import Script, ScriptedServer
from tests.polling import wait_until

ENDED = ("done", "error", "cancelled")


class Talk:
    """Requests about one session, and the model's server."""

    def __init__(self, app: Flask, model: ScriptedServer, session_id: str) -> None:
        self.app, self.model, self.session_id = app, model, session_id
        self.client = app.test_client()

    @property
    def context(self) -> AppContext:
        """The application's objects."""
        return context(self.app)

    def says(self, text: str, **script: Any) -> None:
        """Have the model answer with a text from now on."""
        self.model.script = Script(text=text, **script)

    def post(self, path: str, **members: Any) -> TestResponse:
        """Send a body that names the session."""
        return self.client.post(path, json={"session_id": self.session_id, **members})

    def begin(self, text: str = "Hello?", **members: Any) -> str:
        """Send a text; return the id of its turn."""
        answer = self.post("/chat", user_text=text, **members)
        assert answer.status_code == 202, answer.text
        return str(answer.json["job_id"])

    def ask(self, text: str = "Hello?", **members: Any) -> dict[str, Any]:
        """Send a text; return the turn when it has ended."""
        return self.ended(self.begin(text, **members))

    def status(self, job_id: str) -> dict[str, Any]:
        """Return a turn."""
        answer = self.client.get(f"/status/{job_id}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json)

    def until(self, job_id: str, *states: str) -> dict[str, Any]:
        """Return a turn once it is in one of these states."""
        wait_until(lambda: self.status(job_id)["status"] in states, f"{job_id} to be {states}")
        return self.status(job_id)

    def ended(self, job_id: str) -> dict[str, Any]:
        """Return a turn once it has ended."""
        return self.until(job_id, *ENDED)

    def history(self) -> list[dict[str, Any]]:
        """Return the turns of the session."""
        answer = self.client.get(f"/chat/history?session_id={self.session_id}")
        assert answer.status_code == 200, answer.text
        return list(answer.json["turns"])

    def prompt(self, number: int = -1) -> list[tuple[str, str]]:
        """Return role and text of the messages that the model received, without the system's."""
        messages = self.model.received[number].body["messages"]
        assert messages[0]["role"] == "system"
        return [(each["role"], each["content"]) for each in messages[1:]]

    def events(self, **members: Any) -> list[tuple[str, dict[str, Any]]]:
        """Send a text; return all events of its stream."""
        answer = self.post("/chat", user_text="Hello?", stream=True, **members)
        assert answer.status_code == 200, answer.text
        return events_of(answer.text)

    def film(self) -> dict[str, Any]:
        """Return the state of the session."""
        return dict(self.client.get(f"/session?session_id={self.session_id}").json)


def events_of(text: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the server-sent events of a text."""
    blocks = [block for block in text.split("\n\n") if block]
    members = [dict(line.split(": ", 1) for line in block.splitlines()) for block in blocks]
    return [(each["event"], json.loads(each["data"])) for each in members]
