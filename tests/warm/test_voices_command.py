"""`python -m warm voices`."""

import wave
from pathlib import Path

import numpy as np
import pytest

from warm.__main__ import main


def test_the_list_shows_the_voices_of_a_language(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["voices", "list", "--language", "pt"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines} >= {"espeak:pt", "espeak:pt-br+male"}
    assert all("pt" in line and "GPL" in line for line in lines)


def test_a_language_without_voices_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["voices", "list", "--language", "tlh"]) == 1
    assert "No voice speaks 'tlh'" in capsys.readouterr().err


def test_a_voice_is_tried_into_a_sound_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["voices", "try", "espeak:de+male", "--text", "Guten Tag.", "--speed", "0.5"]) == 0
    report = capsys.readouterr().err
    assert "Wrote espeak-de-male.wav" in report
    assert "times real time" in report
    with wave.open("espeak-de-male.wav") as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        assert len(samples) / file.getframerate() > 1
    assert np.abs(samples).max() > 3000


def test_an_unknown_voice_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["voices", "try", "espeak:en-uk"]) == 1
    assert "Closest: espeak:en-u" in capsys.readouterr().err
