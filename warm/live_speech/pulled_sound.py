"""Sound of a live client, fetched from the live process as it is needed."""

import base64
import time
from collections.abc import Iterator, Mapping
from threading import Thread
from typing import Any, Protocol

from warm.live.errors import LiveFailed, LiveUnavailable
from warm.render.pcm_stream import PcmStream

PULL_S = 5.0
"""Longest wait for an answer; the live process answers after two seconds at the latest."""
AHEAD_S = 2.0
"""Sound that waits for the render thread; the rest stays in the live process."""
CHECK_S = 0.02


class LiveCaller(Protocol):
    """The live process, as this package calls it."""

    def call(
        self, method: str, params: Mapping[str, Any], *, timeout_s: float = 5.0
    ) -> dict[str, Any]:
        """Return the answer of a handler; raises LiveUnavailable and LiveFailed."""
        ...


def pulled(live: LiveCaller, session_id: str, key: str) -> Iterator[bytes]:
    """Yield the 16-bit PCM of an utterance in pieces, some of them empty, until its end.

    A client that is gone and a `clear` end it too. Raises LiveUnavailable and LiveFailed.
    """
    params, is_over = {"session": session_id, "stream": key}, False
    while not is_over:
        answer = live.call("speech.pull", params, timeout_s=PULL_S)
        is_over = answer["end"]
        yield base64.b64decode(answer["pcm"])


def pump(pieces: Iterator[bytes], stream: PcmStream) -> None:
    """Write pieces to a stream, not far ahead of its reader, until either is over."""
    try:
        for data in pieces:
            while stream.waiting_s > AHEAD_S and not stream.is_over:
                time.sleep(CHECK_S)
            if stream.is_over:
                return
            stream.write(data)
    except (LiveUnavailable, LiveFailed) as error:
        stream.end(error)
    else:
        stream.end()


def start_pump(live: LiveCaller, session_id: str, key: str, stream: PcmStream) -> None:
    """Write the sound of an utterance to a stream, on a thread of its own."""
    pieces = pulled(live, session_id, key)
    Thread(target=pump, args=(pieces, stream), name=f"live-sound-{key}", daemon=True).start()
