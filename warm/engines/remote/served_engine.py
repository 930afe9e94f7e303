"""The engine inside an actor. Used only by the actor's thread."""

import logging
import pickle
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tts.speech import Speech
from warm.avatars.avatar import Avatar
from warm.avatars.store import AvatarError
from warm.engines.base import Engine, PatchRequest, StreamingEngine
from warm.engines.remote.errors import kind_of
from warm.engines.remote.packing import PackedPatches, pack
from warm.engines.remote.parcel import AvatarParcel, Key

MOST_ROUNDED = 128
"""Largest batch in the table of `round_up_batch`."""

log = logging.getLogger(__name__)


class ServedEngine:
    """An engine, and the avatars that have been shipped to it."""

    def __init__(self, pickled: bytes) -> None:
        """`pickled`: the function that makes the engine. Raises the errors of unpickling it."""
        make: Callable[[], Engine] = pickle.loads(pickled)
        self._engine = make()
        self._avatars: dict[Key, Avatar] = {}

    def start(self) -> dict[str, Any]:
        """Load the engine; return its facts, or an error."""
        return self._answered(self._load)  # type: ignore[no-any-return]

    def call(self, method: str, *arguments: Any) -> Any:
        """Call a method; return its result, or an error."""
        return self._answered(partial(getattr(self, method), *arguments))

    def facts(self) -> dict[str, Any]:
        """Facts that change while the engine works."""
        engine = self._engine
        largest = engine.largest_batch
        sizes = range(1, min(largest or MOST_ROUNDED, MOST_ROUNDED) + 1)
        return {
            "largest_batch": largest,
            "rounded": [engine.round_up_batch(size) for size in sizes],
            "device": engine.device_status(),
        }

    def load_avatar(self, parcel: AvatarParcel) -> None:
        """Load an avatar; its arrays are fetched from the object store."""
        avatar = parcel.with_arrays(fetched).avatar()
        self._engine.load_avatar(avatar)
        self._avatars[parcel.key] = avatar

    def unload_avatar(self, key: Key) -> None:
        """Drop an avatar, if it is loaded."""
        avatar = self._avatars.pop(key, None)
        if avatar is not None:
            self._engine.unload_avatar(avatar)

    def release_cached_memory(self) -> None:
        """Free memory that is kept only for the next batch."""
        self._engine.release_cached_memory()

    def draw(
        self, keys: Sequence[Key], frames: Sequence[int], features: NDArray[np.float32]
    ) -> PackedPatches | dict[str, Any]:
        """Draw a batch: one patch per row of `features`."""
        missing = sorted({key for key in keys if key not in self._avatars})
        if missing:
            return {"error": "unknown_avatar", "message": "", "keys": missing}
        requests = [
            PatchRequest(self._avatars[key], frame, row)
            for key, frame, row in zip(keys, frames, features, strict=True)
        ]
        return pack(self._engine.submit(requests).patches())

    def encode_speech(self, speech: Speech, frames: int, fps: int) -> NDArray[np.float32]:
        """Return the features of a sentence."""
        return self._engine.encode_speech(speech, frames=frames, fps=fps)

    def encode_part(self, speech: Speech, start: int, stop: int, fps: int) -> NDArray[np.float32]:
        """Return the features of a part of a sentence."""
        assert isinstance(self._engine, StreamingEngine)
        return self._engine.encode_part(speech, start=start, stop=stop, fps=fps)

    def _load(self) -> dict[str, Any]:
        self._engine.load()
        return {
            "name": self._engine.name,
            "benefits_from_batching": self._engine.benefits_from_batching,
            **self.facts(),
        }

    def _answered(self, work: Callable[[], Any]) -> Any:
        """Return the result of `work`, or its error as an answer."""
        try:
            return work()
        except Exception as error:  # noqa: BLE001 - reported as the answer
            return answer_of(error)


def answer_of(error: Exception) -> dict[str, Any]:
    """Return an error as an answer; errors outside the engine interface include a traceback."""
    if isinstance(error, AvatarError):
        return {"error": "avatar", "message": str(error)}
    kind = kind_of(error)
    if kind != "failed":
        return {"error": kind, "message": str(error)}
    trace = "".join(traceback.format_exception(error)[-3:])
    return {"error": kind, "message": f"{type(error).__name__}: {error}\n{trace}"}


def fetched(array: Any) -> Any:
    """Return an array, from the object store without a copy unless it was sent directly."""
    if isinstance(array, np.ndarray):
        return array
    import ray  # noqa: PLC0415  installed wherever actors run

    return ray.get(array)
