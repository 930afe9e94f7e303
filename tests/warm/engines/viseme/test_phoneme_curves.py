"""Mouth tracks from hand-written phonemes, and from a real voice in many languages."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from tts.registry import VoiceRegistry
from tts.speech import Phoneme, Speech
from warm.engines.viseme.engine import VisemeEngine
from warm.engines.viseme.ipa_targets import ContactKind, target_shares, vowel_openness
from warm.engines.viseme.phoneme_curves import (
    EASY_OPENING,
    LOUD_DBFS,
    NoPhonemesError,
    limit_opening,
    mouth_curves,
    mouth_track_from_phonemes,
)
from warm.engines.viseme.shape import FULL_GAP_IOD, MAX_OPENING, Shape
from warm.face.landmarks import CLOSED_GAP_IOD

RATE = 16_000
CLOSED = CLOSED_GAP_IOD / FULL_GAP_IOD


def spoken(*sounds: tuple[str, float], loudness: float = 0.3) -> Speech:
    """Speech of (symbol, seconds), with 100 ms of silence before it and 300 ms after it."""
    phonemes, at = [], 0.0
    for symbol, length in (("", 0.1), *sounds, ("", 0.3)):
        phonemes.append(Phoneme(symbol, at, at + length))
        at += length
    samples = np.zeros(round(at * RATE), np.float32)
    samples[RATE // 10 : -3 * RATE // 10] = loudness
    return Speech("made by hand", samples, RATE, tuple(phonemes))


def track(speech: Speech, fps: int = 25) -> NDArray[np.float32]:
    return mouth_track_from_phonemes(speech, frames=int(np.ceil(speech.duration_s * fps)), fps=fps)


def held(symbol: str) -> NDArray[np.float32]:
    """(7,) mouth shape in the middle of a long sound."""
    return track(spoken((symbol, 1.0)), fps=100)[60]


def test_a_track_has_a_row_per_frame_and_a_column_per_shape() -> None:
    made = mouth_track_from_phonemes(spoken(("a", 0.5)), frames=40, fps=25)
    assert made.shape == (40, len(Shape))
    assert made.dtype == np.float32
    assert np.isfinite(made).all()


@pytest.mark.parametrize("fps", [10, 12, 24, 25, 30, 50, 60])
@pytest.mark.parametrize("symbol", ["p", "b", "m"])
def test_no_frame_rate_skips_a_closure_at_any_time(symbol: str, fps: int) -> None:
    """Catches sampling at frame times: a 30 ms contact falls between frames 40 ms apart."""
    for delay_ms in range(0, 100, 7):
        speech = spoken(("a", 0.3 + delay_ms / 1000), (symbol, 0.03), ("a", 0.3))
        made = track(speech, fps)
        contact_s = 0.4 + delay_ms / 1000
        draw_frame = made[int(contact_s * fps) : int(np.ceil((contact_s + 0.03) * fps))]
        assert draw_frame[:, Shape.OPEN].min() == 0
        assert draw_frame[:, Shape.PRESS].max() == 1


def test_lips_part_again_within_a_tenth_of_a_second() -> None:
    made = track(spoken(("a", 0.3), ("b", 0.06), ("a", 0.3)), fps=100)[:, Shape.OPEN]
    assert made[43] == 0
    assert made[33] > 3 * CLOSED
    assert made[53] > 3 * CLOSED


@pytest.mark.parametrize("symbol", ["f", "v", "ɱ"])
def test_lip_and_teeth_meet_in_labiodentals(symbol: str) -> None:
    made = track(spoken(("a", 0.3), (symbol, 0.05), ("a", 0.3)))
    assert made[:, Shape.TUCK].max() == 1
    assert made[:, Shape.PRESS].max() == 0
    assert made[made[:, Shape.TUCK].argmax(), Shape.OPEN] < 0.3


def test_the_mouth_is_exactly_closed_in_pauses_and_after_the_speech() -> None:
    speech = spoken(("a", 0.4), ("", 0.4), ("a", 0.4))
    made = mouth_track_from_phonemes(speech, frames=100, fps=25)
    assert not made[int(0.6 * 25) : int(0.8 * 25)].any()
    assert not made[int(1.45 * 25) :].any()
    assert made[int(0.35 * 25), Shape.OPEN] > 0.7


def test_silent_speech_keeps_the_mouth_closed() -> None:
    speech = Speech("", np.zeros(RATE, np.float32), RATE, (Phoneme("", 0.0, 1.0),))
    assert not track(speech).any()


def test_a_very_short_pause_does_not_close_the_mouth() -> None:
    made = track(spoken(("a", 0.3), ("", 0.03), ("a", 0.3)))
    assert made[5:15, Shape.OPEN].min() > CLOSED


def test_vowels_open_by_height() -> None:
    openings = [held(vowel)[Shape.OPEN] for vowel in ("i", "e", "ɛ", "æ", "a")]
    assert openings == sorted(openings)
    assert openings[0] < 0.45
    assert openings[-1] > 1.0


def test_rounding_and_spreading_distinguish_u_from_i() -> None:
    assert held("u")[Shape.ROUND] > 0.9
    assert held("u")[Shape.WIDE] < 0
    assert held("i")[Shape.WIDE] > 0.9
    assert held("i")[Shape.ROUND] == pytest.approx(0, abs=0.01)
    assert held("y")[Shape.ROUND] > 0.9


def test_each_kind_of_consonant_has_its_own_shape() -> None:
    assert held("s")[Shape.TEETH] > 0.9
    assert held("θ")[Shape.TONGUE] > 0.9
    assert held("w")[Shape.ROUND] > 0.9
    assert held("ʃ")[Shape.ROUND] > 0.3
    assert held("t")[Shape.TONGUE] > 0.5


def test_a_diphthong_moves_from_its_first_vowel_to_its_second() -> None:
    made = track(spoken(("aʊ", 0.5)), fps=50)
    early, late = made[int(0.22 * 50)], made[int(0.5 * 50)]
    assert early[Shape.OPEN] > 2 * late[Shape.OPEN]
    assert late[Shape.ROUND] > early[Shape.ROUND] + 0.4


def test_a_consonant_without_lip_target_takes_its_neighbours_lips() -> None:
    round_k = track(spoken(("u", 0.2), ("k", 0.06), ("u", 0.2)), fps=100)[33]
    wide_k = track(spoken(("i", 0.2), ("k", 0.06), ("i", 0.2)), fps=100)[33]
    assert round_k[Shape.ROUND] > 0.7
    assert wide_k[Shape.WIDE] > 0.5


def test_the_mouth_is_ahead_of_the_sound() -> None:
    curve = mouth_curves(spoken(("i", 0.3), ("a", 0.3)), points=100).with_contacts()[:, Shape.OPEN]
    halfway = (curve[20] + curve[55]) / 2
    crossing = 20 + int(np.argmax(curve[20:55] > halfway))
    assert 0.35 <= crossing / 100 <= 0.40


def test_a_loud_vowel_is_wider_than_a_soft_one() -> None:
    speech = spoken(("ɛ", 0.3), ("ɛ", 0.3))
    speech.samples[: len(speech.samples) // 2] *= 0.1
    made = track(speech)[:, Shape.OPEN]
    assert made[int(0.55 * 25)] > 1.2 * made[int(0.25 * 25)]


@pytest.mark.parametrize("scale", [0.001, 0.03, 3.0])
def test_a_sentence_at_another_level_opens_the_mouth_nearly_as_far(scale: float) -> None:
    sounds = [("ɛ", 0.3), ("m", 0.1), ("a", 0.3)]
    reference = track(spoken(*sounds, loudness=0.116))[:, Shape.OPEN].max()
    scaled = track(spoken(*sounds, loudness=0.116 * scale))[:, Shape.OPEN].max()
    assert 0.74 < scaled / reference < 1.11


def test_the_level_of_a_real_voice_hardly_changes_the_opening(voices: VoiceRegistry) -> None:
    """The reference level is fixed; one from the sentence itself would differ this little."""
    for text in ("Good morning, and thank you for calling.", "Yes.", "What a wonderful day!"):
        for speech in voices.speak(text, voices.choose()):
            blocks = speech.samples[: len(speech.samples) // 220 * 220].reshape(-1, 220)
            loud = np.percentile(np.sqrt(gaussian_filter1d((blocks**2).mean(1), 3.0)), 80)
            reference = 10 ** (LOUD_DBFS / 20)
            assert 0.93 < (loud / reference) ** 0.25 < 1.07


@pytest.mark.parametrize("fps", [24, 25, 30])
def test_a_sentence_that_arrives_in_pieces_has_the_mouth_of_the_whole(
    voices: VoiceRegistry, fps: int
) -> None:
    engine = VisemeEngine()
    (whole,) = voices.speak("Peter, my brother, has bought a fine blue boat.", voices.choose())
    frames = -(-whole.total_samples * fps // whole.sample_rate_hz)
    expected = engine.encode_speech(whole, frames=frames, fps=fps)
    ready, parts = 0, []
    for end in [*range(9_000, len(whole.samples), 7_001), len(whole.samples)]:
        known_s = end / whole.sample_rate_hz - engine.lookahead_s(whole)
        stop = frames if end == len(whole.samples) else max(ready, int(known_s * fps))
        arrived = replace(whole, samples=whole.samples[:end])
        parts.append(engine.encode_part(arrived, start=ready, stop=stop, fps=fps))
        ready = stop
    assert sum(len(part) > 0 for part in parts) > 4
    np.testing.assert_allclose(np.concatenate(parts), expected, atol=1e-6)


def test_without_phonemes_the_engine_asks_for_the_whole_sentence(voices: VoiceRegistry) -> None:
    engine = VisemeEngine()
    (speech,) = voices.speak("Yes.", voices.choose())
    assert engine.lookahead_s(speech) < 0.2
    assert engine.lookahead_s(replace(speech, phonemes=None)) == float("inf")


def test_speech_without_phonemes_is_refused_with_advice() -> None:
    with pytest.raises(NoPhonemesError, match="knows_phonemes is true in GET /voices"):
        mouth_track_from_phonemes(
            Speech("hello", np.zeros(RATE, np.float32), RATE, None), frames=25, fps=25
        )


@pytest.mark.parametrize("symbol", ["ж", "q", "ǂ", "ʘ", "ꟹ", "ʰ", "e̞", "tʃʰ", "ɡ͡b", "œ̃", "ˈ"])
def test_every_symbol_has_targets(symbol: str) -> None:
    parts = target_shares(symbol)
    assert sum(part.share for part in parts) == pytest.approx(1)
    assert all(0 < part.target.shape[Shape.OPEN] <= 1 for part in parts)


def test_an_unknown_sound_takes_its_neighbours_lips() -> None:
    made = track(spoken(("u", 0.2), ("ꟹ", 0.06), ("u", 0.2)), fps=100)[33]
    assert made[Shape.ROUND] > 0.7


def test_modifiers_round_and_spread() -> None:
    assert target_shares("kʷ")[0].target.shape[Shape.ROUND] > 0.5
    assert target_shares("tʲ")[0].target.shape[Shape.WIDE] > 0.2


def test_only_contacts_between_the_lips_are_closures() -> None:
    closing = {
        s for s in "pbmɓʙʘtdnkɡfvwɸβ" if target_shares(s)[0].target.contact is ContactKind.LIPS
    }
    assert closing == set("pbmɓʙʘ")


def test_openness_is_that_of_the_most_open_vowel() -> None:
    assert vowel_openness("aɪ") == 1.0
    assert vowel_openness("i") == 0.0
    assert vowel_openness("tʃ") == -1.0


@pytest.mark.parametrize("language", ["en-us", "de", "fr", "es", "cmn", "hi", "ar", "ja", "sw"])
def test_real_speech_moves_the_mouth_and_ends_closed(voices: VoiceRegistry, language: str) -> None:
    for speech in voices.speak("1 2 3 4 5 100", voices.choose(language=language)):
        made = mouth_track_from_phonemes(
            speech, frames=int(np.ceil(speech.duration_s * 25)), fps=25
        )
        assert made[:, Shape.OPEN].max() > 0.5
        assert made[:, Shape.OPEN].std() > 0.1
        assert made[:, Shape.OPEN].min() >= 0
        assert made[:, Shape.OPEN].max() <= MAX_OPENING
        assert np.abs(made[:, 1:]).max() <= 1.0
        assert not made[-2:].any()


def test_the_mouth_opens_as_far_between_sounds_as_peoples_mouths_do(
    voices: VoiceRegistry,
) -> None:
    """People's gap while speaking: median .11, 95th percentile .29 of the distance of the eyes."""
    gaps = []
    for text in (
        "The weather was fine yesterday, so the children walked to the river.",
        "I think that this is a good idea, and we should try it next week.",
        "Can you tell me how long the train to the coast will take today?",
    ):
        for speech in voices.speak(text, voices.choose()):
            sounds = [phoneme for phoneme in speech.phonemes or () if phoneme.symbol]
            first, end = int(sounds[0].start_s * 25), int(sounds[-1].end_s * 25)
            gaps.append(track(speech)[first:end, Shape.OPEN] * FULL_GAP_IOD)
    spoken = np.concatenate(gaps)
    assert 0.08 < np.median(spoken) < 0.13
    assert 0.24 < np.percentile(spoken, 95) < 0.32


def test_wide_openings_differ_although_they_are_limited() -> None:
    openings = np.array([0.0, EASY_OPENING, 1.1, 1.5, 2.0, 9.0])
    limited = limit_opening(openings)
    assert limited[:2] == pytest.approx(openings[:2])
    assert (np.diff(limited[:5]) > 0.01).all()
    assert limited.max() <= MAX_OPENING


def test_u_has_an_opening() -> None:
    """Catches a dark slit: lips that are rounded around nothing."""
    assert held("u")[Shape.OPEN] * FULL_GAP_IOD > 0.065


def test_every_bilabial_of_a_real_sentence_closes_and_every_open_vowel_opens(
    voices: VoiceRegistry,
) -> None:
    text = "Papa Bob may park the calm lamb by the marble barn, maybe by the palm."
    for speed in (0.7, 1.0, 1.6):
        (speech,) = voices.speak(text, voices.choose(speed=speed))
        opening = track(speech)[:, Shape.OPEN]
        for phoneme in speech.phonemes or ():
            first, end = int(phoneme.start_s * 25), int(np.ceil(phoneme.end_s * 25))
            if phoneme.symbol in ("p", "b", "m"):
                assert opening[first:end].min() == 0
            elif vowel_openness(phoneme.symbol) == 1.0:
                assert opening[first:end].max() > CLOSED
