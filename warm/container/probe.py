"""The health check of the image: `python -m warm.container.probe`.

The address is in the environment of the server, so it is correct however host and port are set.
Only the standard library is imported, because the check runs every few seconds.
"""

import http.client
import json
import os
import socket
import sys
from contextlib import suppress
from pathlib import Path

PROBED = "CONTAINER_PROBED_ADDRESS"
"""Variable of the server: HOST:PORT, or the path of a unix socket."""
TIMEOUT_S = 4.0
STARTING = "warming"
"""State of `/health` until the engine is loaded."""


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def main() -> int:
    """Print the state in one line; 0 if the server works."""
    address = server_address(Path("/proc"))
    if address is None:
        sys.stdout.write("the server has not started\n")
        return 1
    is_healthy, state = probe(address)
    sys.stdout.write(f"{state}\n")
    return 0 if is_healthy else 1


def server_address(proc: Path) -> str | None:
    """The address in the environment of the oldest process that has one."""
    pids = sorted(int(path.name) for path in proc.iterdir() if path.name.isdigit())
    for pid in pids:
        with suppress(OSError):  # ended, or of another user
            for entry in (proc / str(pid) / "environ").read_bytes().split(b"\0"):
                name, _, value = os.fsdecode(entry).partition("=")
                if name == PROBED:
                    return value
    return None


def probe(address: str) -> tuple[bool, str]:
    """True if the server has been ready and still answers; and its state.

    Supervisors restart unhealthy containers. After the start only `/livez` counts, because a server
    that reloads its engine needs no restart.
    """
    try:
        status, body = get(address, "/health")
        state = str(json.loads(body)["status"])
        if status == http.client.OK or state == STARTING:
            return status == http.client.OK, state
        alive, _ = get(address, "/livez")
    except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
        return False, f"{address}: {error}"
    return alive == http.client.OK, state


def get(address: str, path: str) -> tuple[int, bytes]:
    """Status and body of a request; raises OSError and HTTPException."""
    connection = connection_to(address)
    try:
        connection.request("GET", path, headers={"Host": "localhost"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def connection_to(address: str) -> http.client.HTTPConnection:
    """A connection that is opened by the first request."""
    if address.startswith("/"):
        return UnixConnection(address, TIMEOUT_S)
    host, _, port = address.rpartition(":")
    return http.client.HTTPConnection(host.strip("[]"), int(port), timeout=TIMEOUT_S)


if __name__ == "__main__":
    sys.exit(main())
