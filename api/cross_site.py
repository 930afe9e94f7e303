"""Refusal of state changes that a browser makes for a page of another site.

A browser sends a form, a picture's address or a link to any server, whichever page asks for it. It
says where the request comes from in headers that no page can write: `Sec-Fetch-Site`, and `Origin`
where the browser is older or the server is reached over plain HTTP. Programs send neither.
"""

from flask import Flask, Request, request

READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
CHANGED_BY_GET = frozenset({"/reset"})
"""The rules whose GET changes something."""
OWN_SITES = frozenset({"same-origin", "none"})
"""`Sec-Fetch-Site` of our page, and of an address typed in or a bookmark. `same-site` is another
port or subdomain, where another server may answer."""
DEFAULT_PORTS = {"http": 80, "https": 443}
BROWSER_AGENTS = ("Mozilla/", "AppleCoreMedia/")
"""How `User-Agent` begins in all browsers, and in the media loader of Safari."""


class CrossSiteRequest(RuntimeError):
    """A page of another site asks for a state change, or a browser does not say which page asks."""

    def __init__(self, received: str, allowed: str) -> None:
        super().__init__(
            f"{received}: {allowed}, so that no page of another site can change something here; use"
            " the page of this server at /, or a program such as curl"
        )


def refuse_cross_site(app: Flask) -> None:
    """Have every state change checked before its view runs and before its body is read."""
    app.before_request(_check)


def _check() -> None:
    if changes_state(request):
        require_own_site(request)


def changes_state(request: Request) -> bool:
    """True if the view may change something; a request without a view fails by itself."""
    if request.url_rule is None:
        return False
    if request.method == "GET":
        return request.url_rule.rule in CHANGED_BY_GET
    return request.method not in READING_METHODS


def require_own_site(request: Request) -> None:
    """Raise CrossSiteRequest unless our page, a person or a program asks.

    `Sec-Fetch-Site` decides alone where it is sent: unlike `Origin` it needs no comparison with
    `Host`, which a proxy may have replaced.
    """
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is not None:
        if site not in OWN_SITES:
            raise CrossSiteRequest(f"Sec-Fetch-Site = {site!r}", "must be same-origin or none")
    elif origin is not None:
        require_own_origin(request, origin)
    elif request.method == "GET" and is_browser(request):
        raise CrossSiteRequest(
            f"method = 'GET': the browser does not say which page asks for {request.path}",
            "must be POST where neither Sec-Fetch-Site nor Origin is sent",
        )


def require_own_origin(request: Request, origin: str) -> None:
    """Raise CrossSiteRequest unless `Origin` is that of the page which `Host` serves."""
    host = request.headers.get("Host", "")
    own = own_origins(request.scheme, host)
    if origin not in own:
        raise CrossSiteRequest(
            f"Origin = {origin!r}",
            f"must be {' or '.join(own)}, as Host = {host!r} says (a proxy must pass Host on as it"
            " came)",
        )


def own_origins(scheme: str, host: str) -> list[str]:
    """The origins of this server in the form that browsers send: without the default port.

    A server reached over HTTP may stand behind a proxy that ends TLS; one reached over HTTPS is
    never the server of a page that came over HTTP.
    """
    schemes = ["https"] if scheme == "https" else ["http", "https"]
    return [f"{each}://{host.lower().removesuffix(f':{DEFAULT_PORTS[each]}')}" for each in schemes]


def is_browser(request: Request) -> bool:
    """True for a browser, which names its languages too; PowerShell only calls itself Mozilla.

    Over plain HTTP from another machine, browsers send neither `Sec-Fetch-Site` nor, with GET,
    `Origin`.
    """
    agent = request.headers.get("User-Agent", "")
    return agent.startswith(BROWSER_AGENTS) and "Accept-Language" in request.headers
