"""The C library's memory allocator: fewer arenas, so that memory that is freed is used again."""

from ctypes import CDLL

MAX_ARENAS = 2
"""By default glibc makes eight for each processor, and a thread only reuses memory of its own
arena. The many short-lived threads of clips leave holes in all of them: after 200 clips they take
60 MB more, and go on growing."""
_M_ARENA_MAX = -8
"""Number of the option in glibc's malloc.h."""


def limit_arenas() -> None:
    """Limit the arenas of this process; no effect without glibc.

    Arenas that exist already stay, so this must run before most threads are started.
    """
    set_option = getattr(CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(_M_ARENA_MAX, MAX_ARENAS)
