"""Program that runs with limits, at the lowest priority, and ends with the process that started it.

`python -c` runs `main`, which sets the limits and becomes the program.
"""

import os
import resource
import sys
from collections.abc import Sequence

from isolation.process import ROOT
from isolation.worker_setup import end_with_parent, lower_priority

BOOT = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from isolation.limited_program import main; main()"
)
NICE = 19


def limited_command(command: Sequence[str], *, memory_bytes: int, cpu_s: int) -> list[str]:
    """Return the command that runs a program with limits on its address space and CPU time.

    It needs a terminal session of its own (`start_new_session`).
    """
    limits = (str(memory_bytes), str(cpu_s))
    return [sys.executable, "-P", "-c", BOOT, str(ROOT), *limits, *command]


def main() -> None:
    """Set the limits in the arguments, and become the program that follows them."""
    memory_bytes, cpu_s, *command = sys.argv[2:]
    end_with_parent()
    lower_priority(NICE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    limit(resource.RLIMIT_AS, int(memory_bytes))
    limit(resource.RLIMIT_CPU, int(cpu_s))
    os.execvp(command[0], command)


def limit(kind: int, amount: int) -> None:
    """Lower a limit of this process; a limit that is lower already is kept."""
    _, hard = resource.getrlimit(kind)
    soft = amount if hard == resource.RLIM_INFINITY else min(amount, hard)
    resource.setrlimit(kind, (soft, hard))
