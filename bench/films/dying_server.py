"""Wrapper that runs a server and kills it at one exact system call.

`python -m bench.films.dying_server KILL_POINT SCRIPT ARGS…`, where KILL_POINT is for example
`fsync:7:before`: the name of a function of `os`, the number of the call, and whether the process
is killed before it, after it, or (`half`, for pwrite) after half of the bytes are written. `never`
runs the server without a kill point. Nothing else about the server is changed.
"""

import os
import runpy
import signal
import sys
from collections.abc import Callable
from typing import Any


def kill_process_group() -> None:
    """Kill every process of this server, as `kill -9` and the out-of-memory killer do."""
    os.killpg(os.getpgrp(), signal.SIGKILL)


def install(kill_point: str) -> None:
    """Replace the function of `os`, so that the process is killed at that call."""
    name, number, when = kill_point.split(":")
    original: Callable[..., Any] = getattr(os, name)
    remaining = int(number)

    def replacement(*args: Any, **kwargs: Any) -> Any:
        nonlocal remaining
        remaining -= 1
        if remaining != 0:
            return original(*args, **kwargs)
        if when == "after":
            original(*args, **kwargs)
        if when == "half":
            fd, data, offset = args
            original(fd, data[: len(data) // 2], offset)
        kill_process_group()
        return None

    setattr(os, name, replacement)


def main(kill_point: str, *command: str) -> None:
    """Run a script of the server as the main program."""
    if kill_point != "never":
        install(kill_point)
    sys.argv = list(command)
    runpy.run_path(command[0], run_name="__main__")


if __name__ == "__main__":
    main(*sys.argv[1:])
