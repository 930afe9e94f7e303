"""Addresses that pushes go to: `rtmp://`, `rtmps://`, `srt://`, and WHIP by `https://`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from warm.fetch.errors import BadAddress
from warm.fetch.web_address import FORBIDDEN, parse_host
from warm.live.push.errors import BadPush

MAX_URL_CHARS = 2048
MAX_KEY_CHARS = 1024
DEFAULT_PORTS = {"rtmp": 1935, "rtmps": 443, "http": 80, "https": 443}
SCHEMES = "rtmp://, rtmps://, srt://, https:// or http://"
HIDDEN = "***"
"""Stands for a secret in everything that is shown."""
SRT_OPTIONS = ("streamid", "passphrase", "pbkeylen", "latency", "mode")
SRT_KEY_BYTES = (16, 24, 32)
SRT_LATENCY_MS = (20, 8000)
SRT_DEFAULT_LATENCY_MS = 200
MAX_STREAM_ID_BYTES = 512
PASSPHRASE_BYTES = (10, 79)
PRINTABLE = re.compile(r"[\x21-\x7e]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """The server that a push goes to. `str` shows it without secrets."""

    scheme: str
    host: str
    """A name in ASCII, an IPv4 address, or an IPv6 address without brackets."""
    port: int
    shown_path: str
    secrets: tuple[str, ...] = field(repr=False)
    """Texts that must not be shown, longest first."""

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.shown_path}"

    @property
    def authority(self) -> str:
        """Host and port, in ASCII; the port is left out if it is that of the scheme."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS.get(self.scheme) else f"{host}:{self.port}"

    def masked(self, text: str, *, shortest: int = 1) -> str:
        """Return a text without the secrets of this destination that have at least this length."""
        for secret in self.secrets:
            if len(secret) >= shortest:
                text = text.replace(secret, HIDDEN)
        return text


@dataclass(frozen=True, slots=True, kw_only=True)
class RtmpDestination(Destination):
    """A stream of an RTMP server."""

    app: str = field(repr=False)
    stream: str = field(repr=False)

    @property
    def is_tls(self) -> bool:
        """True for RTMPS."""
        return self.scheme == "rtmps"

    @property
    def application_url(self) -> str:
        """The address of the application, as the server expects it."""
        return f"{self.scheme}://{self.authority}/{self.app}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SrtDestination(Destination):
    """A listener of SRT."""

    stream_id: str = field(repr=False)
    passphrase: str = field(repr=False)
    """Empty: not encrypted."""
    key_bytes: int
    latency_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WhipDestination(Destination):
    """An endpoint of WHIP."""

    url: str = field(repr=False)
    token: str = field(repr=False)
    """Empty: no `Authorization`."""


def parse_destination(url: str, key: str | None = None) -> Destination:
    """Parse the address of a push and its key; raises BadPush, whose message has no secrets."""
    parts = split(url)
    check_key(key)
    if parts.scheme in ("rtmp", "rtmps"):
        return rtmp_destination(parts, key)
    if parts.scheme == "srt":
        return srt_destination(parts, key)
    return whip_destination(url, parts, key)


def split(url: str) -> SplitResult:
    """Return the parts of an address that may be one of a push; raises BadPush."""
    if len(url) > MAX_URL_CHARS:
        raise BadPush("url", f"has {len(url)} characters; at most {MAX_URL_CHARS} are allowed")
    if FORBIDDEN.search(url):
        raise BadPush("url", "has a character that must be percent-encoded")
    try:
        parts = urlsplit(url)
        is_known = parts.scheme in ("srt", *DEFAULT_PORTS) and parts.port != 0
    except ValueError:
        raise BadPush("url", "is not an address: host or port is malformed") from None
    if not is_known:
        raise BadPush("url", f"must begin with {SCHEMES}, and its port must be 1 to 65535")
    if "@" in parts.netloc:
        raise BadPush("url", "has a user name or password; send them as `key`")
    return parts


def check_key(key: str | None) -> None:
    """Raise BadPush for a key that no protocol can carry."""
    if key is not None and (len(key) > MAX_KEY_CHARS or not PRINTABLE.fullmatch(key) or not key):
        raise BadPush(
            "key", f"must be 1 to {MAX_KEY_CHARS} printable ASCII characters without spaces"
        )


def host_of(parts: SplitResult) -> str:
    """Return the host of an address in ASCII; raises BadPush."""
    try:
        return parse_host(parts.hostname or "", parts.netloc)
    except BadAddress:
        raise BadPush(
            "url", "has no usable host: a name, an IPv4 address, or an IPv6 address in brackets"
        ) from None


def port_of(parts: SplitResult) -> int:
    """Return the port of an address; raises BadPush if it has none, and needs one."""
    port = parts.port or DEFAULT_PORTS.get(parts.scheme)
    if port is None:
        raise BadPush("url", f"needs a port: {parts.scheme}://HOST:PORT")
    return port


def secrets_of(*texts: str) -> tuple[str, ...]:
    """Return the texts, and their decoded forms, in the order in which they are hidden."""
    found = {form for text in texts for form in (text, unquote(text)) if form}
    return tuple(sorted(found, key=len, reverse=True))


def rtmp_destination(parts: SplitResult, key: str | None) -> RtmpDestination:
    """Return the stream of an address; without a key, the last part of the path is the stream."""
    path = parts.path.strip("/")
    query = f"?{parts.query}" if parts.query else ""
    if key is None:
        app, _, name = path.rpartition("/")
        stream = name + query
    else:
        app, name, stream = path + query, key, key
    if not app or not name:
        raise BadPush("url", "must be rtmp://HOST/APPLICATION/STREAM_KEY, or have the key in `key`")
    return RtmpDestination(
        scheme=parts.scheme,
        host=host_of(parts),
        port=port_of(parts),
        shown_path=f"/{app.partition('/')[0].partition('?')[0]}/{HIDDEN}",
        secrets=secrets_of(stream, stream.partition("?")[0], parts.query),
        app=app,
        stream=stream,
    )


def srt_destination(parts: SplitResult, key: str | None) -> SrtDestination:
    """Return the listener of an address with its options; the key is its `streamid`."""
    options = srt_options(parts)
    if key is not None and "streamid" in options:
        raise BadPush("key", "is given twice: as `key`, and as `streamid` in the url")
    stream_id = key if key is not None else options.get("streamid", "")
    if len(stream_id.encode()) > MAX_STREAM_ID_BYTES:
        raise BadPush("url", f"has a streamid of more than {MAX_STREAM_ID_BYTES} bytes")
    passphrase = options.get("passphrase", "")
    least, most = PASSPHRASE_BYTES
    if passphrase and not least <= len(passphrase.encode()) <= most:
        raise BadPush("url", f"has a passphrase that is not {least} to {most} bytes long")
    shown = "&".join(f"{name}={HIDDEN}" for name in ("streamid", "passphrase") if name in options)
    return SrtDestination(
        scheme=parts.scheme,
        host=host_of(parts),
        port=port_of(parts),
        shown_path=f"?{shown}" if shown else "",
        secrets=secrets_of(stream_id, passphrase, parts.query),
        stream_id=stream_id,
        passphrase=passphrase,
        key_bytes=number(options, "pbkeylen", SRT_KEY_BYTES[0], SRT_KEY_BYTES),
        latency_ms=number(
            options,
            "latency",
            SRT_DEFAULT_LATENCY_MS,
            range(SRT_LATENCY_MS[0], 1 + SRT_LATENCY_MS[1]),
        ),
    )


def srt_options(parts: SplitResult) -> dict[str, str]:
    """Return the options in the query of an address of SRT; raises BadPush."""
    if parts.path.strip("/"):
        raise BadPush("url", "has a path; SRT names a stream by ?streamid=")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if options.keys() - set(SRT_OPTIONS):  # not shown: its name may be a misplaced key
        raise BadPush("url", f"has an unknown option; allowed: {', '.join(SRT_OPTIONS)}")
    if options.get("mode", "caller") != "caller":
        raise BadPush("url", "has a mode other than caller, the only one of pushes")
    return options


def number(
    options: Mapping[str, str], name: str, default: int, allowed: range | tuple[int, ...]
) -> int:
    """Return a number among the options; raises BadPush."""
    text = options.get(name, str(default))
    if len(text) <= 9 and text.isdecimal() and int(text) in allowed:
        return int(text)
    if isinstance(allowed, range):
        words = f"{allowed.start} to {allowed.stop - 1} ms (ffmpeg and OBS write microseconds)"
    else:
        words = ", ".join(map(str, allowed))
    raise BadPush("url", f"has {name} = {text[:20]!r}; allowed: {words}")


def whip_destination(url: str, parts: SplitResult, key: str | None) -> WhipDestination:
    """Return the endpoint of an address; the key is the bearer token."""
    return WhipDestination(
        scheme=parts.scheme,
        host=host_of(parts),
        port=port_of(parts),
        shown_path=f"/{HIDDEN}",  # providers put keys into the path
        secrets=secrets_of(key or "", parts.query, parts.path.strip("/")),
        url=url.partition("#")[0],
        token=key or "",
    )
