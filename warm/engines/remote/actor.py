"""The Ray actor that runs an engine. Pickled by value: it must import only the standard library.

An actor therefore starts even on a machine without Warmtalk or with another version of it, and can
report that. Its methods return errors as values, so no error class needs to be unpickled.
"""

from __future__ import annotations

import importlib
import os
import platform
import threading
from typing import Any

LOWEST_PRIORITY = 19


class EngineActor:
    """Runs one engine. Ray calls its methods one after another, on one thread."""

    def __init__(self, threads: str | None) -> None:
        """`threads`: OMP_NUM_THREADS of the head, instead of the 1 that Ray sets."""
        os.environ.pop("OMP_NUM_THREADS", None)
        if threads is not None:
            os.environ["OMP_NUM_THREADS"] = threads
        self._engine: Any = None

    def _start_gently(self, *arguments: Any) -> dict[str, Any]:
        """Load the engine with the lowest priority, so that the actors that work are not slowed.

        Linux has priorities of threads; the priority of this thread, once lowered, could not be
        raised again.
        """
        answers: list[dict[str, Any]] = []

        def load() -> None:
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST_PRIORITY)
            answers.append(self._start(*arguments))

        loader = threading.Thread(target=load, name="load")
        loader.start()
        loader.join()
        return answers[0]

    def _start(self, pickled: bytes, expected: dict[str, str]) -> dict[str, Any]:
        """Load the engine; return facts about it, or an error. `expected`: versions of the head."""
        found = {"Python": platform.python_version()}
        try:
            found["Warmtalk"] = importlib.import_module("warm").VERSION
            found["Ray"] = importlib.import_module("ray").__version__
        except ImportError as missing:
            found["Warmtalk"] = f"none ({missing})"
        if found != expected:
            return {"error": "versions", "message": differences(expected, found)}
        try:
            served = importlib.import_module("warm.engines.remote.served_engine")
            self._engine = served.ServedEngine(pickled)
        except Exception as error:  # noqa: BLE001 - every error is returned as an answer
            return {"error": "start", "message": f"{type(error).__name__}: {error}"}
        facts: dict[str, Any] = self._engine.start()
        node = importlib.import_module("ray").get_runtime_context().get_node_id()
        return {**facts, "pid": os.getpid(), "node": node}

    def call(self, method: str, *arguments: Any) -> Any:
        """Call a method of the engine; return its result, or an error as {"error", "message"}."""
        if method == "start":
            *others, is_gentle = arguments
            return self._start_gently(*others) if is_gentle else self._start(*others)
        if self._engine is None:
            return {"error": "not_started", "message": "the actor has been restarted"}
        return self._engine.call(method, *arguments)


def differences(expected: dict[str, str], found: dict[str, str]) -> str:
    """Return the versions that differ as a sentence."""
    differing = [
        f"{name} {found.get(name, 'none')} instead of {version}"
        for name, version in expected.items()
        if found.get(name) != version
    ]
    return (
        f"a machine of the cluster ({platform.node()}) has {', '.join(differing)}. Install the "
        "versions of the head on it"
    )
