"""Arenas of the C library's allocator."""

import subprocess
import sys

import pytest

PROGRAM = """
from ctypes import CDLL, c_void_p
from threading import Barrier, Thread
from api.server.allocator import limit_arenas

{call}
libc = CDLL(None)
libc.malloc.restype = libc.fdopen.restype = c_void_p
together = Barrier(8)

def allocate():
    together.wait()
    libc.malloc(1000)
    together.wait()

threads = [Thread(target=allocate) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
libc.malloc_info(0, c_void_p(libc.fdopen(1, b"w")))
libc.fflush(None)
"""


def arenas(call: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(call=call)], capture_output=True, check=True
    )
    return done.stdout.count(b"<heap nr=")


@pytest.mark.skipif(sys.platform != "linux", reason="the option is glibc's")
def test_many_threads_share_two_arenas() -> None:
    assert arenas("limit_arenas()") == 2
    assert arenas("") > 2
