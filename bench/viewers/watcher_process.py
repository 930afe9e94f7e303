"""Watchers of one growing film, in a process of their own.

`python -m bench.viewers.watcher_process KIND PORT COUNT FILM`. Each watcher fetches new bytes as
soon as they are available, and records when it has received them. The commit time of a fragment is
read from the journal of the film, which the server writes last. When standard input ends, the
process prints as JSON, for each watcher, the delay of every fragment.
"""

import asyncio
import json
import re
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from session.fragmented.journal import journal_path

POLL_S = 0.002
"""Interval of reading the journal: the accuracy of commit times."""
SETTLE_S = 5.0
CHUNK_BYTES = 65_536
SEGMENT = re.compile(r"#EXT-X-BYTERANGE:(\d+)@(\d+)\n(.*)")
SKIPPED = re.compile(r"#EXT-X-SKIP:SKIPPED-SEGMENTS=(\d+)")


@dataclass(slots=True)
class Watcher:
    """One watcher and the progress of its download."""

    port: int
    received: list[tuple[int, float]] = field(default_factory=list)
    """(First byte that is still missing, time)."""

    def record(self, end: int) -> None:
        """Record that everything before `end` has been received now."""
        self.received.append((end, time.perf_counter()))

    def has_all(self, end: int) -> bool:
        """Return True if everything before `end` has been received."""
        return bool(self.received) and self.received[-1][0] >= end

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection to the server."""
        return await asyncio.open_connection("127.0.0.1", self.port)


async def watch_stream(watcher: Watcher) -> None:
    """Read one endless response, as the page does; over HTTP/1.0, so that it is not chunked."""
    reader, writer = await watcher.connect()
    writer.write(b"GET /session/stream?from=0 HTTP/1.0\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    end = 0
    while chunk := await reader.read(CHUNK_BYTES):
        end += len(chunk)
        watcher.record(end)


async def watch_playlist(watcher: Watcher) -> None:
    """Reload the playlist, blocking until the next segment, and fetch each, as hls.js does."""
    reader, writer = await watcher.connect()
    path, known = "/session/live.m3u8", 0
    while True:
        playlist = (await fetch(reader, writer, path)).decode()
        skipped = SKIPPED.search(playlist)
        first = int(skipped.group(1)) if skipped else 0
        segments = SEGMENT.findall(playlist)
        for size, offset, uri in segments[max(0, known - first) :]:
            end = int(offset) + int(size)
            await fetch(reader, writer, f"/session/{uri}", f"Range: bytes={offset}-{end - 1}\r\n")
            watcher.record(end)
        known = first + len(segments)
        path = f"/session/live.m3u8?_HLS_msn={known}&_HLS_skip=YES"


async def fetch(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, header: str = ""
) -> bytes:
    """Send one request on a persistent connection and return the response body."""
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{header}\r\n".encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    if not head.startswith(("http/1.1 200", "http/1.1 206")):
        raise RuntimeError(f"{path}: {head.splitlines()[0]}")
    length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
    return await reader.readexactly(length)


KINDS: dict[str, Callable[[Watcher], Awaitable[None]]] = {
    "stream": watch_stream,
    "playlist": watch_playlist,
}


async def record_commits(film: Path, commits: dict[int, float]) -> None:
    """Record in `commits` when the end of each fragment appears in the journal."""
    journal, position = journal_path(film), 0
    while True:
        await asyncio.sleep(POLL_S)
        if not journal.exists() or journal.stat().st_size == position:
            continue
        now = time.perf_counter()
        with journal.open("rb") as file:
            file.seek(position)
            new = file.read()
        complete = new[: new.rfind(b"\n") + 1]
        position += len(complete)
        for line in complete.splitlines():
            if "end" in (entry := json.loads(line)):
                commits[entry["end"]] = now


def delays_s(watcher: Watcher, commits: dict[int, float]) -> list[float]:
    """Return for each fragment the time from its commit to its last byte."""
    delays = []
    for end, committed in commits.items():
        arrived = next((when for received, when in watcher.received if received >= end), None)
        if arrived is None:
            raise RuntimeError(f"a watcher never received the fragment that ends at byte {end}")
        delays.append(max(0.0, arrived - committed))
    return delays


async def main(kind: str, port: int, count: int, film: Path) -> None:
    """Watch until standard input ends; then print the delays."""
    commits: dict[int, float] = {}
    watchers = [Watcher(port) for _ in range(count)]
    tasks = [asyncio.ensure_future(KINDS[kind](watcher)) for watcher in watchers]
    tasks.append(asyncio.ensure_future(record_commits(film, commits)))
    print("watching", flush=True)
    ended = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    done, _ = await asyncio.wait([*tasks, ended], return_when=asyncio.FIRST_COMPLETED)
    for task in done - {ended}:
        task.result()  # raises the watcher's own error
        raise RuntimeError("the server ended a response too early")
    await wait_for_downloads(watchers, commits)
    for task in tasks:
        task.cancel()
    print(json.dumps([delays_s(watcher, commits) for watcher in watchers]), flush=True)


async def wait_for_downloads(watchers: list[Watcher], commits: dict[int, float]) -> None:
    """Wait until every watcher has received every committed fragment, SETTLE_S at most."""
    deadline = time.perf_counter() + SETTLE_S
    while time.perf_counter() < deadline:
        if all(watcher.has_all(max(commits)) for watcher in watchers):
            return
        await asyncio.sleep(POLL_S)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])))
