"""Phonemes without gaps, at the times at which they sound, known before the sound."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from tts.heart.boundaries import FRAME_S, Contours
from tts.heart.g2p import HeartG2p
from tts.heart.network import HeartNetwork
from tts.heart.segments import Gap, Sound, segments
from tts.heart.silences import find_silence
from tts.heart.symbols import ALL_SYMBOLS, IPA
from tts.heart.timing import Timeline, timeline
from tts.heart.vocoder import HOP, SAMPLE_RATE_HZ

TEXTS = (
    "Put the big map back, please; we stopped at ten past five.",
    "No.",
    "“Pam,” said Bob, “keep it up!”",
    "One, two, three (or four): stop — and go…",
    "Mm.",
)
DIPS = "I saw a puppy, a baby, a papa, a tuba and a cabbie."
SPEEDS = (0.5, 1.0, 2.0)
LEAD_S, PAUSE_S = 0.06, 0.32


def of_text(network: HeartNetwork, g2p: HeartG2p, text: str, speed: float) -> Timeline:
    prosody = network.prosody(g2p.symbols(text), speed)
    contours = Contours.of(prosody.energy, prosody.pitch_hz)
    return timeline(
        prosody.symbols,
        prosody.durations.tolist(),
        contours,
        speed,
        lead_s=LEAD_S,
        pause_s=PAUSE_S / speed,
    )


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("speed", SPEEDS)
def test_phonemes_cover_all_samples_in_order_without_gaps(
    network: HeartNetwork, g2p: HeartG2p, text: str, speed: float
) -> None:
    times = of_text(network, g2p, text, speed)
    phonemes = times.phonemes
    assert phonemes[0].start_s == 0
    assert phonemes[-1].end_s == pytest.approx(times.hops * HOP / SAMPLE_RATE_HZ, abs=1e-9)
    assert all(one.end_s == other.start_s for one, other in pairwise(phonemes))
    assert all(each.end_s - each.start_s > 0.005 for each in phonemes)
    said = [IPA[symbol] for symbol in g2p.symbols(text) if symbol in IPA]
    assert [each.symbol for each in phonemes if each.symbol] == said
    assert phonemes[0].symbol == phonemes[-1].symbol == ""


@pytest.mark.parametrize("speed", SPEEDS)
def test_pauses_are_where_the_sound_is_silent(
    network: HeartNetwork, g2p: HeartG2p, speed: float
) -> None:
    text = "My mother lives in Vienna, Rome, and Oslo; we are all well."
    prosody = network.prosody(g2p.symbols(text), speed)
    times = of_text(network, g2p, text, speed)
    level_db = levels(np.concatenate(list(network.pieces(prosody))), times.first_hop)
    pauses = [each for each in times.phonemes if each.symbol == ""]
    assert len(pauses) >= 3
    for pause in pauses:
        inner = level_db[round(200 * (pause.start_s + 0.03)) : round(200 * (pause.end_s - 0.03))]
        assert np.median(inner) < -36
    for before, after in pairwise(times.phonemes):
        limit = round(200 * after.start_s)
        if before.symbol == "":
            assert level_db[limit : limit + 8].max() > -30
        elif after.symbol == "":
            assert level_db[limit - 12 : limit].max() > -38


def levels(sound: NDArray[np.float32], first_hop: int) -> NDArray[np.float64]:
    """Return the level every 5 ms, over that of the loud parts, from a hop on."""
    step = SAMPLE_RATE_HZ // 200
    kept = sound[first_hop * HOP :]
    power = np.square(kept[: len(kept) // step * step].reshape(-1, step)).mean(axis=1)
    level: NDArray[np.float64] = 10 * np.log10(power + 1e-12)
    return level - np.percentile(level, 95)


@pytest.mark.parametrize("speed", SPEEDS)
def test_lips_close_where_the_sound_dips(
    network: HeartNetwork, g2p: HeartG2p, speed: float
) -> None:
    prosody = network.prosody(g2p.symbols(DIPS), speed)
    times = of_text(network, g2p, DIPS, speed)
    level_db = levels(np.concatenate(list(network.pieces(prosody))), times.first_hop)
    stops = [each for each in times.phonemes if each.symbol in ("p", "b")]
    assert len(stops) == 8
    for stop in stops:
        first = round(200 * (stop.start_s - 0.05))
        dip_s = (first + np.argmin(level_db[first : round(200 * (stop.end_s + 0.05))])) / 200
        assert stop.start_s - 0.02 <= dip_s <= stop.end_s + 0.02


def test_the_lead_and_the_pause_are_as_asked(network: HeartNetwork, g2p: HeartG2p) -> None:
    times = of_text(network, g2p, "All are well.", 1.0)
    assert times.phonemes[1].start_s == pytest.approx(LEAD_S, abs=FRAME_S)
    pause = times.phonemes[-1]
    assert pause.end_s - pause.start_s == pytest.approx(PAUSE_S, abs=FRAME_S)


def test_a_first_stop_closes_before_its_burst(network: HeartNetwork, g2p: HeartG2p) -> None:
    times = of_text(network, g2p, "Pull it.", 1.0)
    assert times.phonemes[1].symbol == "p"
    assert times.phonemes[1].start_s == pytest.approx(LEAD_S - 0.05, abs=FRAME_S)


def test_stress_and_length_marks_give_their_time_to_their_sound() -> None:
    parts = segments("ˈɑːb", [4, 2, 3, 1, 2, 5])
    sounds = [part for part in parts if isinstance(part, Sound)]
    assert [(sound.symbol, sound.start_s, sound.units) for sound in sounds] == [
        ("ɑ", pytest.approx(0.1), 6),
        ("b", pytest.approx(0.25), 2),
    ]
    assert [sound.stressed for sound in sounds] == [True, False]


def test_a_space_is_halved_between_its_neighbours() -> None:
    first, second = (s for s in segments("a b", [2, 2, 4, 2, 2]) if isinstance(s, Sound))
    assert not first.after_space
    assert second.after_space
    assert second.start_s == pytest.approx(0.025 * (2 + 2 + 2))


def test_spaces_belong_to_the_pause_next_to_them() -> None:
    gaps = [part for part in segments("a, “b", [2, 1, 1, 2, 1, 1, 2]) if isinstance(part, Gap)]
    assert [(gap.start_s, gap.end_s) for gap in gaps] == [
        (0, pytest.approx(0.05)),
        (pytest.approx(0.075), pytest.approx(0.175)),
        (pytest.approx(0.2), pytest.approx(0.25)),
    ]


@pytest.mark.parametrize(
    "symbols", ["ˈ", "ː.", "a", " a ", "“a”", "aːˈ", "...", ", ,a", "aˈˌbː  c"]
)
def test_any_order_of_symbols_is_understood_or_refused(symbols: str) -> None:
    units = [3] * (len(symbols) + 2)
    energy = np.full(6 * len(units), -9.0, np.float32)
    energy[20:-6] = 8.0
    contours = Contours.of(energy, np.zeros_like(energy))
    if set(symbols) & set(IPA):
        times = timeline(symbols, units, contours, 1.0, lead_s=0.06, pause_s=0.3)
        said = [each.symbol for each in times.phonemes if each.symbol]
        assert said == [symbol for symbol in symbols if symbol in IPA]
    else:
        with pytest.raises(ValueError, match=r"no symbol of .* is a sound"):
            timeline(symbols, units, contours, 1.0, lead_s=0.06, pause_s=0.3)


def test_random_symbols_keep_all_promises() -> None:
    """Silences anywhere, sounds of no length, the loudest frame first or last."""
    chance = np.random.default_rng(4)
    alphabet = sorted(ALL_SYMBOLS)
    for _ in range(300):
        symbols = "a" + "".join(chance.choice(alphabet, size=chance.integers(1, 30)))
        units = chance.integers(0, 12, len(symbols) + 2)
        frames = max(int(units.sum()) * 2, 2)
        energy = np.repeat(chance.normal(0, 6, frames // 4 + 1), 4)[:frames].astype(np.float32)
        contours = Contours.of(energy, chance.normal(100, 90, frames).astype(np.float32))
        speed = float(chance.choice(SPEEDS))
        times = timeline(symbols, units.tolist(), contours, speed, lead_s=0.06, pause_s=0.3)
        limits = [times.phonemes[0].start_s, *(each.end_s for each in times.phonemes)]
        assert limits[0] == 0
        assert limits[-1] == pytest.approx(times.hops * FRAME_S)
        assert all(one < other for one, other in pairwise(limits)), symbols
        said = [each.symbol for each in times.phonemes if each.symbol]
        assert said == [IPA[symbol] for symbol in symbols if symbol in IPA]


def test_a_silence_ends_between_frames() -> None:
    energy = np.array([0.0] * 10 + [-10.0] * 10 + [0.0] * 10, np.float32)
    silence = find_silence(Contours.of(energy, energy), 0.1, 0.3)
    assert silence is not None
    assert 10 * FRAME_S < silence.start_s < 11 * FRAME_S
    assert 20 * FRAME_S - 0.005 < silence.end_s < 21 * FRAME_S
    assert find_silence(Contours.of(energy, energy), 0.0, 0.1) is None
