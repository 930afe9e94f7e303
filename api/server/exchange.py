"""One request and its response, which is made in steps that never wait for the client."""

import logging
import socket
from collections.abc import Iterable, Iterator
from contextvars import Context
from typing import Any, Protocol, cast

from gunicorn.config import Config
from gunicorn.http.message import Request
from gunicorn.http.wsgi import create

from api.server.admission import client_of
from api.server.bad_requests import rejection
from api.server.handover import HANDOVER, Handover
from api.server.output import ClientGone, Output
from api.server.request_reader import Address, RequestReader

log = logging.getLogger(__name__)


class Channel(Protocol):
    """A connection, as an exchange uses it."""

    sock: socket.socket
    client: Address
    server: Address
    reader: RequestReader
    output: Output


class Exchange:
    """A request that the application answers. One thread at a time, not always the same one.

    The response is iterated until the client cannot receive more; the next step continues there.
    All steps run in one context, because a generator may set context variables.
    """

    def __init__(
        self, request: Request, connection: Channel, config: Config, application: Any
    ) -> None:
        self.is_over = False
        """True if nothing is left to send, except what the output holds."""
        self.is_cut = False
        """True if the client is gone."""
        self.is_kept = False
        """True if the client may send another request on this connection."""
        self.handover = Handover()
        """Set by a view that hands over the connection."""
        self._application = application
        self._output = connection.output
        self._client = client_of(connection.client)
        self._reader = connection.reader
        self._context = Context()
        # gunicorn types the writer as a socket, but calls only its `sendall`
        writer = cast(socket.socket, connection.output)
        self._response, self._environ = create(
            request, writer, connection.client, connection.server, config
        )
        self._environ["gunicorn.socket"] = connection.sock
        self._environ["wsgi.multithread"] = True
        self._environ[HANDOVER] = self.handover
        if self._reader.body is not None:
            self._environ["wsgi.input"] = self._reader.body
        self.has_begun = False
        """True if a thread has started to produce the response."""
        self._iterable: Iterable[bytes] | None = None
        self._items: Iterator[bytes] = iter(())

    def step(self, *, may_keep: bool) -> None:
        """Continue the response until the client cannot receive more, or it is over."""
        self.has_begun = True
        try:
            self._context.run(self._advance, may_keep)
        except ClientGone:
            self.is_over = self.is_cut = True
        except Exception as error:  # noqa: BLE001 - the top of a request
            self._fail(error)
        if self.is_over:
            self.close()

    def close(self) -> None:
        """Release what the response holds, complete or not."""
        self.is_over = True
        iterable, self._iterable = self._iterable, None
        close = getattr(iterable, "close", None)
        if close is not None:
            try:
                self._context.run(close)
            except Exception:
                log.exception("a response could not be closed")

    def _advance(self, may_keep: bool) -> None:
        if self._iterable is None:
            if not may_keep:
                self._response.force_close()
            self._iterable = self._application(self._environ, self._response.start_response)
            self._items = iter(self._iterable)
        for item in self._items:
            self._response.write(item)
            self._output.push()
            if self._output.is_blocked:
                return
        self._response.close()
        self._output.push()
        self.is_over = True
        may_follow = self.handover.is_wanted or not self._response.should_close()
        self.is_kept = may_follow and self._reader.finish()

    def _fail(self, error: Exception) -> None:
        """Answer an error of the application with 500, or cut off the response that has begun."""
        self.is_over = True
        if self._response.headers_sent:
            log.error("a response failed", exc_info=error)
            return
        self._output.sendall(rejection(error, client=self._client))
