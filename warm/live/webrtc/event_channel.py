"""Data channel of a viewer: captions and events, as JSON texts."""

import json
from collections.abc import Mapping
from typing import Any

from aiortc import RTCDataChannel
from aiortc.exceptions import InvalidStateError

MAX_WAITING_BYTES = 64 << 10
"""Bytes that may wait for a viewer; further messages are dropped."""


class EventChannel:
    """The channel that a viewer has opened, if any. Loop thread."""

    def __init__(self) -> None:
        self._channel: RTCDataChannel | None = None
        self.dropped = 0

    @property
    def is_open(self) -> bool:
        """True if messages can be sent."""
        return self._channel is not None and self._channel.readyState == "open"

    def attach(self, channel: RTCDataChannel) -> None:
        """Use a channel of the viewer; only its first one is used."""
        if self._channel is None:
            self._channel = channel
        else:
            channel.close()

    def send(self, kind: str, data: Mapping[str, Any]) -> None:
        """Send a message; it is dropped if the viewer does not take what was sent before, or no
        messages of this size."""
        channel = self._channel
        if channel is None or channel.readyState != "open":
            return
        if channel.bufferedAmount > MAX_WAITING_BYTES:
            self.dropped += 1
            return
        try:
            channel.send(json.dumps({"type": kind, **data}, ensure_ascii=False))
        except (InvalidStateError, ValueError):  # it is longer than a=max-message-size
            self.dropped += 1
