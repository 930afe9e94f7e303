"""Viewers through a real TURN server, with the credentials that the server gives them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from aiortc import RTCIceServer

from tests.warm.live.webrtc.receiver import Receiver, until
from tests.warm.live.webrtc.stage import run, staged
from tests.warm.live.webrtc.turn_server import SECRET, missing, turn_server
from warm.live.webrtc.ice_servers import IceServer, named_servers, turn_password
from warm.settings import BadSettings, Settings, read_settings


def test_a_password_is_that_of_the_scheme_of_turn_servers_with_a_shared_secret() -> None:
    assert turn_password("north", "1700000000:ada") == "ndZ88ryT1whVxdkcRLepT9D1MpM="


def test_only_turn_servers_get_credentials_which_name_their_end() -> None:
    urls = ["stun:stun.example:3478", "turn:turn.example?transport=tcp", "turns:turn.example"]
    stun, turn, turns = named_servers(urls, SECRET, 1_700_000_000, "ada")
    assert stun == IceServer(url=urls[0])
    assert stun.link() == '<stun:stun.example:3478>; rel="ice-server"'
    assert turn.username == turns.username == "1700000000:ada"
    assert turn.credential == turn_password(SECRET, "1700000000:ada")
    assert turn.link() == (
        f'<{urls[1]}>; rel="ice-server"; username="1700000000:ada";'
        f' credential="{turn.credential}"; credential-type="password"'
    )


def test_without_a_secret_turn_servers_have_no_credentials() -> None:
    assert list(named_servers(["turn:a.example"], None, 1, "ada")) == [
        IceServer(url="turn:a.example")
    ]


@pytest.mark.parametrize(
    "value",
    ["http://a.example", "stun:", "turn:a b", "stun:a.example?transport=udp", "turn:a.example:0",
     "turn:a.example:99999", "turns:a.example?transport=udp",
     "turn:a.example?transport=sctp", "stun:-a-", "turn:[::1"],
)  # fmt: skip
def test_an_address_that_is_not_an_ice_server_is_refused(value: str) -> None:
    with pytest.raises(BadSettings, match="ice_servers"):
        read_settings(["--ice-servers", value])


def test_lists_of_ice_servers_are_taken() -> None:
    value = "stun:a.example, turn:10.0.0.1:3478?transport=udp turns:[2001:db8::1]:5349"
    assert Settings(ice_servers=value, turn_secret=SECRET).ice_servers == value


@pytest.mark.parametrize("secret", [[], ["--turn-secret", ""]])
def test_a_turn_server_without_a_secret_is_refused_because_browsers_refuse_it(
    secret: list[str],
) -> None:
    with pytest.raises(BadSettings, match=r"turn_secret.*'turn:a.example' of ice_servers"):
        read_settings(["--ice-servers", "stun:b.example, turn:a.example", *secret])


def test_the_secret_is_required_whatever_the_file_of_settings_has(tmp_path: Path) -> None:
    config = tmp_path / "own.yaml"
    config.write_text("ice_servers: turn:a.example\n", encoding="utf-8")
    with pytest.raises(BadSettings, match="from the defaults"):
        read_settings(["--config", str(config)])


@pytest.fixture(scope="module")
def turn_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with turn_server(tmp_path_factory.mktemp("turn")) as port:
        yield port


@missing
@pytest.mark.slow
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_viewer_that_has_no_other_path_watches_through_a_turn_server(
    turn_port: int, transport: str
) -> None:
    url = f"turn:127.0.0.1:{turn_port}?transport={transport}"
    (given,) = named_servers([url], SECRET, 2_000_000_000, "default")
    server = RTCIceServer(given.url, username=given.username, credential=given.credential)

    async def play() -> None:
        async with staged() as stage:
            receiver, _ = await stage.connect(servers=[server], relay=True)
            await until(lambda: len(receiver.received.pictures) > 10, "ten pictures")
            pair = receiver.connection.getTransceivers()[0].receiver.transport.transport
            used = pair._connection._nominated[1].local_candidate
            assert used.type == "relay"

    run(play)


@missing
@pytest.mark.slow
@pytest.mark.parametrize(("expires_s", "is_relayed"), [(2_000_000_000, True), (1, False)])
def test_credentials_are_refused_once_their_time_is_over(
    turn_port: int, expires_s: int, is_relayed: bool
) -> None:
    url = f"turn:127.0.0.1:{turn_port}?transport=udp"
    (given,) = named_servers([url], SECRET, expires_s, "default")
    server = RTCIceServer(given.url, username=given.username, credential=given.credential)

    async def play() -> None:
        receiver = Receiver([server], relay=True)
        assert ("typ relay" in await receiver.offer()) is is_relayed
        await receiver.close()

    run(play)


@missing
@pytest.mark.slow
def test_the_server_offers_a_candidate_at_its_turn_server_itself(turn_port: int) -> None:
    async def play() -> None:
        url = f"turn:127.0.0.1:{turn_port}?transport=udp"
        async with staged(ice_servers=url, turn_secret=SECRET) as stage:
            receiver, viewer = await stage.connect()
            assert "typ relay" in viewer.answer
            await until(lambda: receiver.received.pictures, "a picture")

    run(play)


@missing
@pytest.mark.slow
def test_a_turn_server_that_refuses_the_credentials_costs_only_its_candidate(
    turn_port: int,
) -> None:
    async def play() -> None:
        url = f"turn:127.0.0.1:{turn_port}?transport=udp"
        async with staged(ice_servers=url, turn_secret="another") as stage:
            receiver, viewer = await stage.connect()
            assert "typ relay" not in viewer.answer
            await until(lambda: receiver.received.pictures, "a picture")

    run(play)
