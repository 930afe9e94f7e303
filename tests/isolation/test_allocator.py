"""Arenas and large blocks of the C library's allocator."""

import subprocess
import sys

import pytest

PROGRAM = """
from ctypes import CDLL, c_void_p
from threading import Barrier, Thread
from isolation.allocator import limit_memory_kept

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
    assert arenas("limit_memory_kept()") == 2
    assert arenas("") > 2


LARGE_BLOCKS = """
from ctypes import CDLL, c_size_t, c_void_p
from pathlib import Path
from isolation.allocator import limit_memory_kept

{call}
libc = CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = c_void_p, [c_size_t]
libc.free.argtypes = [c_void_p]
libc.free(libc.malloc(30 << 20))  # raises the limit, by default
blocks = [libc.malloc(1 << 20) for _ in range(20)]
last = libc.malloc(1 << 10)  # keeps what is before it in the heap
for block in blocks:
    libc.memset(c_void_p(block), 1, c_size_t(1 << 20))
for block in blocks:
    libc.free(block)
print(int(Path("/proc/self/statm").read_text().split()[1]) * 4096 >> 20)
"""


def resident_mb(call: str) -> int:
    program = LARGE_BLOCKS.format(call=call)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="the option is glibc's")
def test_large_blocks_go_back_to_the_system() -> None:
    assert resident_mb("") - resident_mb("limit_memory_kept()") > 15
