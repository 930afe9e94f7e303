"""One preparation in a process of its own: started, watched, and ended in any case."""

import math
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from isolation.process import (
    ROOT,
    RequestCancelled,
    WorkerDied,
    WorkerFailed,
    WorkerKilled,
    WorkerProcess,
)
from isolation.protocol import Payload
from isolation.resident_memory import anonymous_bytes, family_of
from warm.avatars.recipe import PreparationError
from warm.avatars.store import AvatarError
from warm.engines.weights.errors import WeightsError
from warm.installation import PackageMissing
from warm.media.sniff import MediaError
from warm.preparer.errors import (
    PreparationCancelled,
    PreparationCrashed,
    PreparationTimedOut,
    PreparationTooLarge,
    UnreadableSource,
)
from warm.preparer.seen_face import SeenFace, seen_face_of

BOOT = (
    "import os, sys; sys.path.insert(0, sys.argv[1]); "
    "os.environ.update(OPENBLAS_NUM_THREADS='1', OMP_NUM_THREADS='1', OPENCV_FOR_THREADS_NUM='1'); "
    "from warm.preparer.worker import main; main()"
)
COMMAND = (sys.executable, "-P", "-c", BOOT, str(ROOT))
"""Libraries calculate in one thread, which leaves the other processors to live speech."""
MEMORY_EVERY_S = 0.2
NICENESS = 19
"""Highest nice value: the process computes when no other process needs the processors."""
MB = 1_000_000
EXPECTED_ERRORS = (MediaError, PreparationError, AvatarError, WeightsError, PackageMissing)
"""Errors of a preparation that keep their class here, except that a MediaError becomes an
UnreadableSource."""

Request = Mapping[str, Any]
OnProgress = Callable[[float, str], None]
"""Called with the finished share of a preparation, 0 to 1, and its stage in words."""
OnFace = Callable[[SeenFace], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparationLimits:
    """Limits of one preparation."""

    memory_bytes: int
    """Memory of its processes that no file backs."""
    time_s: float
    niceness: int = 19
    """Nice value of the process, at most `NICENESS`."""


def run_preparation(
    request: Request,
    limits: PreparationLimits,
    *,
    on_progress: OnProgress,
    on_face: OnFace,
    is_cancelled: Callable[[], bool],
) -> None:
    """Prepare an avatar in a process of its own, which has ended when this returns or raises.

    Raises `EXPECTED_ERRORS` of the preparation, the errors of `warm.preparer.errors`, and whatever
    the callbacks raise.
    """
    worker = start_process()
    watch = Watch(worker.pid, limits, is_cancelled)
    try:
        limited = {"memory_bytes": limits.memory_bytes, "niceness": min(limits.niceness, NICENESS)}
        worker.send({**request, **limited})
        while not handle_message(
            *worker.next_message(math.inf, watch.should_end), on_progress, on_face
        ):
            watch.check()
    except RequestCancelled:
        assert watch.fault is not None
        raise watch.fault from None
    except WorkerKilled as error:
        raise PreparationCrashed(
            f"The process of the preparation {error}; the machine may have run out of memory. Try "
            "again, or send a smaller file."
        ) from error
    except WorkerFailed as error:
        raise PreparationCrashed(
            f"The process of the preparation {error}. The file may be damaged: convert it with "
            "another program, and send the result."
        ) from error
    except MemoryError:
        raise too_large(limits) from None
    finally:
        if worker.is_alive:
            kill_children(worker.pid)
        worker.kill()


def start_process() -> WorkerProcess:
    """Start the process; raises PreparationCrashed."""
    try:
        return WorkerProcess(COMMAND)
    except OSError as error:
        raise PreparationCrashed(
            f"No process can be started for the preparation: {error.strerror}. Check whether "
            "memory, processes or open files have run out."
        ) from error


def handle_message(
    header: Mapping[str, Any], payload: Payload, on_progress: OnProgress, on_face: OnFace
) -> bool:
    """Pass a message on; return True if it is the last one, and raise its error."""
    if "out_of_memory" in header:
        raise MemoryError
    if "error" in header:
        raise error_of(header)
    if "end" in header:
        return True
    try:
        if "face" in header:
            report = partial(on_face, seen_face_of(header["face"], payload))
        else:
            fraction, stage = header["progress"]
            report = partial(on_progress, float(fraction), str(stage))
    except (KeyError, TypeError, ValueError) as error:
        raise WorkerDied(f"sent a message that cannot be read: {error}") from error
    report()
    return False


def error_of(header: Mapping[str, Any]) -> Exception:
    """Return the error of a preparation, of its own class if that is expected."""
    for module, name in header["classes"]:
        found = getattr(sys.modules.get(module), name, None)
        if isinstance(found, type) and issubclass(found, EXPECTED_ERRORS):
            is_unreadable = issubclass(found, MediaError)
            return (UnreadableSource if is_unreadable else found)(header["error"])
    return RuntimeError(f"an unexpected error of a preparation: {header['traceback']}")


class Watch:
    """Check of time, memory and cancellation, called while a preparation runs."""

    def __init__(
        self, pid: int, limits: PreparationLimits, is_cancelled: Callable[[], bool]
    ) -> None:
        self._pid, self._limits, self._is_cancelled = pid, limits, is_cancelled
        self._end_s = time.monotonic() + limits.time_s
        self._check_memory_s = 0.0
        self.fault: Exception | None = None
        """Reason why the preparation must end."""

    def should_end(self) -> bool:
        """Return True, with the reason in `fault`, if the preparation must end.

        The caller then kills its process, whose descendants have been killed already.
        """
        try:
            self.check()
        except Exception as fault:  # noqa: BLE001 - raised again, by the reader of the messages
            self.fault = fault
            kill_children(self._pid)
        return self.fault is not None

    def check(self) -> None:
        """Raise PreparationCancelled, PreparationTimedOut or PreparationTooLarge."""
        if self._is_cancelled():
            raise PreparationCancelled("the preparation was cancelled")
        now_s = time.monotonic()
        if now_s >= self._end_s:
            raise PreparationTimedOut(
                f"The preparation takes longer than {self._limits.time_s:g} s "
                "(preparation_timeout_s). Send a shorter video or a smaller picture."
            )
        if now_s >= self._check_memory_s:
            self._check_memory_s = now_s + MEMORY_EVERY_S
            if anonymous_bytes(self._pid) > self._limits.memory_bytes:
                raise too_large(self._limits)


def too_large(limits: PreparationLimits) -> PreparationTooLarge:
    """Return the error of a preparation that needs too much memory."""
    return PreparationTooLarge(
        f"The preparation needs more than {limits.memory_bytes // MB} MB of memory "
        "(preparation_memory_mb). Send a smaller picture or a shorter video."
    )


def kill_children(pid: int) -> None:
    """Kill the descendants of a process. Their ids are not reused while the process lives."""
    for child in family_of(pid)[1:]:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
