"""Addresses that lead to this machine, to private networks, or nowhere."""

from collections.abc import Iterator

HOSTS = (
    *("127.0.0.1", "localhost", "LOCALHOST", "localhost.", "127.1", "127.0.1", "0", "0.0.0.0"),
    *("2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001", "127.0.0.0x1"),
    *("127.0.0.1.", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]"),
    *("[64:ff9b::127.0.0.1]", "[2002:7f00:1::]", "[0:0:0:0:0:ffff:127.0.0.1]", "[::1%25lo]"),
    *("１２７.0.0.1", "127。0。0。1", "ⓛocalhost", "127.0.0.1%2f", "127.0.0.1%00", "%6cocalhost"),
    *("user@127.0.0.1", "user:pass@127.0.0.1", "example.com@127.0.0.1", "127.0.0.1\\@example.com"),
    *("127.0.0.1#@example.com", "127.0.0.1?@example.com", "example.com\t@127.0.0.1", "127.255.1.2"),
)
ELSEWHERE = (
    *("http://169.254.169.254/latest/meta-data/", "http://[fd00:ec2::254]/", "http://10.0.0.1/"),
    *("http://metadata.google.internal/computeMetadata/v1/", "http://100.100.100.200/"),
    *("http://168.63.129.16/", "http://192.168.0.1/", "http://172.16.0.1/", "http://[fe80::1]/"),
    *("http://100.64.0.1/", "http://224.0.0.1/", "http://255.255.255.255/", "http://[ff02::1]/"),
    *("http://198.18.0.1/", "http://240.0.0.1/", "http://[64:ff9b::a00:1]/", "http://[::10.0.0.1]/"),
    *("file:///etc/passwd", "file://localhost/etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/"),
    *("data:image/png;base64,AAAA", "dict://127.0.0.1:6379/", "ldap://127.0.0.1/", "jar:http://a!/"),
    *("concat:/etc/passwd", "subfile:///etc/passwd", "/etc/passwd", "../../etc/passwd"),
    *("http://", "http:///x", "http:127.0.0.1", "http://[", "http://]/", "http://a b/"),
    *("", " ", "\0", "//127.0.0.1/"),
    *("http://8.8.8.8:22/", "http://8.8.8.8:99999/", "http://8.8.8.8:-1/", "unix:///run/x.sock"),
    *("http://127.0.0.1\r\nHost: a/", "javascript:alert(1)", "http://" + "a" * 5000, "http://./"),
)  # fmt: skip


def addresses(port: int, redirector: str) -> Iterator[str]:
    """Yield addresses; many lead to a server of this machine at `port`, some by a redirect of the
    server at `redirector`, which may be fetched from."""
    yield from own_addresses(port)
    yield from ELSEWHERE
    for name in ("plain", "ipv6", "number", "relative", "file", "user", "circle", "long"):
        yield f"{redirector}/{name}"


def own_addresses(port: int) -> Iterator[str]:
    """Yield addresses of a server of this machine. No name of another machine is resolved."""
    for host in HOSTS:
        yield f"http://{host}:{port}/through"


def redirect_target(name: str, port: int) -> str:
    """Return the address that the redirector answers with."""
    return {
        "plain": f"http://127.0.0.1:{port}/through",
        "ipv6": f"http://[::ffff:127.0.0.1]:{port}/through",
        "number": f"http://2130706433:{port}/through",
        "relative": f"//127.0.0.1:{port}/through",
        "file": "file:///etc/passwd",
        "user": f"http://a:b@127.0.0.1:{port}/through",
        "circle": "/circle",
        "long": "http://" + "a" * 9000,
    }[name]
