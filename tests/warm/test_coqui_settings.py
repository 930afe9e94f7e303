"""The setting `coqui_voices`."""

import json
from pathlib import Path

import pytest

from tts.coqui.models import read_models
from warm.settings import BadSettings, Settings, read_settings


def config(folder: Path, text: str) -> list[str]:
    path = folder / "some.yaml"
    path.write_text(text, encoding="utf-8")
    return ["--config", str(path)]


def fault_message(*argv: str) -> str:
    with pytest.raises(BadSettings) as caught:
        read_settings(argv)
    return str(caught.value)


def test_models_are_described_in_the_file(tmp_path: Path) -> None:
    text = """
coqui_voices:
  anna: {model_path: /x/anna.pth, speaker_wav: /x/anna.wav, consent: true, language: de}
  vctk: tts_models/en/vctk/vits
"""
    anna, vctk = read_models(read_settings(config(tmp_path, text)).coqui_voices)
    assert anna.model_path == Path("/x/anna.pth") and anna.speaker_wav == (Path("/x/anna.wav"),)
    assert anna.config_file == Path("/x/config.json") and anna.language == "de"
    assert vctk.model == "tts_models/en/vctk/vits" and vctk.config_file is None


def test_models_may_be_json_on_the_command_line_and_in_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = json.dumps({"vctk": "tts_models/en/vctk/vits"})
    assert read_settings(["--coqui-voices", text]).coqui_voices == json.loads(text)
    monkeypatch.setenv("WARMTALK_COQUI_VOICES", text)
    assert read_settings().coqui_voices == json.loads(text)


def test_by_default_there_are_none() -> None:
    assert Settings().coqui_voices is None
    assert read_models({}) == ()


def test_a_clone_without_consent_is_refused_with_an_explanation(tmp_path: Path) -> None:
    text = "coqui_voices: {anna: {model_path: a.pth, speaker_wav: a.wav}}"
    message = fault_message(*config(tmp_path, text))
    assert "clones the voice of a person" in message and "`consent: true`" in message
    text = "coqui_voices: {anna: {model_path: a.pth, speaker_wav: [a.wav], consent: false}}"
    assert "`consent: true`" in fault_message(*config(tmp_path, text))


@pytest.mark.parametrize(
    ("description", "words"),
    [
        ("{}", "needs `model` or `model_path`"),
        ("{model: tts_models/a/b/c, model_path: x}", "one of the two"),
        ("tts_models/en/vctk", "tts_models/LANGUAGE/DATASET/MODEL"),
        ("tts_models/../../etc", "tts_models/LANGUAGE/DATASET/MODEL"),
        ("vocoder_models/en/x/y", "tts_models/LANGUAGE/DATASET/MODEL"),
        ("{model_path: 5}", "anna.model_path = 5: must be a path"),
        ("{model_path: x, consent: maybe}", "anna.consent = 'maybe'"),
        ("{model_path: x, speaker: ''}", "anna.speaker = ''"),
        ("{model_path: x, language: German}", "BCP 47"),
        ("{model_path: x, gender: woman}", "female, male"),
        ("{model_path: x, device: gpu}", "cpu, cuda"),
        ("{model_path: x, speed: 2}", "anna.speed = 2: is not a field of a model"),
        ("{model_path: x, speaker: y, speaker_wav: z, consent: true}", "one of the two"),
        ("{model_path: x, speaker_wav: [], consent: true}", "path of a recording"),
        ("[1, 2]", "must be a mapping"),
        ("5", "must be a mapping"),
    ],
)
def test_a_fault_names_field_value_and_what_is_allowed(
    description: str, words: str, tmp_path: Path
) -> None:
    message = fault_message(*config(tmp_path, f"coqui_voices: {{anna: {description}}}"))
    assert words in message and "allowed" in message


@pytest.mark.parametrize("name", ["''", "a b", "a/b", "ä", "x" * 65, "5"])
def test_a_name_has_letters_digits_and_few_marks(name: str, tmp_path: Path) -> None:
    message = fault_message(*config(tmp_path, f"coqui_voices: {{{name}: tts_models/a/b/c}}"))
    assert "allowed: 1 to 64 letters" in message


@pytest.mark.parametrize("value", ["5", "text", "[1]", '"x"', "{"])
def test_anything_but_a_mapping_is_refused(value: str) -> None:
    assert "coqui_voices = " in fault_message("--coqui-voices", value)
