"""The JSON file of a Piper voice: what it states, and faults that are named."""

import json
import re

import pytest

from tests.tts.onnx_voices.tiny_voice import CONFIG
from tts.onnx_voices.bad_file import BadVoiceFile
from tts.onnx_voices.model_card import ModelCard
from tts.onnx_voices.piper_config import PiperConfig


def parsed(*, name: str = "en_US-tiny-medium", **changes: object) -> PiperConfig:
    content = {key: value for key, value in {**CONFIG, **changes}.items() if value is not None}
    return PiperConfig.parse(json.dumps(content).encode(), name=name)


def test_a_usual_file_is_read() -> None:
    config = parsed()
    assert config.sample_rate_hz == 22_050
    assert config.languages == ("en-US", "en")
    assert (config.noise_scale, config.length_scale, config.noise_w) == (0.667, 1.0, 0.8)
    assert config.phoneme_ids["ː"] == (5,)
    assert config.title == "tiny, medium"
    assert config.speakers == {}


@pytest.mark.parametrize("rate_hz", [16_000, 22_050, 24_000, 44_100])
def test_all_usual_sample_rates_are_accepted(rate_hz: int) -> None:
    assert parsed(audio={"sample_rate": rate_hz}).sample_rate_hz == rate_hz


def test_the_language_comes_from_the_name_if_an_old_file_does_not_state_it() -> None:
    assert parsed(name="pt_BR-faber-medium", language=None).languages == ("pt-BR", "pt")
    assert parsed(name="mine", language=None).languages == ("en-US", "en")


def test_speakers_keep_the_order_of_their_numbers() -> None:
    config = parsed(num_speakers=3, speaker_id_map={"c": 2, "a": 0, "b": 1})
    assert list(config.speakers.items()) == [("a", 0), ("b", 1), ("c", 2)]


def test_speakers_without_names_are_numbered() -> None:
    assert parsed(num_speakers=2, speaker_id_map=None).speakers == {"0": 0, "1": 1}


def test_keys_that_newer_versions_add_are_ignored() -> None:
    assert parsed(something={"new": [1]}, piper_version="9.0").sample_rate_hz == 22_050


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"audio": None}, "lacks audio"),
        ({"audio": []}, "must have an object in audio"),
        ({"audio": {"sample_rate": "22050"}}, "8000 to 48000 in audio.sample_rate, found '22050'"),
        ({"audio": {"sample_rate": 0}}, "found 0"),
        ({"audio": {"sample_rate": True}}, "found True"),
        ({"audio": {"sample_rate": 22_050.0}}, "found 22050.0"),
        (
            {"audio": {"sample_rate": 44_100, "quality": "medium"}},
            "audio.sample_rate 44100, but voices of audio.quality 'medium' have 22050 or 24000",
        ),
        ({"phoneme_id_map": None}, "lacks phoneme_id_map"),
        ({"phoneme_id_map": {"_": [0], "^": [1]}}, r"lacks ['$'] in phoneme_id_map"),
        ({"phoneme_id_map": {"_": [-1], "^": [1], "$": [2]}}, "found [-1] for '_'"),
        ({"phoneme_id_map": {"_": [], "^": [1], "$": [2]}}, "found [] for '_'"),
        ({"phoneme_id_map": {"_": ["0"], "^": [1], "$": [2]}}, "found ['0'] for '_'"),
        ({"phoneme_type": "pinyin"}, "has phoneme_type 'pinyin'; supported: espeak, text"),
        ({"phoneme_type": 7}, "has phoneme_type 7"),
        ({"phoneme_type": ["text"]}, "has phoneme_type ['text']"),
        ({"espeak": None}, "in espeak.voice, such as 'en-us', found None"),
        ({"espeak": {"voice": ""}}, "found ''"),
        ({"espeak": {"voice": "en\0us"}}, "in espeak.voice"),
        ({"num_speakers": 0}, "in num_speakers, found 0"),
        ({"num_speakers": 2, "speaker_id_map": {"a": 5}}, "0 to 1 in speaker_id_map, found 5"),
        ({"inference": {"noise_scale": float("nan")}}, "in inference.noise_scale, found nan"),
        ({"inference": {"length_scale": 0}}, "from 0.05 to 5.0 in inference.length_scale"),
        ({"inference": {"noise_w": "much"}}, "in inference.noise_w, found 'much'"),
        ({"inference": 3}, "must have an object in inference"),
        ({"hop_length": -256}, "in hop_length, found -256"),
        ({"vowel_clusters": 3}, "in vowel_clusters, found 3"),
        ({"language": "en_US"}, "must have an object in language"),
    ],
)
def test_a_fault_is_named_with_its_key_and_value(changes: dict[str, object], message: str) -> None:
    with pytest.raises(BadVoiceFile, match=re.escape(message)):
        parsed(**changes)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"<html>", b"null", b"3"]
)
def test_a_file_that_is_no_json_object_is_refused(content: bytes) -> None:
    with pytest.raises(BadVoiceFile, match=r"is not JSON|must contain a JSON object"):
        PiperConfig.parse(content, name="x")


def test_a_card_states_the_licence_and_the_speaker() -> None:
    card = ModelCard.parse("# Model card\n\n* Language: en_US\n* Gender: Female\n* License: CC0\n")
    assert card == ModelCard("CC0, according to its model card", "female")


def test_a_voice_trained_from_another_has_an_unclear_licence() -> None:
    card = ModelCard.parse(
        "* License: CC0\n\n## Training\n\nFinetuned from U.S. English lessac voice (medium).\n"
    )
    assert card.licence == (
        "unclear: CC0, according to its model card; "
        "but trained from U.S. English lessac voice (medium)"
    )


@pytest.mark.parametrize("text", ["", "no facts here", "License\n", ":::\n* : x\n", "\0\0"])
def test_a_card_without_facts_leaves_them_unknown(text: str) -> None:
    assert ModelCard.parse(text) == ModelCard("see its model card", "unknown")
