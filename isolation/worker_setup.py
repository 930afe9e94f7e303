"""Set-up of a worker process: its output, and its limits."""

import ctypes
import os
import resource
import signal
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

OOM_SCORE, STATM = Path("/proc/self/oom_score_adj"), Path("/proc/self/statm")
AUTOGROUP = Path("/proc/self/autogroup")
_SET_PARENT_DEATH_SIGNAL = 1
"""`PR_SET_PDEATHSIG` of Linux's <sys/prctl.h>."""


def reserve_stdout() -> BinaryIO:
    """Return stdout for messages only; output of libraries goes to the null device."""
    answers = open(os.dup(1), "wb", buffering=0)  # noqa: PTH123, SIM115 - open until the process ends
    redirect_to_null(1)
    return answers


def redirect_to_null(descriptor: int) -> None:
    """Connect a descriptor to the null device."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, descriptor)
    os.close(null)


def limit_memory(max_bytes: int) -> None:
    """Allow `max_bytes` of address space in addition to the present one, and no core files.

    This replaces a limit of `limit_anonymous_memory` that the process has inherited.

    Libraries that are already loaded may have reserved much address space for threads on a machine
    with many processors. If the machine runs out of memory nevertheless, the kernel ends this
    process before others.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = address_space_bytes() + max_bytes
    soft = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))
    with suppress(OSError):  # other systems than Linux
        OOM_SCORE.write_text("1000", encoding="ascii")


def address_space_bytes() -> int:
    """Return the size of the address space of this process; 0 if the system does not report it."""
    try:
        pages = int(STATM.read_text(encoding="ascii").split()[0])
    except OSError:  # other systems than Linux
        return 0
    return pages * resource.getpagesize()


def end_with_parent() -> None:
    """Have the kernel kill this process when the thread that started it ends.

    This also ends a process that is stopped or hangs in native code, and therefore does not notice
    that its stdin was closed. Without effect on other systems than Linux.
    """
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)


def lower_priority(nice: int) -> None:
    """Let other processes go first when processors are scarce.

    With autogroups Linux shares processor time between terminal sessions first, and compares the
    nice values of processes only within each; so the session of this process gets the value too.
    A process in a session of its own inherits the nice value, but not that of the session, so it
    calls this with 0.
    """
    value = os.nice(nice)
    with suppress(OSError):  # no autogroups
        AUTOGROUP.write_text(str(value), encoding="ascii")


def raise_priority(nice: int) -> None:
    """Go before other processes when processors are scarce, if the system permits that.

    `nice`: a negative value. Without effect for an ordinary user without `RLIMIT_NICE`.
    """
    with suppress(PermissionError):
        lower_priority(nice)


def limit_anonymous_memory(max_bytes: int) -> None:
    """Allow `max_bytes` of memory that no file backs, and no core files.

    Unlike `limit_memory` this does not count mapped files, which may be large. Processes that this
    one starts inherit the limit until they call `limit_memory`.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    soft = max_bytes if hard == resource.RLIM_INFINITY else min(max_bytes, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
    with suppress(OSError):  # other systems than Linux
        OOM_SCORE.write_text("1000", encoding="ascii")


def run_in_background(nice: int) -> None:
    """Give way to other processes, and be scheduled as one that never waits for input."""
    lower_priority(nice)
    with suppress(AttributeError, OSError):  # other systems than Linux
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
