"""`python -m warm voices fetch`: a voice from a hub, whole or not at all."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import warm.installation
from tests.tts.onnx_voices.tiny_voice import write_voice
from tests.warm.engines.weights.hub_server import Hub, serving
from tts.onnx_voices.piper_files import PiperFolder
from warm.__main__ import main
from warm.engines.weights.errors import (
    HubLacksFile,
    HubRefused,
    HubUnreachable,
    WeightsDamaged,
    WeightsDownloadError,
)
from warm.installation import DOWNLOAD_REQUIREMENTS, PackageMissing
from warm.voice_download import BadVoiceName, VoiceDownload, download_voice

NAME = "en_US-tiny-medium"
PLACE = "rhasspy/piper-voices/en/en_US/tiny/medium"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.delenv("HF_TOKEN", raising=False)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    model = write_voice(tmp_path / "made", NAME)
    files = {
        f"{PLACE}/{NAME}.onnx": model.read_bytes(),
        f"{PLACE}/{NAME}.onnx.json": model.with_name(f"{NAME}.onnx.json").read_bytes(),
        f"{PLACE}/MODEL_CARD": b"* License: CC0\n",
        "rhasspy/piper-voices/voices.json": json.dumps(
            {NAME: {}, "en_US-tina-low": {}, "de_DE-eva-low": {}}
        ).encode(),
    }
    with serving(files) as hub:
        yield hub


@pytest.fixture
def options(hub: Hub, tmp_path: Path) -> VoiceDownload:
    return VoiceDownload(folder=tmp_path / "voices", endpoint=hub.url, report=lambda _output: None)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_voice_is_fetched_with_its_card(hub: Hub, options: VoiceDownload) -> None:
    said: list[str] = []
    target = download_voice(NAME, replace(options, report=said.append))
    assert target.read_bytes() == hub.files[f"{PLACE}/{NAME}.onnx"]
    assert names_in(options.folder) == [f"{NAME}.MODEL_CARD", f"{NAME}.onnx", f"{NAME}.onnx.json"]
    voice = PiperFolder(options.folder).voices()[NAME]
    assert voice.problem is None
    assert voice.card.licence == "CC0, according to its model card"
    assert "Licence: CC0, according to its model card" in said[-1]
    assert hub.authorizations == []


def test_a_voice_that_is_present_is_not_fetched_again(hub: Hub, options: VoiceDownload) -> None:
    download_voice(NAME, options)
    asked = len(hub.asked)
    download_voice(NAME, options)
    assert len(hub.asked) == asked


def test_a_voice_that_is_damaged_is_fetched_again(options: VoiceDownload) -> None:
    target = download_voice(NAME, options)
    whole = target.read_bytes()
    target.write_bytes(whole[:-10])
    assert download_voice(NAME, options).read_bytes() == whole


def test_a_mirror_without_cards_is_enough(hub: Hub, options: VoiceDownload) -> None:
    del hub.files[f"{PLACE}/MODEL_CARD"]
    download_voice(NAME, options)
    assert PiperFolder(options.folder).voices()[NAME].card.licence == "see its model card"


def test_the_network_may_come_from_another_storage(hub: Hub, options: VoiceDownload) -> None:
    hub.elsewhere = True
    assert download_voice(NAME, options).exists()


def test_an_interrupted_download_shows_no_half_voice_and_is_continued(
    hub: Hub, options: VoiceDownload
) -> None:
    network = hub.files.pop(f"{PLACE}/{NAME}.onnx")
    with pytest.raises(HubLacksFile):
        download_voice(NAME, options)
    assert PiperFolder(options.folder).voices() == {}
    part = options.folder / f".{NAME}.download"
    digest = hashlib.sha256(network).hexdigest()
    (part / f".{NAME}.onnx.{digest[:16]}.part").write_bytes(network[:1000])
    hub.files[f"{PLACE}/{NAME}.onnx"] = network
    assert download_voice(NAME, options).read_bytes() == network
    assert "bytes=1000-" in hub.ranges()
    assert not part.exists()


def test_wrong_bytes_are_not_installed(hub: Hub, options: VoiceDownload) -> None:
    hub.wrong_bytes = True
    with pytest.raises(Exception, match="returned bytes with SHA-256"):
        download_voice(NAME, options)
    assert PiperFolder(options.folder).voices() == {}


def test_a_web_page_instead_of_a_voice_is_not_installed(hub: Hub, options: VoiceDownload) -> None:
    hub.files[f"{PLACE}/{NAME}.onnx"] = b"<!doctype html><p>Sign in"
    with pytest.raises(WeightsDamaged, match="is a web page"):
        download_voice(NAME, options)
    assert names_in(options.folder) == []


def test_an_unknown_voice_is_answered_with_near_ones(options: VoiceDownload) -> None:
    with pytest.raises(
        HubLacksFile, match=r"copy en_US-tin-low\.onnx.*similar names: en_US-tina-low"
    ):
        download_voice("en_US-tin-low", options)


@pytest.mark.parametrize(
    "name",
    ["", "amy", "en-US-amy-medium", "../../etc/passwd", "en_US-a/b-low", "en_US-amy-low\n", "-x"],
)
def test_a_name_of_another_form_is_refused(name: str, options: VoiceDownload) -> None:
    with pytest.raises(BadVoiceName, match="en_US-amy-medium"):
        download_voice(name, options)
    assert not options.folder.exists()


def test_a_hub_that_cannot_be_used_is_named(hub: Hub, options: VoiceDownload) -> None:
    hub.status = 401
    with pytest.raises(HubRefused, match=f"copy {NAME}"):
        download_voice(NAME, options)
    with pytest.raises(HubUnreachable, match=r"copy en_US-tiny-medium\.onnx and .* into"):
        download_voice(NAME, replace(options, endpoint="http://127.0.0.1:9"))


def test_a_folder_that_cannot_be_written_is_named(options: VoiceDownload, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WeightsDownloadError, match=r"cannot be written: .*voices_dir"):
        download_voice(NAME, replace(options, folder=tmp_path / "file"))


def test_the_command_fetches_into_the_folder_of_the_settings(
    hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WARMTALK_VOICES_DIR", str(tmp_path / "mine"))
    monkeypatch.setenv("WARMTALK_MODELS_ENDPOINT", f"{hub.url}/")
    assert main(["voices", "fetch", f"piper:{NAME}"]) == 0
    assert f"voices try piper:{NAME}" in capsys.readouterr().out
    assert (tmp_path / "mine" / f"{NAME}.onnx").exists()
    assert main(["voices", "fetch", "nobody", "--endpoint", hub.url]) == 1
    assert "BadVoiceName" in capsys.readouterr().err


def test_a_missing_package_is_named_without_those_of_the_neural_engine(
    options: VoiceDownload, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warm.installation, "find_spec", lambda _name: None)
    with pytest.raises(PackageMissing, match=f"pip install {DOWNLOAD_REQUIREMENTS}"):
        download_voice(NAME, options)


def test_the_packages_of_a_download_are_those_that_are_pinned() -> None:
    pinned = (Path(__file__).parents[2] / "requirements-musetalk.txt").read_text()
    assert all(requirement in pinned for requirement in DOWNLOAD_REQUIREMENTS.split())
