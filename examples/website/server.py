"""A website with a live talking face: one page, and a server that has the face answer.

    python examples/website/server.py --port 9000 --warmtalk http://127.0.0.1:8000

shows the page of a running Warmtalk in a frame at http://127.0.0.1:9000. Warmtalk must be started
with `--frame-ancestors http://127.0.0.1:9000`. Needs the standard library only. Visitors can also
type into the page in the frame. A real website adds its own login and limits in front of both.
"""

import argparse
import json
import urllib.error
import urllib.request
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from string import Template
from typing import Any

PAGE = Template(Path(__file__).with_name("page.html").read_text("utf-8"))
ANSWERS = {
    "opening hours": "We are open from nine to five, Monday to Friday.",
    "address": "You find us at number twelve, Harbour Street.",
}
UNKNOWN = "I am sorry, I do not know that. Ask me about the opening hours or the address."
SESSION = "website"
LONGEST_TOPIC_BYTES = 1000
TIMEOUT_S = 60


class Website(BaseHTTPRequestHandler):
    """`GET /` is the page; `POST /ask` has the face answer a topic."""

    def __init__(self, warmtalk: str, *connection: Any) -> None:
        self.warmtalk = warmtalk
        super().__init__(*connection)

    def do_GET(self) -> None:
        """Send the page."""
        if self.path != "/":
            self.reply(HTTPStatus.NOT_FOUND, "There is only /.")
            return
        page = PAGE.substitute(warmtalk=self.warmtalk, session=SESSION)
        self.reply(HTTPStatus.OK, page, "text/html")

    def do_POST(self) -> None:
        """Say the answer to the topic in the body."""
        length = int(self.headers.get("Content-Length", 0))
        if self.path != "/ask" or length > LONGEST_TOPIC_BYTES:
            self.reply(HTTPStatus.BAD_REQUEST, "POST a topic of at most 1000 bytes to /ask.")
            return
        topic = self.rfile.read(length).decode("utf-8", "replace")
        try:
            self.speak(ANSWERS.get(topic.strip().lower(), UNKNOWN))
        except (urllib.error.URLError, TimeoutError) as error:
            self.reply(HTTPStatus.BAD_GATEWAY, f"The face cannot answer: {error}")
        else:
            self.reply(HTTPStatus.OK, "")

    def speak(self, text: str) -> None:
        """Have Warmtalk say a text; raises URLError and TimeoutError."""
        body = json.dumps({"session_id": SESSION, "text": text}).encode()
        headers = {"Content-Type": "application/json", "X-Session-Id": SESSION}
        request = urllib.request.Request(f"{self.warmtalk}/speak", body, headers)
        with urllib.request.urlopen(request, timeout=TIMEOUT_S):
            pass

    def reply(self, status: HTTPStatus, text: str, kind: str = "text/plain") -> None:
        """Send a whole response."""
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Parse the command line and serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description="A website with a live talking face.")
    parser.add_argument("--port", type=int, default=9000)
    parser.add_argument("--warmtalk", default="http://127.0.0.1:8000", metavar="URL")
    arguments = parser.parse_args()
    handler = partial(Website, arguments.warmtalk.rstrip("/"))
    with ThreadingHTTPServer(("127.0.0.1", arguments.port), handler) as server:
        print(f"The website is ready at http://127.0.0.1:{arguments.port}", flush=True)
        with suppress(KeyboardInterrupt):
            server.serve_forever()


if __name__ == "__main__":
    main()
