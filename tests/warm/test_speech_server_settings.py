"""Settings of the speech server: what is accepted, and that secrets stay secret."""

from pathlib import Path

import pytest

from warm.settings import BadSettings, Settings, read_settings
from warm.voice_factory import speech_server

KEY = "sk-secret-123"


def fault_message(*argv: str) -> str:
    with pytest.raises(BadSettings) as caught:
        read_settings(argv)
    return str(caught.value)


def test_without_an_address_there_is_no_server() -> None:
    assert speech_server(Settings()) is None
    assert speech_server(read_settings(["--tts-url", "", "--tts-key", ""])) is None


def test_the_settings_become_one_description_of_the_server() -> None:
    settings = read_settings(
        [
            *("--tts-url", "http://localhost:8880/v1", "--tts-key", f" {KEY}\n"),
            *(
                "--tts-model",
                "kokoro",
                "--tts-voices",
                "alloy, nova",
                "--tts-languages",
                "de-at fr",
            ),
            *("--tts-timeout-s", "7", "--tts-max-parallel", "2", "--tts-rate-hz", "22050"),
        ]
    )
    server = speech_server(settings)
    assert server is not None
    assert (server.url, server.key, server.model) == ("http://localhost:8880/v1", KEY, "kokoro")
    assert server.voices == ("alloy", "nova") and server.languages == ("de-AT", "fr")
    assert (server.timeout_s, server.max_parallel, server.pcm_rate_hz) == (7.0, 2, 22_050)


def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WARMTALK_TTS_KEY", KEY)
    server = speech_server(read_settings(["--tts-url", "http://localhost"]))
    assert server is not None and server.key == KEY


@pytest.mark.parametrize(
    "url", ["localhost:8880", "ftp://x", "http://", "http://x:99999", "http://a b", "http://x/#y"]
)
def test_an_address_that_is_none_is_refused_with_what_is_allowed(url: str) -> None:
    message = fault_message("--tts-url", url)
    assert f"tts_url = {url!r} (from the command line)" in message
    assert "allowed: http://HOST:PORT" in message


def test_a_language_that_is_none_is_refused_by_its_name() -> None:
    assert "'german!' is not a language" in fault_message("--tts-languages", "de, german!")


def test_certificates_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    (tmp_path / "no.pem").write_text("nothing")
    for path in (tmp_path / "missing.pem", tmp_path / "no.pem"):
        settings = read_settings(["--tts-url", "https://x", "--tts-ca-file", str(path)])
        with pytest.raises(BadSettings, match="tts_ca_file"):
            speech_server(settings)


# --- secrets


def test_the_key_is_in_no_text_of_the_settings() -> None:
    settings = read_settings(["--tts-url", "http://x", "--tts-key", KEY])
    server = speech_server(settings)
    assert KEY not in repr(settings) + str(settings) + settings.model_dump_json() + repr(server)


@pytest.mark.parametrize("content", [f"tts_key: [{KEY}]", f"tts_key: {KEY} x", f"tts_key: '{KEY}"])
def test_a_fault_of_the_key_does_not_show_it(content: str, tmp_path: Path) -> None:
    path = tmp_path / "some.yaml"
    path.write_text(f"port: 1\n{content}\n")
    message = fault_message("--config", str(path))
    assert "secret" not in message
    assert "tts_key" in message or "line 3" in message


def test_a_fault_of_the_address_shows_no_secret_in_it() -> None:
    for url in (f"http://user:{KEY}@host", f"http://host/#x?key={KEY}", f"ftp://host?key={KEY}"):
        message = fault_message("--tts-url", url)
        assert KEY not in message and "tts_url = 'http://" in message.replace("ftp", "http")
    assert "set tts_key instead" in fault_message("--tts-url", f"http://user:{KEY}@host")
