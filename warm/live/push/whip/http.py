"""HTTP requests to an endpoint of WHIP, over connections whose addresses are checked."""

import asyncio
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit, urlunsplit

import h11

from warm.fetch.web_address import target_of
from warm.live.push.destination import WhipDestination, parse_destination
from warm.live.push.errors import BadPush, PushFailed
from warm.live.push.network import PushNetwork, reason_of

ANSWER_S = 10.0
MAX_REDIRECTS = 3
REDIRECTS = (307, 308)
"""Redirects that keep the method; RFC 9725 forbids the others."""
MAX_BODY_BYTES = 1 << 17
READ_BYTES = 1 << 14
AGENT = "Warmtalk"


class Answer(NamedTuple):
    """The answer to a request."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    destination: WhipDestination
    """Where it came from, after redirects."""


async def exchange(
    network: PushNetwork,
    destination: WhipDestination,
    method: str,
    body: bytes = b"",
    *,
    timeout_s: float = ANSWER_S,
) -> Answer:
    """Send a request; follows redirects. Raises PushFailed and PushForbidden."""
    try:
        async with asyncio.timeout(timeout_s):
            for _ in range(MAX_REDIRECTS + 1):
                answer = await exchange_once(network, destination, method, body)
                if answer.status not in REDIRECTS or "location" not in answer.headers:
                    return answer
                destination = redirected(destination, answer.headers["location"])
    except TimeoutError:
        raise PushFailed(f"the server did not answer within {timeout_s:g} s") from None
    except h11.RemoteProtocolError:
        raise PushFailed("the server does not speak HTTP as expected") from None
    except OSError as error:
        raise PushFailed(f"the connection was lost ({reason_of(error)})") from None
    raise PushFailed(f"the server redirects more than {MAX_REDIRECTS} times")


async def exchange_once(
    network: PushNetwork, destination: WhipDestination, method: str, body: bytes
) -> Answer:
    """Send a request over a connection of its own."""
    is_tls = destination.scheme == "https"
    reader, writer = await network.open_stream(destination, is_tls=is_tls)
    try:
        client = h11.Connection(h11.CLIENT)
        parts = urlsplit(destination.url)
        target = target_of(parts.path, parts.query)
        request = h11.Request(method=method, target=target, headers=headers(destination, body))
        writer.write(client.send(request) or b"")
        if body:
            writer.write(client.send(h11.Data(data=body)) or b"")
        writer.write(client.send(h11.EndOfMessage()) or b"")
        return await read_answer(client, reader, destination)
    finally:
        writer.transport.abort()


def headers(destination: WhipDestination, body: bytes) -> list[tuple[str, str]]:
    """Return the headers of a request."""
    found = [
        ("Host", destination.authority),
        ("User-Agent", AGENT),
        ("Accept", "application/sdp"),
        ("Connection", "close"),
        ("Content-Length", str(len(body))),
    ]
    if body:
        found.append(("Content-Type", "application/sdp"))
    if destination.token:
        found.append(("Authorization", f"Bearer {destination.token}"))
    return found


async def read_answer(
    client: h11.Connection, reader: asyncio.StreamReader, destination: WhipDestination
) -> Answer:
    """Read the answer to a request; raises PushFailed and h11's errors."""
    response: h11.Response | None = None
    body = b""
    while True:
        event = client.next_event()
        if event is h11.NEED_DATA:
            client.receive_data(await reader.read(READ_BYTES))
        elif isinstance(event, h11.Response):
            response = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > MAX_BODY_BYTES:
                raise PushFailed("the answer of the server is too long")
        elif isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
            break
    if response is None:
        raise PushFailed("the server has closed the connection")
    found = {name.decode("latin-1"): value.decode("latin-1") for name, value in response.headers}
    return Answer(response.status_code, found, body, destination)


def redirected(destination: WhipDestination, location: str) -> WhipDestination:
    """Return the address of a redirect, or of a session; the token goes along, but never to plain
    HTTP.

    Raises PushFailed.
    """
    try:
        url = with_tls_of(destination, urljoin(destination.url, location))
        target = parse_destination(url, destination.token or None)
    except (BadPush, ValueError):
        raise PushFailed("the server leads to an address that is not usable") from None
    is_weaker = destination.scheme == "https" and target.scheme != "https"
    if not isinstance(target, WhipDestination) or is_weaker:
        raise PushFailed("the server leads to another protocol, or away from TLS")
    return target


def with_tls_of(destination: WhipDestination, url: str) -> str:
    """Return an address with the TLS and the port of a destination on the same host.

    A server behind a proxy that ends TLS may give its own address as plain HTTP.
    """
    parts = urlsplit(url)
    if (destination.scheme, parts.scheme, parts.hostname) != ("https", "http", destination.host):
        return url
    return urlunsplit(parts._replace(scheme="https", netloc=destination.authority))
