"""Extension of the live process that records a feed into a folder, as a viewer would receive it."""

import json
import time
from pathlib import Path
from typing import Any, BinaryIO

from warm.live.feed.subscriber import LiveEvent, LivePicture, LiveSound, Subscription, Wants
from warm.live.live_server import LiveServer

VIDEO, LINES = "video.h264", "media.jsonl"
PICTURE = (
    "tick",
    "sample",
    "time_s",
    "is_key",
    "is_repeated",
    "frame",
    "utterance",
    "position",
    "epoch",
)
SOUND = ("sample", "time_s", "utterance", "position", "offset", "epoch")


class Recorder:
    """Writes packets to one file and everything else to another."""

    def __init__(self, folder: Path) -> None:
        self._video: BinaryIO = (folder / VIDEO).open("wb")
        self._lines = (folder / LINES).open("w", encoding="utf-8")

    def on_picture(self, picture: LivePicture) -> None:
        """Write a picture."""
        self._video.write(picture.packet or b"")
        self._write("picture", {name: getattr(picture, name) for name in PICTURE})

    def on_sound(self, sound: LiveSound) -> None:
        """Write a packet of sound."""
        loudest = 0.0 if sound.pcm is None else float(abs(sound.pcm).max())
        named = {name: getattr(sound, name) for name in SOUND}
        self._write("sound", {**named, "loudest": loudest})

    def on_event(self, event: LiveEvent) -> None:
        """Write an event."""
        self._write("event", {"kind": event.kind, "data": event.data, "time_s": event.time_s})

    def on_end(self, reason: str) -> None:
        """Write the end, and close the files."""
        self._write("end", {"reason": reason})
        self.close()

    def close(self) -> None:
        """Close the files."""
        self._video.close()
        self._lines.close()

    def _write(self, what: str, data: dict[str, Any]) -> None:
        if not self._lines.closed:
            line = {"what": what, "received_s": time.monotonic(), **data}
            self._lines.write(json.dumps(line) + "\n")


def register(server: LiveServer) -> None:
    """Add the handlers that start and end a recording."""
    running: dict[str, tuple[Subscription, Recorder]] = {}

    @server.handler("bench.record")
    async def record(params: dict[str, Any], _descriptors: list[int]) -> dict[str, Any]:
        session_id = params["session_id"]
        recorder = Recorder(Path(params["folder"]))
        wants = Wants(packets=True, pcm=True)
        running[session_id] = server.feed(session_id).subscribe(recorder, wants), recorder
        return {}

    @server.handler("bench.stop")
    async def stop(params: dict[str, Any], _descriptors: list[int]) -> dict[str, Any]:
        subscription, recorder = running.pop(params["session_id"])
        subscription.close()
        recorder.close()
        return {}
