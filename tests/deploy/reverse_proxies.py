"""nginx and Caddy with the shipped configuration, for a server on a unix socket."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.api.server_process import ROOT, free_port
from tests.polling import wait_until

SHIPPED = ROOT / "configs" / "deploy"
PREFIX = "/talk"
START_S = 60.0
STOP_S = 10.0
INSTALL = {
    "nginx": "nginx is missing; install it with `apt-get install nginx-light`",
    "caddy": "caddy is missing; install it with `apt-get install caddy`",
}


def missing(program: str) -> bool:
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin") is None


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for this machine, and its key."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", key, "-out", certificate],
        check=True, capture_output=True, timeout=START_S,
    )  # fmt: skip
    return certificate, key


def replaced(text: str, changes: dict[str, str]) -> str:
    """The text with all keys of `changes` replaced; each of them must be in it."""
    for old, new in changes.items():
        assert old in text, f"the shipped configuration has no {old!r}"
        text = text.replace(old, new)
    return text


def nginx_command(folder: Path, server_socket: Path, port: int) -> list[str]:
    """Write a configuration of nginx that includes the shipped one, on this port."""
    certificate, key = make_certificate(folder)
    plain_port = free_port()
    shipped = replaced(
        (SHIPPED / "nginx.conf").read_text(),
        {
            "unix:/run/warmtalk/http.sock": f"unix:{server_socket}",
            "    listen [::]:80;\n": "",
            "    listen [::]:443 ssl http2;\n": "",
            "listen 80;": f"listen 127.0.0.1:{plain_port};",
            "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
            "/etc/letsencrypt/live/talk.example/fullchain.pem": str(certificate),
            "/etc/letsencrypt/live/talk.example/privkey.pem": str(key),
        },
    )
    (folder / "warmtalk.conf").write_text(shipped)
    names = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{name}_temp_path {folder / name};\n" for name in names)
    owner = "user root;\n" if os.geteuid() == 0 else ""
    (folder / "main.conf").write_text(
        f"daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1;\n"
        f"{owner}events {{}}\nhttp {{\naccess_log off; {temporary}"
        f"include {folder}/warmtalk.conf;\n}}\n"
    )
    return ["nginx", "-p", str(folder), "-c", str(folder / "main.conf")]


def caddy_command(folder: Path, server_socket: Path, port: int) -> list[str]:
    """Write the shipped configuration of Caddy for this port."""
    certificate, key = make_certificate(folder)
    shipped = replaced(
        (SHIPPED / "Caddyfile").read_text(),
        {
            "talk.example {": f"https://127.0.0.1:{port} {{\n\ttls {certificate} {key}",
            "unix//run/warmtalk/http.sock": f"unix/{server_socket}",
        },
    )
    # Without a grace period Caddy would end only when its clients have closed all connections.
    options = "{\n\tadmin off\n\tauto_https disable_redirects\n\tgrace_period 1s\n}\n"
    (folder / "Caddyfile").write_text(options + shipped)
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


COMMANDS = {"nginx": nginx_command, "caddy": caddy_command}


@contextmanager
def tls_proxy(program: str, folder: Path, server_socket: Path) -> Iterator[int]:
    """The port of a proxy that serves the server below `PREFIX`, over TLS."""
    port = free_port()
    command = COMMANDS[program](folder, server_socket, port)
    path = f"{os.environ.get('PATH', '')}:/usr/sbin"
    environment = {**os.environ, "PATH": path, "HOME": str(folder), "XDG_DATA_HOME": str(folder)}
    log = folder / "proxy.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(command, stdout=output, stderr=output, env=environment) as process,
    ):
        try:
            wait_until(lambda: listens(port), f"{program}: {log.read_text()}", START_S)
            assert process.poll() is None, log.read_text()
            yield port
        finally:
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()


def listens(port: int) -> bool:
    with suppress(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port)).close()
        return True
    return False
