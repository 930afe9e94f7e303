"""One connection to the live socket of a session."""

import json
from collections.abc import AsyncIterator
from typing import Literal

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from warmtalk_client.address import Address
from warmtalk_client.errors import ConnectionLost, ServerRefused
from warmtalk_client.messages import Hello, Media, Report, Unknown, parse

PictureFormat = Literal["none", "raw", "jpeg", "h264"]
SoundFormat = Literal["none", "pcm"]
OPEN_S = 20.0
"""Time for a connection; the first one of a server starts a process there."""
MAX_MESSAGE_BYTES = 64 << 20
"""Largest message: a raw picture of 4096 x 4096 pixels has 50 MB."""
MAX_WAITING = 16
"""Messages that are held for a slow reader; then the server has to wait, and drops pictures."""


class LiveConnection:
    """An open connection. Sending and receiving may be done by two tasks."""

    def __init__(self, socket: ClientConnection, hello: Hello) -> None:
        self._socket = socket
        self.hello = hello

    @classmethod
    async def open(
        cls,
        address: Address,
        *,
        pictures: PictureFormat = "raw",
        sound: SoundFormat = "pcm",
        rate: int = 24_000,
    ) -> "LiveConnection":
        """Connect, and wait for the server's hello; raises ServerRefused and ConnectionLost."""
        url = address.live(pictures=pictures, sound=sound, rate=rate)
        try:
            socket = await connect(
                url,
                additional_headers=address.headers,
                compression=None,
                open_timeout=OPEN_S,
                max_size=MAX_MESSAGE_BYTES,
                max_queue=MAX_WAITING,
                proxy=None,
            )
        except InvalidStatus as error:
            raise ServerRefused(error.response.status_code, detail_of(error)) from None
        except (OSError, TimeoutError, InvalidHandshake) as error:
            reason = str(error) or type(error).__name__
            raise ConnectionLost(f"{address.url}: cannot be reached ({reason})") from error
        return cls(socket, await cls._hello(socket))

    @staticmethod
    async def _hello(socket: ClientConnection) -> Hello:
        try:
            hello = parse(await socket.recv())
        except (ConnectionClosed, ValueError, KeyError) as error:
            await socket.close()
            raise ConnectionLost(f"the server sent no hello ({error})") from error
        if not isinstance(hello, Hello):
            await socket.close()
            raise ConnectionLost(f"the server sent {type(hello).__name__} instead of hello")
        return hello

    async def begin(self, utterance: str, rate: int) -> None:
        """Begin an utterance; its sound follows."""
        await self._send(json.dumps({"type": "begin", "utterance": utterance, "rate": rate}))

    async def write(self, pcm: bytes) -> None:
        """Send sound of the utterance that was begun: s16le, mono."""
        await self._send(pcm)

    async def end(self) -> None:
        """End the utterance: all of its sound was sent."""
        await self._send('{"type": "end"}')

    async def clear(self) -> None:
        """Drop all sound that was not played, and close the mouth."""
        await self._send('{"type": "clear"}')

    async def _send(self, message: str | bytes) -> None:
        try:
            await self._socket.send(message)
        except ConnectionClosed as error:
            raise ConnectionLost(reason_of(error)) from error

    async def __aiter__(self) -> AsyncIterator[Media | Report]:
        """Yield messages until the connection ends; raises ConnectionLost then."""
        try:
            while True:
                message = parse(await self._socket.recv())
                if not isinstance(message, Hello | Unknown):
                    yield message
        except ConnectionClosed as error:
            raise ConnectionLost(reason_of(error)) from error
        except (ValueError, KeyError) as error:
            await self.close()
            raise ConnectionLost(f"the server sent a damaged message ({error})") from error

    async def close(self) -> None:
        """Close the connection."""
        await self._socket.close()


def detail_of(error: InvalidStatus) -> str:
    """Return the reason of a refused connection: that of the server's problem, or its status."""
    try:
        problem = json.loads(error.response.body or b"")
        return str(problem["detail"])
    except (ValueError, KeyError, TypeError):
        return error.response.reason_phrase or "no reason given"


def reason_of(error: ConnectionClosed) -> str:
    """Return the reason that the closing side gave."""
    received = error.rcvd
    return (received.reason or f"code {received.code}") if received else "the connection broke"
