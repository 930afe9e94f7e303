"""A scripted RTMP server: it takes streams, or does what bad servers do. Its loop has a thread."""

import asyncio
import os
import ssl
import threading
import time
from contextlib import suppress
from typing import Literal, NamedTuple

from warm.live.push.rtmp import amf
from warm.live.push.rtmp.chunks import COMMAND, DATA, SET_CHUNK_SIZE, Message, packed

Manner = Literal["takes", "refuses", "redirects", "silent", "deaf", "closes", "murmurs"]
HANDSHAKE_BYTES = 1536
MEDIA = (8, 9)


class Media(NamedTuple):
    """One message of sound (8) or of pictures (9)."""

    connection: int
    type: int
    time_ms: int
    data: bytes
    received_s: float
    """By `time.monotonic`."""


class RtmpServer:
    """Listens at `rtmp://127.0.0.1:PORT`; used as a context manager."""

    def __init__(
        self, manner: Manner = "takes", *, target: str = "", tls: ssl.SSLContext | None = None
    ) -> None:
        """`target`: address of a redirect, or text of a refusal."""
        self.manner, self.target = manner, target
        self.media: list[Media] = []
        self.commands: list[list[object]] = []
        self.descriptions: list[dict[str, object]] = []
        self.connections = 0
        self.closed = 0
        """Connections that the clients have closed."""
        self.names: list[str | None] = []
        """Server names that the clients have sent in TLS."""
        self.port = 0
        self._tls = tls
        if tls is not None:
            tls.sni_callback = lambda _socket, name, _context: self.names.append(name)
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._run()))

    def __enter__(self) -> "RtmpServer":
        self._thread.start()
        assert self._ready.wait(60)
        return self

    def __exit__(self, *exc: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._loop.close()

    async def _run(self) -> None:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        clients = asyncio.all_tasks() - {asyncio.current_task()}
        for task in clients:
            task.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
        for _ in range(3):  # transports are closed in later passes of the loop
            await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await Client(self, reader, writer, self.connections).serve()
            self.closed += 1
        except (EOFError, ConnectionError):
            self.closed += 1
        except asyncio.CancelledError:
            pass
        finally:
            writer.close()
            with suppress(Exception):
                writer.transport.abort()


class Client:
    """One connection."""

    def __init__(
        self,
        server: RtmpServer,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        number: int,
    ) -> None:
        self.server, self.reader, self.writer, self.number = server, reader, writer, number
        self.chunk_bytes = 128
        self.partial: dict[int, tuple[int, int, int, bytes]] = {}
        """Type, time, length and beginning of the message of each chunk stream."""

    async def serve(self) -> None:
        if self.server.manner == "silent":
            await self.reader.read(-1)
            return
        await self.reader.readexactly(1 + HANDSHAKE_BYTES)
        self.writer.write(b"\x03" + os.urandom(2 * HANDSHAKE_BYTES))
        await self.reader.readexactly(HANDSHAKE_BYTES)
        while await self._next():
            pass

    async def _next(self) -> bool:
        """Take one chunk; False if the connection must be closed."""
        first = (await self.reader.readexactly(1))[0]
        channel = first & 63
        if first >> 6 == 0:
            head = await self.reader.readexactly(11)
            time_ms = int.from_bytes(head[:3], "big")
            self.partial[channel] = (head[6], time_ms, int.from_bytes(head[3:6], "big"), b"")
        kind, time_ms, length, data = self.partial[channel]
        data += await self.reader.readexactly(min(self.chunk_bytes, length - len(data)))
        self.partial[channel] = (kind, time_ms, length, data)
        if len(data) < length:
            return True
        self.partial[channel] = (kind, time_ms, length, b"")
        return await self._take(kind, time_ms, data)

    async def _take(self, kind: int, time_ms: int, data: bytes) -> bool:
        server = self.server
        if kind == SET_CHUNK_SIZE:
            self.chunk_bytes = int.from_bytes(data, "big")
        elif kind in MEDIA:
            server.media.append(Media(self.number, kind, time_ms, data, time.monotonic()))
            is_enough = sum(each.connection == self.number for each in server.media) > 20
            return not (server.manner == "closes" and is_enough and self.number == 1)
        elif kind == DATA:
            server.descriptions.append(amf.decode(data)[2])
        elif kind == COMMAND:
            return await self._answer(amf.decode(data))
        return True

    async def _answer(self, command: list[object]) -> bool:
        server, name = self.server, command[0]
        server.commands.append(command)
        if server.manner == "murmurs":
            self._send()
        if name == "connect" and server.manner == "redirects":
            reason = {"level": "error", "code": "NetConnection.Connect.Rejected"}
            self._send(
                "_error", 1, None, {**reason, "ex": {"code": 302, "redirect": server.target}}
            )
            return True
        if name in ("connect", "createStream"):
            result = {"code": "NetConnection.Connect.Success"} if name == "connect" else 1
            self._send("_result", command[1], None, result)
        if name == "publish":
            code = "BadName" if server.manner == "refuses" else "Start"
            level = "error" if server.manner == "refuses" else "status"
            status = {"level": level, "code": f"NetStream.Publish.{code}"}
            self._send("onStatus", 0, None, {**status, "description": server.target})
            if server.manner == "deaf":
                await server._stop.wait()
        return name != "deleteStream"

    def _send(self, *values: object) -> None:
        self.writer.write(packed(Message(COMMAND, 0, amf.encode(*values)), 128))
