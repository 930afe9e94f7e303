"""Opening handshake of WebSockets (RFC 6455, section 4.2)."""

from flask import Request, Response
from websockets.datastructures import Headers
from websockets.exceptions import InvalidUpgrade
from websockets.frames import Close, Frame, Opcode
from websockets.http11 import Request as Handshake
from websockets.server import ServerProtocol


class UpgradeRequired(RuntimeError):
    """A route of a WebSocket was requested as an ordinary resource."""

    def __init__(self) -> None:
        super().__init__(
            "Upgrade: must be websocket: this address is that of a WebSocket, which needs a client"
            " such as that of docs/live-socket.md; a reverse proxy must pass the upgrade on"
        )
        self.headers = {"Upgrade": "websocket"}


class BadHandshake(ValueError):
    """The opening handshake of a WebSocket is invalid."""


def accept_websocket(request: Request) -> Response:
    """Return the response that opens a WebSocket; raises UpgradeRequired and BadHandshake.

    No extension is used: pictures and sound would only get larger.
    """
    protocol = ServerProtocol()
    handshake = Handshake(
        request.path,
        Headers(list(request.headers.items())),
        request.method,
        request.environ.get("SERVER_PROTOCOL", "HTTP/1.1"),
    )
    accepted = protocol.accept(handshake)
    if isinstance(protocol.handshake_exc, InvalidUpgrade):
        raise UpgradeRequired
    if protocol.handshake_exc is not None:
        raise BadHandshake(f"the handshake of the WebSocket is invalid: {protocol.handshake_exc}")
    response = Response(status=accepted.status_code)
    response.headers.remove("Content-Type")
    for name in ("Connection", "Upgrade", "Sec-WebSocket-Accept"):
        response.headers[name] = accepted.headers[name]
    return response


def close_frame(code: int, reason: str) -> bytes:
    """Return the frame that closes a WebSocket which no process serves."""
    return Frame(Opcode.CLOSE, Close(code, reason).serialize()).serialize(mask=False)
