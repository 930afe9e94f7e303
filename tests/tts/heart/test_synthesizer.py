"""Sentences in the voice `heart`: planned times, pieces, level, and odd texts."""

import numpy as np
import pytest
from numpy.typing import NDArray

from tts.heart.g2p import HeartG2p
from tts.heart.network import MAX_SYMBOLS, HeartNetwork, Prosody
from tts.heart.synthesizer import HeartSynthesizer, PlannedSpeech
from tts.heart.vocoder import HOP, SAMPLE_RATE_HZ
from tts.loudness import PEAK_DBFS, SPEECH_LEVEL_DBFS, normalize_loudness
from tts.sentence_audio import CLAUSE_PAUSE_S, LEAD_S, SENTENCE_PAUSE_S

LONG = "When the harbour was quiet, my brother and I took the small boat out to the island."
SOUNDLESS = ["", " ", ".", "?!?!?!", "—", "…", "()", '"…"', ",,,,,,"]
ODD = [
    "Hi.",
    "a",
    "Hi" + "!" * 300,
    "?!?!?! wait... what??!!",
    "“Hello,” she said (quietly).",
    "x " * 80,
    "1234567890123 " * 4,
    "supercalifragilisticexpialidocious " * 4,
    "Shh!",
    "Mmm…",
]


@pytest.fixture(scope="session")
def voice(network: HeartNetwork, g2p: HeartG2p) -> HeartSynthesizer:
    return HeartSynthesizer(network, g2p.symbols)


def planned(
    voice: HeartSynthesizer, text: str, *, speed: float = 1.0, is_end: bool = True
) -> PlannedSpeech:
    *steps, plan = voice.plan(text, speed=speed, is_end=is_end)
    assert steps == [None] * len(steps)
    assert plan is not None
    return plan


def spoken(plan: PlannedSpeech) -> NDArray[np.float32]:
    return np.concatenate(list(plan.pieces))


def level_db(samples: NDArray[np.float32]) -> float:
    """The level that `normalize_loudness` would have changed to SPEECH_LEVEL_DBFS."""
    quiet = samples / 8
    gain = normalize_loudness(quiet, SAMPLE_RATE_HZ) @ quiet / (quiet @ quiet)
    return float(SPEECH_LEVEL_DBFS - 20 * np.log10(gain / 8))


def test_all_times_and_the_length_are_known_before_the_first_piece(
    voice: HeartSynthesizer,
) -> None:
    plan = planned(voice, LONG)
    ends = [phoneme.end_s for phoneme in plan.phonemes]
    starts = [phoneme.start_s for phoneme in plan.phonemes]
    assert starts == pytest.approx([0.0, *ends[:-1]])
    assert ends[-1] == pytest.approx(plan.samples / SAMPLE_RATE_HZ)
    assert "".join(phoneme.symbol for phoneme in plan.phonemes).startswith("wɛn")
    assert len(spoken(plan)) == plan.samples


def test_the_first_piece_lasts_0_8_seconds(voice: HeartSynthesizer) -> None:
    lengths_s = [len(piece) / SAMPLE_RATE_HZ for piece in planned(voice, LONG).pieces]
    assert lengths_s[0] == 0.8
    assert len(lengths_s) > 2
    assert max(lengths_s) <= 2.3


@pytest.mark.parametrize("speed", [0.5, 1.0, 2.0])
@pytest.mark.parametrize(("is_end", "pause_s"), [(True, SENTENCE_PAUSE_S), (False, CLAUSE_PAUSE_S)])
def test_silence_around_the_sound_is_that_of_the_other_voices(
    voice: HeartSynthesizer, speed: float, is_end: bool, pause_s: float
) -> None:
    plan = planned(voice, "Morning is near.", speed=speed, is_end=is_end)
    hop_s = HOP / SAMPLE_RATE_HZ
    first, last = plan.phonemes[0], plan.phonemes[-1]
    assert first.symbol == last.symbol == ""
    assert LEAD_S <= first.end_s <= LEAD_S + hop_s
    assert pause_s / speed - 0.001 <= last.end_s - last.start_s <= pause_s / speed + 2 * hop_s
    samples = spoken(plan)
    assert np.abs(samples[: round(0.03 * SAMPLE_RATE_HZ)]).max() < 0.01
    assert np.abs(samples[-round(pause_s / speed / 2 * SAMPLE_RATE_HZ) :]).max() < 0.01
    assert np.abs(samples[[0, -1]]).max() < 1e-6


@pytest.mark.parametrize("speed", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("text", [LONG, "Stop!", "Who told you?", "Every zebra was amazed."])
def test_the_level_is_that_of_the_other_voices(
    voice: HeartSynthesizer, text: str, speed: float
) -> None:
    assert level_db(spoken(planned(voice, text, speed=speed))) == pytest.approx(
        SPEECH_LEVEL_DBFS, abs=1.5
    )


@pytest.mark.parametrize("text", SOUNDLESS)
def test_a_text_without_sound_has_no_speech(voice: HeartSynthesizer, text: str) -> None:
    assert list(voice.plan(text)) == []


@pytest.mark.parametrize("text", ODD)
def test_odd_texts_are_spoken_whole_at_the_right_level_without_clipping(
    voice: HeartSynthesizer, text: str
) -> None:
    plan = planned(voice, text)
    samples = spoken(plan)
    assert len(samples) == plan.samples
    assert np.isfinite(samples).all()
    assert np.abs(samples).max() <= 10 ** (PEAK_DBFS / 20) + 1e-6
    assert level_db(samples) == pytest.approx(SPEECH_LEVEL_DBFS, abs=2)


def test_a_run_of_marks_takes_no_longer_than_one_mark(voice: HeartSynthesizer) -> None:
    assert planned(voice, "Wait" + "!" * 300).samples == planned(voice, "Wait!").samples


def test_numbers_too_long_for_one_call_are_planned_in_steps(voice: HeartSynthesizer) -> None:
    text = "1234567890123 " * 4
    assert len(list(voice.plan(text))) > 2
    plan = planned(voice, text)
    pauses = [p.end_s - p.start_s for p in plan.phonemes[1:-1] if not p.symbol]
    assert max(pauses) < 0.5
    assert plan.samples / SAMPLE_RATE_HZ > 15


def test_the_same_text_gives_the_same_bits_on_its_own_and_among_others(
    voice: HeartSynthesizer,
) -> None:
    alone = spoken(planned(voice, LONG))
    one, other = planned(voice, LONG).pieces, planned(voice, "Someone else speaks too.").pieces
    mixed = [next(one)]
    for piece in one:
        next(other, None)
        mixed.append(piece)
    assert np.concatenate(mixed).tobytes() == alone.tobytes()


CLAUSES = (
    "We waited at the station for more than an hour,",
    "because the train from the coast was late,",
    "and nobody could tell us why.",
)


def melody(plan: PlannedSpeech) -> list[float]:
    """Pitch of the voiced windows of 50 ms, by autocorrelation."""
    samples = spoken(plan)
    windows = samples[: len(samples) // 1200 * 1200].reshape(-1, 1200)
    loud = windows[np.square(windows).mean(axis=1) > 1e-3]
    lags = np.arange(60, 240)
    found = [
        np.array([window[lag:] @ window[:-lag] / (1200 - lag) for lag in lags]) for window in loud
    ]
    return [float(SAMPLE_RATE_HZ / lags[np.argmax(correlation)]) for correlation in found]


def test_a_clause_between_others_does_not_begin_like_a_sentence(voice: HeartSynthesizer) -> None:
    alone, inside = (
        melody(*[plan for plan in voice.plan(CLAUSES[1], is_end=False, neighbours=n) if plan])
        for n in (("", ""), (CLAUSES[0], CLAUSES[2]))
    )
    assert np.median(inside[:6]) < np.median(alone[:6])


def test_the_longest_pieces_have_context_too(
    voice: HeartSynthesizer, network: HeartNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = list[str]()
    prosody = network.prosody

    def noted(symbols: str, speed: float = 1.0) -> Prosody:
        calls.append(symbols)
        return prosody(symbols, speed)

    monkeypatch.setattr(network, "prosody", noted)
    middle = "as the weather had been so bad during the last weeks, " * 3
    list(voice.plan(middle.strip(), is_end=False, neighbours=(CLAUSES[0], CLAUSES[2])))
    assert 200 < len(calls[0]) <= MAX_SYMBOLS


def test_neighbours_that_the_voice_cannot_read_are_ignored(voice: HeartSynthesizer) -> None:
    *_, alone = voice.plan(CLAUSES[1], is_end=False)
    *_, inside = voice.plan(CLAUSES[1], is_end=False, neighbours=("世界", "Привет"))
    assert alone is not None
    assert inside is not None
    assert spoken(alone).tobytes() == spoken(inside).tobytes()


def test_neighbours_are_not_heard(voice: HeartSynthesizer) -> None:
    *_, alone = voice.plan(CLAUSES[1], is_end=False)
    *_, inside = voice.plan(CLAUSES[1], is_end=False, neighbours=(CLAUSES[0], CLAUSES[2]))
    assert alone is not None
    assert inside is not None
    assert [p.symbol for p in inside.phonemes if p.symbol] == [
        p.symbol for p in alone.phonemes if p.symbol
    ]
    samples = spoken(inside)
    assert np.abs(samples[:600]).max() < 0.01
    assert np.abs(samples[-1200:]).max() < 0.01
