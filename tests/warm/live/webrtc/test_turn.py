"""Viewers through a real TURN server, with the credentials that the server gives them."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing

import pytest
from aiortc import RTCIceServer

from tests.polling import wait_until
from tests.warm.live.webrtc.receiver import until
from tests.warm.live.webrtc.stage import run, staged
from warm.live.webrtc.ice_servers import IceServer, named_servers, turn_password
from warm.settings import BadSettings, Settings, read_settings

SECRET = "north-wind"
TURNSERVER = shutil.which("turnserver")
missing = pytest.mark.skipif(
    TURNSERVER is None, reason="turnserver is missing; install it with: apt-get install coturn"
)


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
     "turn:a.example:99999", "turn:a.example?transport=sctp", "stun:-a-", "turn:[::1"],
)  # fmt: skip
def test_an_address_that_is_not_an_ice_server_is_refused(value: str) -> None:
    with pytest.raises(BadSettings, match="ice_servers"):
        read_settings(["--ice-servers", value])


def test_lists_of_ice_servers_are_taken() -> None:
    value = "stun:a.example, turn:10.0.0.1:3478?transport=udp turns:[2001:db8::1]:5349"
    assert Settings(ice_servers=value).ice_servers == value


@pytest.fixture(scope="module")
def turn_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("turn")
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [
        str(TURNSERVER), "-n", "--listening-ip=127.0.0.1", f"--listening-port={port}",
        f"--relay-ip={own_address()}", "--realm=talk.example", "--use-auth-secret",
        f"--static-auth-secret={SECRET}", "--no-tls", "--no-dtls", "--no-cli",
        f"--userdb={folder}/db", f"--pidfile={folder}/pid", "--log-file=stdout",
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT) as server:
        try:
            wait_until(lambda: listens(port), "the TURN server")
            yield port
        finally:
            server.kill()


def listens(port: int) -> bool:
    with closing(socket.socket()) as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


def own_address() -> str:
    """An address of this machine that is not loopback; no packet is sent for it."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        try:
            probe.connect(("198.51.100.1", 9))
        except OSError:
            pytest.skip("this machine has no network interface")
        return str(probe.getsockname()[0])


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
