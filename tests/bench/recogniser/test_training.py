"""Training of the recogniser: labels, disturbed copies, files, and the weights that it writes."""

from itertools import islice
from pathlib import Path

import numpy as np
import torch

from bench.recogniser import train
from bench.recogniser.corpus import LabelledSound, first_seconds, read, write
from bench.recogniser.disturbances import disturbed
from bench.recogniser.examples import examples
from bench.recogniser.labels import UNKNOWN, labels_of
from bench.recogniser.random_texts import RandomTexts
from bench.recogniser.speakers import HELD_OUT_LANGUAGES, HELD_OUT_VARIANTS, espeak_speech
from tts.speech import Phoneme
from warm.engines.viseme.recogniser import network
from warm.engines.viseme.recogniser.sound_classes import CLASSES
from warm.engines.viseme.recogniser.spectra import BANDS, SAMPLE_RATE_HZ


def spoken(count: int) -> list[LabelledSound]:
    return list(islice(first_seconds(espeak_speech(3), 60.0), count))


def test_labels_follow_the_times_and_divide_diphthongs() -> None:
    phonemes = (Phoneme("", 0, 0.1), Phoneme("aɪ", 0.1, 0.3), Phoneme("ǃ", 0.3, 0.4))
    labels = labels_of(phonemes, 50)
    assert not labels[:10].any() and not labels[40:].any()
    assert (labels[10:21] == CLASSES.index("a")).all()
    assert (labels[22:30] == CLASSES.index("ɪ")).all()
    assert (labels[30:40] == UNKNOWN).all()


def test_labels_move_with_the_speed_and_the_offset() -> None:
    labels = labels_of((Phoneme("m", 0.2, 0.4),), 60, speed=2.0, offset_s=0.1)
    assert np.flatnonzero(labels == CLASSES.index("m")).tolist() == list(range(20, 30))


def test_a_disturbed_copy_states_where_a_moment_of_the_original_is() -> None:
    click = np.zeros(SAMPLE_RATE_HZ, np.float32)
    click[SAMPLE_RATE_HZ // 2] = 1.0
    hiss = [np.random.default_rng(2).normal(0, 0.1, 4000).astype(np.float32)]
    for seed in range(20):
        copy = disturbed(click, hiss, np.random.default_rng(seed))
        assert np.abs(copy.samples).max() <= 1.0
        found_s = float(np.abs(copy.samples).argmax()) / SAMPLE_RATE_HZ
        assert abs(found_s - (copy.offset_s + 0.5 / copy.speed)) < 0.02, seed


def test_training_texts_are_of_the_script_of_their_language() -> None:
    texts = RandomTexts(1)
    assert texts.english().isascii()
    assert any("а" <= letter <= "я" for letter in texts.of_language("zle/ru").lower())
    assert RandomTexts(4).english() == RandomTexts(4).english()


def test_voices_and_languages_of_the_benches_are_not_trained() -> None:
    for said in islice(espeak_speech(5), 60):
        language, _, variant = said.voice.removeprefix("espeak:").partition("+")
        assert language not in HELD_OUT_LANGUAGES
        assert variant.lower() not in HELD_OUT_VARIANTS


def test_a_file_of_speech_is_read_back(tmp_path: Path) -> None:
    sounds = spoken(2)
    write(tmp_path / "espeak.npz", iter(sounds))
    for one, other in zip(sounds, read(tmp_path / "espeak.npz"), strict=True):
        assert one.voice == other.voice
        assert [(each.symbol, each.start_s, each.end_s) for each in one.phonemes] == [
            (each.symbol, each.start_s, each.end_s) for each in other.phonemes
        ]
        assert np.abs(one.samples - other.samples).max() < 1e-4


def test_examples_have_a_label_for_each_spectrum() -> None:
    made = examples(spoken(3), seed=1)
    assert made.spectra.shape == (len(made.labels), BANDS)
    assert len(set(made.labels.tolist())) > 8


def test_the_product_computes_what_was_trained(tmp_path: Path) -> None:
    torch.manual_seed(1)
    trained = train.TrainedNetwork()
    spectra = np.random.default_rng(1).normal(-1, 1, (1, 80, BANDS)).astype(np.float32)
    for _ in range(3):  # the norms collect their statistics
        trained(torch.from_numpy(spectra).transpose(1, 2))
    trained.eval().export(tmp_path / "weights.npz")
    product = network.Network.load(tmp_path / "weights.npz")
    padded = np.pad(spectra, ((0, 0), (network.REACH, network.REACH), (0, 0)), constant_values=-3.0)
    with torch.no_grad():
        scores = trained(torch.from_numpy(padded).transpose(1, 2))[0].T
    expected = torch.log_softmax(scores, 1).numpy()[network.REACH : -network.REACH]
    assert np.abs(product(spectra[0]) - expected).max() < 0.02
