"""The C library's memory allocator: options that keep the memory of processes small."""

from ctypes import CDLL

MAX_ARENAS = 2
"""By default glibc makes eight for each processor, and a thread only reuses memory of its own
arena. The many short-lived threads of clips leave holes in all of them: after 200 clips they take
60 MB more, and go on growing."""
MAPPED_BYTES = 256 << 10
"""Blocks from this size on, such as pictures and sentences, go back to the system when they are
freed. By default glibc raises the limit to the size of the largest block, up to 32 MB, and keeps
them: 40 MB after 40 clips. Mapping a block again takes no measurable time."""
_M_ARENA_MAX, _M_MMAP_THRESHOLD = -8, -3
"""Numbers of the options in glibc's malloc.h."""


def limit_memory_kept() -> None:
    """Set the options for this process and those it forks; no effect without glibc.

    Arenas that exist already stay, so this must run before most threads are started.
    """
    set_option = getattr(CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(_M_ARENA_MAX, MAX_ARENAS)
        set_option(_M_MMAP_THRESHOLD, MAPPED_BYTES)
