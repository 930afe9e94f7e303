"""`GET full_session.vtt`: captions that grow with the film."""

import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app import assemble
from session.film import Cue
from tests.api.growing_films import EVENTS, LIVE, growing_film, say, speak, status_of
from tests.tiny_face import LoudnessEngine, tiny_avatar
from tts.registry import VoiceRegistry
from warm.avatars.store import AvatarStore
from warm.runtime import Runtime
from warm.settings import Settings


def test_captions_grow_with_the_film(client: FlaskClient, runtime: Runtime) -> None:
    url = "/session/full_session.vtt"
    before = client.get(url)
    assert (before.mimetype, before.text) == ("text/vtt", "WEBVTT\n")
    say(client, "Hello there.")
    film = growing_film(runtime)
    first = client.get(url)
    assert "00:00:00.000 --> " in first.text
    assert first.text.endswith("\nHello there.\n")
    tag = first.headers["ETag"]
    assert client.get(url, headers={"If-None-Match": tag}).status_code == 304
    start = film.committed.frames / 25
    speak(film, 10, cues=[Cue(text="And on.", first_frame=film.committed.frames + 2, frames=5)])
    grown = client.get(url, headers={"If-None-Match": tag})
    assert grown.text.startswith(first.text)
    (begin, end) = re.findall(r"00:00:([\d.]+) --> 00:00:([\d.]+)\nAnd on", grown.text)[0]
    assert float(begin) == pytest.approx(start + 2 / 25)
    assert float(end) == pytest.approx(start + 7 / 25)
    rest = client.get(url, headers={"Range": f"bytes={len(first.data)}-"})
    assert (rest.status_code, first.data + rest.data) == (206, grown.data)


def test_each_sentence_has_a_cue_of_its_duration(client: FlaskClient) -> None:
    said = client.post("/speak", json={"text": "Hello world. And this is the second one."})
    clip_s = said.get_json()["clip"]["duration_s"]
    text = client.get("/session/full_session.vtt").text
    cues = re.findall(r"00:00:([\d.]+) --> 00:00:([\d.]+)\n(.*)\n", text)
    assert [words for *_, words in cues] == ["Hello world.", "And this is the second one."]
    (first, second) = [(float(begin), float(end)) for begin, end, _ in cues]
    assert first[0] == 0
    assert 0.5 < first[1] <= second[0] < second[1] <= clip_s
    assert second[1] > clip_s - 1


def test_a_film_of_the_concat_writer_is_not_live_but_has_captions_and_an_export(
    settings: Settings, engine: LoudnessEngine, voices: VoiceRegistry, tmp_path: Path
) -> None:
    joining = settings.model_copy(update={"writer": "concat"})
    avatar = tiny_avatar(tmp_path)
    runtime = Runtime(settings=joining, avatar=avatar, engine=engine, voices=voices)
    runtime.start()
    try:
        assert runtime.wait_until_warm(30)
        client = assemble(joining, runtime, AvatarStore(settings.results_dir)).test_client()
        film = say(client, "Hello there.")
        for url in (LIVE, EVENTS, "/session/stream"):
            assert status_of(client.get(url)) == 409
        assert "\nHello there.\n" in client.get("/session/full_session.vtt").text
        with client.get("/session/export.mp4") as answer:
            assert answer.data == film.read_bytes()
    finally:
        runtime.close()
