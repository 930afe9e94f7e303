"""The process that runs llama.cpp's server, from the side of its parent process."""

import json
import secrets
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from chat.embedded.model_files import ModelFiles
from chat.embedded.options import EmbeddedOptions
from chat.errors import ModelFailed, ReplyCancelled

PROGRAM = Path(__file__).with_name("server_worker.py")
LOAD_S = 120.0
"""Time to load the model on a crowded machine."""
EXIT_S = 2.0
"""Time to end after stdin is closed; then the process is killed."""
POLL_S = 0.1


class ModelServer:
    """A running process with a loaded model. Owned by the thread that starts it.

    The kernel kills the process when that thread ends.
    """

    def __init__(
        self,
        files: ModelFiles,
        options: EmbeddedOptions,
        *,
        is_cancelled: Callable[[], bool] = lambda: False,
        load_s: float = LOAD_S,
    ) -> None:
        """Start the process and wait until it listens; raises ModelFailed and ReplyCancelled."""
        self.key = secrets.token_urlsafe(32)
        """Requests without it are refused, those from this machine included."""
        self._fetch_command = options.fetch_command
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-B", PROGRAM],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
                process_group=0,  # out of reach of the terminal's Ctrl-C, but in its session
            )
        except OSError as error:
            raise ModelFailed(
                f"The process of the embedded model cannot be started: {error.strerror}. Check "
                "whether memory, processes or open files have run out."
            ) from error
        try:
            self._send(files, options)
            self.url = self._address(is_cancelled, time.monotonic() + load_s)
        except BaseException:
            self.kill()
            raise

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """True while the process runs. Any thread."""
        return self._process.poll() is None

    def has_ended(self, wait_s: float) -> bool:
        """Return True if the process has ended, or ends within `wait_s`. Any thread."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(wait_s)
        return not self.is_alive

    def how_it_ended(self) -> str:
        """Describe the end of the process: "was ended by SIGSEGV"."""
        status = self._process.poll()
        if status is None:
            return "does not answer"
        if status < 0:
            name = signal.Signals(-status).name
            return f"was ended by {name}" + (OUT_OF_MEMORY if status == -signal.SIGKILL else "")
        return f"ended with status {status}"

    def stop(self) -> None:
        """Make the process exit, and kill it if it does not."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        if not self.has_ended(EXIT_S):
            self._process.kill()
        self.kill()

    def kill(self) -> None:
        """Kill the process and release its pipes."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.kill()
        self._process.wait()
        with suppress(OSError):
            self._process.stdin.close()
        self._process.stdout.close()

    def _send(self, files: ModelFiles, options: EmbeddedOptions) -> None:
        message = {
            "library_folders": files.library_folders(),
            "model": str(files.model.absolute()),
            "name": files.pinned.name,
            "key": self.key,
            "context_tokens": options.context_tokens,
            "threads": options.threads,
        }
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # `_address` reports that the process has ended
            self._process.stdin.write(json.dumps(message).encode() + b"\n")

    def _address(self, is_cancelled: Callable[[], bool], deadline_s: float) -> str:
        """Wait for the address of the server."""
        assert self._process.stdout is not None
        poll, received = select.poll(), b""
        poll.register(self._process.stdout, select.POLLIN)
        while not received.endswith(b"\n"):
            if is_cancelled():
                raise ReplyCancelled("the model was being loaded when it was closed")
            if time.monotonic() > deadline_s:
                raise ModelFailed(
                    "The embedded model was not loaded in time. Check the load of the machine, "
                    "and try again."
                )
            if poll.poll(1000 * POLL_S):
                block = self._process.stdout.read(1 << 16)
                if not block:
                    self.has_ended(EXIT_S)
                    raise ModelFailed(
                        f"The process of the embedded model {self.how_it_ended()} while it loaded "
                        "the model. Read the log of the server, and try again."
                    )
                received += block
        return address_in(received, self._fetch_command)


OUT_OF_MEMORY = " (the machine may have run out of memory)"


def address_in(answer: bytes, fetch_command: str) -> str:
    """Return the address that the process has reported; raises ModelFailed."""
    content = json.loads(answer)
    if "error" in content:
        raise ModelFailed(
            f"The embedded model cannot be loaded: {content['error']}. Fetch it again with "
            f"`{fetch_command}`; if that does not help, set chat_url to another server."
        )
    return str(content["url"])
