"""The worker as a program: its job on stdin, its state on stdout."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from warmtalk_livekit.job import Job

JOB = {
    "livekit_url": "ws://127.0.0.1:1",
    "token": "token",
    "warmtalk_url": "http://127.0.0.1:1",
    "session_id": "s",
}
PATIENCE_S = 60


@contextmanager
def worker() -> Iterator[subprocess.Popen[str]]:
    """A worker that waits for its job."""
    with subprocess.Popen(
        [sys.executable, "-m", "warmtalk_livekit"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def outcome_of(job: str) -> tuple[dict[str, str], int]:
    """The state that a worker reports on a job, and its exit status; its stdin stays open."""
    with worker() as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(job + "\n")
        process.stdin.flush()
        state = json.loads(process.stdout.readline())
        return state, process.wait(PATIENCE_S)


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("", "Expecting value"),
        ("[]", "is not a JSON object"),
        ('{"room": 1}', "room: is unknown"),
        ('{"token": "x"}', "missing"),
        (json.dumps({**JOB, "warmtalk_url": "here"}), "must be the address"),
        (json.dumps({**JOB, "sample_rate": 44_100}), "must be one of 16000, 24000, 48000"),
    ],
)
def test_a_job_that_makes_no_sense_is_refused(text, detail):
    with pytest.raises(ValueError, match=detail):
        Job.parse(text)


def test_secrets_are_not_shown():
    assert "token'" not in repr(Job.parse(json.dumps({**JOB, "api_key": "a-key"})))
    assert "a-key" not in repr(Job.parse(json.dumps({**JOB, "api_key": "a-key"})))


def test_a_wrong_job_is_reported():
    state, status = outcome_of("{}")
    assert (state["state"], state["cause"], status) == ("failed", "job", 1)


def test_a_warmtalk_server_that_is_not_there_is_reported():
    state, status = outcome_of(json.dumps(JOB))
    assert (state["state"], state["cause"], status) == ("failed", "warmtalk", 1)
    assert "cannot be reached" in state["detail"]


def test_a_worker_ends_with_its_parent():
    with worker() as process:
        process.communicate("", timeout=PATIENCE_S)
        assert process.returncode == 1
