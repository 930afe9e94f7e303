"""Phonemes from the durations of a model's symbols, and the configurations of models."""

import json
from itertools import pairwise
from pathlib import Path

import pytest

from tts.coqui.model_config import ModelSummary, hub_language, read_summary
from tts.coqui.package import licence_of
from tts.coqui.symbol_times import phonemes_of
from tts.sentence_audio import SentenceAudio
from tts.speech import Phoneme


def timed(*symbols: tuple[str, float]) -> list[tuple[str, float, float]]:
    phonemes = phonemes_of(symbols, sum(seconds for _, seconds in symbols))
    assert phonemes is not None
    return [(each.symbol, round(each.start_s, 3), round(each.end_s, 3)) for each in phonemes]


def test_a_blank_belongs_to_the_symbol_after_it_and_at_the_ends_it_is_silence() -> None:
    symbols = [("", 0.1), ("h", 0.1), ("", 0.02), ("a", 0.2), ("", 0.05)]
    assert timed(*symbols) == [("", 0, 0.1), ("h", 0.1, 0.2), ("a", 0.2, 0.47)]


def test_stress_length_spaces_and_punctuation_belong_to_their_neighbours() -> None:
    symbols = [("ˈ", 0.05), ("a", 0.1), ("ː", 0.1), (" ", 0.1), ("b", 0.1), (",", 0.2), ("o", 0.1)]
    assert timed(*symbols) == [
        ("a", 0, 0.3),
        ("b", 0.3, 0.45),
        ("", 0.45, 0.65),
        ("o", 0.65, 0.75),
    ]


def test_times_are_in_order_and_without_gaps() -> None:
    symbols = [(symbol, 0.03 * index) for index, symbol in enumerate(",ˈaˌb .cː d!!_#")]
    symbols = [("" if symbol in "_#" else symbol, seconds) for symbol, seconds in symbols]
    phonemes = timed(*symbols)
    assert all(a[2] == b[1] for a, b in pairwise(phonemes))
    assert phonemes[-1][2] == pytest.approx(sum(seconds for _, seconds in symbols), abs=0.002)


def test_durations_that_do_not_fit_to_the_sound_give_no_times() -> None:
    assert phonemes_of([("a", 0.5)], 2.0) is None
    assert phonemes_of([], 0.0) is None


def test_phonemes_of_a_trimmed_sound_reach_from_its_beginning_to_its_end() -> None:
    audio = SentenceAudio(samples=None, shift_s=-0.2, duration_s=1.0)  # type: ignore[arg-type]
    raw = [Phoneme("", 0, 0.3), Phoneme("a", 0.3, 0.8), Phoneme("b", 0.8, 1.1)]
    placed = audio.placed([*raw, Phoneme("", 1.1, 1.4)])
    assert [each.symbol for each in placed] == ["", "a", "b", ""]
    assert placed[0].start_s == 0 and placed[-1].end_s == 1.0
    assert placed[1].start_s == pytest.approx(0.1)
    bare = audio.placed([Phoneme("a", 0.25, 0.5)])
    assert [each.symbol for each in bare] == ["", "a", ""]
    assert [each.symbol for each in audio.placed([Phoneme("a", 5, 6)])] == [""]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"model": "vits", "audio": {"sample_rate": 16_000}}, ModelSummary("vits", (), 16_000)),
        (
            {"model": "xtts", "languages": ["en", "zh-cn", 5, "x" * 99], "audio": None},
            ModelSummary("xtts", ("en", "zh-CN")),
        ),
        ({"phoneme_language": "en-us"}, ModelSummary(None, ("en-US",))),
        ({"datasets": [{"language": "de"}, {"language": ""}, 7]}, ModelSummary(None, ("de",))),
        ({"audio": {"sample_rate": 22_050, "output_sample_rate": 24_000}}, ModelSummary()),
        ({"audio": {"sample_rate": -5}, "model": 7, "languages": "en"}, ModelSummary()),
    ],
)
def test_a_configuration_tells_kind_languages_and_rate(
    content: object, expected: ModelSummary, tmp_path: Path
) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(content))
    found = read_summary(path)
    assert (found.kind, found.languages) == (expected.kind, expected.languages)
    assert found.sample_rate_hz in (expected.sample_rate_hz, 24_000)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"5", b"\xff\xfe", b"[" * 100_000])
def test_a_file_that_is_no_configuration_leaves_the_defaults(
    content: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(content)
    assert read_summary(path) == ModelSummary()
    assert read_summary(tmp_path / "missing.json") == ModelSummary()
    assert read_summary(None) == ModelSummary()


def test_licences_are_told_as_far_as_they_are_known(stand_in: Path) -> None:
    assert stand_in.exists()
    assert licence_of("tts_models/en/tiny/vits", None) == "MIT"
    assert licence_of("tts_models/deu/fairseq/vits", None) == (
        "CC BY-NC 4.0, non-commercial use only"
    )
    assert licence_of(None, "xtts") == "CPML, non-commercial use only"
    assert licence_of(None, "vits") is None
    assert hub_language("tts_models/de/thorsten/vits") == ("de",)
    assert hub_language("tts_models/multilingual/multi-dataset/xtts_v2") == ()
