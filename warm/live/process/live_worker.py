"""Main program of the live process, which `LiveProcess` starts."""

import asyncio
import gc
import importlib
import logging
import os
import signal
import socket
import sys
from contextlib import suppress
from threading import Thread
from typing import Any

from isolation.allocator import limit_memory_kept
from isolation.worker_setup import end_with_parent, limit_anonymous_memory, raise_priority
from warm.live.live_server import LiveServer
from warm.live.process.link import Link
from warm.live.wire.media import receive_media
from warm.settings import Settings

NICE = -10
"""Nice value, where the system permits it: a late picture cannot be made up for, unlike rendering,
which is ahead of playback."""
MEMORY_BYTES = 4 << 30
"""Limit of the memory that no file backs. A process that needs more is faulty, and is replaced."""

log = logging.getLogger(__name__)


def main() -> None:
    """Serve the worker that started this process until it ends or closes the control socket."""
    control, media, parent = map(int, sys.argv[2:5])
    end_with_parent()
    if os.getppid() != parent:  # it ended before the kernel was asked to report that
        os._exit(0)
    for number in (signal.SIGINT, signal.SIGTERM):  # the worker decides when this process ends
        signal.signal(number, signal.SIG_IGN)
    raise_priority(NICE)
    limit_memory_kept()
    limit_anonymous_memory(MEMORY_BYTES)
    asyncio.run(serve(socket.socket(fileno=control), socket.socket(fileno=media)))
    os._exit(0)  # threads may be inside native code


async def serve(control: socket.socket, media: socket.socket) -> None:
    """Answer calls and receive media until the worker has closed the control socket."""
    loop = asyncio.get_running_loop()
    link = Link(control, media, loop=loop)
    logging.getLogger().addHandler(WorkerLog(link, loop))
    ended = asyncio.Event()
    calls: asyncio.Queue[tuple[dict[str, Any], list[int]]] = asyncio.Queue()
    link.listen(lambda *call: calls.put_nowait(call), ended.set)
    first, _ = await calls.get()
    server = LiveServer(Settings(**first["params"]["settings"]), link)
    for name in first["params"]["extensions"]:
        importlib.import_module(name).register(server)
    gc.freeze()  # what exists now is not garbage
    gc.collect()  # counts what is left: further collections are short and frequent
    Thread(target=receive, args=(media, server), name="media", daemon=True).start()
    link.answer(first["call"], {"result": {"pid": os.getpid()}})
    answering = asyncio.ensure_future(answer_all(calls, server, link))
    await ended.wait()
    await server.close()
    answering.cancel()


async def answer_all(
    calls: "asyncio.Queue[tuple[dict[str, Any], list[int]]]", server: LiveServer, link: Link
) -> None:
    """Answer calls as they arrive; one that waits delays no other."""
    tasks: set[asyncio.Task[None]] = set()

    async def answer(message: dict[str, Any], descriptors: list[int]) -> None:
        link.answer(message["call"], await server.answer(message, descriptors))

    while True:
        task = asyncio.ensure_future(answer(*await calls.get()))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


def receive(media: socket.socket, server: LiveServer) -> None:
    """Pass media on to the feeds until the worker has ended. On a thread of its own."""
    try:
        while True:
            server.take_media(*receive_media(media))
    except (EOFError, ConnectionError):
        return
    except Exception:
        log.exception("the media of the live process cannot be read")
        os._exit(1)  # the worker starts another process


class WorkerLog(logging.Handler):
    """Passes log records to the worker, which formats them. Any thread."""

    def __init__(self, link: Link, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(logging.INFO)
        self._link, self._loop = link, loop

    def emit(self, record: logging.LogRecord) -> None:
        """Send a record."""
        entry = {
            "name": record.name,
            "level": record.levelno,
            "message": record.getMessage(),
            "traceback": record.exc_info and logging.Formatter().formatException(record.exc_info),
        }
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._link.emit, "log", entry, b"")
