"""The network of `heart`: durations, pieces, determinism, and what it refuses."""

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tts.heart.network import (
    MAX_SYMBOLS,
    UNIT_SAMPLES,
    HeartNetwork,
    Prosody,
    _package_folder,
)
from tts.voice import VoiceUnavailable

FOX = "ðə kwˈɪk bɹˈWn fˈɑks ʤˈʌmps ˈOvəɹ ðə lˈAzi dˈɔɡ, ænd ðˈɛn ɪt wˈɛnt hˈOm."


def sound(network: HeartNetwork, prosody: Prosody, **part: int) -> NDArray[np.float32]:
    return np.concatenate(list(network.pieces(prosody, **part)))


def test_durations_add_up_to_the_samples_of_the_sound(network: HeartNetwork) -> None:
    prosody = network.prosody(FOX)
    assert prosody.symbols == FOX
    assert len(prosody.durations) == len(FOX) + 2
    assert (prosody.durations >= 1).all()
    assert int(prosody.durations.sum()) * UNIT_SAMPLES == prosody.samples
    assert len(sound(network, prosody)) == prosody.samples


@pytest.mark.parametrize(("speed", "ratio"), [(0.5, 2.0), (2.0, 0.5)])
def test_speed_divides_the_durations(network: HeartNetwork, speed: float, ratio: float) -> None:
    normal, changed = network.prosody(FOX), network.prosody(FOX, speed)
    assert changed.samples / normal.samples == pytest.approx(ratio, rel=0.2)


def test_the_first_piece_is_short_and_later_ones_grow(network: HeartNetwork) -> None:
    lengths = [len(piece) / 24_000 for piece in network.pieces(network.prosody(FOX, 0.5))]
    assert lengths[:3] == [0.8, 1.2, 1.6]
    assert max(lengths) <= 2.3
    assert lengths[-1] >= 0.3


def test_pieces_equal_the_whole_sound_except_for_the_rounding_of_the_network(
    network: HeartNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    prosody = network.prosody(FOX)
    pieces = sound(network, prosody)
    monkeypatch.setattr("tts.heart.network.PIECE_FRAMES", (prosody.frames,))
    whole = sound(network, prosody)
    error = float(np.square(pieces - whole).sum() / np.square(whole).sum())
    assert 10 * np.log10(error) < -25


def test_a_part_of_a_sentence_sounds_as_in_the_whole(network: HeartNetwork) -> None:
    prosody = network.prosody(FOX)
    whole = sound(network, prosody)
    part = sound(network, prosody, first_hop=40, hops=200)
    assert len(part) == 200 * 300
    expected = whole[40 * 300 : 240 * 300]
    error = float(np.square(part - expected).sum() / np.square(expected).sum())
    assert 10 * np.log10(error) < -25


def test_the_same_seed_gives_the_same_bits_and_another_seed_the_same_words(
    network: HeartNetwork,
) -> None:
    first = sound(network, network.prosody(FOX), seed=3)
    again = sound(network, network.prosody(FOX), seed=3)
    other = sound(network, network.prosody(FOX), seed=4)
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != other.tobytes()
    error = float(np.square(first - other).sum() / np.square(first).sum())
    assert 10 * np.log10(error) < -25


def test_threads_that_share_the_network_do_not_change_its_sound(network: HeartNetwork) -> None:
    alone = [sound(network, network.prosody(FOX[:length])) for length in (20, 40)]
    together: dict[int, NDArray[np.float32]] = {}

    def speak(index: int, length: int) -> Callable[[], None]:
        return lambda: together.update({index: sound(network, network.prosody(FOX[:length]))})

    threads = [
        threading.Thread(target=speak(index, (20, 40)[index % 2]), daemon=True)
        for index in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [together[index].tobytes() for index in range(4)] == [
        alone[index % 2].tobytes() for index in range(4)
    ]


@pytest.mark.parametrize("symbols", ["h", "!!!!!!", ".", "ˈ", "a" * MAX_SYMBOLS, " . , ? "])
def test_any_symbols_give_finite_sound_that_does_not_clip(
    network: HeartNetwork, symbols: str
) -> None:
    samples = sound(network, network.prosody(symbols))
    assert np.isfinite(samples).all()
    assert np.abs(samples).max() < 1


def test_unknown_symbols_are_left_out(network: HeartNetwork) -> None:
    assert network.prosody("hˈX世7i").symbols == "hˈi"


@pytest.mark.parametrize("symbols", ["", "世界", "a" * (MAX_SYMBOLS + 1)])
def test_no_symbols_and_too_many_are_refused(network: HeartNetwork, symbols: str) -> None:
    with pytest.raises(ValueError, match=f"1 to {MAX_SYMBOLS}"):
        network.prosody(symbols)


@pytest.mark.parametrize("speed", [0.49, 2.01, float("nan")])
def test_a_speed_out_of_range_is_refused(network: HeartNetwork, speed: float) -> None:
    with pytest.raises(ValueError, match=r"0\.5 to 2\.0"):
        network.prosody(FOX, speed)


def test_a_network_that_is_missing_or_changed_is_refused_with_advice(tmp_path: Path) -> None:
    with pytest.raises(VoiceUnavailable, match="pip install --force-reinstall"):
        HeartNetwork(tmp_path)
    for name in ("hibari.onnx", "vocab.json"):
        content = bytearray((_package_folder() / name).read_bytes())
        (tmp_path / name).write_bytes(content)
    content[-2] ^= 1
    (tmp_path / "vocab.json").write_bytes(content)
    with pytest.raises(VoiceUnavailable, match="SHA-256"):
        HeartNetwork(tmp_path)


def test_a_missing_package_is_reported_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(VoiceUnavailable, match=r"pip install hibari-tts==0\.2\.1"):
        HeartNetwork()
