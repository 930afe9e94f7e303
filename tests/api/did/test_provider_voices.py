"""Voices of other providers are mapped by the locale and the gender in their names."""

from typing import cast

import pytest

from api.did.lenient import parse_lenient
from api.did.provider_voices import language_name, language_tag, wanted
from api.did.script import Provider, Script, speed_of
from api.did.voice_match import match_voice
from tests.tts.test_registry_reading import Tones
from tts.registry import VoiceRegistry
from tts.voice import VoiceChoice, VoiceInfo
from warm.runtime import Runtime


@pytest.mark.parametrize(
    ("voice_id", "language", "gender"),
    [
        ("en-US-JennyNeural", "en-US", "female"),
        ("en-US-GuyNeural", "en-US", "male"),
        ("en-us-andrewmultilingualneural", "en-us", "male"),
        ("en-US-AvaMultilingualNeural", "en-US", "female"),
        ("zh-CN-YunxiNeural", "zh-CN", "male"),
        ("de-DE-Wavenet-B", "de-DE", "female"),
        ("pt-BR-Neural2-A", "pt-BR", "female"),
        ("uz-Latn-UZ-MadinaNeural", "uz-Latn-UZ", "female"),
        ("es-419-Standard", "es-419", "female"),
        ("fil-PH-BlessicaNeural", "tl-PH", "female"),
        ("Joanna", "en-US", "female"),
        ("Matthew", "en-US", "male"),
        ("Hans", "de-DE", "male"),
        ("Zhiyu", "zh-CN", "female"),
        ("onyx", None, "male"),
        ("21m00Tcm4TlvDq8ikWAM", None, "unknown"),
        ("", None, "unknown"),
        ("en-USA", None, "unknown"),
    ],
)
def test_a_name_gives_the_language_and_the_gender(
    voice_id: str, language: str | None, gender: str
) -> None:
    found = wanted(voice_id)
    assert found.language == language
    if "Wavenet" not in voice_id and "Neural2" not in voice_id and "Standard" not in voice_id:
        assert found.gender == gender


@pytest.mark.parametrize(
    ("language", "tag"),
    [("English (United States)", "en-US"), ("german", "de"), ("pt-BR", "pt-br"), ("?!", None)],
)
def test_a_language_may_be_a_tag_or_a_name(language: str, tag: str | None) -> None:
    assert language_tag(language) == tag


def test_languages_have_names() -> None:
    assert [language_name(tag) for tag in ("de-AT", "en", "xx")] == ["German", "English", "Xx"]


@pytest.mark.parametrize(
    ("rate", "speed"),
    [("1.5", 1.5), ("+20%", 1.2), ("-25%", 0.75), ("80%", 0.8), ("Slow", 0.75), ("x-fast", 1.6)],
)
def test_rates_are_factors_percentages_or_words(rate: str, speed: float) -> None:
    assert speed_of(rate) == pytest.approx(speed)


@pytest.mark.parametrize("rate", ["0.1", "3", "+200%", "-100%", "warp", "-", "1e9", "9" * 400])
def test_other_rates_are_refused(rate: str) -> None:
    with pytest.raises(ValueError, match="must be a factor"):
        speed_of(rate)


def test_a_script_with_a_sound_alone_needs_no_type() -> None:
    assert parse_lenient(Script, {"audio_url": "x"}).type == "audio"
    assert parse_lenient(Script, {"input": "x", "ssml": 1}).ssml is True
    assert parse_lenient(Script, {"input": 5, "type": " TEXT "}).input == "5"


class Speaker:
    """The part of a runtime that knows voices."""

    def __init__(self) -> None:
        self.registry = VoiceRegistry([Tones()])

    def voices(self) -> list[VoiceInfo]:
        return list(self.registry.infos())

    def choose(
        self,
        *,
        voice: str | None = None,
        language: str | None = None,
        speed: float | None = None,
    ) -> VoiceChoice:
        return self.registry.choose(voice=voice, language=language, speed=speed)


@pytest.mark.parametrize(
    ("provider", "voice", "speed"),
    [
        ({}, "tone:ann", 1.0),
        ({"voice_id": "tone:bob"}, "tone:bob", 1.0),
        ({"voice_id": "en-US-JennyNeural"}, "tone:ann", 1.0),
        ({"voice_id": "en-US-GuyNeural", "voice_config": {"rate": 1.5}}, "tone:bob", 1.5),
        ({"voice_id": "ru-RU-DmitryNeural"}, "tone:ivan", 1.0),
        ({"voice_id": "de-DE-ConradNeural"}, "tone:anke", 1.0),
        ({"voice_id": "21m00Tcm4TlvDq8ikWAM", "language": "German"}, "tone:anke", 1.0),
        ({"voice_id": "21m00Tcm4TlvDq8ikWAM"}, "tone:ann", 1.0),
    ],
)
def test_a_voice_of_the_language_and_if_possible_of_the_gender_speaks(
    provider: dict[str, object], voice: str, speed: float
) -> None:
    matched = match_voice(cast(Runtime, Speaker()), parse_lenient(Provider, provider))
    assert (matched.choice.voice, matched.choice.speed) == (voice, speed)
    named = provider.get("voice_id")
    is_mapped = named is not None and named != voice
    assert [voice in remark and str(named) in remark for remark in matched.remarks] == (
        [True] if is_mapped else []
    )
