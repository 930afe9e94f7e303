"""A real TURN server, coturn, whose users have credentials for a time."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.polling import wait_until

SECRET = "north-wind"
TURNSERVER = shutil.which("turnserver")
missing = pytest.mark.skipif(
    TURNSERVER is None, reason="turnserver is missing; install it with: apt-get install coturn"
)


@contextmanager
def turn_server(folder: Path) -> Iterator[int]:
    """Run a server with the secret `SECRET` at 127.0.0.1; yields its port."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [
        str(TURNSERVER), "-n", "--listening-ip=127.0.0.1", f"--listening-port={port}",
        f"--relay-ip={own_address()}", "--realm=talk.example", "--use-auth-secret",
        f"--static-auth-secret={SECRET}", "--no-tls", "--no-dtls", "--no-cli",
        f"--userdb={folder}/db", f"--pidfile={folder}/pid", "--log-file=stdout",
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT) as server:
        try:
            wait_until(lambda: listens(port), "the TURN server")
            yield port
        finally:
            server.kill()


def listens(port: int) -> bool:
    with closing(socket.socket()) as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


def own_address() -> str:
    """An address of this machine that is not loopback; no packet is sent for it."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        try:
            probe.connect(("198.51.100.1", 9))
        except OSError:
            pytest.skip("this machine has no network interface")
        return str(probe.getsockname()[0])
