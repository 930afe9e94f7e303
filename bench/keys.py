"""Cost of the check of a key, with one key and with a thousand in the file."""

import base64
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from flask import Flask
from werkzeug.test import EnvironBuilder, run_wsgi_app

from api.access import Access, check_request, require_keys
from api.login_cookies import COOKIE, LoginCookies
from api.operation import operation
from bench.figure import Figure, p95
from warm.keys.api_key import ApiKey, digest_of, new_secret
from warm.keys.key_file import write_key_file
from warm.keys.key_ring import KeyRing

_COUNTS = (1, 1000)
_CHECKS, _REQUESTS, _ROUNDS = 1000, 300, 7
_GOAL_MS = 1.0
_GOAL_RATIO = 1.5
"""A request through Flask that does nothing takes about a tenth of a millisecond."""


def measure(_out: Path) -> list[Figure]:
    """Measure the check in each form, and a request that does nothing with and without keys."""
    with TemporaryDirectory(prefix="warmtalk-bench-") as name:
        return [figure for count in _COUNTS for figure in _measure_count(Path(name), count)]


def _measure_count(folder: Path, count: int) -> list[Figure]:
    """Measure with a file of `count` keys, all with a rate."""
    path, secret = folder / f"{count}.json", new_secret()
    keys = [_key(f"key-{number}", new_secret()) for number in range(count - 1)]
    used = _key("used", secret)
    write_key_file(path, [*keys, used])
    time.sleep(0.1)  # a file that has just been written is read at every request
    access = Access(KeyRing(path), LoginCookies(folder))
    without = Access(KeyRing(folder / "none.json"), LoginCookies(folder))
    forms = _forms(secret, access.cookies.issue(used))
    worst = max(p95(_check_times(access, headers)) for headers in forms)
    ratio = _ratio(_app(access), _app(without), {"Authorization": f"Bearer {secret}"})
    file = f"with {count} key{'s' * (count > 1)}"
    made = _REQUESTS * _ROUNDS
    return [
        Figure.at_most(
            f"check of a key, {file}, slowest form, CPU time, p95", 1e3 * worst, "ms", _GOAL_MS,
            _CHECKS * len(forms),
        ),
        Figure.at_most(
            f"empty request {file} / without keys, CPU time", ratio, "x", _GOAL_RATIO, made
        ),
    ]  # fmt: skip


def _key(name: str, secret: str) -> ApiKey:
    return ApiKey(
        name=name, digest=digest_of(secret), scopes=frozenset(["watch"]), rate_per_minute=10_000
    )


def _forms(secret: str, cookie: str) -> list[Mapping[str, str]]:
    """The ways of sending a key."""
    encoded = base64.b64encode(f"user:{secret}".encode()).decode()
    return [
        {"Authorization": f"Bearer {secret}"},
        {"Authorization": f"Basic {encoded}"},
        {"Authorization": f"Basic user:{secret}"},
        {"X-Api-Key": secret},
        {"Cookie": f"{COOKIE}={cookie}"},
    ]


def _app(access: Access) -> Flask:
    """An application whose only view does nothing."""
    app = Flask("bench", static_folder=None)

    @app.get("/watch")
    @operation(answers={204: ""}, tag="bench", scope="watch")
    def watch() -> tuple[str, int]:
        return "", 204

    require_keys(app, access)
    return app


def _check_times(access: Access, headers: Mapping[str, str]) -> list[float]:
    """Seconds of each of many checks."""
    times = []
    app = _app(access)
    for _ in range(_CHECKS):
        access.rates.forget()
        with app.test_request_context("/watch", headers=dict(headers)):
            times.append(_seconds(lambda: check_request(access)))
    return times


def _seconds(action: Callable[[], object]) -> float:
    """Return the processor time of an action, which does not depend on other programs."""
    begun_s = time.thread_time()
    action()
    return time.thread_time() - begun_s


def _ratio(app: Flask, other: Flask, headers: Mapping[str, str]) -> float:
    """Median over rounds of the time of a request to `app`, divided by that of one to `other`."""
    ratios = []
    for _ in range(_ROUNDS):
        times = [_seconds(lambda each=each: _requests(each, headers)) for each in (app, other)]  # type: ignore[misc]
        ratios.append(times[0] / times[1])
    return statistics.median(ratios)


def _requests(app: Flask, headers: Mapping[str, str]) -> None:
    """Make some requests through the WSGI interface."""
    environ = EnvironBuilder("/watch", headers=list(headers.items())).get_environ()
    for _ in range(_REQUESTS):
        body, _status, _headers = run_wsgi_app(app.wsgi_app, environ.copy())
        b"".join(body)
