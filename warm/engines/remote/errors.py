"""Errors of the remote engine, one class per cause."""

from warm.engines.base import EngineLost, EngineOutOfMemory


class ClusterUnreachable(EngineLost):
    """There is no connection to Ray, or none of its actors works; the server tries again."""


class VersionsDiffer(RuntimeError):
    """Head and cluster run different versions of Python, Ray or Warmtalk."""


class BadCluster(RuntimeError):
    """The cluster cannot run the engine as configured."""


class RemoteEngineFailed(RuntimeError):
    """The engine of an actor raised an error that is not part of the engine interface."""


class BatchKillsActors(RuntimeError):
    """Several actors ended while they drew the same batch."""


ERRORS: dict[str, type[Exception]] = {
    "lost": EngineLost,
    "out_of_memory": EngineOutOfMemory,
    "unreachable": ClusterUnreachable,
    "versions": VersionsDiffer,
    "cluster": BadCluster,
    "deadly": BatchKillsActors,
    "failed": RemoteEngineFailed,
}
"""Classes of errors that are sent between processes, by their names in messages."""


def error_of(kind: str, message: str) -> Exception:
    """Return the error that a message describes."""
    return ERRORS.get(kind, RemoteEngineFailed)(message)


def kind_of(error: BaseException) -> str:
    """Return the name of an error in messages."""
    for kind, cls in reversed(ERRORS.items()):
        if isinstance(error, cls) and type(error) is cls:
            return kind
    if isinstance(error, EngineOutOfMemory):
        return "out_of_memory"
    return "lost" if isinstance(error, EngineLost) else "failed"
