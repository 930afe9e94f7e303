"""The steps of the Dockerfile, executed in a chroot of Debian, and the image that they make.

Takes about ten minutes, 5 GB of disk, root and the network, so it runs only if CHROOT_TEST is 1.
CHROOT_BASE names a root that debootstrap has made before.
"""

import http.client
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.container.chroot import (
    Rootfs,
    built_image,
    first_process,
    reason_against,
    send,
    size_bytes,
)
from session.__main__ import main as session_command
from tests.api.server_process import free_port
from tests.polling import wait_until

HEALTHY_S = 120
"""Longest wait for a server; the figure is measured by `python -m bench container`."""
MAX_IMAGE_BYTES = 2_200_000_000
UID = "12345:12345"
TEXT = "This text is long enough to be spoken while the server is asked to stop. " * 4


REASON = (
    reason_against()
    if os.environ.get("CHROOT_TEST") == "1"
    else "takes ten minutes: CHROOT_TEST=1 runs it"
)
pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(REASON), reason=REASON or "never")]


@pytest.fixture(scope="module")
def image() -> Iterator[Rootfs]:
    with built_image("cpu") as built:
        yield built


@dataclass
class Container:
    process: "subprocess.Popen[bytes]"
    port: int
    image: Rootfs
    log: Path

    def is_healthy(self) -> bool:
        assert self.process.poll() is None, self.log.read_text("utf-8")
        try:
            with self.ask("GET", "/health") as answer:
                return answer.read() != b"" and answer.status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False

    def ask(self, method: str, path: str, body: object = None) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=HEALTHY_S)
        key = self.storage / "first_key"
        headers = {"Content-Type": "application/json", "Accept": "text/event-stream"}
        headers["Connection"] = "close"  # with the response
        if key.exists():
            headers["X-Api-Key"] = key.read_text("ascii").strip()
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        return connection.getresponse()

    def can_speak(self) -> bool:
        """False while the voice is loading, which may take longer than a text waits for it."""
        with self.ask("POST", "/speak", {"text": "Hello.", "session_id": "first"}) as answer:
            return b"event: done" in answer.read()

    @property
    def storage(self) -> Path:
        return self.image.root / "app" / "storage"


@contextmanager
def started(image: Rootfs, log: Path, *words: str, user: str = UID) -> Iterator[Container]:
    port = free_port()
    command, environment = image.command(
        [*image.entry_point, *words], user=user, more={"PORT": str(port)}
    )
    with (
        log.open("wb") as output,
        subprocess.Popen(command, env=environment, stdout=output, stderr=output) as process,
    ):
        try:
            yield Container(process, port, image, log)
        finally:
            send(process, signal.SIGKILL)


@pytest.fixture
def container(image: Rootfs, tmp_path: Path) -> Iterator[Container]:
    with started(image, tmp_path / "log") as found:
        wait_until(found.is_healthy, f"a healthy server; log: {found.log}", HEALTHY_S)
        yield found


def test_the_image_is_small_and_has_no_compiler(image: Rootfs) -> None:
    assert size_bytes(image.root) <= MAX_IMAGE_BYTES
    places = [image.root / folder for folder in ("usr/bin", "usr/local/bin", "opt/warmtalk/bin")]
    assert [path for folder in places for path in folder.glob("*gcc*")] == []


def test_any_user_speaks_with_it_and_its_film_survives_a_stop(container: Container) -> None:
    log = container.log.read_text("utf-8")
    assert "container: Running as uid 12345, gid 12345." in log
    assert (container.storage / "avatars" / "demo").is_symlink()
    secret = (container.storage / "first_key").read_text("ascii").strip()
    assert secret not in log
    wait_until(container.can_speak, f"a loaded voice; log: {container.log}", HEALTHY_S)
    with container.ask("POST", "/speak", {"text": TEXT, "lead_s": 0.5}) as answer:
        before: list[bytes] = []
        while not (line := answer.readline()).startswith(b"event: fragment"):
            assert line, (answer.status, before, container.log.read_text("utf-8"))
            before.append(line)
        send(container.process, signal.SIGTERM)
        answer.read()
    assert container.process.wait(timeout=HEALTHY_S) == 0
    assert "film closed" in container.log.read_text("utf-8")
    film = container.storage / "full_session.mp4"
    assert film.stat().st_size > 10_000
    assert session_command(["check", str(film)]) == 0


def test_process_1_collects_the_processes_of_a_killed_worker(container: Container) -> None:
    (worker,) = children_of(first_process(container.process))
    orphans = children_of(worker)
    assert orphans
    os.kill(worker, signal.SIGKILL)
    gone = [Path(f"/proc/{pid}") for pid in (worker, *orphans)]
    wait_until(lambda: not any(path.exists() for path in gone), "the end of orphans", HEALTHY_S)
    wait_until(container.is_healthy, "a new worker", HEALTHY_S)


def children_of(pid: int) -> list[int]:
    found = [path.read_text("ascii") for path in Path(f"/proc/{pid}/task").glob("*/children")]
    return [int(word) for text in found for word in text.split()]


def test_a_bad_value_ends_the_container_with_its_name(image: Rootfs, tmp_path: Path) -> None:
    command, environment = image.command(image.entry_point, user=UID, more={"OUTPUT_FPS": "0"})
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=HEALTHY_S
    )
    assert done.returncode == 2
    assert done.stderr.startswith("The container cannot start.\nOUTPUT_FPS = '0' (the setting fps)")


def test_the_storage_of_another_user_is_refused_with_the_remedy(
    container: Container, image: Rootfs, tmp_path: Path
) -> None:
    with started(image, tmp_path / "other", user="1000:1000") as other:
        assert other.process.wait(timeout=HEALTHY_S) == 2
    assert "docker run --user 12345:12345" in other.log.read_text("utf-8")
