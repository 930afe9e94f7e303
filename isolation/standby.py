"""Processes that wait for the files that they will read."""

from threading import Lock, Thread

from isolation.process import WorkerProcess
from isolation.reading import ReadFailed, command_of


class Standby:
    """Processes that are started before an input arrives. Any thread."""

    def __init__(self, program: str, modules: tuple[str, ...], count: int = 1) -> None:
        """Each process runs the `main` of `program`, and imports `modules` before it is used."""
        self._command = command_of(program, *modules)
        self._count = count
        self._ready: list[WorkerProcess] = []
        self._lock = Lock()
        self._is_open = False

    def open(self) -> None:
        """Start the processes, in the background."""
        with self._lock:
            self._is_open = True
        self._refill()

    def take(self) -> WorkerProcess:
        """Return a process that has started, or is starting; raises ReadFailed."""
        with self._lock:
            usable = [each for each in self._ready if each.is_usable]
            dead = [each for each in self._ready if each not in usable]
            worker = usable.pop(0) if usable else None
            self._ready = usable
        for each in dead:
            each.kill()
        self._refill()
        return worker or self._start()

    def close(self) -> None:
        """End the processes that were not used."""
        with self._lock:
            self._is_open = False
            unused, self._ready = self._ready, []
        for each in unused:
            each.kill()

    def _refill(self) -> None:
        if self._is_open:
            Thread(target=self._fill, name="standby", daemon=True).start()

    def _fill(self) -> None:
        while True:
            with self._lock:
                if not self._is_open or len(self._ready) >= self._count:
                    return
                try:
                    self._ready.append(self._start())
                except ReadFailed:  # reported to the next request that needs a process
                    return

    def _start(self) -> WorkerProcess:
        try:
            return WorkerProcess(self._command)
        except OSError as error:
            raise ReadFailed(
                f"No process can be started to read the input: {error.strerror}. Check whether "
                "memory, processes or open files have run out."
            ) from error
