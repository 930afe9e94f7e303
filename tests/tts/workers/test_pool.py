"""The pool of speech workers: ended ones are replaced at once, slow ones delay no other request."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Event

import pytest

import tts.workers.pool
from isolation.process import ROOT, RequestCancelled, WorkerKilled
from tests.polling import wait_until
from tts.espeak.isolated import COMMAND
from tts.voice import VoiceUnavailable
from tts.workers.pool import WorkerPool

TIMEOUT_S = 60
SLOW = """
import sys, time
from pathlib import Path
from tts.espeak import worker as speech_worker
from tts.espeak.results import SynthesizedSpeech

class SlowSynthesizer:
    def languages(self):
        return ()

    def synthesize(self, text, *, voice, rate_wpm):
        time.sleep(float(text))
        return SynthesizedSpeech(b"", 22050, ())

if Path(sys.argv[1]).exists():
    raise SystemExit(7)
speech_worker.serve(SlowSynthesizer(), open(0, "rb"), open(1, "wb", buffering=0))
"""
"""A worker that takes as many seconds as its text says; it cannot start if a file exists."""


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[WorkerPool]:
    command = (sys.executable, "-c", SLOW, str(tmp_path / "broken"))
    with closing(WorkerPool(command, size=2, limit=6)) as pool:
        wait_until(lambda: len(pool._idle) == 2, "two idle workers")
        yield pool


def request(pool: WorkerPool, seconds: float, cancelled: Event | None = None) -> int:
    """Have a worker take so long; return its process id."""
    text = {"text": str(seconds), "voice": "", "rate_wpm": 170}
    is_cancelled = cancelled.is_set if cancelled else lambda: False
    with pool.borrow() as worker:
        worker.request(text, timeout_s=TIMEOUT_S, is_cancelled=is_cancelled)
        return worker.pid


def test_an_idle_worker_that_ends_is_replaced_without_a_request(pool: WorkerPool) -> None:
    """Measured: a new worker answers 60 ms after the death of an idle one on a quiet machine."""
    before = pool.pids()
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    wait_until(
        lambda: len(pool._idle) == 2 and not set(pool.pids()) & set(before), "two new workers"
    )


def test_requests_that_take_long_delay_no_other(pool: WorkerPool) -> None:
    cancelled = Event()
    with ThreadPoolExecutor(5) as threads:
        slow = [threads.submit(request, pool, TIMEOUT_S, cancelled) for _ in range(5)]
        wait_until(lambda: len(pool._busy) == 5, "five busy workers")
        assert request(pool, 0) not in {worker.pid for worker in pool._busy}
        assert not any(each.done() for each in slow)
        cancelled.set()
        for each in slow:
            with pytest.raises(RequestCancelled):
                each.result(TIMEOUT_S)


def test_a_request_waits_for_at_most_some_time_if_the_limit_is_reached(
    pool: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as busy:
        for _ in range(6):
            busy.enter_context(pool.borrow())
        monkeypatch.setattr(tts.workers.pool, "START_TIMEOUT_S", 0.05)
        with pytest.raises(VoiceUnavailable, match="all of them are busy"):
            request(pool, 0)
    assert request(pool, 0)


def test_workers_above_the_usual_number_are_stopped_later(
    pool: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tts.workers.pool, "SURPLUS_S", 0.05)
    with ExitStack() as busy:
        for _ in range(4):
            busy.enter_context(pool.borrow())
    wait_until(lambda: len(pool.pids()) == 2, "the end of two workers")
    assert request(pool, 0)


def test_a_cancelled_request_ends_its_worker_soon(pool: WorkerPool) -> None:
    cancelled = Event()
    with ThreadPoolExecutor(1) as threads:
        slow = threads.submit(request, pool, TIMEOUT_S, cancelled)
        wait_until(lambda: pool._busy, "a busy worker")
        (worker,) = pool._busy
        cancelled.set()
        with pytest.raises(RequestCancelled):
            slow.result(TIMEOUT_S)
    assert not worker.is_alive
    wait_until(lambda: len(pool._idle) == 2, "two idle workers")


def test_workers_that_cannot_be_started_are_reported_and_tried_again(
    pool: WorkerPool, tmp_path: Path
) -> None:
    (tmp_path / "broken").touch()
    for pid in pool.pids():
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not pool._idle, "the end of the workers")
    with pytest.raises(VoiceUnavailable, match="none can be started: ended with status 7"):
        request(pool, 0)
    (tmp_path / "broken").unlink()
    wait_until(lambda: len(pool._idle) == 2, "two idle workers")
    assert request(pool, 0)


def test_a_worker_that_stops_reading_is_replaced(pool: WorkerPool) -> None:
    """A process with corrupted memory may close its stdin and live on."""
    deaf = (sys.executable, "-c", "import os, time; os.close(0); time.sleep(3600)")
    worker = tts.workers.pool.WorkerProcess(deaf, folder=ROOT)
    wait_until(lambda: not worker.is_usable, "the end of its stdin")
    with pool._changed:
        pool._idle.appendleft(worker)
        pool._pipe.wake()
    wait_until(lambda: not worker.is_alive, "the end of the worker")
    assert request(pool, 0)


def test_a_closed_pool_ends_requests_in_progress(pool: WorkerPool) -> None:
    with ThreadPoolExecutor(1) as threads:
        slow = threads.submit(request, pool, TIMEOUT_S)
        wait_until(lambda: pool._busy, "a busy worker")
        began_s = time.monotonic()
        pool.close()
        with pytest.raises(WorkerKilled):
            slow.result(TIMEOUT_S)
    assert time.monotonic() - began_s < TIMEOUT_S
    with pytest.raises(VoiceUnavailable, match="closed"):
        request(pool, 0)


def test_the_worker_of_the_last_request_answers_the_next(pool: WorkerPool) -> None:
    """It has read the dictionary of the language."""
    assert request(pool, 0) == request(pool, 0)


def test_an_espeak_worker_is_ready_when_it_is_lent() -> None:
    with closing(WorkerPool(COMMAND, size=1, limit=1)) as pool, pool.borrow() as worker:
        header, _ = worker.request({}, timeout_s=TIMEOUT_S)
    assert header["languages"]
