"""The measurement with hostile texts, with a small number of them, on a real server."""

import json
import os
import signal
from itertools import islice
from pathlib import Path

import pytest

from bench.hostile import hostile_requests, send, server_workers, speech_workers, voices_of
from bench.server_process import ServerProcess
from session.fragmented.check import check_film
from tests.api.server_process import serving
from tests.polling import wait_until
from tts.espeak.isolated import PROCESSES

pytestmark = pytest.mark.slow


def is_idle(server: ServerProcess) -> bool:
    requests = json.loads(server.request("GET", "/stats"))["requests"]
    return requests["queued"] == requests["running"] == 0


def test_hostile_texts_cost_no_other_request_and_no_process(tmp_path: Path) -> None:
    with serving(tmp_path / "results") as tiny:
        server = ServerProcess(tiny.process, tiny.port, 0.0)  # type: ignore[arg-type]
        workers = server_workers(server)
        wait_until(lambda: len(speech_workers(server)) >= PROCESSES, "the speech workers")
        before = speech_workers(server)
        os.kill(min(before), signal.SIGKILL)
        outcomes = send(server, list(islice(hostile_requests(voices_of(server)), 60)))
        assert server_workers(server) == workers
        assert outcomes.speech_workers - before  # the replacement was seen
        wait_until(lambda: is_idle(server), "the end of speech whose clients have left")
    assert sum(outcomes.statuses.values()) == 60
    assert set(outcomes.statuses) <= {200, 422}
    assert (outcomes.lost, outcomes.bugs) == ([], [])
    for film in tiny.results.rglob("full_session.mp4"):
        assert check_film(film).faults == []
