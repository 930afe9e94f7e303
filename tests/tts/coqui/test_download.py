"""`python -m tts.coqui download`, with a stand-in of the package."""

import sys
from pathlib import Path

import pytest

from tts.coqui.__main__ import main

NAME = "tts_models/en/tiny/vits"
TERMS = "tts_models/multilingual/multi-dataset/xtts_v2"


@pytest.mark.usefixtures("stand_in")
def test_a_model_is_downloaded_and_its_licence_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["download", NAME]) == 0
    assert (tmp_path / "models" / "tts_models--en--tiny--vits" / "model.pth").exists()
    assert "licence MIT" in capsys.readouterr().out


@pytest.mark.usefixtures("stand_in")
def test_terms_are_accepted_by_an_option_and_never_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("a question was asked"))
    assert main(["download", TERMS]) == 1
    assert "--accept-terms" in capsys.readouterr().err
    assert not (tmp_path / "models").exists()
    assert main(["download", TERMS, "--accept-terms"]) == 0
    assert "CPML, non-commercial use only" in capsys.readouterr().out
    monkeypatch.delenv("COQUI_TOS_AGREED")


@pytest.mark.usefixtures("stand_in")
def test_names_that_the_list_does_not_have_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["download", "tts_models/en/tiny/other"]) == 1
    assert "has no tts_models/en/tiny/other" in capsys.readouterr().err
    assert main(["download", "../../etc"]) == 1
    assert "not the name of a model" in capsys.readouterr().err


def test_without_the_package_it_says_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tts.coqui.package.REQUIRED", ("a_package_that_is_not_there",))
    assert main(["download", NAME]) == 1
    assert "pip install -r requirements-coqui.txt" in capsys.readouterr().err
    assert "TTS" not in sys.modules
