"""Texts that ended the processes that spoke them; they are refused."""

import json
import threading
from collections import OrderedDict
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from isolation.process import WorkerFailed, WorkerKilled, WorkerTimeout
from tts.voice import SentenceFailed, VoiceUnavailable

MAX_FAILURES = 2
"""A text that ended this many processes is refused. After the first failure it is tried again,
because memory may have been corrupted by another text."""
MAX_KILLED = 5
"""Processes of one request that may be killed from outside, by the kernel or by hand; their deaths
do not count as failures of its text."""
MAX_REMEMBERED = 512
"""Texts whose failures are remembered."""


class Failures:
    """Number of processes that each text ended, by its digest. Thread-safe."""

    def __init__(self, process: str) -> None:
        """`process` names the kind of process in messages, such as "speech worker"."""
        self._process = process
        self._counts: OrderedDict[bytes, int] = OrderedDict()
        """The latest last."""
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Return the number of texts that are remembered."""
        return len(self._counts)

    def check(self, digest: bytes) -> None:
        """Raise SentenceFailed for a text that must not be tried again."""
        with self._lock:
            count = self._counts.get(digest, 0)
        if count >= MAX_FAILURES:
            raise SentenceFailed(f"ended the {self._process} {count} times")

    def handle(self, error: WorkerFailed, digest: bytes, killed: int) -> None:
        """Record a failure during a text; return if the text is to be tried again.

        `killed` is the number of processes of the same request that were killed from outside.
        Raises SentenceFailed and VoiceUnavailable.
        """
        if isinstance(error, WorkerKilled):
            if killed >= MAX_KILLED:
                raise VoiceUnavailable(
                    f"the {self._process} was killed {killed} times; try again soon"
                )
            return
        self._record(digest)
        if isinstance(error, WorkerTimeout):  # a second attempt would take as long
            raise SentenceFailed(f"takes too long: the {self._process} {error}") from error
        self.check(digest)

    def forget(self, digest: bytes) -> None:
        """Record that a text was spoken."""
        with self._lock:
            self._counts.pop(digest, None)

    def _record(self, digest: bytes) -> None:
        with self._lock:
            self._counts[digest] = self._counts.get(digest, 0) + 1
            self._counts.move_to_end(digest)
            while len(self._counts) > MAX_REMEMBERED:
                self._counts.popitem(last=False)


def digest_of(request: Mapping[str, Any]) -> bytes:
    """Return a digest of a text and of all else in its request that influences the synthesis."""
    content = json.dumps(request, sort_keys=True).encode()
    return blake2b(content, digest_size=16).digest()
