"""Benchmark of data loss under `kill -9`, repeated while two sessions speak and are watched.

In each run a real server (gunicorn, film, journal) speaks and all of its processes are killed, half
of the time at one exact system call and half of the time at a random moment. The server is
started again and compared with what it had acknowledged: every byte that a viewer received is in
the film at its place; every acknowledged clip and fragment is in the transcript and decodes, by
time stamps and by counting; and speaking continues.
"""

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

import av
import cv2
import matplotlib as mpl

from bench.figure import Figure
from bench.films.kill_clients import (
    TEXTS,
    SessionRecord,
    speak,
    speak_and_reset,
    speak_with_events,
    watch,
)
from bench.films.kill_verification import DataLossError, verify
from bench.films.server_under_test import NETWORK_ERRORS, ROOT, Command, ServerUnderTest
from warm.avatars.store import AvatarStore
from warm.prepare.run import prepare

_PORTRAIT = "sample_data/grace_hopper.jpg"
_RUNS = 100
_SEED = 20
_MAX_LIFE_S = 1.2
_LAST_TEXT = " ".join(TEXTS)
"""Text that every session speaks without a kill after the last restart."""
_FAILURES = (DataLossError, *NETWORK_ERRORS, av.error.FFmpegError)
_CALLS = (
    *[("pwrite", 24, when) for when in ("before", "half", "after")],
    *[("fsync", 40, when) for when in ("before", "after")],
    *[("replace", 4, when) for when in ("before", "after")],
    *[("unlink", 3, when) for when in ("before", "after")],
    ("ftruncate", 2, "before"),
)
"""System calls at which a server may be killed: name, largest number of the call, and when."""


def measure(out: Path) -> list[Figure]:  # noqa: ARG001 - all topics take the folder of plots
    """Count the runs without data loss."""
    with TemporaryDirectory(prefix="warmtalk-bench-") as name:
        results = Path(name)
        _prepare_avatar(results)
        test = KillTest(results, _app_command, seed=_SEED)
        failures = test.run(_RUNS)
    print(
        f"kills: seed {_SEED}, {test.acknowledged} clips and fragments acknowledged,"
        f" {test.killed_at_call} servers killed at a chosen call"
    )
    for failure in failures:
        print(f"kills: {failure}", file=sys.stderr)
    return [
        Figure(
            name="kill -9: runs with committed bytes identical and acknowledged clips decodable",
            value=_RUNS - len(failures),
            unit="runs",
            goal=_RUNS,
            better="higher",
            n=_RUNS,
        )
    ]


def _prepare_avatar(results: Path) -> None:
    """Prepare the demo portrait at half its size, for a film that decodes quickly."""
    picture = cv2.imread(str(Path(mpl.get_data_path()) / _PORTRAIT))
    assert picture is not None
    small = results / "small.png"
    cv2.imwrite(str(small), cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
    prepare(small, avatar_id="demo", store=AvatarStore(results))


def _app_command(results: Path, port: int) -> list[str]:
    return [str(ROOT / "app.py"), "--port", str(port), "--results-dir", str(results)]


class KillTest:
    """Kills and restarts a server repeatedly, with one results folder."""

    def __init__(self, results: Path, command: Command, *, seed: int) -> None:
        self.results = results
        self.sessions = {
            "default": SessionRecord("default", results / "full_session.mp4"),
            "bob": SessionRecord("bob", results / "sessions" / "bob" / "full_session.mp4"),
        }
        self.acknowledged = 0
        """Number of fragments and clips, over all runs."""
        self.killed_at_call = 0
        """Number of servers killed at a chosen system call; the others were killed from outside."""
        self._command = command
        self._random = random.Random(seed)

    def run(self, runs: int) -> list[str]:
        """Kill a server `runs` times, then speak undisturbed; return a message for each loss."""
        failures = []
        kill_point = self._choose_kill_point()
        with self._running_server(kill_point) as server:
            self._speak_until_killed(server)
        for number in range(1, runs + 1):
            previous, kill_point = kill_point, self._choose_kill_point()
            with self._running_server(kill_point) as server:
                try:
                    self._verify(server)
                except _FAILURES as error:
                    failures.append(f"run {number}, killed at {previous}: {error!r}")
                    self._reset_all(server)
                if number < runs:
                    self._speak_until_killed(server)
        return [*failures, *self._speak_undisturbed()]

    def _choose_kill_point(self) -> str:
        """Choose the system call at which the next server is killed, or `never`."""
        if self._random.random() < 0.5:
            return "never"
        name, largest, when = self._random.choice(_CALLS)
        return f"{name}:{self._random.randint(1, largest)}:{when}"

    @contextmanager
    def _running_server(self, kill_point: str) -> Iterator[ServerUnderTest]:
        """Start a server; if it is killed during its recovery, start another without kill point."""
        server = ServerUnderTest(self._command, self.results, kill_point)
        try:
            if not server.wait_until_ready():
                self.killed_at_call += 1
                server.kill()
                server = ServerUnderTest(self._command, self.results, "never")
                if not server.wait_until_ready():
                    raise RuntimeError("A server without a kill point exited at its start.")
            yield server
        finally:
            server.kill()

    def _speak_until_killed(self, server: ServerUnderTest) -> None:
        """Run the clients of all sessions until the server is killed."""
        threads = [
            Thread(target=client, args=(server, record, random.Random(self._random.random())))
            for record in self.sessions.values()
            for client in (speak_and_reset, speak_with_events, watch)
        ]
        for thread in threads:
            thread.start()
        self.killed_at_call += server.wait_for_exit(self._random.uniform(0.05, _MAX_LIFE_S))
        server.kill()
        for thread in threads:
            thread.join()
        records = self.sessions.values()
        self.acknowledged += sum(len(each.clips) + len(each.fragments) for each in records)

    def _speak_undisturbed(self) -> list[str]:
        """Extend every film by some seconds, which makes it long enough to measure a lag."""
        try:
            with self._running_server("never") as server:
                for record in self.sessions.values():
                    speak(server, record, _LAST_TEXT)
                self._verify(server)
        except _FAILURES as error:
            return [f"after the last run: {error!r}"]
        return []

    def _verify(self, server: ServerUnderTest) -> None:
        for record in self.sessions.values():
            verify(record, server)

    def _reset_all(self, server: ServerUnderTest) -> None:
        for record in self.sessions.values():
            with suppress(*NETWORK_ERRORS):
                server.request("POST", "/reset", {"session_id": record.name})
            record.end_reset()
