"""Refusal of state changes that a browser makes for a page of another site.

A browser sends forms, image requests and links to any server, whichever page they come from. It
reports the origin of a request in headers that no page can write: `Sec-Fetch-Site`, and `Origin` if
the browser is older or the server is reached over plain HTTP. Programs send neither.
"""

from flask import Flask, Request, request

from api.cors import AllowedOrigins
from warm.settings.network import DEFAULT_PORTS

READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
CHANGED_BY_GET = frozenset({"/reset"})
"""Routes whose GET changes state."""
COSTLY_GET = frozenset({"/voices/sample"})
"""Routes whose GET changes nothing but is costly: it may load a voice or use a paid server."""
SOCKETS = frozenset({"/sessions/<session_id>/live"})
"""WebSockets, which pages of any site may open, and through which clients change state."""
OWN_SITE = "same-origin"
"""`Sec-Fetch-Site` of this server's page. `same-site` is another port or subdomain, which may
belong to another server."""
NO_SITE = "none"
"""`Sec-Fetch-Site` of a typed address or a bookmark, also after a redirect by another site."""
BROWSER_AGENTS = ("Mozilla/", "AppleCoreMedia/")
"""Prefixes of `User-Agent` in all browsers, and in the media loader of Safari."""


class CrossSiteRequest(RuntimeError):
    """A state change requested by a page of another site, or by an unknown page of a browser."""

    def __init__(self, received: str, allowed: str) -> None:
        super().__init__(
            f"{received}: {allowed}, so that pages of other sites cannot change anything here; use"
            " the page of this server at /, or a program such as curl, or add the origin of a page"
            " that you trust to the setting allowed_origins"
        )


def refuse_cross_site(app: Flask, allowed: AllowedOrigins) -> None:
    """Check every state change before its view runs and before its body is read."""

    def check() -> None:
        if request.headers.get("Origin") in allowed:
            return
        if changes_state(request):
            require_own_site(request)
        elif request.url_rule is not None and request.url_rule.rule in COSTLY_GET:
            refuse_reported_site(request)
        elif request.url_rule is not None and request.url_rule.rule in SOCKETS:
            require_own_page(request)

    app.before_request(check)


def changes_state(request: Request) -> bool:
    """True if the view may change state; a request without a view fails anyway."""
    if request.url_rule is None:
        return False
    if request.method == "GET":
        return request.url_rule.rule in CHANGED_BY_GET
    return request.method not in READING_METHODS


def refuse_reported_site(request: Request) -> None:
    """Raise CrossSiteRequest for a page of another site.

    Over plain HTTP a browser reports no site for the audio of a page, so a request without one is
    accepted.
    """
    if {"Sec-Fetch-Site", "Origin"} & set(request.headers.keys()):
        require_own_site(request)


def require_own_page(request: Request) -> None:
    """Raise CrossSiteRequest for a WebSocket of another site's page.

    Browsers send `Origin` with every WebSocket, but `Sec-Fetch-Site` not all of them.
    """
    origin = request.headers.get("Origin")
    if origin is not None and request.headers.get("Sec-Fetch-Site") != OWN_SITE:
        require_own_origin(request, origin)
    else:
        refuse_reported_site(request)


def require_own_site(request: Request) -> None:
    """Raise CrossSiteRequest unless this server's page, a person or a program sent the request.

    `Sec-Fetch-Site` has precedence: unlike `Origin` it needs no comparison with `Host`, which a
    proxy may have replaced.
    """
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is not None and site not in {OWN_SITE, NO_SITE}:
        raise CrossSiteRequest(f"Sec-Fetch-Site = {site!r}", "must be same-origin or none")
    if site is None and origin is not None:
        require_own_origin(request, origin)
    elif site != OWN_SITE and request.method == "GET" and is_browser(request):
        raise CrossSiteRequest(
            f"method = 'GET': the browser does not report which page led it to {request.path}",
            "must be POST, or come from the page of this server",
        )


def require_own_origin(request: Request, origin: str) -> None:
    """Raise CrossSiteRequest unless `Origin` matches `Host`."""
    host = request.headers.get("Host", "")
    own = own_origins(request.scheme, host)
    if origin not in own:
        raise CrossSiteRequest(
            f"Origin = {origin!r}",
            f"must be {' or '.join(own)}, because Host = {host!r} (a proxy must pass Host"
            " on unchanged)",
        )


def own_origins(scheme: str, host: str) -> list[str]:
    """Return the origins of this server as browsers send them: without the default port.

    A page loaded over HTTPS may reach a server over HTTP through a proxy that terminates TLS; a
    page loaded over HTTP never reaches one over HTTPS.
    """
    schemes = ["https"] if scheme == "https" else ["http", "https"]
    return [f"{each}://{host.lower().removesuffix(f':{DEFAULT_PORTS[each]}')}" for each in schemes]


def is_browser(request: Request) -> bool:
    """True for a browser. PowerShell claims to be Mozilla, but sends no `Accept-Language`.

    Over plain HTTP from another machine, browsers send neither `Sec-Fetch-Site` nor, with GET,
    `Origin`.
    """
    if "Sec-Fetch-Site" in request.headers:
        return True
    agent = request.headers.get("User-Agent", "")
    return agent.startswith(BROWSER_AGENTS) and "Accept-Language" in request.headers
