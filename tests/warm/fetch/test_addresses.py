"""Only addresses of the public internet are connected to, however they are written."""

import socket
from ipaddress import ip_address
from typing import Any

import pytest

from warm.fetch.addresses import AllowedNetworks, is_public, normal
from warm.fetch.checked_http import CheckedHttp
from warm.fetch.errors import BadAddress, FetchError, ForbiddenAddress
from warm.fetch.web_address import parse_address

PRIVATE = [
    *("127.0.0.1", "127.255.255.254", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255"),
    *("192.168.1.1", "169.254.169.254", "169.254.0.1", "100.64.0.1", "100.127.255.255"),
    *("192.0.0.8", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1"),
    *(
        "224.0.1.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "192.88.99.1",
        "168.63.129.16",
    ),
    *("::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "::8.8.8.8"),
    *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::808:808", "2002:7f00:1::"),
    *("2002:808:808::", "2001::1", "2001:0:7f00:1::", "2001:db8::1", "3fff::1", "100::1"),
    *("fe80::1", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "ff0e::1", "5f00::1", "4000::1"),
]
PUBLIC = ["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1", "64:ff9b::808:808"]


@pytest.mark.parametrize("text", PRIVATE)
def test_an_address_that_is_not_public_is_refused(text: str) -> None:
    assert not is_public(normal(text))
    assert not AllowedNetworks(None).permits("some.example", normal(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_an_address_of_the_internet_is_public(text: str) -> None:
    assert is_public(ip_address(text))


def test_the_operator_may_allow_hosts_and_networks() -> None:
    allowed = AllowedNetworks("10.0.0.0/8, files.intern, fd00::/8")
    assert allowed.permits("x", normal("10.1.2.3"))
    assert allowed.permits("x", normal("::ffff:10.1.2.3"))
    assert allowed.permits("FILES.intern", normal("192.168.0.9"))
    assert not allowed.permits("x", normal("192.168.0.9"))
    assert not allowed.permits("files.intern.example", normal("192.168.0.9"))


@pytest.mark.parametrize(
    "url",
    [
        *("file:///etc/passwd", "ftp://example.com/a", "gopher://example.com", "data:,x", "//a/b"),
        *("http:///x", "http://", "http://user:pw@example.com/", "http://a@127.0.0.1/", "HTTP//x"),
        *("http://2130706433/", "http://0x7f000001/", "http://0177.0.0.1/", "http://127.1/"),
        *("http://0x7f.0.0.1/", "http://127.0.0.0x1/", "http://1.2.3.4.5/", "http://256.1.1.1/"),
        *("http://[::1%25lo]/", "http://[fe80::1%eth0]/", "http://[::1", "http://[v1.x]/"),
        *("http://exa mple.com/", "http://example.com\\@evil/", "http://example.com/\r\nX: y"),
        *("http://example.com:99999/", "http://example.com:x/", "http://exa\tmple.com/", "http://\0/"),
        *("http://" + "a" * 300 + ".com/", "http://example.com/" + "a" * 3000, "http://-/", "http://./"),
        *("javascript:alert(1)", "http://[::ffff:127.0.0.1%251]/", "http://%31%32%37.0.0.1/"),
        *("http://example.com/\ud800", "http://\ud800.example/"),
    ],
)  # fmt: skip
def test_a_malformed_or_tricky_address_is_refused_without_a_connection(url: str) -> None:
    with pytest.raises(BadAddress):
        parse_address(url)


@pytest.mark.parametrize(
    ("url", "host", "shown"),
    [
        ("HTTP://Example.COM:80/a?b=c#d", "example.com", "http://example.com/a?b=c"),
        ("https://example.com.:8443", "example.com", "https://example.com:8443/"),
        ("http://bücher.example/ü ".strip(), "xn--bcher-kva.example", None),
        ("http://[2606:4700::1]/x", "2606:4700::1", "http://[2606:4700::1]/x"),
        ("http://１２７.0.0.1/", "127.0.0.1", None),
    ],
)
def test_an_address_is_normalised(url: str, host: str, shown: str | None) -> None:
    found = parse_address(url)
    assert found.host == host
    assert shown in (None, str(found))


@pytest.fixture
def resolved(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Addresses of host names; connections to them fail the test."""
    names: dict[str, list[str]] = {}
    real = socket.getaddrinfo

    def resolve(host: str, port: int, *args: Any, **named: Any) -> list[Any]:
        if host in names:
            return [(0, 0, 0, "", (address, port)) for address in names[host]]
        return real(host, port, *args, **named)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return names


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["::1"], ["fe80::1%eth0"], ["0.0.0.0"]]
)
def test_a_name_that_leads_to_a_private_address_is_refused(
    resolved: dict[str, list[str]], addresses: list[str]
) -> None:
    resolved["trap.example"] = addresses
    with pytest.raises(ForbiddenAddress) as caught, CheckedHttp().open("http://trap.example/", 10):
        pass
    assert "10.0.0.1" not in str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "[::ffff:7f00:1]", "localhost", "0.0.0.0"])
def test_this_machine_is_not_connected_to(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.05)
        url = f"http://{host}:{listener.getsockname()[1]}/"
        with pytest.raises(FetchError), CheckedHttp().open(url, 10):
            pass
        with pytest.raises(FetchError):
            CheckedHttp().post(url, b"{}", {})
        with pytest.raises(TimeoutError):
            listener.accept()
