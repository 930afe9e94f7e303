"""Benchmark of jobs under `kill -9`, while clients make jobs and repeat unanswered requests.

A real server (gunicorn, job database, threads) is killed with all its processes at random moments:
while it starts, while it recovers, while jobs wait and run. After the last start every acknowledged
job must have exactly one end, and a result that matches its request.
"""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread

from bench.avatars import prepare_demo
from bench.figure import Figure
from bench.job_kills.clients import RETRIED, Client, request
from bench.job_kills.server import lines_of
from bench.server_process import ROOT, free_port, process_tree

KILLS = 100
SEED = 12
CLIENTS = 6
FIRST_NUMBERS = 1_000_000
"""Distance between the first numbers of the clients."""
MAX_LIFE_S = 1.2
START_PART = 0.25
"""Part of the kills that come while the server starts."""
WORKER_PART = 0.75
"""Part of the kills that hit the worker alone, which gunicorn's master replaces; the others hit all
processes."""
SETTLE_S = 120.0
START_S = 60.0
POLL_S = 0.05


@dataclass(slots=True)
class Outcome:
    """Findings after the last start."""

    jobs: int = 0
    lost: list[str] = field(default_factory=list)
    """Acknowledged jobs that do not exist, have no end, or have no result or a wrong one."""
    doubled: list[str] = field(default_factory=list)
    """Jobs with two ends, two requests, or two jobs for one request."""
    blamed: int = 0
    """Jobs that ended as errors because the server was killed twice while they ran."""
    attempts: int = 0


def measure(out: Path) -> list[Figure]:  # noqa: ARG001 - all topics take the folder of plots
    """Count the jobs that are lost and those that end twice."""
    with TemporaryDirectory(prefix="warmtalk-bench-") as name:
        results = Path(name)
        prepare_demo(results)
        test = KillTest(results)
        found = test.run(KILLS)
    print(
        f"job_kills: seed {SEED}, {found.jobs} jobs, {found.attempts} attempts,"
        f" {test.repeated} requests repeated, {found.blamed} jobs ended as errors after two kills"
    )
    for fault in (*found.lost, *found.doubled):
        print(f"job_kills: {fault}", file=sys.stderr)
    name = "kill -9, {} times at random moments: jobs {}"
    return [
        Figure.at_most(name.format(KILLS, "lost"), len(found.lost), "jobs", 0, found.jobs),
        Figure.at_most(
            name.format(KILLS, "with two ends"), len(found.doubled), "jobs", 0, found.jobs
        ),
    ]


class KillTest:
    """Kills and restarts a server repeatedly, with one results folder."""

    def __init__(self, results: Path, *, seed: int = SEED) -> None:
        self._results = results
        self._random = random.Random(seed)
        self._port = free_port()
        self._clients = [
            Client(f"client-{number}", lambda: self._port, f"{seed} {number}")
            for number in range(CLIENTS)
        ]

    @property
    def repeated(self) -> int:
        """Requests that were sent again."""
        return sum(client.repeated for client in self._clients)

    def run(self, kills: int) -> Outcome:
        """Kill a server `kills` times while the clients make jobs, and check all jobs."""
        is_over = Event()
        threads = [
            Thread(target=client.run, args=((place + 1) * FIRST_NUMBERS, is_over), daemon=True)
            for place, client in enumerate(self._clients)
        ]
        for thread in threads:
            thread.start()
        server = self._start()
        try:
            for _ in range(kills):
                server = self._kill_once(server)
            self._wait_until_ready(server)
            time.sleep(MAX_LIFE_S)
            is_over.set()
            for thread in threads:
                thread.join(START_S)
            self._settle()
            return self._check()
        finally:
            kill(server)

    def _kill_once(self, server: "subprocess.Popen[bytes]") -> "subprocess.Popen[bytes]":
        """Kill a server after a random time; return the one that runs next."""
        if self._random.random() >= START_PART:
            self._wait_until_ready(server)
        time.sleep(self._random.uniform(0.0, MAX_LIFE_S))
        _, *workers = process_tree(server.pid, 1)
        if workers and self._random.random() < WORKER_PART:
            with suppress(ProcessLookupError):
                os.kill(workers[0], signal.SIGKILL)
            return server
        kill(server)
        return self._start()

    def _start(self) -> "subprocess.Popen[bytes]":
        flags = ["--port", str(self._port), "--results-dir", str(self._results)]
        flags += ["--voice", "espeak:en-us"]
        return subprocess.Popen(
            [sys.executable, "-m", "bench.job_kills.server", *flags],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )

    def _wait_until_ready(self, server: "subprocess.Popen[bytes]") -> None:
        deadline_s = time.monotonic() + START_S
        while time.monotonic() < deadline_s:
            if server.poll() is not None:
                raise RuntimeError("the server exited at its start")
            with suppress(*RETRIED):
                request(self._port, "GET", "/livez", timeout_s=1.0)
                return
            time.sleep(POLL_S)
        raise RuntimeError("the server does not answer")

    def _settle(self) -> None:
        """Wait until no job is queued or running."""
        deadline_s = time.monotonic() + SETTLE_S
        while time.monotonic() < deadline_s:
            _, stats = request(self._port, "GET", "/stats")
            if not stats["jobs"]["queued"] and not stats["jobs"]["running"]:
                return
            time.sleep(POLL_S)

    def _check(self) -> Outcome:
        found = Outcome()
        for client in self._clients:
            found.doubled += client.faults
            for job_id, number in client.jobs.items():
                self._check_job(job_id, number, found)
        self._check_rows(found)
        return found

    def _check_job(self, job_id: str, number: int, found: Outcome) -> None:
        """Check an acknowledged job over HTTP, as its client would."""
        found.jobs += 1
        status, job = request(self._port, "GET", f"/jobs/{job_id}")
        if status != 200:
            found.lost.append(f"{job_id}: {status}")
        elif job["state"] == "error" and job["error"]["kind"] == "InternalError":
            found.blamed += 1
        elif job["state"] != "done":
            found.lost.append(f"{job_id}: {job['state']} {job['error']}")
        else:
            status, content = request(self._port, "GET", f"/jobs/{job_id}/video")
            if status != 200 or content != "".join(lines_of(number)).encode():
                found.lost.append(f"{job_id}: its result is wrong ({status})")

    def _check_rows(self, found: Outcome) -> None:
        """Check the database: one end for each job, one job for each request."""
        path = self._results / "jobs.sqlite3"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            jobs = database.execute("SELECT id, idempotency_key, attempts, state FROM jobs")
            rows = jobs.fetchall()
            ends = Counter(row[0] for row in database.execute("SELECT job FROM ends"))
        keys = Counter(row[1] for row in rows)
        found.attempts = sum(row[2] for row in rows)
        found.doubled += [f"{row[0]}: {ends[row[0]]} ends" for row in rows if ends[row[0]] > 1]
        found.lost += [f"{row[0]}: {row[3]} without an end" for row in rows if not ends[row[0]]]
        found.doubled += [f"{key}: {count} jobs" for key, count in keys.items() if count > 1]
        folders = {path.name for path in (self._results / "jobs").iterdir()}
        stray = folders - {row[0] for row in rows if row[3] == "done"}
        found.doubled += [f"{name}: files without a job" for name in stray]


def kill(server: "subprocess.Popen[bytes]") -> None:
    """Kill all processes of a server at once."""
    with suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()
