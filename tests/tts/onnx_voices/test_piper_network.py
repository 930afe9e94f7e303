"""The network of a Piper voice: durations, sound in pieces, seeds, and networks of other kinds."""

import re
from collections.abc import Callable

import numpy as np
import pytest

from tests.tts.onnx_voices import tiny_voice
from tests.tts.onnx_voices.tiny_onnx import FLOAT, INT64, ModelWriter
from tests.tts.onnx_voices.tiny_voice import HOP, RATE_HZ, SYMBOLS, tiny_model
from tts.loudness import limited
from tts.onnx_voices.bad_file import BadVoiceFile
from tts.onnx_voices.level import gain_of
from tts.onnx_voices.piper_network import PiperNetwork, Scales
from tts.onnx_voices.session import Session

SCALES = Scales(0.667, 1.0, 0.8)
IDS = [SYMBOLS.index(each) for each in "^_" + "_".join("mɑn lˈos, tˈebdˈuk.sˈimˈɑn") + "_$"]
RATE = {"sample_rate_hz": RATE_HZ}


def checked(model: bytes) -> PiperNetwork:
    network = PiperNetwork(model)
    network.check(IDS, SCALES)
    return network


@pytest.fixture(scope="module")
def network() -> PiperNetwork:
    return checked(tiny_model())


def test_the_sound_has_the_length_that_the_durations_announce(network: PiperNetwork) -> None:
    prosody = network.prosody(IDS, SCALES, seed=1)
    sound = np.concatenate(list(network.pieces(prosody, **RATE)))
    assert network.hop == HOP
    assert len(prosody.durations) == len(IDS)
    assert len(sound) == HOP * prosody.durations.sum() == HOP * prosody.frames


def test_the_pieces_are_the_sound_of_the_uncut_network(network: PiperNetwork) -> None:
    session = Session(tiny_model())
    quiet = Scales(0.0, 1.0, 0.0)
    inputs = {
        "input": np.array([IDS], np.int64),
        "input_lengths": np.array([len(IDS)], np.int64),
        "scales": np.array([quiet.noise, quiet.length, quiet.noise_w], np.float32),
    }
    whole = session.run(inputs)[0].reshape(-1)
    pieces = list(network.pieces(network.prosody(IDS, quiet, seed=1), **RATE))
    assert len(pieces) >= 3
    assert len(pieces[0]) == pytest.approx(0.5 * RATE_HZ, abs=HOP)
    assert np.abs(np.concatenate(pieces) - whole).max() < 1e-6
    assert np.abs(whole).max() > 0.001


def test_the_same_seed_gives_the_same_bits(network: PiperNetwork) -> None:
    def latent(seed: int) -> bytes:
        (found,) = network.prosody(IDS, SCALES, seed=seed).latents.values()
        return found.tobytes()

    assert latent(1) == latent(1)
    assert latent(1) != latent(2)


def test_the_noise_is_normal_and_differs_from_frame_to_frame(network: PiperNetwork) -> None:
    (noisy,) = network.prosody(IDS, SCALES, seed=1).latents.values()
    (plain,) = network.prosody(IDS, Scales(0.0, 1.0, 0.0), seed=1).latents.values()
    is_loud = plain != 0
    drawn = (noisy - plain)[is_loud] / (np.abs(plain[is_loud]) * SCALES.noise)
    assert abs(drawn.mean()) < 0.2
    assert 0.85 < drawn.std() < 1.15
    assert len(np.unique(drawn.round(5))) > 0.98 * len(drawn)


def test_a_slower_speed_lengthens_all_phonemes(network: PiperNetwork) -> None:
    usual = network.prosody(IDS, SCALES, seed=1)
    slow = network.prosody(IDS, Scales(0.667, 2.0, 0.8), seed=1)
    assert slow.frames == pytest.approx(2 * usual.frames, rel=0.1)


def test_speakers_sound_different_and_are_streamed_too() -> None:
    network = checked(tiny_model(speakers=3))
    assert network.streams

    def sound(speaker: int) -> np.ndarray:
        prosody = network.prosody(IDS, SCALES, seed=1, speaker=speaker)
        return np.concatenate(list(network.pieces(prosody, **RATE)))

    first, second, third = (sound(number) for number in range(3))
    assert np.abs(first - second).max() > 0.01 * np.abs(first).max()
    assert np.abs(first - third).max() > 0.01 * np.abs(first).max()
    with pytest.raises(BadVoiceFile, match="fails in onnxruntime"):
        sound(3)


def test_a_sound_that_depends_on_the_whole_sentence_comes_in_one_piece() -> None:
    def with_mean(model: ModelWriter, latent: str, speakers: int) -> str:
        mean = model.node("ReduceMean", [latent], axes=[2])
        return add_sound(model, model.node("Add", [latent, mean], "latent2"), speakers)

    add_sound = tiny_voice.add_sound
    network = checked(changed_model("add_sound", with_mean))
    prosody = network.prosody(IDS, SCALES, seed=1)
    # The mean is computed in the front: the cut is made after it.
    assert len(np.concatenate(list(network.pieces(prosody, **RATE)))) == HOP * prosody.frames

    def normalized(model: ModelWriter, latent: str, speakers: int) -> str:
        sound = add_sound(model, latent, speakers)
        peak = model.node("ReduceMax", [model.node("Abs", [sound])], axes=[2])
        return model.node("Div", [sound, peak])

    network = checked(changed_model("add_sound", normalized))
    assert not network.streams
    assert len(list(network.pieces(network.prosody(IDS, SCALES, seed=1), **RATE))) == 1


def changed_model(name: str, replacement: Callable[..., str]) -> bytes:
    """Serialize the tiny model with another function for one of its parts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiny_voice, name, replacement)
        return tiny_model()


def other_inputs() -> bytes:
    model = ModelWriter()
    model.input("tokens", INT64, 2)
    model.input("style", FLOAT, 2)
    latent = model.node("Ceil", ["style"])
    conv = model.node("Conv", [latent, model.weight(np.ones((1, 1, 1)))])
    model.output(model.node("ConvTranspose", [conv, model.weight(np.ones((1, 1, 4)))]))
    return model.serialized()


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (b"", "is not an ONNX model: it has no graph"),
        (b"\x08\x08", "is not an ONNX model: it has no graph"),
        (b"\x3a\x05abc", "is truncated"),
        (other_inputs(), "it has the inputs tokens, style, expected input, input_lengths"),
        (tiny_model(opset=99), "cannot be loaded by onnxruntime"),
        (tiny_model(ir_version=99), "cannot be loaded by onnxruntime"),
        (tiny_model(opset=1), "onnxruntime"),
        (tiny_model()[:-2000], "is truncated"),
    ],
)
def test_other_networks_are_refused(model: bytes, message: str) -> None:
    with pytest.raises(BadVoiceFile, match=re.escape(message)):
        checked(model)


def test_a_network_needs_one_node_that_rounds_durations_up() -> None:
    original = tiny_voice.add_durations
    model = changed_model(
        "add_durations", lambda model, length: model.node("Ceil", [original(model, length)])
    )
    with pytest.raises(BadVoiceFile, match="has 2 nodes of kind Ceil"):
        checked(model)


def test_durations_that_do_not_fit_to_the_sound_are_refused() -> None:
    original = tiny_voice.add_latent

    def longer(model: ModelWriter, durations: str, noise: str) -> str:
        latent = original(model, durations, noise)
        return model.node("Concat", [latent, latent], "latent_twice", axis=2)

    with pytest.raises(BadVoiceFile, match="which do not match durations of"):
        checked(changed_model("add_latent", longer))


def test_a_sound_of_no_numbers_is_refused() -> None:
    original = tiny_voice.add_sound

    def broken(model: ModelWriter, latent: str, speakers: int) -> str:
        return model.node("Sqrt", [model.node("Neg", [original(model, latent, speakers)])])

    with pytest.raises(BadVoiceFile, match="samples that are not numbers"):
        checked(changed_model("add_sound", broken))


def test_peaks_are_limited_and_quiet_samples_are_kept() -> None:
    loud = np.linspace(-3, 3, 1001, dtype=np.float32)
    bounded = limited(loud)
    assert np.abs(bounded).max() <= 0.8913
    assert (np.diff(bounded) >= 0).all()
    quiet = np.abs(loud) < 0.5
    assert np.array_equal(bounded[quiet], loud[quiet])


def test_the_gain_brings_a_voice_to_the_common_level() -> None:
    hum = 0.01 * np.sin(np.arange(RATE_HZ) / 10).astype(np.float32)
    scaled = hum * gain_of(hum, RATE_HZ)
    assert 20 * np.log10(np.sqrt((scaled**2).mean())) == pytest.approx(-20, abs=0.2)
    assert gain_of(np.zeros(RATE_HZ, np.float32), RATE_HZ) < 100
