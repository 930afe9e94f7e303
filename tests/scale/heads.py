"""Three heads of the tiny avatar behind nginx, each a process group of its own."""

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.api.server_process import ROOT, TINY, free_port
from tests.polling import wait_until

NAMES = ("a", "b", "c")
START_S = 90.0
ANSWER_S = 60.0
NGINX_TEMPLATE = ROOT / "configs" / "deploy" / "heads" / "nginx.conf"
NO_NGINX = "nginx is missing; install it with `apt-get install nginx-light`"


@dataclass
class Answer:
    """An answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def head(self) -> str | None:
        """The head that made it."""
        return self.headers.get("Warmtalk-Head")


def ask(port: int, method: str, path: str, body: object = None, **headers: str) -> Answer:
    """Send a request to a port of this machine; raises OSError and HTTPException."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_S)
    sent = body if body is None or isinstance(body, bytes) else json.dumps(body)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    kind = {} if sent is None else {"Content-Type": "application/json"}
    try:
        connection.request(method, path, sent, {**kind, **named})
        answer = connection.getresponse()
        return Answer(answer.status, dict(answer.getheaders()), answer.read())
    finally:
        connection.close()


@dataclass
class RunningHead:
    """A head in a process group of its own."""

    name: str
    results: Path
    port: int
    command: tuple[str, ...]
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0

    @property
    def log(self) -> Path:
        return self.results.parent / f"head-{self.name}-{self.starts}.log"

    def start(self) -> None:
        """Start the head; `wait` returns when it can answer."""
        self.starts += 1
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-u", *self.command], cwd=ROOT, stdout=log, stderr=log,
                start_new_session=True, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
            )  # fmt: skip

    def wait(self) -> None:
        """Wait until it is healthy."""
        wait_until(self.is_healthy, f"head {self.name}: {self.log.read_text()[-2000:]}", START_S)

    def is_healthy(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()[-3000:]
        try:
            return self.ask("GET", "/health").status == 200
        except (OSError, http.client.HTTPException):
            return False

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """Send a request directly to this head."""
        return ask(self.port, method, path, body, **headers)

    def signal(self, number: int) -> None:
        """Send a signal to all its processes."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)

    def kill(self) -> None:
        """End it with SIGKILL, and wait for that."""
        self.signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait()


@dataclass
class Cluster:
    """Heads that share a results folder."""

    results: Path
    heads: dict[str, RunningHead]
    proxy_port: int = 0
    routing_headers: dict[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> RunningHead:
        return self.heads[name]

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """Send a request through the proxy."""
        return ask(self.proxy_port, method, path, body, **headers)


def tiny_command(results: Path, name: str, port: int) -> tuple[str, ...]:
    """Command of a head of the tiny avatar."""
    words = ("none", f"head={name}", "on_disconnect=continue", "trusted_proxies=127.0.0.1")
    return (str(TINY), str(results), str(port), *words)


@contextmanager
def cluster(
    results: Path, names: tuple[str, ...] = NAMES, command: Any = tiny_command
) -> Iterator[Cluster]:
    """Start heads that share `results`; kill them at the end."""
    results.mkdir(parents=True, exist_ok=True)
    ports = {name: free_port() for name in names}
    heads = {
        name: RunningHead(name, results, port, command(results, name, port))
        for name, port in ports.items()
    }
    try:
        for head in heads.values():
            head.start()
        for head in heads.values():
            head.wait()
        yield Cluster(results, heads)
    finally:
        for head in heads.values():
            head.signal(signal.SIGCONT)
            head.kill()


def find_nginx() -> str | None:
    """Return the path of nginx, None if it is not installed."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


@contextmanager
def nginx_before(found: Cluster, folder: Path) -> Iterator[None]:
    """Run nginx with the project's own file in front of the heads; sets `proxy_port`."""
    program = find_nginx()
    assert program is not None, NO_NGINX
    folder.mkdir(parents=True, exist_ok=True)
    found.proxy_port = free_port()
    path = folder / "nginx.conf"
    path.write_text(nginx_file(folder, found), encoding="utf-8")
    process = subprocess.Popen(
        [program, "-c", str(path), "-p", str(folder), "-e", str(folder / "error.log")],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        wait_until(lambda: answers(found.proxy_port), "nginx")
        yield
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def nginx_file(folder: Path, found: Cluster) -> str:
    """Return the project's file with the addresses of these heads, within a whole configuration."""
    servers = iter(found.heads.values())
    content = re.sub(
        r"server 10\.[0-9.]+:8000", lambda _: f"server 127.0.0.1:{next(servers).port}",
        NGINX_TEMPLATE.read_text("utf-8"),
    ).replace("listen 80;", f"listen 127.0.0.1:{found.proxy_port};")  # fmt: skip
    temporary = "".join(
        f"{kind}_temp_path {folder / kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return (
        f"daemon off;\nworker_processes 1;\npid {folder / 'nginx.pid'};\nerror_log stderr;\n"
        f"events {{ worker_connections 512; }}\nhttp {{\naccess_log off;\n{temporary}{content}}}\n"
    )


def answers(port: int) -> bool:
    """True if a server answers at a port of this machine."""
    try:
        ask(port, "GET", "/livez")
    except (OSError, http.client.HTTPException):
        return False
    return True
