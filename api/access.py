"""Keys of requests: identity of the caller, scope of the route, and rate.

A server without keys lets everybody who can reach it do everything.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock

from flask import Flask, Request, Response, current_app, g, request

from api.caller import LOCAL_CALLER, NOBODY, Caller, caller, set_caller
from api.client_address import client_address
from api.credentials import sent_secrets
from api.cross_site import CHANGED_BY_GET, COSTLY_GET, READING_METHODS, is_browser
from api.login_cookies import COOKIE, LoginCookies
from api.operation import Scope, operation_of
from warm.keys.api_key import ApiKey
from warm.keys.key_ring import KeyRing
from warm.keys.rates import WINDOW_S, Rates, RateState

REALM = "Warmtalk"
PUBLIC_PATHS = frozenset({"/", "/health", "/livez"})
PUBLIC_FOLDERS = ("/web/", "/results/", "/uploads/")
"""Files that need no key if they are read: those of the page, and those whose addresses cannot be
guessed."""
MAX_FAILURES = 30
"""Wrong keys that one client may send within a minute."""
MAX_REMEMBERED = 10_000
"""Clients whose last valid key is remembered."""


class KeyRequired(RuntimeError):
    """A request has no valid key. A wrong key gets the same answer as no key."""

    def __init__(self, challenge: str) -> None:
        super().__init__(
            "Authorization: no valid key; send one as `Authorization: Bearer KEY`, as Basic user or"
            " password, or as `X-Api-Key: KEY`, or log in on the page at /login"
        )
        self.headers = {"WWW-Authenticate": challenge}


class ScopeMissing(RuntimeError):
    """The key of a request does not permit it."""

    def __init__(self, found: Caller, needed: Scope) -> None:
        super().__init__(
            f"key = {found.name!r}: lacks the scope {needed!r}, which this route needs; it has"
            f" {', '.join(sorted(found.scopes)) or 'none'}; use another key, or ask the operator"
            " for one"
        )


class TooManyRequests(RuntimeError):
    """A key is used more often than its rate permits, or a client has sent many wrong keys."""

    def __init__(self, detail: str, state: RateState) -> None:
        super().__init__(f"{detail}; try again in {state.reset_s} s")
        self.headers = {"Retry-After": str(state.reset_s)}


@dataclass(eq=False)
class Access:
    """The keys of one application, and the use of them. Any thread."""

    ring: KeyRing
    cookies: LoginCookies
    rates: Rates = field(default_factory=Rates)
    failures: Rates = field(default_factory=Rates)
    _good: "OrderedDict[tuple[str, str], None]" = field(default_factory=OrderedDict)
    """Addresses of clients with the names of the keys that they have used."""
    _lock: Lock = field(default_factory=Lock)

    def key_of(self, request: Request) -> ApiKey | None:
        """Return the key of a request; None if it has no valid one. Raises TooManyRequests."""
        secrets = sent_secrets(request.headers)
        return self.cookie_key(request) or (self.try_secrets(secrets) if secrets else None)

    def cookie_key(self, request: Request) -> ApiKey | None:
        """Return the key with which the page of a request has logged in."""
        cookie = request.cookies.get(COOKIE)
        return self.cookies.key_of(cookie, self.ring) if cookie else None

    def try_secrets(self, secrets: list[str]) -> ApiKey | None:
        """Return the key that matches one of these texts, if any. Raises TooManyRequests for a
        client that has sent many wrong ones, unless it has used this key before: one client of a
        shared address cannot lock out the others."""
        key, client = self.ring.find(secrets), client_address()
        if key is not None and (client, key.name) in self._good:
            return key
        state = self.failures.peek(client, MAX_FAILURES)
        if not state.is_exceeded and key is None:
            self.failures.take(client, MAX_FAILURES)
        if state.is_exceeded:
            raise TooManyRequests(
                f"{MAX_FAILURES} wrong keys came from this address within {WINDOW_S:.0f} s", state
            )
        if key is not None:
            self._note_good(client, key.name)
        return key

    def count(self, key: ApiKey) -> RateState | None:
        """Count a request of a key; None if its rate has no limit. Raises TooManyRequests."""
        if key.rate_per_minute is None:
            return None
        state = self.rates.take(key.name, key.rate_per_minute)
        if state.is_exceeded:
            g.rate = state
            raise TooManyRequests(
                f"key = {key.name!r}: {state.limit} requests within {WINDOW_S:.0f} s, which is its"
                " limit",
                state,
            )
        return state

    def _note_good(self, client: str, name: str) -> None:
        with self._lock:
            self._good[client, name] = None
            if len(self._good) > MAX_REMEMBERED:
                self._good.popitem(last=False)


def caller_of(key: ApiKey) -> Caller:
    """Return the caller that a key identifies."""
    return Caller(name=key.name, scopes=key.scopes, max_queued=key.max_queued)


def require_keys(app: Flask, access: Access) -> None:
    """Check every request before its view runs and before its body is read."""
    app.before_request(lambda: check_request(access))
    app.after_request(add_rate_headers)


def check_request(access: Access) -> None:
    """Note the caller of the request; raises KeyRequired, ScopeMissing and TooManyRequests."""
    if not access.ring.is_required:
        set_caller(LOCAL_CALLER)
        return
    set_caller(NOBODY)
    needed = needed_scope(request)
    if needed == "public" or request.method == "OPTIONS":
        note_logged_in(access)
        return
    found = identified(access)
    if not found.has(needed):
        raise ScopeMissing(found, needed)


def identified(access: Access) -> Caller:
    """Return and note the caller of a request that needs a key, if the server has keys; raises
    KeyRequired and TooManyRequests."""
    if not access.ring.is_required:
        return caller()
    key = access.key_of(request)
    if key is None:
        raise KeyRequired(challenge(request))
    found = caller_of(key)
    set_caller(found)
    g.rate = access.count(key)
    return found


def note_logged_in(access: Access) -> None:
    """Note the caller of a public route by the cookie alone: the headers may hold the credentials
    of a proxy, and answers that depend on them would let keys be tried without a limit."""
    key = access.cookie_key(request)
    if key is not None:
        set_caller(caller_of(key))


def needed_scope(request: Request) -> Scope:
    """Return the scope that the view of a request needs, by its description or by its method.

    A request without a view fails anyway, and needs none.
    """
    rule = request.url_rule
    if rule is None:
        return "public"
    described = operation_of(current_app.view_functions[rule.endpoint])
    if described is not None:
        return described.scope
    return scope_of_rule(rule.rule, request.method)


def scope_of_rule(rule: str, method: str) -> Scope:
    """Return the scope of a view without a description."""
    reads = method in READING_METHODS and rule not in CHANGED_BY_GET
    if reads and (rule in PUBLIC_PATHS or rule.startswith(PUBLIC_FOLDERS)):
        return "public"
    return "watch" if reads and rule not in COSTLY_GET else "speak"


def challenge(request: Request) -> str:
    """Return `WWW-Authenticate`. A browser is not offered `Basic`: it would open a password window
    of its own over the page's login."""
    bearer = f'Bearer realm="{REALM}"'
    return bearer if is_browser(request) else f'{bearer}, Basic realm="{REALM}", charset="UTF-8"'


def add_rate_headers(response: Response) -> Response:
    """Report the use of the key's limit (the IETF's draft of RateLimit headers)."""
    state: RateState | None = g.get("rate")
    if state is not None:
        response.headers["RateLimit-Limit"] = str(state.limit)
        response.headers["RateLimit-Remaining"] = str(state.remaining)
        response.headers["RateLimit-Reset"] = str(state.reset_s)
        response.headers["RateLimit-Policy"] = f"{state.limit};w={WINDOW_S:.0f}"
    return response
