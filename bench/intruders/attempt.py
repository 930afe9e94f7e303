"""One hostile request and its answer."""

import http.client
import json
import secrets
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field

from bench.server_process import TIMEOUT_S

MIN_WORDS = 3


@dataclass(frozen=True, slots=True)
class Attempt:
    """A request that the server must survive."""

    name: str
    method: str
    path: str
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    may_pass: bool = False
    """True if its content is odd but harmless, so that an answer of success is right as well."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to an attempt; status 0 if there was none."""

    status: int
    content: bytes

    @property
    def words(self) -> int:
        """Number of words of the explanation."""
        try:
            members = json.loads(self.content)
            return len(str(members.get("detail", members.get("description", ""))).split())
        except (ValueError, AttributeError):
            return 0

    def is_refusal(self) -> bool:
        """True for a refusal that explains itself."""
        return 400 <= self.status < 500 and self.words >= MIN_WORDS


def send(port: int, attempt: Attempt) -> Answer:
    """Send an attempt and return its answer."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)) as connection:
        try:
            connection.putrequest(attempt.method, attempt.path, skip_accept_encoding=True)
            headers = {"Content-Length": str(len(attempt.body)), **attempt.headers}
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.endheaders()
            with suppress(OSError):  # the server may have refused the rest of it
                connection.send(attempt.body)
            response = connection.getresponse()
            return Answer(response.status, response.read())
        except (OSError, http.client.HTTPException) as error:
            return Answer(0, repr(error).encode())


def multipart(field_name: str, data: bytes, filename: str, **texts: str) -> tuple[bytes, str]:
    """Return a body with a file and texts, and its content type."""
    boundary = secrets.token_hex(16)

    def parts() -> Iterator[bytes]:
        for name, value in texts.items():
            head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
            yield f"{head}{value}\r\n".encode()
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="{field_name}"; '
            f'filename="{filename}"\r\nContent-Type: image/png\r\n\r\n'
        )
        yield head.encode() + data + f"\r\n--{boundary}--\r\n".encode()

    return b"".join(parts()), f"multipart/form-data; boundary={boundary}"
