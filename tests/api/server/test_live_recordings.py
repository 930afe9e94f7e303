"""A real server speaks recordings that are still being made, and outlives their clients."""

import http.client
import json
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from bench.live_webm import live_webm
from tests.api.server_process import Server, serving
from tests.given_sounds import RATE_HZ, babble, wav_of
from tests.polling import wait_until

pytestmark = pytest.mark.slow

GIVEN = babble(1.2)
WAV = wav_of(GIVEN)
HALF = 44 + RATE_HZ


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("live") / "results") as server:
        yield server


class LiveRequest:
    """A request whose body is sent in chunks while its response is read."""

    def __init__(self, server: Server, session_id: str, kind: str = "audio/wav") -> None:
        self.connection = server.connect()
        self.connection.putrequest("POST", f"/speak?session_id={session_id}")
        self.connection.putheader("Content-Type", kind)
        self.connection.putheader("Accept", "text/event-stream")
        self.connection.putheader("Transfer-Encoding", "chunked")
        self.connection.endheaders()
        self._response: http.client.HTTPResponse | None = None

    def __enter__(self) -> "LiveRequest":
        return self

    def __exit__(self, *_: object) -> None:
        if self._response is not None:
            self._response.close()
        self.connection.close()

    def send(self, data: bytes) -> None:
        self.connection.send(b"%x\r\n%s\r\n" % (len(data), data))

    def finish(self) -> None:
        self.connection.send(b"0\r\n\r\n")

    def events(self) -> Iterator[tuple[str, Any]]:
        self._response = self._response or self.connection.getresponse()
        assert self._response.status == 200, self._response.read()
        while line := self._response.readline().decode():
            if line.startswith("event: "):
                data = self._response.readline().decode().removeprefix("data: ")
                yield line.removeprefix("event: ").strip(), json.loads(data)


def test_fragments_are_committed_while_the_recording_is_being_sent(server: Server) -> None:
    with LiveRequest(server, "live") as request:
        request.send(WAV[:HALF])
        events = request.events()
        assert next(name for name, _ in events if name != "speech") == "fragment"
        request.send(WAV[HALF:])
        request.finish()
        name, done = list(events)[-1]
        assert name == "done", done
        assert done["clip"]["whole"] is True


def test_webm_of_a_browser_is_spoken_block_by_block(server: Server) -> None:
    with LiveRequest(server, "browser", "video/webm; codecs=opus") as request:
        for _, block in live_webm(GIVEN, RATE_HZ):
            request.send(block)
        request.finish()
        name, done = list(request.events())[-1]
    assert name == "done", done
    assert done["clip"]["frames"] >= 30


def test_the_clip_of_a_client_that_leaves_is_cut_and_its_film_stays_whole(server: Server) -> None:
    with LiveRequest(server, "leaver") as request:
        request.send(WAV[:HALF])
        next(name for name, _ in request.events() if name == "fragment")
    wait_until(
        lambda: server.call("GET", "/session?session_id=leaver")[1]["clips"],
        "the end of the clip",
    )
    (clip,) = server.call("GET", "/session?session_id=leaver")[1]["clips"]
    assert clip["whole"] is False
    assert server.call("POST", "/speak", {"text": "One.", "session_id": "leaver"})[0] == 200


def test_a_clip_whose_decoder_is_killed_ends_at_what_was_heard(server: Server) -> None:
    with LiveRequest(server, "killed") as request:
        request.send(WAV[:HALF])
        events = request.events()
        next(name for name, _ in events if name == "fragment")
        for decoder in decoders_of(server):
            with suppress(ProcessLookupError):
                os.kill(decoder, signal.SIGKILL)
        name, problem = list(events)[-1]
    assert (name, problem["status"]) == ("error", 422)
    with LiveRequest(server, "killed") as request:
        request.send(WAV)
        request.finish()
        assert list(request.events())[-1][0] == "done"


def decoders_of(server: Server) -> list[int]:
    """Process ids of the decoders of recordings."""
    (worker,) = server.workers()
    found = []
    for task in Path(f"/proc/{worker}/task").iterdir():
        for child in (task / "children").read_text(encoding="ascii").split():
            command = Path(f"/proc/{child}/cmdline").read_bytes()
            if b"warm.media.arriving_audio" in command:
                found.append(int(child))
    return found
