"""Worker program: reads one job, a JSON object in one line, from stdin, and joins its room.

It writes one line to stdout when it has joined, or why it cannot: `{"state": "joined", "identity":
…}` or `{"state": "failed", "cause": "job" | "livekit" | "warmtalk" | "agent", "detail": …}`. It
leaves the room and ends when the agent leaves, when stdin is closed, and on SIGTERM.
"""

import asyncio
import json
import logging
import os
import signal
import sys
from contextlib import suppress

from livekit import rtc
from warmtalk_client import WarmtalkError

from warmtalk_livekit.job import Job
from warmtalk_livekit.room_worker import AgentMissing, join

MAX_JOB_BYTES = 1 << 16


def main() -> int:
    """Run the worker; return its exit status."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    try:
        job = Job.parse(sys.stdin.buffer.readline(MAX_JOB_BYTES).decode())
    except ValueError as error:
        return failed("job", error)
    return asyncio.run(work(job))


async def work(job: Job) -> int:
    """Join the room until there is a reason to leave it; return the exit status."""
    joining = asyncio.create_task(join(job, on_joined=report_joined))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, joining.cancel)
    watching = asyncio.create_task(wait_for_eof())
    watching.add_done_callback(lambda _: joining.cancel())
    try:
        await joining
    except asyncio.CancelledError:
        return 0
    except rtc.ConnectError as error:
        return failed("livekit", error)
    except WarmtalkError as error:
        return failed("warmtalk", error)
    except AgentMissing as error:
        return failed("agent", error)
    finally:
        watching.cancel()
    return 0


async def wait_for_eof() -> None:
    """Wait until the process that has started this one closes stdin."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.read(1 << 12):
        pass


def report_joined(identity: str) -> None:
    """Report that the room was joined."""
    report({"state": "joined", "identity": identity})


def failed(cause: str, error: Exception) -> int:
    """Report why the room cannot be joined, or was left."""
    report({"state": "failed", "cause": cause, "detail": str(error) or type(error).__name__})
    return 1


def report(state: dict[str, str]) -> None:
    """Write a line to stdout, if anybody still reads it."""
    with suppress(BrokenPipeError):
        os.write(sys.stdout.fileno(), json.dumps(state).encode() + b"\n")


if __name__ == "__main__":
    sys.exit(main())
