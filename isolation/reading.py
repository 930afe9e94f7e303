"""Reading of files from outside in a process of its own, which may crash, hang or be killed."""

import logging
import sys
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isolation.item import Item, unpack_item
from isolation.process import (
    ROOT,
    WorkerDied,
    WorkerFailed,
    WorkerKilled,
    WorkerProcess,
    WorkerTimeout,
)
from isolation.protocol import Payload

BOOT = (
    "import os, sys; sys.path.insert(0, sys.argv[1]); "
    "os.environ.update(OPENBLAS_NUM_THREADS='1', OPENCV_FOR_THREADS_NUM='1'); "
)
PROGRAM = "isolation.reading_worker"
"""Main program of a process that reads a file, for `Standby`."""

Reader = Callable[..., Iterator[Item]]
"""A function at the top level of a module. Its first argument is the path, the others are keywords
that JSON can express."""

REMEDY = (
    "The file is damaged, or a decoder has a fault. Convert the file with another program, and "
    "send the result."
)

log = logging.getLogger(__name__)


class OutOfMemory(Exception):
    """A reader exceeded its memory limit."""


class ReadFailed(RuntimeError):
    """The process that read a file failed; the message names the file, the cause and a remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadLimits:
    """Limits of one read. Time counts from one item to the next."""

    item_cpu_s: float = 60.0
    """CPU time of all threads of the process."""
    item_s: float = 120.0
    """Wall-clock time. Longer than `item_cpu_s`, for crowded machines and slow disks."""
    memory_bytes: int = 4 << 30
    """Address space that the process may take after its start."""


LIMITS = ReadLimits()


def read_isolated(
    reader: Reader,
    path: Path,
    *,
    raises: type[Exception],
    limits: ReadLimits = LIMITS,
    start: Callable[[], WorkerProcess] | None = None,
    **arguments: Any,
) -> Generator[Item, None, None]:
    """Yield the items of `reader(path, **arguments)`, which runs in a process of its own.

    The process computes at most a few items ahead. It ends when the last item was received or this
    generator is closed, and whenever this process ends. Exceptions of the type `raises` and its
    subclasses are raised here as if the reader had run here. Raises ReadFailed if the process dies,
    exceeds a limit, or fails with another exception. `start` returns a process of `PROGRAM`.
    """
    request = {
        "reader": [reader.__module__, reader.__qualname__],
        "path": str(path),
        "arguments": arguments,
        "item_cpu_s": limits.item_cpu_s,
        "memory_bytes": limits.memory_bytes,
    }
    worker = start_worker(path) if start is None else start()
    try:
        worker.send(request)
        while (item := next_item(worker, raises, timeout_s=limits.item_s)) is not None:
            yield item
    except WorkerTimeout as error:
        raise ReadFailed(f"Reading of {path} was stopped: it {error}. {REMEDY}") from error
    except WorkerKilled as error:
        raise ReadFailed(
            f"The process that read {path} {error}. The machine may have run out of memory: free "
            "some, or send a smaller file, and try again."
        ) from error
    except WorkerFailed as error:
        raise ReadFailed(f"The process that read {path} {error}. {REMEDY}") from error
    except OutOfMemory as error:
        raise ReadFailed(
            f"{path} needs more than {limits.memory_bytes / 1e9:.1f} GB of memory to be read: it "
            "is too large, or its header is damaged. Send a smaller file, or send it again."
        ) from error
    finally:
        worker.kill()


def command_of(program: str, *modules: str) -> tuple[str, ...]:
    """Return the command of a process that imports `modules` and runs the `main` of `program`.

    It keeps the working directory, for relative paths, but imports nothing from it. Libraries start
    no threads for calculations, which would take address space on a machine with many processors.
    """
    boot = f"{BOOT}from {program} import main; main()"
    return (sys.executable, "-P", "-c", boot, str(ROOT), *modules)


def start_worker(path: Path) -> WorkerProcess:
    """Start a process; raises ReadFailed."""
    try:
        return WorkerProcess(command_of(PROGRAM))
    except OSError as error:
        raise ReadFailed(
            f"No process can be started to read {path}: {error.strerror}. Check whether memory, "
            "processes or open files have run out."
        ) from error


def next_item(
    worker: WorkerProcess,
    raises: type[Exception],
    *,
    timeout_s: float,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> Item | None:
    """Return the next item, None after the last; raises the error of the reader."""
    header, payload = worker.next_message(timeout_s, is_cancelled)
    try:
        outcome = outcome_of(header, payload, raises)
    except (KeyError, TypeError, ValueError) as error:
        raise WorkerDied(f"answered with bytes that are not an item: {error}") from error
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def outcome_of(
    header: Mapping[str, Any], payload: Payload, raises: type[Exception]
) -> Item | Exception | None:
    """Return an item or the error of a message, or None for the end."""
    if "end" in header:
        return None
    if "out_of_memory" in header:
        return OutOfMemory()
    if "error" in header:
        return error_of(header, raises)
    return unpack_item(header, payload)


def error_of(header: Mapping[str, Any], raises: type[Exception]) -> Exception:
    """Return the error of a reader, as its own class if that is a subclass of `raises`."""
    message = str(header["error"])
    for module, name in header["classes"]:
        found = getattr(sys.modules.get(module), name, None)
        if isinstance(found, type) and issubclass(found, raises):
            return found(message)
    log.error("an unexpected error of a reader: %s", header["traceback"])
    return WorkerDied(f"failed with {header['classes'][0][1]}: {message}")
