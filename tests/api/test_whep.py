"""WHEP over HTTP: viewers of the real live process, which shows the tiny avatar."""

import asyncio
import os
import re
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import closing
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.context import context
from app import assemble
from tests.polling import wait_until
from tests.tiny_face import LoudnessEngine, tiny_avatar
from tests.warm.live.webrtc.receiver import Receiver, until
from tts.registry import VoiceRegistry
from warm.avatars.store import AvatarStore
from warm.live.hub import LiveHub
from warm.runtime import Runtime
from warm.settings import Settings

pytestmark = pytest.mark.slow

SDP = "application/sdp"
FRAGMENT = "application/trickle-ice-sdpfrag"
SERVERS = "stuns:127.0.0.1:9, turn:127.0.0.1:9?transport=tcp"
"""Nothing listens there, which is noticed at once."""


@pytest.fixture(scope="module")
def whep(voices: VoiceRegistry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    folder = tmp_path_factory.mktemp("whep")
    settings = Settings(
        results_dir=folder / "results", avatar_id="tiny", chat_model="off", max_live_viewers=6
    )
    with served(settings, voices, folder) as client:
        yield client


class served:  # noqa: N801 - used as a function
    """An application whose speech goes to its live process, and a client of it."""

    def __init__(self, settings: Settings, voices: VoiceRegistry, folder: Path) -> None:
        self.hub = LiveHub(settings)
        self.runtime = Runtime(
            settings=settings, avatar=tiny_avatar(folder), engine=LoudnessEngine(), voices=voices,
            live=self.hub,
        )  # fmt: skip
        self.settings = settings

    def __enter__(self) -> FlaskClient:
        self.runtime.start()
        assert self.runtime.wait_until_warm(30)
        store = AvatarStore(self.settings.results_dir)
        self.app = assemble(self.settings, self.runtime, store, live=self.hub)
        return self.app.test_client()

    def __exit__(self, *_: object) -> None:
        self.hub.close()
        context(self.app).jobs.close()
        self.runtime.close()


def run(play: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(play(), 60))


async def in_thread(
    function: Callable[..., TestResponse], *args: Any, **named: Any
) -> TestResponse:
    return await asyncio.to_thread(function, *args, **named)


def offer_text() -> str:
    async def make() -> str:
        receiver = Receiver()
        try:
            return await receiver.offer()
        finally:
            await receiver.close()

    return asyncio.run(make())


def post(client: FlaskClient, offer: str, path: str = "/whep?session=default") -> TestResponse:
    return client.post(path, data=offer, content_type=SDP)


def test_a_viewer_sees_the_idle_face_and_then_hears_the_speech(whep: FlaskClient) -> None:
    async def play() -> None:
        receiver = Receiver()
        try:
            made = await in_thread(post, whep, await receiver.offer())
            assert (made.status_code, made.mimetype) == (HTTPStatus.CREATED, SDP)
            assert re.fullmatch(r"/sessions/default/whep/[\w-]{16}", made.headers["Location"])
            assert "a=sendonly" in made.text and "a=end-of-candidates" in made.text
            await receiver.accept(made.text)
            received = receiver.received
            await until(lambda: len(received.pictures) > 10, "idle pictures")
            assert max(abs(samples).max() for _, samples in received.sounds) < 50
            spoken = await in_thread(whep.post, "/speak", json={"text": "Good morning, everybody."})
            assert spoken.status_code == HTTPStatus.OK
            await until(
                lambda: max(abs(samples).max() for _, samples in received.sounds) > 2000, "speech"
            )
            await until(
                lambda: "caption" in [each["type"] for each in received.messages], "its caption"
            )
            state = await in_thread(whep.get, made.headers["Location"])
            assert state.json is not None and state.json["state"] == "connected"
            ended = await in_thread(whep.delete, made.headers["Location"])
            assert ended.status_code == HTTPStatus.OK
            await until(lambda: "closed" in receiver.states, "the end of the connection")
            again = await in_thread(whep.delete, made.headers["Location"])
            assert again.status_code == HTTPStatus.NOT_FOUND
            assert "the viewer ended the connection" in again.json["detail"]  # type: ignore[index]
        finally:
            await receiver.close()

    run(play)


@pytest.mark.parametrize(
    ("body", "status", "named"),
    [
        ("", 400, "v=0"), ("hello", 400, "v=0"), ("v=0\r\n", 422, "Opus"),
        ("v=0\r\nm=audio 9 X", 400, "SDP"),
    ],
)  # fmt: skip
def test_a_broken_offer_gets_the_reason(
    whep: FlaskClient, body: str, status: int, named: str
) -> None:
    answer = post(whep, body)
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    assert named in answer.json["detail"]  # type: ignore[index]


def test_an_offer_without_h264_gets_422_that_names_it(whep: FlaskClient) -> None:
    answer = post(whep, offer_text().replace("H264", "VP9"))
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert answer.json["detail"].startswith("H.264: the video section offers VP8, rtx, VP9")  # type: ignore[index]


def test_another_media_type_gets_415_and_no_text_gets_400(whep: FlaskClient) -> None:
    assert whep.post("/whep", json={"sdp": offer_text()}).status_code == 415
    assert whep.post("/whep", data=b"\xff\xfe", content_type=SDP).status_code == 400


def test_a_huge_offer_gets_a_client_error(whep: FlaskClient) -> None:
    assert post(whep, "v=0\r\n" + "a" * 100_000).status_code == 400
    assert post(whep, "v=0\r\n" + "a" * 300_000).status_code == 413


@pytest.mark.parametrize("letter", ["é", "\x01", '"'])
def test_a_long_offer_of_other_letters_gets_a_client_error(whep: FlaskClient, letter: str) -> None:
    text = "v=0\r\n" + letter * (60_000 // len(letter.encode()))
    assert post(whep, text).status_code in (400, 413, 422)


def test_long_candidates_get_the_limit(whep: FlaskClient) -> None:
    where = post(whep, offer_text()).headers["Location"]
    text = "a=candidate:1 1 udp 1 198.51.100.9 5000 typ host\r\n" * 5000
    answer = whep.patch(where, data=text, content_type=FRAGMENT)
    assert (answer.status_code, "16384" in answer.json["detail"]) == (400, True)  # type: ignore[index]
    assert whep.delete(where).status_code == 200


def test_the_letters_of_a_media_type_may_be_capital(whep: FlaskClient) -> None:
    made = whep.post("/whep", data=offer_text(), content_type="Application/SDP")
    assert made.status_code == 201
    assert whep.delete(made.headers["Location"]).status_code == 200


def test_a_session_that_has_not_spoken_yet_can_be_watched(whep: FlaskClient) -> None:
    made = post(whep, offer_text(), "/whep?session=quiet")
    assert made.headers["Location"].startswith("/sessions/quiet/whep/")
    assert whep.delete(made.headers["Location"]).status_code == 200
    assert post(whep, offer_text(), "/whep?session=no%20id").status_code == 422


def test_a_viewer_of_another_session_is_not_found(whep: FlaskClient) -> None:
    where = post(whep, offer_text()).headers["Location"]
    assert whep.delete(where.replace("default", "other")).status_code == 404
    assert whep.get("/sessions/default/whep/unknown").status_code == 404
    assert whep.delete(where).status_code == 200


def test_options_name_the_media_types(whep: FlaskClient) -> None:
    assert whep.options("/whep").headers["Accept-Post"] == SDP
    assert whep.options("/sessions/default/whep").headers["Allow"] == "OPTIONS, POST"
    assert whep.options("/sessions/default/whep/x").headers["Accept-Patch"] == FRAGMENT


def test_a_viewer_beyond_the_limit_gets_503_and_retry_after(whep: FlaskClient) -> None:
    offer = offer_text()
    made = [post(whep, offer) for _ in range(6)]
    assert [each.status_code for each in made] == [201] * 6
    full = post(whep, offer)
    assert (full.status_code, full.headers["Retry-After"]) == (503, "1")
    assert "max_live_viewers" in full.json["detail"]  # type: ignore[index]
    for each in made:
        assert whep.delete(each.headers["Location"]).status_code == 200


def test_viewers_are_counted_in_the_stats_and_the_metrics(whep: FlaskClient) -> None:
    where = post(whep, offer_text()).headers["Location"]
    stats = whep.get("/stats").json
    assert stats is not None and stats["live"]["webrtc"]["viewers"] == 1
    assert "\nwarmtalk_live_viewers 1.0\n" in whep.get("/metrics").text
    assert whep.delete(where).status_code == 200


def test_candidates_follow_by_patch_and_a_restart_of_ice_gets_422(whep: FlaskClient) -> None:
    offer = offer_text()
    made = post(whep, offer)
    where = made.headers["Location"]
    fragment = re.findall("a=ice-(?:ufrag|pwd):.*", offer)[:2]
    line = "a=candidate:1 1 udp 1 198.51.100.9 5000 typ host"

    def patch(*lines: str, **headers: str) -> TestResponse:
        return whep.patch(where, data="\r\n".join(lines), content_type=FRAGMENT, headers=headers)

    assert patch(*fragment, "m=audio 9 X 0", "a=mid:0", line).status_code == 204
    assert patch(*fragment, line, **{"If-Match": made.headers["ETag"]}).status_code == 204
    assert patch(*fragment, line, **{"If-Match": '"other"'}).status_code == 412
    assert patch("nothing").status_code == 400
    assert patch("a=candidate:broken").status_code == 400
    restart = patch("a=ice-ufrag:abcd", "a=ice-pwd:0123456789012345678901", line)
    assert (restart.status_code, "ICE" in restart.json["detail"]) == (422, True)  # type: ignore[index]
    assert patch(*fragment, "a=end-of-candidates").status_code == 204
    assert whep.delete(where).status_code == 200


def test_a_live_process_that_dies_is_started_again_for_the_next_viewer(whep: FlaskClient) -> None:
    where = post(whep, offer_text()).headers["Location"]
    stats = whep.get("/stats").json
    assert stats is not None
    os.kill(stats["live"]["pid"], signal.SIGKILL)
    wait_until(lambda: whep.get(where).status_code == 404, "the end of its viewers")
    wait_until(lambda: post(whep, offer_text()).status_code == 201, "another live process")


def test_a_live_stream_that_is_off_gets_409(
    voices: VoiceRegistry, settings: Settings, runtime: Runtime
) -> None:
    off = Settings.model_validate({**dict(settings), "max_live_viewers": 0})
    app = assemble(off, runtime, AvatarStore(settings.results_dir))
    with closing(context(app).jobs):
        answer = post(app.test_client(), offer_text())
        assert (answer.status_code, answer.json["kind"]) == (409, "NotLiveError")  # type: ignore[index]


def test_ice_servers_come_with_credentials_for_a_time(
    voices: VoiceRegistry, tmp_path: Path
) -> None:
    settings = Settings(
        results_dir=tmp_path / "results", avatar_id="tiny", chat_model="off", ice_servers=SERVERS,
        turn_secret="north",  # type: ignore[arg-type]
    )  # fmt: skip
    with served(settings, voices, tmp_path) as client:
        made = post(client, offer_text())
        assert made.status_code == 201
        stun, turn = made.headers.getlist("Link")
        assert stun == '<stuns:127.0.0.1:9>; rel="ice-server"'
        assert re.fullmatch(
            r'<turn:127\.0\.0\.1:9\?transport=tcp>; rel="ice-server"; username="[0-9]{10}:default";'
            r' credential="[A-Za-z0-9+/]{27}="; credential-type="password"',
            turn,
        )
