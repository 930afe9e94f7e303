"""Addresses to which servers of WHIP lead: redirects, and sessions."""

import pytest

from warm.live.push.destination import WhipDestination, parse_destination
from warm.live.push.errors import PushFailed
from warm.live.push.whip.http import redirected


def destination(url: str) -> WhipDestination:
    parsed = parse_destination(url, "the-token")
    assert isinstance(parsed, WhipDestination)
    return parsed


@pytest.mark.parametrize(
    ("endpoint", "location", "expected"),
    [
        ("https://media.example/whip/a", "/session/1", "https://media.example/session/1"),
        ("https://media.example/whip/a", "b?c=d", "https://media.example/whip/b?c=d"),
        ("https://media.example:8443/whip", "http://media.example/s/1", "https://media.example:8443/s/1"),
        ("https://media.example/whip", "http://media.example:8889/s/1?k=2", "https://media.example/s/1?k=2"),
        ("https://[2001:db8::1]/whip", "http://[2001:db8::1]:80/s", "https://[2001:db8::1]/s"),
        ("http://media.example/whip", "http://media.example:8889/s", "http://media.example:8889/s"),
        ("http://media.example/whip", "https://media.example/s", "https://media.example/s"),
        ("https://media.example/whip", "https://other.example:444/s", "https://other.example:444/s"),
    ],
)  # fmt: skip
def test_a_server_that_gives_itself_as_plain_http_is_asked_over_tls(
    endpoint: str, location: str, expected: str
) -> None:
    found = redirected(destination(endpoint), location)
    assert (found.url, found.token) == (expected, "the-token")
    assert found.scheme == expected.partition(":")[0]


@pytest.mark.parametrize(
    "location", ["http://other.example/s", "rtmp://media.example/live/key", "http://", "ftp://x/y"]
)
def test_the_token_never_leaves_tls(location: str) -> None:
    with pytest.raises(PushFailed):
        redirected(destination("https://media.example/whip"), location)
