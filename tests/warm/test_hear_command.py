"""`python -m warm hear` shows the recogniser and tries it on a file."""

from contextlib import closing
from pathlib import Path

import pytest

from stt.pins import FOLDER, MOONSHINE
from stt.recogniser import RATE_HZ, Samples
from tests.given_sounds import wav_of
from tests.stt.speech import MODELS, QUESTION, speech_of
from tts.espeak.voices import EspeakVoices
from warm.__main__ import main


def test_the_state_of_an_absent_recogniser_says_what_to_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["hear", "state", "--models", str(tmp_path)]) == 1
    shown = capsys.readouterr().out
    assert shown.startswith("moonshine-tiny-en (embedded): absent\nLicence: MIT\n")
    assert "make hear" in shown


def test_a_file_is_not_tried_without_the_recogniser(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recording = tmp_path / "a.wav"
    recording.write_bytes(wav_of(speech_for_test(), RATE_HZ))
    assert main(["hear", "try", str(recording), "--models", str(tmp_path)]) == 1
    assert "make hear" in capsys.readouterr().err


def test_a_recogniser_without_files_has_nothing_to_fetch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WARMTALK_TRANSCRIBER", "http://localhost:9/v1")
    assert main(["hear", "fetch", "--models", str(tmp_path)]) == 0
    assert "nothing to download" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.skipif(
    not MOONSHINE.is_present(MODELS / FOLDER), reason="`make hear` downloads the recogniser"
)
def test_the_words_of_a_file_are_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WARMTALK_STT_TIMEOUT_S", "120")
    recording = tmp_path / "a.wav"
    recording.write_bytes(wav_of(speech_for_test(), RATE_HZ))
    assert main(["hear", "try", str(recording), "--models", str(MODELS)]) == 0
    assert capsys.readouterr().out.startswith(f"{QUESTION}\nmoonshine-tiny-en: ")


def speech_for_test() -> Samples:
    with closing(EspeakVoices()) as voices:
        return speech_of(voices, QUESTION)
