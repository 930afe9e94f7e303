"""Speech of many voices with known times of its phonemes, to train a recogniser with.

Held out, so that `python -m bench sound_lips` measures untrained speech: all sentences of the
benches, some languages and variants of espeak-ng, some voices of Kokoro and Flite, and joe.
"""

import random
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.io import wavfile

from bench.recogniser.random_texts import RandomTexts
from bench.speech.heart_speech import HeartSpeaker
from tts.espeak.library import EspeakLibrary
from tts.espeak.marks import phonemes_of as espeak_phonemes
from tts.espeak.variants import variants
from tts.onnx_voices import kokoro_times
from tts.onnx_voices.kokoro import LANGUAGES
from tts.onnx_voices.kokoro_files import find_kokoro
from tts.onnx_voices.kokoro_network import KokoroNetwork
from tts.onnx_voices.kokoro_symbols import IDS, kokoro_symbols, parts_of
from tts.onnx_voices.kokoro_worker import read_styles
from tts.speech import Phoneme, Speech

HELD_OUT_LANGUAGES = frozenset(["gmw/de", "zlw/pl", "roa/it", "trk/tr", "roa/fr", "inc/hi"])
HELD_OUT_VARIANTS = frozenset(["annie", "gene", "m3", "f2", "klatt2", "linda"])
HELD_OUT_KOKORO = frozenset(["af_heart", "am_michael", "bm_george", "bf_emma", "ef_dora"])
"""And all voices of Italian."""
HELD_OUT_FLITE = "awb"
FLITE = ("slt", "rms", "kal16")
ENGLISH = ("gmw/en-US", "gmw/en")
UNLIKE_SPEECH = frozenset(["whisper", "whisperf", "croak", "demonic", "mr serious", "fast"])

ARPABET = {
    "aa": "ɑ", "ae": "æ", "ah": "ʌ", "ao": "ɔ", "aw": "aʊ", "ax": "ə", "ay": "aɪ", "b": "b",
    "ch": "tʃ", "d": "d", "dh": "ð", "eh": "ɛ", "er": "ɜ˞", "ey": "eɪ", "f": "f", "g": "ɡ",
    "hh": "h", "ih": "ɪ", "iy": "i", "jh": "dʒ", "k": "k", "l": "l", "m": "m", "n": "n",
    "ng": "ŋ", "ow": "oʊ", "oy": "ɔɪ", "p": "p", "pau": "", "r": "ɹ", "s": "s", "sh": "ʃ",
    "t": "t", "th": "θ", "uh": "ʊ", "uw": "u", "v": "v", "w": "w", "y": "j", "z": "z", "zh": "ʒ",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Utterance:
    """A sentence, and the voice that spoke it."""

    voice: str
    speech: Speech


def espeak_speech(seed: int, *, held_out: bool = False) -> Iterator[Utterance]:
    """Yield endless speech of random languages and variants of espeak-ng."""
    library, texts, source = EspeakLibrary(), RandomTexts(seed), random.Random(seed)
    languages = [
        each.identifier
        for each in library.languages()
        if (each.identifier in HELD_OUT_LANGUAGES) == held_out
    ]
    names = [
        name
        for key, name in sorted(variants().items())
        if (key in HELD_OUT_VARIANTS) == held_out and key not in UNLIKE_SPEECH
    ]
    while True:
        is_english = not held_out and source.random() < 0.3
        language = source.choice(ENGLISH) if is_english else source.choice(languages)
        voice = f"{language}+{source.choice(names)}"
        raw = library.synthesize(
            texts.of_language(language), voice=voice, rate_wpm=source.randint(120, 240)
        )
        samples = np.frombuffer(raw.pcm, np.int16).astype(np.float32) / np.float32(32768)
        rate = raw.sample_rate_hz
        phonemes = espeak_phonemes(raw.marks, samples=len(samples), sample_rate_hz=rate)
        if len(phonemes) > 3 and np.abs(samples).max(initial=0.0) > 0.01:
            yield Utterance(f"espeak:{voice}", Speech("", samples, rate, phonemes))


def heart_speech(seed: int) -> Iterator[Utterance]:
    """Yield endless speech of `heart`, slow to fast."""
    speaker, texts, source = HeartSpeaker(), RandomTexts(seed), random.Random(seed)
    while True:
        speech = speaker.say(texts.english(), source.uniform(0.75, 1.4))
        yield Utterance("heart", speech)


def flite_speech(seed: int, program: str, voices: tuple[str, ...] = FLITE) -> Iterator[Utterance]:
    """Yield endless speech of the voices of Flite, a separate program."""
    texts, source = RandomTexts(seed), random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        while True:
            voice = source.choice(voices)
            stretch = f"duration_stretch={source.uniform(0.75, 1.3):.2f}"
            said = "-t", texts.english()
            printed = subprocess.run(
                [program, "-voice", voice, "--setf", stretch, "-psdur", *said, "-o", str(path)],
                check=True,
                capture_output=True,
                text=True,
            ).stdout
            rate, pcm = wavfile.read(path)
            phonemes = tuple(_flite_phonemes(printed))
            samples = pcm.astype(np.float32) / np.float32(32768)
            yield Utterance(f"flite:{voice}", Speech("", samples, rate, phonemes))


def _flite_phonemes(printed: str) -> Iterator[Phoneme]:
    start_s = 0.0
    for pair in printed.split():
        name, _, end = pair.partition(":")
        yield Phoneme(ARPABET[name], start_s, float(end))
        start_s = float(end)


def kokoro_speech(seed: int, voices_dir: Path, *, held_out: bool = False) -> Iterator[Utterance]:
    """Yield endless speech of the voices of Kokoro."""
    found = find_kokoro(voices_dir)
    assert found.model is not None
    network, library = KokoroNetwork(found.model.read_bytes()), EspeakLibrary()
    texts, source = RandomTexts(seed), random.Random(seed)
    names = [
        name
        for name in found.styles
        if name[0] in LANGUAGES and (name in HELD_OUT_KOKORO or name[0] == "i") == held_out
    ]
    while True:
        source.shuffle(names)
        for name in names:
            language = LANGUAGES[name[0]].espeak_voice
            text = texts.of_language("en" if name[0] in "ab" else language)
            clauses = library.phonemize(text, voice=language)
            part = parts_of(kokoro_symbols(clauses, language))[0]
            speed = source.uniform(0.85, 1.25)
            styles = read_styles(str(found.styles[name]))
            samples, durations = network.speak([IDS[each] for each in part], styles, speed)
            phonemes = kokoro_times.phonemes_of(
                part, durations.tolist(), samples, sample_rate_hz=24_000, speed=speed
            )
            yield Utterance(f"kokoro:{name}", Speech("", samples, 24_000, tuple(phonemes)))
