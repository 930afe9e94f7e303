"""Restoration of requests that come through trusted proxies, or below a path prefix.

Headers that report the client, its scheme, the host and the path are trusted only if the peer of
the connection is in the setting `trusted_proxies`: anyone else may have written them.
"""

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask, redirect, request
from werkzeug import Response

from api.client_address import LOCAL
from warm.settings import Settings
from warm.settings.network import (
    PATH_PREFIX,
    TrustedProxies,
    canonical_prefix,
    read_address,
)

SCHEMES = ("http", "https")
RECEIVED_HOST = "warmtalk.received_host"
"""Key of the environment: `Host` as received, if a proxy reports another one."""
RELAY = "HTTP_WARMTALK_RELAY"
"""Key of the environment: the header by which heads recognise each other."""
FAULT = "warmtalk.bad_forwarding"
"""Key of the environment: message about a header of a proxy that cannot be used."""
IS_FOLDER = "warmtalk.lacks_slash"
"""Key of the environment: the path is the prefix without its final slash."""
V4_OR_V6 = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+))(?::[0-9]{1,5})?", re.ASCII)
PAIR = re.compile(r'\s*([\w!#$%&\'*+.^`|~-]+)=("(?:[^"\\]|\\.)*"|[^\s",;]+)\s*', re.ASCII)


class BadForwarding(ValueError):
    """A trusted proxy reports something that cannot be used."""


class Report(NamedTuple):
    """The headers of proxies. Text that is not reported is empty."""

    clients: list[str]
    """Addresses in the order from the client to this server."""
    scheme: str
    host: str
    prefix: str


class BehindProxies:
    """WSGI middleware that restores client, scheme, host and path from the reports of proxies."""

    def __init__(
        self, app: WSGIApplication, settings: Settings, *, is_head: Callable[[str], bool]
    ) -> None:
        """`is_head`: True for the value of `Warmtalk-Relay` that another head has sent."""
        self._app, self._is_head = app, is_head
        self._trusted = TrustedProxies(settings.trusted_proxies)
        self._prefix = canonical_prefix(settings.path_prefix)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve a request."""
        prefix, peer = self._prefix, peer_of(environ)
        environ["REMOTE_ADDR"] = "" if peer == LOCAL else peer  # IPv4 without ::ffff:
        is_head = self._is_head(environ.get(RELAY, ""))
        if peer in self._trusted or is_head:
            try:
                prefix = self._believe(environ, is_head=is_head) or prefix
            except BadForwarding as error:
                environ[FAULT] = str(error)
        enter_prefix(environ, prefix)
        return self._app(environ, start_response)

    def _believe(self, environ: WSGIEnvironment, *, is_head: bool) -> str:
        """Apply the report of a trusted peer; return the path prefix; raises BadForwarding."""
        report = read_report(environ)
        environ["REMOTE_ADDR"] = self._client(peer_of(environ), report.clients, is_head=is_head)
        if report.scheme:
            environ["wsgi.url_scheme"] = report.scheme
        if report.host:
            environ[RECEIVED_HOST] = environ.get("HTTP_HOST")
            environ["HTTP_HOST"] = report.host
        return report.prefix

    def _client(self, peer: str, clients: list[str], *, is_head: bool) -> str:
        """Return the last client in the chain whose report is not by a trusted proxy."""
        for reported in reversed(clients):
            address = reported_address(reported)
            if not (peer in self._trusted or is_head) or address is None:
                break
            peer, is_head = address, False
        return "" if peer == LOCAL else peer


def peer_of(environ: WSGIEnvironment) -> str:
    """Return the address at the other end of the connection; `LOCAL` for a unix socket."""
    address = read_address(environ.get("REMOTE_ADDR", ""))
    return LOCAL if address is None else str(address)


def reported_address(reported: str) -> str | None:
    """Return the address in a report, without port; None for `unknown` and other words."""
    address = read_address(reported)
    match = V4_OR_V6.fullmatch(reported)
    if address is None and match is not None:
        address = read_address(match[1] or match[2])
    return None if address is None else str(address)


def read_report(environ: WSGIEnvironment) -> Report:
    """Return what the proxies report: in `X-Forwarded-…`, or else in `Forwarded` (RFC 7239).

    A proxy that writes one kind passes the other on as its client sent it, so they are not mixed.
    Of several reports of one thing, the last one is by the nearest proxy. Raises BadForwarding.
    """
    x_names = ("FOR", "PROTO", "HOST", "PREFIX")
    listed = {name: listed_values(environ, f"HTTP_X_FORWARDED_{name}") for name in x_names}
    prefix = read_prefix(last(listed["PREFIX"]))
    if any(listed[name] for name in x_names[:3]):
        scheme = read_scheme("X-Forwarded-Proto", last(listed["PROTO"]))
        return Report(listed["FOR"], scheme, last(listed["HOST"]), prefix)
    elements = read_forwarded(environ.get("HTTP_FORWARDED", ""))
    nearest = elements[-1] if elements else {}
    scheme = read_scheme("Forwarded: proto", nearest.get("proto", ""))
    clients = [element.get("for", "") for element in elements]
    return Report(clients, scheme, nearest.get("host", ""), prefix)


def listed_values(environ: WSGIEnvironment, key: str) -> list[str]:
    """Return the elements of a header that is a list."""
    return [word.strip() for word in environ.get(key, "").split(",") if word.strip()]


def last(values: list[str]) -> str:
    """Return the last element; empty if there is none."""
    return values[-1] if values else ""


def read_scheme(name: str, value: str) -> str:
    """Return a scheme in lower case; raises BadForwarding."""
    if value and value.lower() not in SCHEMES:
        raise BadForwarding(f"{name} = {value!r}: must be http or https; correct it in the proxy")
    return value.lower()


def read_prefix(value: str) -> str:
    """Return a path prefix without final slash; raises BadForwarding."""
    prefix = canonical_prefix(value)
    if prefix and not PATH_PREFIX.fullmatch(prefix):
        raise BadForwarding(
            f"X-Forwarded-Prefix = {value!r}: must be a path such as /talk; correct it in the proxy"
        )
    return prefix


def read_forwarded(header: str) -> list[dict[str, str]]:
    """Return the elements of a `Forwarded` header by parameter; raises BadForwarding."""
    elements: list[dict[str, str]] = [{}]
    position = 0
    while position < len(header):
        pair = PAIR.match(header, position)
        if pair is None or header[pair.end() : pair.end() + 1] not in {"", ",", ";"}:
            raise BadForwarding(
                f"Forwarded = {header!r}: is malformed (RFC 7239); correct it in the proxy"
            )
        value = pair[2]
        if value.startswith('"'):
            value = re.sub(r"\\(.)", r"\1", value[1:-1])
        elements[-1][pair[1].lower()] = value
        position = pair.end() + 1
        if header[pair.end() : position] == ",":
            elements.append({})
    return [element for element in elements if element]


def enter_prefix(environ: WSGIEnvironment, prefix: str) -> None:
    """Move the prefix from the path to SCRIPT_NAME; the proxy may have removed it from the path."""
    path = environ.get("PATH_INFO", "")
    if not prefix:
        return
    environ["SCRIPT_NAME"] = prefix
    if f"{path}/".startswith(f"{prefix}/"):
        environ["PATH_INFO"] = path[len(prefix) :] or "/"
        environ[IS_FOLDER] = path == prefix


def serve_behind_proxies(
    app: Flask, settings: Settings, *, is_head: Callable[[str], bool] = lambda _value: False
) -> None:
    """Have the application receive requests as their clients sent them.

    `is_head`: see `BehindProxies`.
    """
    proxies = BehindProxies(app.wsgi_app, settings, is_head=is_head)
    app.wsgi_app = proxies  # type: ignore[method-assign]
    app.before_request(check_forwarding)


def check_forwarding() -> Response | None:
    """Raise BadForwarding for an unusable report; redirect from the bare prefix to the page."""
    if FAULT in request.environ:
        raise BadForwarding(request.environ[FAULT])
    if request.environ.get(IS_FOLDER) and request.method in {"GET", "HEAD"}:
        query = request.query_string.decode("latin-1")
        return redirect(f"{request.script_root}/{'?' if query else ''}{query}", 308)
    return None
