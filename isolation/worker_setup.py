"""Set-up of a worker process: its output, and its limits."""

import os
import resource
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

OOM_SCORE = Path("/proc/self/oom_score_adj")


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
    """Limit the address space, and disable core files.

    If the machine runs out of memory nevertheless, the kernel ends this process before others.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    soft = max_bytes if hard == resource.RLIM_INFINITY else min(max_bytes, hard)
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    with suppress(OSError):  # other systems than Linux
        OOM_SCORE.write_text("1000", encoding="ascii")
