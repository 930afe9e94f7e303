"""LiveKit's plugins `did` and `bithuman`, unchanged, at a real server that starts a worker.

The worker of one server is the real program, which finds no LiveKit server; that of the other one
is a script that says it has joined.
"""

import json
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace

import aiohttp
import pytest
import warmtalk_livekit.session
from fake_room import FakeServerRoom
from livekit.agents import AgentSession, APIConnectOptions, APIStatusError
from livekit.agents.voice.avatar import DataStreamAudioOutput
from livekit.plugins import bithuman, did
from livekit.plugins.bithuman import avatar as bithuman_avatar
from livekit.plugins.did import avatar as did_avatar
from livekit.plugins.did.api import DIDAPI
from real_server import RealServer, real_server
from warmtalk_client import ServerRefused
from warmtalk_livekit import AvatarSession

pytestmark = pytest.mark.server
KEY = "a-long-key-of-the-agent"
SERVER = {"livekit_servers": "127.0.0.1", "api_keys": f"agent:speak+watch:{KEY}"}
ROOM = {
    "livekit_url": "ws://127.0.0.1:1",
    "livekit_api_key": "devkey",
    "livekit_api_secret": "a-secret-of-thirty-two-characters",
}
ONCE = APIConnectOptions(max_retry=1, timeout=30)
SCRIPT = """#!{python} -ISE
import json, sys
job = sys.stdin.readline()
open({path!r}, "w").write(job)
print(json.dumps({{"state": "joined", "identity": "avatar"}}), flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def joined(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RealServer, Path]]:
    """A server whose workers say that they have joined, and the file with their last job."""
    folder = tmp_path_factory.mktemp("joined")
    program, job = folder / "worker", folder / "job.json"
    program.write_text(SCRIPT.format(python=sys.executable, path=str(job)), encoding="utf-8")
    program.chmod(0o755)
    with real_server(folder, livekit_worker=str(program), **SERVER) as server:
        yield server, job


@pytest.fixture(scope="module")
def lonely(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """A server with the real worker, in a world without LiveKit."""
    program = Path(sys.executable).parent / "warmtalk-livekit-worker"
    folder = tmp_path_factory.mktemp("lonely")
    with real_server(folder, livekit_worker=str(program), **SERVER) as server:
        yield server


@pytest.fixture
async def http(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[aiohttp.ClientSession]:
    """What the plugins get from a job of LiveKit's workers."""
    job = SimpleNamespace(local_participant_identity="agent")
    for module in (did_avatar, bithuman_avatar, warmtalk_livekit.session):
        monkeypatch.setattr(module, "get_job_context", lambda: job)
    async with aiohttp.ClientSession() as session:
        for module in (did_avatar, bithuman_avatar):
            monkeypatch.setattr(module.utils.http_context, "http_session", lambda: session)
        yield session


async def started(avatar: did.AvatarSession | bithuman.AvatarSession | AvatarSession) -> object:
    """Start an avatar in a room; return the agent's new audio output."""
    rooms = FakeServerRoom()
    agent = AgentSession()
    try:
        await avatar.start(agent, rooms.join("agent"), **ROOM)
        return agent.output.audio
    finally:
        await avatar.aclose()
        await agent.aclose()
        rooms.close()


def claims(token: str) -> dict[str, object]:
    """What a room's token says."""
    import jwt

    found: dict[str, object] = jwt.decode(token, options={"verify_signature": False})
    return found


async def test_the_plugin_of_d_id_has_a_face_join(
    joined: tuple[RealServer, Path], http: aiohttp.ClientSession
):
    server, job = joined
    avatar = did.AvatarSession(agent_id="default", api_url=server.url, api_key=KEY)
    output = await started(avatar)
    assert isinstance(output, DataStreamAudioOutput)
    received = json.loads(job.read_text(encoding="utf-8"))
    assert received["session_id"] == avatar.session_id
    assert (received["livekit_url"], received["sample_rate"]) == (ROOM["livekit_url"], 24_000)
    assert (received["warmtalk_url"], received["api_key"]) == (server.url, KEY)
    assert claims(received["token"])["attributes"] == {"lk.publish_on_behalf": "agent"}


@pytest.mark.parametrize("model", ["expression-2", None])
async def test_the_plugin_of_bithuman_has_a_face_join(
    joined: tuple[RealServer, Path], http: aiohttp.ClientSession, model: str | None
):
    server, job = joined
    named = {} if model is None else {"model": model}
    avatar = bithuman.AvatarSession(
        avatar_id="default",
        api_url=f"{server.url}/launch",
        api_secret=KEY,
        conn_options=ONCE,
        **named,
    )
    assert isinstance(await started(avatar), DataStreamAudioOutput)
    received = json.loads(job.read_text(encoding="utf-8"))
    assert received["avatar_id"] == "tiny"
    assert claims(received["token"])["sub"] == "bithuman-avatar-agent"


async def test_our_own_session_has_a_face_join(
    joined: tuple[RealServer, Path], http: aiohttp.ClientSession
):
    server, job = joined
    avatar = AvatarSession(url=server.url, api_key=KEY, place="server", sample_rate=16_000)
    assert isinstance(await started(avatar), DataStreamAudioOutput)
    received = json.loads(job.read_text(encoding="utf-8"))
    assert (received["session_id"], received["sample_rate"]) == ("room", 16_000)
    assert claims(received["token"])["sub"] == "warmtalk-avatar"


async def test_a_wrong_key_is_refused(joined: tuple[RealServer, Path], http: aiohttp.ClientSession):
    server, _ = joined
    avatar = did.AvatarSession(
        agent_id="default", api_url=server.url, api_key="another-key", conn_options=ONCE
    )
    with pytest.raises(APIStatusError) as refused:
        await started(avatar)
    assert refused.value.status_code == 401


async def test_the_real_worker_reports_that_the_room_cannot_be_joined(
    lonely: RealServer, http: aiohttp.ClientSession
):
    api = DIDAPI(KEY, lonely.url, session=http, conn_options=ONCE)
    transport = {"provider": "livekit", "server_url": "ws://127.0.0.1:1", "token": "x"}
    with pytest.raises(APIStatusError) as failed:
        await api.join_session(
            agent_id="default", transport=transport, audio_config={"sample_rate": 24_000}
        )
    assert failed.value.status_code == 502
    problem = json.loads(failed.value.body)
    assert problem["kind"] == "RoomError"
    assert problem["description"].startswith("LiveKit: ")
    async with http.get(f"{lonely.url}/sessions", headers={"X-Api-Key": KEY}) as answer:
        assert (await answer.json())["sessions"] == []


async def test_a_server_without_the_worker_says_what_to_install(
    tmp_path: Path, http: aiohttp.ClientSession
):
    with real_server(tmp_path) as server:
        avatar = AvatarSession(url=server.url, place="server")
        with pytest.raises(ServerRefused, match=r"501.*livekit_worker.*integrations/livekit"):
            await started(avatar)
