"""Addresses of pushes: their parts, and what is shown of them."""

import pytest

from warm.live.push.allowed_hosts import PushHosts
from warm.live.push.destination import (
    Destination,
    RtmpDestination,
    SrtDestination,
    WhipDestination,
    parse_destination,
)
from warm.live.push.errors import BadPush, PushForbidden
from warm.settings.network import IpAddress, read_address


def address(text: str) -> IpAddress:
    found = read_address(text)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("url", "key", "app", "stream", "application_url"),
    [
        ("rtmp://host/live/key", None, "live", "key", "rtmp://host/live"),
        ("rtmp://host:1936/live/", "key", "live", "key", "rtmp://host:1936/live"),
        ("rtmps://host/a/b/key?t=1&u=2", None, "a/b", "key?t=1&u=2", "rtmps://host/a/b"),
        ("rtmps://host:443/a?auth=1", "key", "a?auth=1", "key", "rtmps://host/a?auth=1"),
        ("rtmp://[2001:db8::1]/live", "k/1", "live", "k/1", "rtmp://[2001:db8::1]/live"),
        ("RTMP://HOST/live/Key", None, "live", "Key", "rtmp://host/live"),
    ],
)
def test_an_address_of_rtmp_names_application_and_stream(
    url: str, key: str | None, app: str, stream: str, application_url: str
) -> None:
    found = parse_destination(url, key)
    assert isinstance(found, RtmpDestination)
    assert (found.app, found.stream, found.application_url) == (app, stream, application_url)


def test_an_address_of_srt_has_options() -> None:
    url = (
        "srt://host:9000?passphrase=0123456789&pbkeylen=24&latency=500&streamid=%23!::r=a,m=publish"
    )
    found = parse_destination(url)
    assert isinstance(found, SrtDestination)
    assert (found.passphrase, found.key_bytes, found.latency_ms) == ("0123456789", 24, 500)
    assert found.stream_id == "#!::r=a,m=publish"


def test_an_endpoint_of_whip_keeps_its_address_and_its_token() -> None:
    found = parse_destination("https://host/secret/whip?x=1#part", "token")
    assert isinstance(found, WhipDestination)
    assert (found.url, found.token) == ("https://host/secret/whip?x=1", "token")


@pytest.mark.parametrize(
    ("url", "key", "shown"),
    [
        ("rtmp://host/live/KEY1", None, "rtmp://host/live/***"),
        ("rtmps://host/app/KEY1/KEY2?KEY3=KEY4", None, "rtmps://host/app/***"),
        ("rtmp://host/app?KEY1=KEY2", "KEY3", "rtmp://host/app/***"),
        ("srt://host:9000?streamid=KEY1&passphrase=KEY2567890", None, "srt://host:9000?streamid=***&passphrase=***"),
        ("srt://host:9000", "KEY1", "srt://host:9000"),
        ("https://host/KEY1/whip?KEY2", "KEY3", "https://host/***"),
    ],
)  # fmt: skip
def test_no_secret_is_shown(url: str, key: str | None, shown: str) -> None:
    found = parse_destination(url, key)
    assert str(found) == shown
    assert "KEY" not in repr(found)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("rtmp://host/app/my%20key", "my key and my%20key"),
        ("rtmp://host/app/key?token=abc", "key?token=abc, key, token=abc"),
        ("srt://host:9000?passphrase=0123456789&streamid=one", "0123456789 one"),
        ("https://host/one/two?three", "one/two three"),
    ],
)
def test_texts_of_servers_are_shown_without_the_secrets(url: str, text: str) -> None:
    masked = parse_destination(url).masked(text)
    assert not any(word in masked for word in ("key", "abc", "0123", "one", "two", "three"))


def allows(setting: str | None, url: str, *addresses: str) -> bool:
    """True if a push may go to a destination whose host has these addresses."""
    hosts, destination = PushHosts(setting), parse_destination(url, "key")
    try:
        hosts.check(destination)
        hosts.require(destination, [address(each) for each in addresses])
    except (BadPush, PushForbidden):
        return False
    return True


@pytest.mark.parametrize(
    ("setting", "url", "addresses", "expected"),
    [
        (None, "rtmp://host/app", ["93.184.216.34"], False),
        ("", "rtmp://host/app", ["93.184.216.34"], False),
        ("host", "rtmp://HOST./app", ["10.0.0.1"], True),
        ("host", "rtmp://other/app", ["93.184.216.34"], False),
        ("host", "rtmp://sub.host/app", ["93.184.216.34"], False),
        ("10.0.0.0/8", "rtmp://host/app", ["10.0.0.1"], True),
        ("10.0.0.0/8", "rtmp://host/app", ["10.0.0.1", "11.0.0.1"], False),
        ("10.0.0.0/8", "rtmp://10.1.2.3:25/app", ["10.1.2.3"], True),
        ("10.0.0.0/8", "http://10.1.2.3/app", ["10.1.2.3"], True),
        ("public", "rtmp://host/app", ["93.184.216.34", "2606:2800::1"], True),
        ("public", "rtmp://host/app", ["93.184.216.34", "127.0.0.1"], False),
        ("public", "srt://host:9000", ["169.254.169.254"], False),
        ("public", "https://host/app", ["::ffff:127.0.0.1"], False),
        ("public", "https://host/app", ["64:ff9b::7f00:1"], False),
        ("public", "https://host/app", ["93.184.216.34"], True),
        ("public", "http://host/app", ["93.184.216.34"], False),
        ("public", "rtmp://host:25/app", ["93.184.216.34"], False),
        ("public", "rtmp://host:443/app", ["93.184.216.34"], True),
        ("public, host", "http://host:25/app", ["127.0.0.1"], True),
    ],
)
def test_a_push_goes_where_the_setting_allows(
    setting: str | None, url: str, addresses: list[str], expected: bool
) -> None:
    assert allows(setting, url, *addresses) is expected


def test_media_go_to_allowed_addresses_only() -> None:
    destination: Destination = parse_destination("https://host/whip")
    public, private = address("93.184.216.34"), address("192.168.1.1")
    permits = PushHosts("public").permits_media
    assert permits(destination, public)
    assert not permits(destination, private)
    assert PushHosts("host").permits_media(destination, private)
    assert not PushHosts("192.168.0.0/16").permits_media(destination, public)


def test_the_host_of_an_address_is_in_ascii() -> None:
    found = parse_destination("https://bücher.example:8443/whip")
    assert found.authority == "xn--bcher-kva.example:8443"
    assert parse_destination("https://[2001:db8::1]/whip").authority == "[2001:db8::1]"
