"""Voices that a speech server lists."""

import json
import threading

import pytest

from tests.polling import wait_until
from tests.tts.openai.speech_server import Received, fake_server, pcm, speak, speaks, voices_of
from tts.openai.voice_list import parse_voices
from tts.openai.voices import OpenAIVoices, SpeechServer
from tts.registry import VoiceRegistry
from tts.voice import BadSpeechRequest


def listing(content: object):  # type: ignore[no-untyped-def]
    def answer(received: Received) -> None:
        if received.path.endswith("/audio/voices"):
            received.answer(json.dumps(content).encode(), "application/json")
        else:
            speaks(received)

    return answer


def ids_of(voices: OpenAIVoices) -> list[str]:
    return [info.id for info in voices.infos()]


@pytest.mark.parametrize(
    "content",
    [
        {"voices": [{"id": "af_bella", "name": "Bella"}, {"id": "nova"}]},
        {"voices": ["af_bella", "nova"]},
        ["af_bella", "nova"],
        [{"voice_id": "af_bella"}, {"name": "nova"}],
        {"data": [{"id": "af_bella"}, {"id": "nova"}], "object": "list"},
        {"voices": {"af_bella": {}, "nova": None}},
        {"voices": ["af_bella", "", 5, None, {}, {"id": 7}, "a\nb", "x" * 300, "nova", "nova"]},
    ],
)
def test_lists_of_several_shapes_name_the_same_voices(content: object) -> None:
    names = [voice.name for voice in parse_voices(json.dumps(content).encode())]
    assert names == ["af_bella", "nova"]


@pytest.mark.parametrize("body", [b"", b"<html>", b"5", b"null", b'"abc"', b"{}", b"[" * 99_999])
def test_anything_else_lists_no_voices(body: bytes) -> None:
    assert parse_voices(body) == ()


def test_listed_voices_have_their_names_languages_and_genders() -> None:
    entries = [
        {"id": "af_bella", "name": "Bella"},
        "bm_george",
        {"id": "anna", "language": "de_de", "gender": "Female"},
        {"id": "joe", "language": "a language", "gender": "x"},
        "pf_dora",
    ]
    with (
        fake_server(listing({"voices": entries})) as server,
        voices_of(server.url, languages=("fr", "en")) as voices,
    ):
        wait_until(lambda: ids_of(voices), "the list")
        shown = [(each.id, each.name, each.languages[0], each.gender) for each in voices.infos()]
        (bella, *_) = voices.infos()
    assert shown == [
        ("openai:af_bella", "Bella", "en-US", "female"),
        ("openai:bm_george", "bm_george", "en-GB", "male"),
        ("openai:anna", "anna", "de-DE", "female"),
        ("openai:joe", "joe", "fr", "unknown"),
        ("openai:pf_dora", "pf_dora", "pt-BR", "female"),
    ]
    assert bella.phoneme_times == "heard" and not bella.streams and bella.problem is None
    assert server.url in bella.licence


def test_listing_voices_waits_for_no_server() -> None:
    has_asked = threading.Event()

    def hanging(received: Received) -> None:
        has_asked.set()
        received.hang()

    with fake_server(hanging) as server, voices_of(server.url) as voices:
        assert ids_of(voices) == []
        assert has_asked.wait(60)
        assert ids_of(voices) == []
        assert voices.find("openai:alloy") is not None
        assert len(server.received) == 1


def test_the_list_is_read_once_and_kept() -> None:
    with fake_server(listing(["nova"])) as server, voices_of(server.url) as voices:
        wait_until(lambda: ids_of(voices) == ["openai:nova"], "the list")
        for _ in range(5):
            voices.infos()
        assert len(server.received) == 1


def test_a_server_without_list_shows_the_voices_of_the_settings() -> None:
    with fake_server(speaks) as server, voices_of(server.url, voices=("alloy",)) as voices:
        assert ids_of(voices) == ["openai:alloy"]
        wait_until(lambda: server.received, "the request for the list")
        assert [info.problem for info in voices.infos()] == [None]


def test_a_server_that_cannot_be_reached_is_a_problem_of_its_listed_voices_only() -> None:
    with fake_server(listing(["nova"])) as server:
        url = server.url
    with voices_of(url, voices=("alloy",)) as voices:
        wait_until(lambda: voices.infos()[0].problem, "the failure")
        assert "cannot be reached" in str(voices.infos()[0].problem)
        found = voices.find("openai:alloy")
        assert found is not None and found.problem is None  # it may run again by now


def test_a_failure_keeps_the_voices_that_are_known() -> None:
    with fake_server(listing(["nova"])) as server, voices_of(server.url) as voices:
        wait_until(lambda: ids_of(voices), "the list")
        server.script = lambda received: received.answer(b"no", "text/plain", 500)
        voices._list.refresh()
        assert ids_of(voices) == ["openai:nova"]
        assert "answers 500" in str(voices.infos()[0].problem)
        server.script = listing(["nova", "echo"])
        voices._list.refresh()
        assert ids_of(voices) == ["openai:nova", "openai:echo"]


@pytest.mark.parametrize("name", ["openai:", "openai: x", "openai:a\nb", "openai:" + "x" * 201])
def test_a_name_that_no_voice_has_is_unknown(name: str) -> None:
    with fake_server(listing(["nova"])) as server:
        voices = VoiceRegistry([OpenAIVoices(SpeechServer(url=server.url))])
        with pytest.raises(BadSpeechRequest, match="not one of"):
            voices.choose(voice=name)
        voices.close()


def test_names_keep_their_case_and_the_prefix_may_have_any() -> None:
    with fake_server(speaks) as server, voices_of(server.url) as voices:
        info = voices.find("OpenAI:Alloy")
        assert info is not None and info.id == "openai:Alloy"
        assert voices.find("espeak:en") is None and voices.find("alloy") is None


def test_auto_never_selects_a_remote_voice() -> None:
    with fake_server(listing(["nova"])) as server, voices_of(server.url) as voices:
        wait_until(lambda: ids_of(voices), "the list")
        assert voices.best_for("en") is None


def test_the_rate_of_the_last_sentence_is_listed() -> None:
    with (
        fake_server(lambda received: received.answer(pcm(), "audio/pcm;rate=22050")) as server,
        voices_of(server.url) as voices,
    ):
        speak(voices)
        info = voices.find("openai:alloy")
        assert info is not None and info.sample_rate_hz == 22_050
