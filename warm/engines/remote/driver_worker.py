"""Main program of the driver: the process that is connected to Ray, started by `driver.py`.

Ray terminates its client process when the cluster is lost, and changes its signal handlers; a
separate process limits the effect. The driver ends with the head, and a local Ray with the driver.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import pickle
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from isolation.protocol import Payload
from isolation.worker_setup import redirect_to_null
from warm.engines.remote.dispatcher import Work
from warm.engines.remote.errors import kind_of
from warm.engines.remote.fleet import Fleet, StartRequest
from warm.engines.remote.options import DriverSettings
from warm.engines.remote.packing import PackedPatches
from warm.engines.remote.parcel import AvatarParcel
from warm.engines.remote.wire import Wire

DRAIN_S = 2.0
"""Longest wait for work in progress at shutdown."""
END_S = 6.0
"""Time after the end of the head after which this process is killed if it still runs."""
LOCK = "in-use"
"""File in the folder of a local Ray, locked while the folder is in use."""

Header = dict[str, Any]
Reply = tuple[Header, list[Any]]
"""Header and payload of an answer."""
Handler = Callable[[Header, Payload], Awaitable[Reply]]


class Driver:
    """Answers the messages of the head. Everything runs in one event loop."""

    def __init__(self, wire: Wire, fleet: Fleet) -> None:
        self._wire, self._fleet = wire, fleet
        self._dispatcher = fleet.dispatcher
        self._tasks: set[asyncio.Task[None]] = set()
        self._work: dict[str, Handler] = {
            "draw": self._draw,
            "encode": self._encode,
            "load_avatar": self._load_avatar,
            "unload_avatar": self._unload_avatar,
            "release": self._release,
            "wait_until_usable": self._wait_until_usable,
        }

    def receive(self, header: dict[str, Any], payload: Payload) -> None:
        """Handle a message; if it has a number, it is answered later."""
        work = self._work[header["kind"]]
        task = asyncio.ensure_future(self._answer(header, partial(work, header, payload)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def report(self) -> None:
        """Send the state of all actors."""
        usable = self._dispatcher.usable
        actors = [
            {"facts": without(actor.facts, "error"), **actor.row()} for actor in self._fleet.actors
        ]
        self._send(
            {
                "kind": "status",
                "usable": len(usable),
                "wanted": self._fleet.wanted,
                "actors": actors,
            }
        )

    async def _answer(self, header: dict[str, Any], work: Callable[[], Awaitable[Reply]]) -> None:
        try:
            answer, payload = await work()
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - reported as the answer
            answer, payload = {"error": kind_of(error), "message": str(error)}, []
            if isinstance(error, asyncio.TimeoutError):
                answer["message"] = "no answer in time"
        if "id" in header:
            self._send({"kind": "answer", "id": header["id"], **answer}, payload)

    def _send(self, header: dict[str, Any], payload: Any = ()) -> None:
        with suppress(OSError):  # the head has ended, which the reader notices
            self._wire.send(header, payload)

    async def _wait_until_usable(self, _header: Header, _payload: Payload) -> Reply:
        await self._fleet.wait_until_usable()
        self.report()
        return {}, []

    async def _draw(self, header: Header, payload: Payload) -> Reply:
        features = np.frombuffer(payload, np.float32).reshape(header["shape"])
        keys = [tuple(header["keys"][index]) for index in header["which"]]
        works, start = [], 0
        for size in self._dispatcher.parts(len(features)):
            part = slice(start, start + size)
            start += size
            works.append(
                Work(
                    method="draw",
                    arguments=(keys[part], header["frames"][part], features[part]),
                    frames=size,
                    avatars=frozenset(keys[part]),
                )
            )
        drawn: list[PackedPatches] = await asyncio.gather(*map(self._dispatcher.run, works))
        places = np.concatenate([part.places for part in drawn])
        return {"patches": len(places)}, [places, *(part.pixels for part in drawn)]

    async def _encode(self, header: Header, payload: Payload) -> Reply:
        arguments = pickle.loads(payload)
        work = Work(method=header["method"], arguments=arguments, frames=header["frames"])
        rows = np.ascontiguousarray(await self._dispatcher.run(work), np.float32)
        return {"shape": rows.shape}, [rows]

    async def _load_avatar(self, _header: Header, payload: Payload) -> Reply:
        parcel: AvatarParcel = pickle.loads(payload)
        await self._fleet.load_avatar(parcel)
        return {}, []

    async def _unload_avatar(self, header: Header, _payload: Payload) -> Reply:
        avatar_id, digest = header["key"]
        await self._fleet.unload_avatar((avatar_id, digest))
        return {}, []

    async def _release(self, _header: Header, _payload: Payload) -> Reply:
        self._fleet.release_cached_memory()
        return {}, []


class LogSender(logging.Handler):
    """Sends log records to the head."""

    def __init__(self, wire: Wire) -> None:
        super().__init__()
        self._wire = wire

    def emit(self, record: logging.LogRecord) -> None:
        """Send a record; it is lost if the head has ended."""
        with suppress(OSError):
            self._wire.send(
                {"kind": "log", "level": record.levelno, "message": record.getMessage()}
            )


async def serve(wire: Wire, settings: DriverSettings) -> None:
    """Connect, start the actors, and answer messages until the head has ended."""
    from warm.engines.remote.ray_cluster import connect  # noqa: PLC0415  slow

    cluster = connect(settings.cluster, settings.folder)
    fleet = Fleet(
        cluster,
        list(cluster.actors()),
        StartRequest(pickled=settings.pickled, versions=settings.versions),
        spares=settings.cluster.spares,
        deadline_s=settings.cluster.deadline_s,
        on_change=lambda: driver.report(),  # noqa: PLW0108 - made below
    )
    driver = Driver(wire, fleet)
    for parcel in settings.parcels:
        fleet.add_avatar(parcel)
    wire.send({"kind": "connected"})
    fleet.begin()
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    threading.Thread(
        target=read_messages, args=(wire, loop, driver.receive, ended), daemon=True
    ).start()
    await ended.wait()
    await fleet.drain(DRAIN_S)
    fleet.close()


def read_messages(
    wire: Wire,
    loop: asyncio.AbstractEventLoop,
    receive: Callable[[dict[str, Any], Payload], None],
    ended: asyncio.Event,
) -> None:
    """Pass messages to the loop until the head has ended. Runs on its own thread."""
    with suppress(EOFError, OSError, ValueError):
        while True:
            header, payload = wire.receive()
            loop.call_soon_threadsafe(receive, header, payload)
    loop.call_soon_threadsafe(ended.set)
    time.sleep(END_S)
    os.killpg(0, signal.SIGKILL)


def main() -> None:
    """Read the settings from the socket, which is stdin, and serve."""
    wire = Wire(socket.socket(fileno=os.dup(0)))
    redirect_to_null(0)  # Ray's processes inherit stdin, and would keep the connection open
    _, payload = wire.receive()
    settings: DriverSettings = pickle.loads(payload)
    logging.getLogger().setLevel(logging.INFO)
    logging.getLogger("warm").addHandler(LogSender(wire))
    logging.getLogger("ray").addHandler(logging.NullHandler())
    lock = locked_folder(settings.folder)
    try:
        asyncio.run(serve(wire, settings))
    except Exception as error:  # noqa: BLE001 - reported to the head
        with suppress(OSError):
            message = str(error) or type(error).__name__
            wire.send({"kind": "failed", "error": kind_of(error), "message": message})
    finally:
        end_ray()
        shutil.rmtree(settings.folder, ignore_errors=True)
        os.close(lock)


def locked_folder(folder: Path) -> int:
    """Make and lock the folder of a local Ray; remove those left behind by killed drivers."""
    new = folder.with_name(f".{folder.name}")
    new.mkdir(mode=0o700)
    lock = os.open(new / LOCK, os.O_CREAT | os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    new.rename(folder)  # locked before another driver can find it
    for left in folder.parent.glob(f"{folder.name.rpartition('-')[0]}-*"):
        with suppress(OSError):  # another user's, or in use
            other = os.open(left / LOCK, os.O_RDWR)
            try:
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(other)
    return lock


def end_ray() -> None:
    """End the actors and, if there is one, the local Ray."""
    ray = sys.modules.get("ray")
    if ray is not None:
        ray.shutdown()


def without(values: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the values without one of them."""
    return {key: value for key, value in values.items() if key != name}


if __name__ == "__main__":
    main()
