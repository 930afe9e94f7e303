"""The name of a client: its address, normalised."""

import pytest
from flask import Flask

from api.client_address import client_address, normal_address


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("::FFFF:CB00:7107", "203.0.113.7"),
        ("::1", "::1"),
        ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
        ("2001:0DB8:0001:0002:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "local"),
        (None, "local"),
        ("/run/warmtalk.sock", "local"),
        ("\0abstract", "local"),
    ],
)
def test_every_spelling_of_an_address_gives_one_name(peer: str | None, expected: str) -> None:
    assert normal_address(peer) == expected


@pytest.mark.parametrize(
    ("environ", "expected"),
    [({"REMOTE_ADDR": "127.0.0.7"}, "127.0.0.7"), ({"REMOTE_ADDR": ""}, "local")],
)
def test_the_client_of_a_request_is_its_peer(environ: dict[str, str], expected: str) -> None:
    with Flask(__name__).test_request_context("/", environ_base=environ):
        assert client_address() == expected
