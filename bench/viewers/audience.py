"""People who watch one growing film, in a process of their own: `python -m bench.audience`.

They only fetch, as fast as what is new is there, and note when the last byte of each fragment has
come. When that fragment was committed is read off the film's journal, which the server writes
last. At the end of standard input they tell, as JSON, how late each fragment came to each of them.
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

LOOK_S = 0.002
"""How often the journal is looked at: what the times of commitment are exact to."""
SETTLE_S = 5.0
CHUNK_BYTES = 65_536
SEGMENT = re.compile(r"#EXT-X-BYTERANGE:(\d+)@(\d+)\n(.*)")
SKIPPED = re.compile(r"#EXT-X-SKIP:SKIPPED-SEGMENTS=(\d+)")


@dataclass(slots=True)
class Watcher:
    """One of them."""

    port: int
    reached: list[tuple[int, float]] = field(default_factory=list)
    """(First byte that it does not have, when)."""

    def note(self, end: int) -> None:
        """It has everything up to `end` now."""
        self.reached.append((end, time.perf_counter()))

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to the server."""
        return await asyncio.open_connection("127.0.0.1", self.port)


async def watch_stream(watcher: Watcher) -> None:
    """One long answer, as the page reads it. HTTP/1.0, so that nothing stands between bytes."""
    reader, writer = await watcher.connect()
    writer.write(b"GET /session/stream?from=0 HTTP/1.0\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    end = 0
    while chunk := await reader.read(CHUNK_BYTES):
        end += len(chunk)
        watcher.note(end)


async def watch_playlist(watcher: Watcher) -> None:
    """Reloads that wait for the next segment, and a request for each, as hls.js does."""
    reader, writer = await watcher.connect()
    asked, known = "/session/live.m3u8", 0
    while True:
        listed = (await fetch(reader, writer, asked)).decode()
        skipped = SKIPPED.search(listed)
        first = int(skipped.group(1)) if skipped else 0
        segments = SEGMENT.findall(listed)
        for size, offset, uri in segments[max(0, known - first) :]:
            end = int(offset) + int(size)
            await fetch(reader, writer, f"/session/{uri}", f"Range: bytes={offset}-{end - 1}\r\n")
            watcher.note(end)
        known = first + len(segments)
        asked = f"/session/live.m3u8?_HLS_msn={known}&_HLS_skip=YES"


async def fetch(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, head: str = ""
) -> bytes:
    """One request of many on a connection."""
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{head}\r\n".encode())
    answer = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    if not answer.startswith(("http/1.1 200", "http/1.1 206")):
        raise RuntimeError(f"{path}: {answer.splitlines()[0]}")
    length = int(answer.partition("content-length: ")[2].partition("\r\n")[0])
    return await reader.readexactly(length)


KINDS: dict[str, Callable[[Watcher], Awaitable[None]]] = {
    "stream": watch_stream,
    "playlist": watch_playlist,
}


async def note_commits(film: Path, commits: dict[int, float]) -> None:
    """When the end of each fragment was seen in the journal."""
    journal, read = journal_path(film), 0
    while True:
        await asyncio.sleep(LOOK_S)
        if not journal.exists() or journal.stat().st_size == read:
            continue
        now = time.perf_counter()
        with journal.open("rb") as file:
            file.seek(read)
            fresh = file.read()
        whole = fresh[: fresh.rfind(b"\n") + 1]
        read += len(whole)
        for line in whole.splitlines():
            if "end" in (entry := json.loads(line)):
                commits[entry["end"]] = now


def lags_s(watcher: Watcher, commits: dict[int, float]) -> list[float]:
    """How long after its commitment each fragment had come."""
    found = []
    for end, committed in commits.items():
        came = next((when for reached, when in watcher.reached if reached >= end), None)
        if came is None:
            raise RuntimeError(f"a watcher never got the fragment that ends at byte {end}")
        found.append(max(0.0, came - committed))
    return found


async def main(kind: str, port: int, count: int, film: Path) -> None:
    """Watch until standard input ends; then print the lags."""
    commits: dict[int, float] = {}
    watchers = [Watcher(port) for _ in range(count)]
    tasks = [asyncio.ensure_future(KINDS[kind](watcher)) for watcher in watchers]
    tasks.append(asyncio.ensure_future(note_commits(film, commits)))
    print("watching", flush=True)
    ended = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    done, _ = await asyncio.wait([*tasks, ended], return_when=asyncio.FIRST_COMPLETED)
    for task in done - {ended}:
        task.result()  # what went wrong
        raise RuntimeError("an answer ended before the watching did")
    deadline = time.perf_counter() + SETTLE_S
    while time.perf_counter() < deadline and not all(
        watcher.reached and watcher.reached[-1][0] >= max(commits) for watcher in watchers
    ):
        await asyncio.sleep(LOOK_S)
    for task in tasks:
        task.cancel()
    print(json.dumps([lags_s(watcher, commits) for watcher in watchers]), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])))
