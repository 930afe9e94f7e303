"""The remote engine: an engine that runs in Ray actors. Only its driver process imports Ray."""

from __future__ import annotations

import pickle
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tts.speech import Speech
from warm.avatars.avatar import Avatar, AvatarBuild
from warm.engines.base import (
    ExtendableEngine,
    HeadEncoder,
    ListeningEngine,
    Patch,
    PatchRequest,
    StreamingEngine,
)
from warm.engines.remote.dispatcher import divided
from warm.engines.remote.driver import JOIN_S, START_RAY_S, Answer, DriverProcess
from warm.engines.remote.errors import ClusterUnreachable
from warm.engines.remote.options import RemoteOptions
from warm.engines.remote.packing import PackedPatches, unpack
from warm.engines.remote.parcel import Key, key_of, parcel_of

START_S = 620.0
"""Longest wait for the first actor whose engine is loaded."""
ANSWER_S = 60.0
"""Longest wait for patches, features or an avatar while there is no actor."""
SILENT_S = 15.0
"""A driver that reports nothing for this long is considered hung."""
NO_STATUS: dict[str, Any] = {"usable": 0, "wanted": 0, "actors": []}
"""Status of a driver without actors."""


@dataclass(slots=True, eq=False)
class RemotePatches:
    """A batch in flight; it is sent again if the connection is lost. May be used by any thread."""

    header: dict[str, Any]
    features: NDArray[np.float32]
    answer: Future[Answer] = field(default_factory=Future)

    def wait(self, timeout_s: float) -> bool:
        """Wait for the patches; True if `patches` would return at once."""
        try:
            self.answer.exception(timeout_s)
        except TimeoutError:
            return False
        return True

    def patches(self) -> list[Patch]:
        """Return the patches; raises the engine's errors, and EngineLost after ANSWER_S."""
        try:
            header, payload = self.answer.result(ANSWER_S)
        except TimeoutError:
            self.answer.cancel()
            raise ClusterUnreachable(f"no actor has drawn a batch within {ANSWER_S:g} s") from None
        return unpack(packed_patches(header["patches"], np.frombuffer(payload, np.uint8)))


class RemoteEngine:
    """Implements `warm.engines.base.Engine` for any engine; actors do the work.

    The optional interfaces are those of that engine. Speech is encoded here if the engine is a
    `HeadEncoder`; avatars are prepared here in any case. Owned by one thread, except `load`.
    """

    name = "remote"

    def __init__(self, options: RemoteOptions) -> None:
        """Create the inner engine, which only prepares avatars; starts no process."""
        self._options = options
        self._inner = inner = options.make_inner()
        self._parcels: dict[Key, Avatar] = {}
        self._driver: DriverProcess | None = None
        self._status = NO_STATUS
        self._status_s = time.monotonic()
        self._is_loaded = False
        self._keeps_driver = False
        """True if the driver works but no actor does: a load waits for one."""
        self._unanswered: set[RemotePatches] = set()
        if isinstance(inner, StreamingEngine):
            self.lookahead_s = inner.lookahead_s
            self.encode_part = self._encode_part
        if isinstance(inner, ListeningEngine) and isinstance(inner, HeadEncoder):
            self.sound_lookahead_s, self.listen = inner.sound_lookahead_s, inner.listen
        if isinstance(inner, ExtendableEngine):
            self.extend = inner.extend

    @property
    def benefits_from_batching(self) -> bool:
        """The value of the actors' engine."""
        return self._inner.benefits_from_batching

    @property
    def largest_batch(self) -> int | None:
        """The largest batch of one actor, times the number of actors."""
        sizes = [facts["largest_batch"] for facts in self._facts()]
        known = [size for size in sizes if size is not None]
        return min(known) * len(sizes) if known else None

    def round_up_batch(self, frames: int) -> int:
        """Round up each actor's part as its engine does."""
        facts = self._facts()
        parts = len(divided(frames, len(facts)))
        rounded = facts[0]["rounded"] if facts else []
        part = -(-frames // parts)
        return max(frames, parts * rounded[part - 1]) if part <= len(rounded) else frames

    def load(self) -> None:
        """Connect to Ray, and wait for an actor whose engine is loaded.

        Raises ClusterUnreachable, VersionsDiffer, BadCluster, and the errors of the engine's load.
        """
        if isinstance(self._inner, HeadEncoder):
            self._inner.load_encoder()
        self._keeps_driver = False
        try:
            self._connect()
        except BaseException:
            self.unload()
            raise
        self._is_loaded = True
        for batch in list(self._unanswered):
            self._send(batch)

    def unload(self) -> None:
        """End the actors, and a local Ray, after the work in progress.

        After the loss of all actors, they are kept until `load`: Ray restarts them.
        """
        self._is_loaded = False
        if self._driver is not None and not self._keeps_driver:
            driver, self._driver = self._driver, None
            driver.stop()
            self._status = NO_STATUS

    def release_cached_memory(self) -> None:
        """Free memory that the actors keep only for the next batch."""
        if self._driver is not None:
            self._driver.post({"kind": "release"})

    def prepare(self, build: AvatarBuild) -> None:
        """Add the engine's data to an avatar, in this process, without any actor."""
        self._inner.prepare(build)

    def load_avatar(self, avatar: Avatar) -> None:
        """Load an avatar on all actors; without a connection, check that the engine accepts it.

        Raises AvatarOutdated, EngineOutOfMemory, EngineLost.
        """
        if not self._is_loaded:
            self._inner.load_avatar(avatar)
            self._inner.unload_avatar(avatar)
        self._parcels[key_of(avatar)] = avatar
        if self._driver is None:
            return
        parcel = pickle.dumps(parcel_of(avatar))
        answer = self._driver.request({"kind": "load_avatar"}, [parcel])
        if self._is_loaded:
            try:
                self._result(answer)
            except BaseException:
                self._parcels.pop(key_of(avatar), None)
                raise

    def unload_avatar(self, avatar: Avatar) -> None:
        """Drop an avatar on all actors."""
        if self._parcels.pop(key_of(avatar), None) is not None and self._driver is not None:
            self._driver.post({"kind": "unload_avatar", "key": key_of(avatar)})

    def encode_speech(self, speech: Speech, *, frames: int, fps: int) -> NDArray[np.float32]:
        """Return the features of a sentence, from an actor if encoding needs its device."""
        if isinstance(self._inner, HeadEncoder):
            return self._inner.encode_speech(speech, frames=frames, fps=fps)
        return self._encoded("encode_speech", (speech, frames, fps), frames)

    def submit(self, requests: Sequence[PatchRequest]) -> RemotePatches:
        """Send a batch to the actors; their avatars must be loaded."""
        keys = list(dict.fromkeys(key_of(request.avatar) for request in requests))
        places = {key: index for index, key in enumerate(keys)}
        features = np.stack([request.features for request in requests])
        header = {
            "kind": "draw",
            "keys": keys,
            "which": [places[key_of(request.avatar)] for request in requests],
            "frames": [int(request.frame) for request in requests],
            "shape": features.shape,
        }
        batch = RemotePatches(header, np.ascontiguousarray(features, np.float32))
        self._unanswered.add(batch)
        self._send(batch)
        return batch

    def device_status(self) -> dict[str, Any]:
        """Devices of the actors, their total memory, and a row per actor.

        Raises ClusterUnreachable while no actor works.
        """
        if self._is_loaded:
            self._check_connection()
        devices = [facts["device"] for facts in self._facts()]
        names = sorted({str(device.get("device")) for device in devices})
        memory = {name: total(devices, f"memory_{name}_gb") for name in ("used", "total", "free")}
        first = devices[0] if devices else {}
        spares = sum(actor["state"] == "spare" for actor in self._status["actors"])
        counts = f"{len(devices)} of {self._status['wanted']} actors"
        counts += f" and {spares} spare" if spares else ""
        return {
            **first,
            **{f"memory_{name}_gb": value for name, value in memory.items()},
            "device": f"{counts}: {', '.join(names)}" if devices else None,
            "actors": [without_facts(actor) for actor in self._status["actors"]],
        }

    def _connect(self) -> None:
        """Start the driver, unless it runs, and wait for an actor."""
        if self._driver is None:
            parcels = [parcel_of(avatar) for avatar in self._parcels.values()]
            self._driver = DriverProcess(self._options, parcels, self._note_status)
            cluster = self._options.cluster
            limit_s = START_RAY_S if cluster.is_local else JOIN_S + cluster.connect_s
            self._driver.wait_until_connected(limit_s)
        usable = self._driver.request({"kind": "wait_until_usable"})
        try:
            usable.result(START_S)
        except TimeoutError:
            raise ClusterUnreachable(f"no actor has started within {START_S:g} s") from None

    def _check_connection(self) -> None:
        """Raise ClusterUnreachable unless an actor works."""
        driver = self._driver
        if driver is None or not driver.is_alive:
            raise ClusterUnreachable("the connection to Ray was lost")
        if time.monotonic() - self._status_s > SILENT_S:
            driver.kill()
            raise ClusterUnreachable(
                f"the process that is connected to Ray reported nothing for {SILENT_S:g} s"
            )
        if not self._status["usable"]:
            self._keeps_driver = True
            reasons = {actor["reason"] for actor in self._status["actors"] if actor["reason"]}
            raise ClusterUnreachable(
                f"none of the {len(self._status['actors'])} actors works: "
                f"{'; '.join(sorted(reasons))}"
            )

    def _send(self, batch: RemotePatches) -> None:
        """Send a batch; without a connection it stays among those that the next load sends."""
        if self._driver is None:
            raise RuntimeError("the engine is not loaded")
        sent = self._driver.request(batch.header, [batch.features.reshape(-1)])
        sent.add_done_callback(lambda done: self._note_answer(batch, done))

    def _note_answer(self, batch: RemotePatches, sent: Future[Answer]) -> None:
        """Accept an answer; if it reports the end of the driver, send the batch again instead."""
        error = sent.exception()
        if isinstance(error, ClusterUnreachable) and not batch.answer.done():
            return
        self._unanswered.discard(batch)
        if batch.answer.done():
            return
        if error is None:
            batch.answer.set_result(sent.result())
        else:
            batch.answer.set_exception(error)

    def _note_status(self, status: dict[str, Any]) -> None:
        if self._driver is not None:  # ignore a late report of a driver that is being stopped
            self._status, self._status_s = status, time.monotonic()

    def _facts(self) -> list[dict[str, Any]]:
        """Facts of the actors that work."""
        actors = self._status["actors"]
        return [actor["facts"] for actor in actors if actor["state"] in {"ready", "late"}]

    def _encode_part(
        self, speech: Speech, *, start: int, stop: int, fps: int
    ) -> NDArray[np.float32]:
        if isinstance(self._inner, HeadEncoder):
            assert isinstance(self._inner, StreamingEngine)
            return self._inner.encode_part(speech, start=start, stop=stop, fps=fps)
        return self._encoded("encode_part", (speech, start, stop, fps), stop - start)

    def _encoded(self, method: str, arguments: tuple[Any, ...], frames: int) -> NDArray[np.float32]:
        """Have an actor encode speech."""
        if self._driver is None:
            raise RuntimeError("the engine is not loaded")
        header = {"kind": "encode", "method": method, "frames": frames}
        answer, payload = self._result(self._driver.request(header, [pickle.dumps(arguments)]))
        return np.frombuffer(payload, np.float32).reshape(answer["shape"])

    def _result(self, answer: Future[Answer]) -> Answer:
        try:
            return answer.result(ANSWER_S)
        except TimeoutError:
            raise ClusterUnreachable(f"no actor has answered within {ANSWER_S:g} s") from None


def packed_patches(count: int, content: NDArray[np.uint8]) -> PackedPatches:
    """Return the packed patches of an answer."""
    size = count * 8 * 8
    return PackedPatches(content[:size].view(np.float64).reshape(count, 8), content[size:])


def total(devices: Sequence[Mapping[str, Any]], name: str) -> float | None:
    """Return the sum of a value over the devices that have it; None if none has."""
    values = [device[name] for device in devices if device.get(name) is not None]
    return round(sum(values), 3) if values else None


def without_facts(actor: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of an actor for `GET /stats`, without its facts."""
    return {name: value for name, value in actor.items() if name != "facts"}
