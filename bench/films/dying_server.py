"""A real server that is killed at one exact call.

`python -m bench.dying_server MOMENT SCRIPT ARGS…`, where MOMENT is `fsync:7:before`: the name of a
function of `os`, which of its calls, and whether the end comes before it, after it, or (`half`, for
pwrite) when half of the bytes are written. `never` lets the server live. Everything else is the
server as it always is.
"""

import os
import runpy
import signal
import sys
from collections.abc import Callable
from typing import Any


def die() -> None:
    """End every process of this server, as `kill -9` and the out-of-memory killer do."""
    os.killpg(os.getpgrp(), signal.SIGKILL)


def arm(moment: str) -> None:
    """Have the process end at a moment."""
    name, number, when = moment.split(":")
    real: Callable[..., Any] = getattr(os, name)
    left = int(number)

    def call(*arguments: Any, **named: Any) -> Any:
        nonlocal left
        left -= 1
        if left != 0:
            return real(*arguments, **named)
        if when == "after":
            real(*arguments, **named)
        if when == "half":
            fd, data, offset = arguments
            real(fd, data[: len(data) // 2], offset)
        die()
        return None

    setattr(os, name, call)


def main(moment: str, *command: str) -> None:
    """Run a script of the server's as if it had been called itself."""
    if moment != "never":
        arm(moment)
    sys.argv = list(command)
    runpy.run_path(command[0], run_name="__main__")


if __name__ == "__main__":
    main(*sys.argv[1:])
