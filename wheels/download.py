"""Download of one file that resumes where an earlier attempt ended."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError

from wheels.errors import FetchCancelled, IndexUnreachable
from wheels.simple_index import reason_of
from wheels.transport import Answer, Transport, without_credentials

BLOCK_BYTES = 1 << 18
RETRY_DELAYS_S = (1.0, 2.0, 4.0)
"""Pauses after consecutive attempts that receive nothing."""
PROGRESS_BYTES = 1 << 16
"""An attempt that receives at least this much does not count as a failure."""
_PARTIAL, _RANGE_REFUSED = 206, 416


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """Completes the file `part` from an address. It keeps its bytes for the next attempt."""

    transport: Transport
    url: str
    part: Path
    size_bytes: int
    report: Callable[[int], None] = lambda _bytes: None
    """Called with the number of bytes that have arrived."""
    is_cancelled: Callable[[], bool] = lambda: False
    sleep: Callable[[float], None] = time.sleep

    def run(self) -> None:
        """Receive until the file is complete.

        Raises IndexUnreachable, FetchCancelled, and OSError for the disk.
        """
        delays = list(RETRY_DELAYS_S)
        while (before := size_of(self.part)) != self.size_bytes:
            problem = self._attempt()
            arrived = size_of(self.part)
            if arrived == self.size_bytes:
                return
            if arrived >= before + PROGRESS_BYTES:
                delays = list(RETRY_DELAYS_S)
            if not delays:
                raise IndexUnreachable(f"{without_credentials(self.url)}: {problem}")
            self._require_wanted()
            self.sleep(delays.pop(0))

    def _attempt(self) -> str:
        """Receive from one connection; return the reason why it ended early."""
        have = size_of(self.part)
        if have > self.size_bytes:
            have = truncate(self.part)
        ranges = {"Range": f"bytes={have}-"} if have else {}
        try:
            answer = self.transport.open(self.url, **ranges)
        except HTTPError as error:
            error.close()
            if error.code == _RANGE_REFUSED:
                truncate(self.part)
            return f"HTTP status {error.code}"
        except (OSError, HTTPException) as error:
            return reason_of(error)
        try:
            if have and not continues_at(answer, have):
                truncate(self.part)
            return self._receive(answer)
        finally:
            answer.close()

    def _receive(self, answer: Answer) -> str:
        """Append the body of an answer up to the size; return the reason why it ended early."""
        with self.part.open("ab") as file:
            while (left := self.size_bytes - file.tell()) > 0:
                self._require_wanted()
                try:
                    block = answer.read1(min(BLOCK_BYTES, left))
                except (OSError, HTTPException) as error:
                    return reason_of(error)
                if not block:
                    return f"the connection ended {left} bytes early"
                file.write(block)
                self.report(file.tell())
            file.flush()
            os.fsync(file.fileno())
        return ""

    def _require_wanted(self) -> None:
        if self.is_cancelled():
            raise FetchCancelled("The download was cancelled; the next one continues it.")


def continues_at(answer: Answer, offset: int) -> bool:
    """Return True if an answer begins at this offset of the file."""
    found = str(answer.headers.get("Content-Range", ""))
    return answer.status == _PARTIAL and found.startswith(f"bytes {offset}-")


def size_of(path: Path) -> int:
    """Return the size of a file; 0 if it does not exist."""
    return path.stat().st_size if path.exists() else 0


def truncate(path: Path) -> int:
    """Empty a file; return its size, 0."""
    path.write_bytes(b"")
    return 0
