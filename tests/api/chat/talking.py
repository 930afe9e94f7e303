"""A client that chats, and waits for the ends of turns."""

import json
from typing import Any

from flask.testing import FlaskClient

from tests.chat.scripted_server import Script, ScriptedServer
from tests.polling import wait_until

ENDED = ("done", "error", "cancelled")


class Talk:
    """Requests of one client, and the model's server."""

    def __init__(self, client: FlaskClient, model: ScriptedServer) -> None:
        self.client, self.model = client, model

    def says(self, text: str, **script: Any) -> None:
        """Have the model answer with a text from now on."""
        self.model.script = Script(text=text, **script)

    def begin(self, text: str = "Hello?", **members: Any) -> dict[str, Any]:
        """Send a text; return the turn as it is answered at once."""
        answer = self.client.post("/chat", json={"user_text": text, **members})
        assert answer.status_code == 202, answer.text
        return dict(answer.json)

    def ask(self, text: str = "Hello?", **members: Any) -> dict[str, Any]:
        """Send a text; return the turn when it has ended."""
        return self.ended(self.begin(text, **members)["job_id"])

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

    def history(self, session_id: str = "default") -> list[dict[str, Any]]:
        """Return the turns of a session."""
        answer = self.client.get(f"/chat/history?session_id={session_id}")
        assert answer.status_code == 200, answer.text
        return list(answer.json["turns"])

    def prompt(self, number: int = -1) -> list[dict[str, str]]:
        """Return the messages of a request that the model's server received."""
        return list(self.model.received[number].body["messages"])

    def events(self, **members: Any) -> list[tuple[str, dict[str, Any]]]:
        """Send a text; return all events of its stream."""
        answer = self.client.post("/chat", json={"user_text": "Hello?", "stream": True, **members})
        assert answer.status_code == 200, answer.text
        return events_of(answer.text)


def events_of(text: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the server-sent events of a text."""
    blocks = [dict(line.split(": ", 1) for line in block.splitlines()) for block in text.split("\n\n") if block]
    return [(block["event"], json.loads(block["data"])) for block in blocks]
