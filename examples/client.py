"""A client that speaks a text and saves the film, with the standard library only.

    python examples/client.py "Good morning." --out morning.mp4

`--session` names a session; the film has everything that was said in it. Needs a running server.
"""

import argparse
import json
import shutil
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

TIMEOUT_S = 300


class Refused(Exception):
    """The server answered with an error; the message is the server's."""


def request(address: str, session: str, body: dict[str, str] | None = None) -> Any:
    """Send a GET, or a POST of JSON; returns the open response. Raises Refused.

    X-Session-Id lets a proxy in front of several servers choose the server of the session.
    """
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", "X-Session-Id": session}
    asked = urllib.request.Request(address, data, headers)
    try:
        return urllib.request.urlopen(asked, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        with error:
            raise Refused(json.load(error)["detail"]) from error  # RFC 9457


def speak(server: str, session: str, text: str) -> dict[str, Any]:
    """Say a text; returns when the clip is on disk. Raises Refused."""
    with request(f"{server}/speak", session, {"session_id": session, "text": text}) as response:
        spoken: dict[str, Any] = json.load(response)
    return spoken


def save(server: str, session: str, path: Path) -> None:
    """Save the film of a session as an ordinary MP4; raises Refused."""
    with (
        request(f"{server}/sessions/{session}/export.mp4", session) as response,
        path.open("wb") as file,
    ):
        shutil.copyfileobj(response, file)


def main() -> int:
    """Parse the command line, speak, save; returns the exit status."""
    parser = argparse.ArgumentParser(description="Speak a text and save the film.")
    parser.add_argument("text")
    parser.add_argument("--out", type=Path, default=Path("film.mp4"))
    parser.add_argument("--session", default="default")
    parser.add_argument("--server", default="http://127.0.0.1:8000")
    arguments = parser.parse_args()
    try:
        clip = speak(arguments.server, arguments.session, arguments.text)["clip"]
        save(arguments.server, arguments.session, arguments.out)
    except (Refused, urllib.error.URLError) as error:
        print(f"{arguments.server}: {error}", file=sys.stderr)
        return 1
    print(f"{arguments.out}: {clip['duration_s']:.2f} s were added at {clip['start_s']:.2f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
