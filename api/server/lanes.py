"""Pools of threads that run requests; those that must not wait for others have their own."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

PROBES = frozenset({"health", "livez"})
INTERRUPT = "interrupt"
OF_HEADS = frozenset({"own", "release", "jobs", "uploads", "avatars"})
"""Requests of other heads, below `heads`."""
COLLECTIONS = frozenset({"sessions", "avatars", "archives"})
"""Folders whose entries have names that clients choose, such as a session `health`."""
PROBE_THREADS = 2
INTERRUPT_THREADS = 4
HEAD_THREADS = 3
HANDOVER_THREADS = 2
FILM_SUFFIX = ".mp4"
FILM_THREADS = 4
"""Sending a film never waits for the client; its threads verify the bytes. More of them would only
compete with all others for the CPU."""

Task = Callable[[], None]


class Lane:
    """A pool of threads, and the tasks that wait for a free one. Owned by the event loop."""

    def __init__(self, name: str, threads: int, *, is_reserved: bool = True) -> None:
        self.is_reserved = is_reserved
        """True if it serves few requests, which must not wait for others."""
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._free = threads
        self._waiting: deque[Task] = deque()

    def add(self, task: Task, *, is_first: bool = False) -> None:
        """Run a task when a thread is free; `is_first` runs it before those that wait."""
        if is_first:
            self._waiting.appendleft(task)
        else:
            self._waiting.append(task)
        self._start()

    def discard(self, task: Task) -> bool:
        """Remove a task; False if it has started."""
        try:
            self._waiting.remove(task)
        except ValueError:
            return False
        return True

    def release(self) -> None:
        """Give back a thread: its task is done."""
        self._free += 1
        self._start()

    def close(self) -> None:
        """Accept no more tasks; does not wait for those that run."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _start(self) -> None:
        while self._free and self._waiting:
            self._free -= 1
            self._pool.submit(self._waiting.popleft())


class Lanes:
    """The lanes of the server. `/health`, `/livez`, `/interrupt` and the questions of other heads
    have threads of their own, so that a full server can be probed and interrupted. Films have few,
    and cannot take them all."""

    def __init__(self, threads: int) -> None:
        self._main = Lane("http", threads, is_reserved=False)
        self._probes = Lane("http-probe", PROBE_THREADS)
        self._films = Lane("http-film", FILM_THREADS, is_reserved=False)
        self._interrupts = Lane("http-interrupt", INTERRUPT_THREADS)
        self._heads = Lane("http-head", HEAD_THREADS)
        self.closing = Lane("http-close", 1)
        """Releases the resources of responses whose clients are gone."""
        self.handover = Lane("http-handover", HANDOVER_THREADS)
        """Passes on connections that continue elsewhere, which may take some seconds."""

    def __iter__(self) -> Iterator[Lane]:
        lanes = (self._main, self._films, self._probes, self._interrupts, self._heads)
        return iter((*lanes, self.closing, self.handover))

    def of(self, path: str, *, is_pipelined: bool = False) -> Lane:
        """Return the lane of a request. Its path may have a prefix, which only a proxy knows.

        A client that pipelines requests is not a probe, and might delay the probes of others.
        """
        folder, _, name = path.rpartition("/")
        if folder.rpartition("/")[2] == "heads" and name in OF_HEADS:
            return self._heads
        if folder.rpartition("/")[2] not in COLLECTIONS:
            if name in PROBES and not is_pipelined:
                return self._probes
            if name == INTERRUPT:
                return self._interrupts
        return self._films if path.endswith(FILM_SUFFIX) else self._main
