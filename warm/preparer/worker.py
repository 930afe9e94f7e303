"""Main program of a process that prepares one avatar, started by `warm.preparer.process`.

It gives way to other processes, and ends with the server, before it imports anything slow.
"""

import threading
from contextlib import suppress

from isolation.protocol import pack_message, read_exactly, unpack_message, write_exactly
from isolation.reading_worker import exit_with_parent
from isolation.worker_setup import (
    end_with_parent,
    limit_anonymous_memory,
    redirect_to_null,
    reserve_stdout,
    run_in_background,
)


def main() -> None:
    """Read a request from stdin, prepare the avatar, and report to stdout."""
    answers = reserve_stdout()
    requests = open(0, "rb", buffering=0)  # noqa: SIM115 - open until the process ends
    request, _ = unpack_message(lambda size: read_exactly(requests, size))
    threading.Thread(target=exit_with_parent, args=(requests,), daemon=True).start()
    end_with_parent()
    run_in_background(request["niceness"])
    limit_anonymous_memory(request["memory_bytes"])
    redirect_to_null(2)  # libraries write lines that are not log records
    from warm.preparer.requested import Reporter, outcome  # noqa: PLC0415  slow

    with suppress(BrokenPipeError):  # the server has ended
        write_exactly(answers, pack_message(outcome(request, Reporter(answers))))


if __name__ == "__main__":
    main()
