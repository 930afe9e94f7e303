"""The connection to Ray, and calls to its actors. Imports Ray; only the driver imports this."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import ray
from ray import cloudpickle, exceptions
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from warm.engines.base import EngineOutOfMemory
from warm.engines.remote import actor as actor_module
from warm.engines.remote.actor import EngineActor
from warm.engines.remote.actors import Actor, ActorGone
from warm.engines.remote.errors import BadCluster, ClusterUnreachable, VersionsDiffer
from warm.engines.remote.options import CLIENT_SCHEME, LOCAL, ClusterOptions
from warm.engines.remote.parcel import AvatarParcel, FileArray

FULL = (exceptions.ObjectStoreFullError, exceptions.OutOfDiskError)
KILL_TIMEOUT_S = 5.0
"""Longest wait for the end of a process on another machine."""


class RayLink:
    """Calls to one Ray actor. `start` creates it, and creates another one after its end.

    Ray restarts no actor by itself, so a process starts no earlier than its engine.
    """

    def __init__(self, create: Callable[[], Any]) -> None:
        """`create` returns the handle of a new actor."""
        self._create = create
        self._handle: Any = None

    async def call(self, method: str, *arguments: Any) -> Any:
        """Return the answer; raises ActorGone, and EngineOutOfMemory for a full object store."""
        if self._handle is None and method == "start":
            self._handle = self._create()
        handle = self._handle
        if handle is None:
            raise ActorGone("it has ended", was_working=False)
        try:
            return await handle.call.remote(method, *arguments)
        except FULL as full:
            raise EngineOutOfMemory(
                f"the object store of Ray is full: {first_line(full)}"
            ) from None
        except exceptions.RayTaskError as failed:
            return {"error": "failed", "message": str(failed)}
        except exceptions.ActorDiedError as died:
            if self._handle is handle:
                self._handle = None
            raise ActorGone(first_line(died)) from None
        except exceptions.RayError as gone:
            raise ActorGone(first_line(gone)) from None


class RayCluster:
    """A cluster to which this process is connected."""

    def __init__(self, options: ClusterOptions) -> None:
        self._options = options

    def actors(self) -> list[RayLink]:
        """Return the actors, with spares, whose engines are not loaded; raises BadCluster."""
        cloudpickle.register_pickle_by_value(actor_module)  # type: ignore[no-untyped-call]
        gpus = gpus_of_cluster() if self._options.uses_gpu else 0
        spares = self._options.spares
        count = (self._options.actors or max(1, gpus - spares)) + spares
        if 0 < gpus < count:
            raise BadCluster(
                f"remote_actors and remote_spares are {count} together, but the cluster has {gpus} "
                f"GPU(s), of which each takes one. With device = 'cpu' they need no GPU"
            )
        made = ray.remote(EngineActor).options(
            num_gpus=1 if gpus else 0,
            num_cpus=0,
            max_restarts=0,
            max_task_retries=0,
            scheduling_strategy="SPREAD",
        )
        threads = os.environ.get("OMP_NUM_THREADS")
        return [RayLink(partial(made.remote, threads)) for _ in range(count)]

    async def wait_for_end(self, actor: Actor) -> bool:
        """Wait until the process of an actor has ended; False at once if it cannot be watched.

        Ray reports the end a second later, and only if there is a call without an answer.
        """
        if not self._is_here(actor):
            return False
        try:
            process = os.pidfd_open(actor.facts["pid"])
        except ProcessLookupError:
            return True
        except OSError:  # a kernel without it, or a sandbox that forbids it
            return False
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(process, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(process)
            os.close(process)
        return True

    async def end_process(self, actor: Actor) -> None:
        """End the process of an actor on any machine."""
        pid, node = actor.facts.get("pid"), actor.facts.get("node")
        if pid is None or node is None:
            return
        if self._is_here(actor):
            with suppress(ProcessLookupError):
                end_process(pid)
            return
        affinity = NodeAffinitySchedulingStrategy(node, soft=False)
        killer = ray.remote(end_process).options(
            num_cpus=0, max_retries=0, scheduling_strategy=affinity
        )
        with suppress(exceptions.RayError, TimeoutError):  # its machine may be gone
            await asyncio.wait_for(killer.remote(pid), KILL_TIMEOUT_S)

    def _is_here(self, actor: Actor) -> bool:
        """True if the actor runs on this machine."""
        if self._options.address.startswith(CLIENT_SCHEME):
            return False
        here = ray.get_runtime_context().get_node_id()
        return bool(actor.facts["node"] == here)

    async def store(self, parcel: AvatarParcel) -> AvatarParcel:
        """Put the arrays of an avatar into the object store; raises EngineOutOfMemory."""
        return await asyncio.to_thread(parcel.with_arrays, stored)


def gpus_of_cluster() -> int:
    """Return the number of GPUs of all machines."""
    return int(ray.cluster_resources().get("GPU", 0))  # type: ignore[no-untyped-call]


def end_process(pid: int) -> None:
    """End a process of this machine, even if it is stopped."""
    import os  # noqa: PLC0415  pickled by value
    import signal  # noqa: PLC0415

    os.kill(pid, signal.SIGKILL)


def stored(array: Any) -> Any:
    """Put an array into the object store; raises EngineOutOfMemory."""
    content = np.asarray(array.open() if isinstance(array, FileArray) else array)
    try:
        return ray.put(content)
    except FULL as full:
        raise EngineOutOfMemory(
            f"the object store of Ray is full; an avatar needs {content.nbytes / 1e6:.0f} MB: "
            f"{first_line(full)}"
        ) from None


def connect(options: ClusterOptions, folder: Path) -> RayCluster:
    """Connect to the cluster of the settings, or start one in `folder`.

    Raises ClusterUnreachable and VersionsDiffer.
    """
    if options.is_local:
        start_local(options, folder)
    else:
        check_reachable(options)
        if not options.address.startswith(CLIENT_SCHEME) and not has_node():
            raise BadCluster(
                f"ray_address = {options.address!r}: this machine is not a node of the cluster. "
                f"Run `ray start --address={options.address} --num-cpus=0 --num-gpus=0` on it, or "
                "use the address of the client server, ray://HOST:10001"
            )
        join(options)
    return RayCluster(options)


def start_local(options: ClusterOptions, folder: Path) -> None:
    """Start a local Ray, which ends with this process."""
    ray.init(
        address=LOCAL,
        include_dashboard=False,
        log_to_driver=False,
        configure_logging=False,
        num_cpus=0,
        num_gpus=None if options.uses_gpu else 0,
        _temp_dir=str(folder),
    )


def has_node() -> bool:
    """Return True if a Ray node runs on this machine, which a direct connection needs."""
    for path in Path("/proc").glob("[0-9]*/comm"):
        with suppress(OSError):  # it has ended
            if path.read_text(encoding="utf-8", errors="replace").strip() == "raylet":
                return True
    return False


def join(options: ClusterOptions) -> None:
    """Connect to a running cluster."""
    try:
        ray.init(address=options.address, log_to_driver=False, configure_logging=False)
    except RuntimeError as error:
        if "ersion" in str(error):
            raise VersionsDiffer(
                f"ray_address = {options.address!r}: the cluster has other versions. Install the "
                f"same ones on all machines: {first_line(error)}"
            ) from None
        raise unreachable(options, first_line(error)) from None
    except (ConnectionError, TimeoutError, ValueError) as error:
        raise unreachable(options, first_line(error)) from None


def check_reachable(options: ClusterOptions) -> None:
    """Raise ClusterUnreachable unless the address accepts a connection in time."""
    try:
        socket.create_connection(options.host_and_port, options.connect_s).close()
    except (OSError, ValueError) as error:
        raise unreachable(options, str(error)) from None


def unreachable(options: ClusterOptions, reason: str) -> ClusterUnreachable:
    """Return the error of a cluster that does not answer."""
    port = "client port, 10001" if options.address.startswith(CLIENT_SCHEME) else "port, 6379"
    return ClusterUnreachable(
        f"ray_address = {options.address!r} cannot be reached ({reason}). Start the cluster there "
        f"with `ray start --head` (its usual {port}), check the firewall and "
        "RAY_AUTH_TOKEN, which must be the cluster's, or choose ray_address = 'local'"
    )


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
