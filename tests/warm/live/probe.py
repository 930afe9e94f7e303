"""Extension of the live process for tests: subscribes to feeds and reports what they deliver."""

import os
from typing import Any

from warm.live.feed.subscriber import LiveEvent, LivePicture, LiveSound, Wants
from warm.live.live_server import LiveServer


class Probe:
    """Sends everything that it receives to the worker as events."""

    def __init__(self, server: LiveServer, session_id: str, wants: Wants) -> None:
        self.server, self.session_id, self.wants = server, session_id, wants

    def on_picture(self, picture: LivePicture) -> None:
        data = {name: getattr(picture, name) for name in ("tick", "sample", "time_s", "is_key")}
        data |= {
            name: getattr(picture, name) for name in ("frame", "utterance", "position", "epoch")
        }
        packet = picture.packet or b""
        raw = picture.bgr if self.wants.pictures else None
        bgr = b"" if raw is None else raw.tobytes()
        shape = None if raw is None else raw.shape
        data |= {"session_id": self.session_id, "packet_bytes": len(packet), "shape": shape}
        self.server.emit("probe.picture", data, packet + bgr)

    def on_sound(self, sound: LiveSound) -> None:
        data = {
            name: getattr(sound, name) for name in ("sample", "time_s", "utterance", "position")
        }
        opus = sound.opus or b""
        pcm = b"" if sound.pcm is None else sound.pcm.tobytes()
        data |= {"session_id": self.session_id, "opus_bytes": len(opus), "offset": sound.offset}
        self.server.emit("probe.sound", data, opus + pcm)

    def on_event(self, event: LiveEvent) -> None:
        data = {"session_id": self.session_id, "kind": event.kind, "time_s": event.time_s}
        self.server.emit("probe.event", {**data, "data": event.data})

    def on_end(self, reason: str) -> None:
        self.server.emit("probe.end", {"session_id": self.session_id, "reason": reason})


def register(server: LiveServer) -> None:
    """Add the handlers of the tests."""
    seats: dict[str, Any] = {}

    @server.handler("probe.watch")
    async def watch(params: dict[str, Any], _fds: list[int]) -> dict[str, Any]:
        session_id = params["session_id"]
        feed = server.feed(session_id)
        wants = Wants(**params["wants"])
        seats[session_id] = feed.subscribe(Probe(server, session_id, wants), wants)
        return {"fps": feed.fps, "size": feed.size}

    @server.handler("probe.write")
    async def write(params: dict[str, Any], fds: list[int]) -> dict[str, Any]:
        for each in fds:
            os.write(each, params["text"].encode())
            os.close(each)
        return {"descriptors": len(fds)}

    @server.handler("probe.setting")
    async def setting(params: dict[str, Any], _fds: list[int]) -> dict[str, Any]:
        return {"value": getattr(server.settings, params["name"]).get_secret_value()}

    @server.handler("probe.leave")
    async def leave(params: dict[str, Any], _fds: list[int]) -> dict[str, Any]:
        seats.pop(params["session_id"]).close()
        return {}
