"""An endpoint of WHIP: one peer of aiortc that keeps what it receives. Its loop has a thread."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from fractions import Fraction
from typing import Any

import av
import h11
import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpReceiver, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from numpy.typing import NDArray


class WhipServer:
    """Answers offers at `http://127.0.0.1:PORT/…`; used as a context manager."""

    def __init__(
        self, *, token: str = "", answers: dict[str, tuple[int, dict[str, str]]] | None = None
    ) -> None:
        """`answers`: status and headers for other paths than `/whip`."""
        self.token = token
        self.answer = ""
        """Body of the answers for other paths."""
        self.answers = answers or {}
        self.alter: Callable[[str], str] = str
        """Applied to the answers for `/whip`."""
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        """Method, path and headers."""
        self.pictures: list[tuple[float, NDArray[np.uint8]]] = []
        """Time in seconds and the (h, w) brightness."""
        self.samples: list[tuple[float, NDArray[np.float32]]] = []
        self.port = 0
        self.peers: list[RTCPeerConnection] = []
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Future[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._server: asyncio.Server | None = None

    def __enter__(self) -> "WhipServer":
        self._thread.start()
        self.run(self._listen())
        return self

    def __exit__(self, *exc: object) -> None:
        self.run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def run(self, work: Coroutine[Any, Any, Any], timeout_s: float = 20) -> Any:
        """Run a coroutine on the thread of this server."""
        future: Future[Any] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return future.result(timeout_s)

    async def drop_peers(self) -> None:
        """Close the media connections."""
        for peer in self.peers:
            await peer.close()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()
        await self.drop_peers()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = h11.Connection(h11.SERVER)
        request, body = None, b""
        while True:
            event = client.next_event()
            if event is h11.NEED_DATA:
                client.receive_data(await reader.read(65536))
            elif isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.Data):
                body += event.data
            else:
                break
        if request is not None:
            status, headers, answer = await self._answer(request, body.decode())
            named = [
                *headers.items(),
                ("Content-Length", str(len(answer))),
                ("Connection", "close"),
            ]
            writer.write(client.send(h11.Response(status_code=status, headers=named)) or b"")
            writer.write(client.send(h11.Data(data=answer.encode())) or b"")
            await writer.drain()
        writer.close()

    async def _answer(self, request: h11.Request, offer: str) -> tuple[int, dict[str, str], str]:
        headers = {name.decode(): value.decode() for name, value in request.headers}
        path = request.target.decode()
        self.requests.append((request.method.decode(), path, headers))
        if path in self.answers:
            status, named = self.answers[path]
            return status, named, self.answer
        if self.token and headers.get("authorization") != f"Bearer {self.token}":
            return 401, {}, ""
        if request.method == b"DELETE":
            return 200, {}, ""
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.peers.append(peer)
        for kind in ("video", "audio"):
            wanted = ("video/H264", "video/rtx", "audio/opus")
            known = RTCRtpReceiver.getCapabilities(kind)
            assert known is not None
            transceiver = peer.addTransceiver(kind, direction="recvonly")
            transceiver.setCodecPreferences(
                [each for each in known.codecs if each.mimeType in wanted]
            )
        peer.on("track", self._receive)
        await peer.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        await peer.setLocalDescription(await peer.createAnswer())
        return (
            201,
            {"Location": "/whip/1", "Content-Type": "application/sdp"},
            self.alter(peer.localDescription.sdp),
        )

    def _receive(self, track: MediaStreamTrack) -> None:
        task = asyncio.ensure_future(self._keep(track))
        self._tasks.add(task)

    async def _keep(self, track: MediaStreamTrack) -> None:
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            time = float((frame.pts or 0) * Fraction(frame.time_base or 0))
            if isinstance(frame, av.VideoFrame):
                self.pictures.append((time, np.asarray(frame.to_ndarray(format="gray"), np.uint8)))
            elif isinstance(frame, av.AudioFrame):
                pcm = frame.to_ndarray().reshape(-1, len(frame.layout.channels))[:, 0]
                self.samples.append((time, (pcm / 32768).astype(np.float32)))
