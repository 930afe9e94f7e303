"""Talks: from the request to the decoded film, in the shapes that D-ID's clients read."""

import re
from io import BytesIO
from pathlib import Path

import pytest

from api.context import context
from tests.api.did.conftest import TEXT, DidClient, decoded, tone
from tests.polling import wait_until
from tests.tiny_face import HEIGHT, WIDTH

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
TEXTS = (
    *("id", "user_id", "created_by", "source_url", "created_at", "audio_url", "started_at"),
    *("modified_at", "status", "result_url", "driver_url", "name"),
)


def test_a_talk_is_created_made_and_downloaded_without_credentials(
    did: DidClient, tmp_path: Path
) -> None:
    answer = did.talk(source_url="tiny", config={"stitch": True}, name="first", user_data="u 1")
    created = answer.get_json()
    assert answer.status_code == 201
    assert set(created) == {"id", "object", "created_at", "created_by", "status"}
    assert re.fullmatch("tlk_[0-9a-f]{32}", created["id"])
    assert (created["object"], created["status"]) == ("talk", "created")
    assert re.fullmatch(TIME, created["created_at"])
    talk = did.finished(f"/talks/{created['id']}")
    assert talk["status"] == "done", talk
    assert re.fullmatch(r"http://localhost/results/[0-9a-f]{32}/tlk_\w+\.mp4", talk["result_url"])
    frames, size, sound_s = decoded(did.film(talk), tmp_path / "film.mp4")
    assert talk["metadata"]["num_frames"] == frames
    assert talk["metadata"]["resolution"] == [*size] == [WIDTH, HEIGHT]
    assert talk["duration"] == pytest.approx(frames / 25) == pytest.approx(sound_s, abs=0.1)
    assert talk["metadata"]["voice"].startswith("espeak:")
    assert (talk["name"], talk["user_data"]) == ("first", "u 1")
    assert all(re.fullmatch(TIME, talk[name]) for name in ("started_at", "modified_at"))


def test_before_the_end_every_text_is_there(waiting: DidClient) -> None:
    created = waiting.talk().get_json()
    talk = waiting.http.get(f"/talks/{created['id']}").get_json()
    assert {name: type(talk[name]) for name in TEXTS} == dict.fromkeys(TEXTS, str)
    assert (talk["status"], talk["result_url"]) == ("created", "")


def test_bodies_as_clients_send_them_are_taken(did: DidClient, tmp_path: Path) -> None:
    source = did.image().get_json()["url"]
    script = {
        "type": "text",
        "input": "One.<break time='1s'/> <p>Two</p> <amazon:x>three</amazon:x>",
        "ssml": "true",
        "subtitles": "false",
        "provider": {
            "type": "microsoft",
            "voice_id": "de-DE-KatjaNeural",
            "voice_config": {"style": "Cheerful", "rate": "1.5"},
        },
        "unknown": [1],
    }
    config = {"fluent": "false", "pad_audio": "2.0", "stitch": "true", "align_driver": True}
    body = {"source_url": source, "config": config, "driver_url": "bank://lively", "persist": None}
    talk = did.made(**body, script=script, webhook="", user_data={"a": 1}, stray="x")
    assert talk["status"] == "done", talk
    assert talk["config"]["pad_audio"] == 2.0 and talk["config"]["stitch"] is True
    assert talk["user_data"] == {"a": 1} and talk["source_url"] == source
    assert talk["metadata"]["voice"] == talk["script"]["voice"] == "espeak:de"
    assert talk["script"]["provider"]["voice_id"] == "de-DE-KatjaNeural"
    remarks = " ".join(talk["remarks"])
    for part in ("espeak:de speaks in place of de-DE-KatjaNeural", "style has no effect",
                 "align_driver has no effect", "amazon:x"):  # fmt: skip
        assert part in remarks
    frames, _, _ = decoded(did.film(talk), tmp_path / "film.mp4")
    assert frames / 25 > 3.0


def test_a_body_needs_no_content_type(waiting: DidClient) -> None:
    answer = waiting.http.post("/talks", data='{"script": {"input": "Hello."}}')
    assert answer.status_code == 201


@pytest.mark.slow
def test_a_sound_is_spoken_in_place_of_a_text(did: DidClient, tmp_path: Path) -> None:
    sent = did.http.post("/audios", data={"audio": (BytesIO(tone(1.2)), "tone.wav")})
    assert sent.status_code == 201
    audio = sent.get_json()
    assert audio["duration"] == pytest.approx(1.2)
    assert re.fullmatch("aud_[0-9a-f]{32}", audio["id"])
    script = {"type": "audio", "audio_url": audio["url"]}
    talk = did.made(source_url="tiny", script=script)
    assert talk["status"] == "done", talk
    assert talk["audio_url"] == audio["url"]
    _, _, sound_s = decoded(did.film(talk), tmp_path / "film.mp4")
    assert sound_s == pytest.approx(1.2, abs=0.5)
    assert did.http.delete(f"/audios/{audio['id']}").status_code == 204
    assert did.http.delete(f"/audios/{audio['id']}").status_code == 404


def test_talks_are_listed_page_by_page_and_deleted(waiting: DidClient) -> None:
    ids = [waiting.talk().get_json()["id"] for _ in range(3)]
    first = waiting.http.get("/talks?limit=2").get_json()
    assert [talk["id"] for talk in first["talks"]] == ids[:0:-1]
    second = waiting.http.get(f"/talks?limit=1&token={first['token']}").get_json()
    assert [talk["id"] for talk in second["talks"]] == ids[:1]
    for talk_id in ids:
        deleted = waiting.http.delete(f"/talks/{talk_id}")
        assert (deleted.status_code, deleted.get_json()["id"]) == (200, talk_id)
        assert waiting.http.get(f"/talks/{talk_id}").status_code == 404
    assert waiting.http.delete(f"/talks/{ids[0]}").get_json()["kind"] == "NotFoundError"
    assert waiting.http.get("/clips").get_json() == {"clips": [], "token": None}
    assert waiting.http.get("/talks?token=x").get_json()["kind"] == "ValidationError"
    assert waiting.http.get("/talks?limit=0").status_code == 400


def test_a_repeated_request_with_a_key_makes_one_talk(waiting: DidClient) -> None:
    body = {"script": TEXT, "source_url": waiting.image().get_json()["url"]}
    first, second = (waiting.post("/talks", body, **{"Idempotency-Key": "k1"}) for _ in range(2))
    assert first.get_json()["id"] == second.get_json()["id"]
    other = waiting.post("/talks", {"script": TEXT, "name": "x"}, **{"Idempotency-Key": "k1"})
    assert other.status_code in (400, 409)


@pytest.mark.parametrize(
    ("body", "member"),
    [
        ({"script": None}, "script"),
        ({"script": {"type": "text"}}, "script.input"),
        ({"script": {"type": "audio"}}, "script.audio_url"),
        ({"script": {"type": "video", "input": "a"}}, "script.type"),
        ({"script": {"input": "..."}}, "script.input"),
        ({"script": {"input": "a" * 10_001}}, "script.input"),
        ({"script": {"input": "<p>a", "ssml": True}}, "script.input"),
        ({"script": {"input": "a", "ssml": "maybe"}}, "script.ssml"),
        ({"script": TEXT | {"provider": {"voice_id": "xx-XX-No"}}}, "script.provider.voice_id"),
        ({"script": TEXT | {"provider": {"language": "?!"}}}, "script.provider.language"),
        (
            {"script": TEXT | {"provider": {"voice_config": {"rate": "9"}}}},
            "script.provider.voice_config.rate",
        ),
        ({"source_url": "https://example.com/face.jpg"}, "source_url"),
        ({"source_url": "http://localhost/uploads/" + "0" * 32 + ".png"}, "source_url"),
        ({"source_url": "nobody"}, "source_url"),
        ({"source_url": "https://example.com/avatars/tiny/preview.png"}, "source_url"),
        ({"avatar_id": "nobody"}, "avatar_id"),
        ({"driver_url": "https://example.com/driver.mp4"}, "driver_url"),
        ({"result_url": "s3://bucket/"}, "result_url"),
        ({"face": {"top_left": [0, 0], "size": 512}}, "face"),
        ({"webhook": "https://example.com/"}, "webhook"),
        ({"user_data": "u" * 1001}, "user_data"),
        ({"config": {"pad_audio": "61"}}, "config.pad_audio"),
        ({"config": {"result_format": "gif"}}, "config.result_format"),
        ({"config": {"output_resolution": 100}}, "config.output_resolution"),
        ({"config": {"logo": {"url": "https://example.com/l.png"}}}, "config.logo.url"),
        (
            {"config": {"driver_expressions": {"expressions": [{"expression": "happy"}]}}},
            "config.driver_expressions",
        ),
        ({"script": {"audio_url": "/uploads/x"}}, "script.audio_url"),
        ({"background": {"color": "greenish"}}, "background.color"),
        ({"background": {"source_url": "https://example.com/b.png"}}, "background.source_url"),
    ],
)
def test_what_cannot_be_fulfilled_is_a_400_that_names_the_member(
    waiting: DidClient, body: dict[str, object], member: str
) -> None:
    answer = waiting.talk(**body)
    problem = answer.get_json()
    assert answer.status_code == 400, problem
    assert problem["kind"] == "ValidationError"
    assert problem["description"] == problem["detail"]
    assert problem["details"][f"body.{member}"]["message"].startswith(member)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"3", b'{"script": ' + b"[" * 50 + b"]" * 50])
def test_a_body_that_is_no_object_is_a_400(waiting: DidClient, body: bytes) -> None:
    answer = waiting.http.post("/talks", data=body)
    assert (answer.status_code, answer.get_json()["kind"]) == (400, "ValidationError")


def test_nothing_is_made_for_a_refused_request(waiting: DidClient) -> None:
    before = waiting.http.get("/talks").get_json()["talks"]
    waiting.talk(source_url="nobody")
    assert waiting.http.get("/talks").get_json()["talks"] == before


def test_an_avatar_may_be_named_by_its_address(waiting: DidClient) -> None:
    default = waiting.http.get(f"/talks/{waiting.talk().get_json()['id']}").get_json()["source_url"]
    assert default == "http://localhost/clips/presenters/tiny/image.png"
    for address in (
        "http://localhost/avatars/tiny/preview.png",
        "/avatars/tiny/x.mp4?x=1",
        default,
    ):
        created = waiting.talk(source_url=address).get_json()
        assert waiting.http.get(f"/talks/{created['id']}").get_json()["source_url"] == address
        assert context(waiting.app).jobs.get(created["id"]).request["avatar_id"] == "tiny"


def test_a_cancelled_talk_is_rejected_and_one_in_progress_cannot_be_deleted(
    did: DidClient,
) -> None:
    long = {"input": "This sentence is said again and again. " * 60}
    path = f"/talks/{did.talk(script=long).get_json()['id']}"
    wait_until(lambda: did.http.get(path).get_json()["status"] == "started", "the start")
    refused = did.http.delete(path)
    assert (refused.status_code, refused.get_json()["kind"]) == (409, "NotReadyError")
    assert did.http.post(path.replace("talks", "jobs") + "/cancel").status_code in (200, 202)
    talk = did.finished(path)
    assert (talk["status"], talk["error"]["kind"]) == ("rejected", "RejectedError")
    assert talk["result_url"] == ""
