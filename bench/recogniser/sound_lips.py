"""The mouth of a recording, from its sound alone, against the mouth of the same speech as text.

The voices, languages or sentences were not used to train the recogniser (bench.recogniser). The
times of all phonemes are known exactly.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, fftconvolve, sosfiltfilt

from bench.figure import Figure
from bench.recogniser.disturbances import (
    band_limited,
    coloured_noise,
    equalised,
    music,
    room,
)
from bench.speech.hidden_times import ENGLISH, OTHERS
from tts.espeak.isolated import IsolatedEspeak
from tts.espeak.voices import EspeakVoices
from tts.family import VoiceFamily
from tts.heart.voices import HeartVoices
from tts.onnx_voices import joe_package
from tts.onnx_voices.piper import PiperVoices
from tts.speech import Phoneme, Speech
from tts.text.sentences import Sentence
from tts.voice import VoiceChoice
from warm.engines.viseme.audio_curves import mouth_track_from_audio
from warm.engines.viseme.phoneme_curves import mouth_track_from_phonemes
from warm.engines.viseme.recogniser.spectra import SAMPLE_RATE_HZ, resampled
from warm.engines.viseme.shape import CURVE_HZ, Curve, Shape

Samples = NDArray[np.float32]
Disturb = Callable[[Samples, np.random.Generator], Samples]

FPS = 25
BAND_HZ = (1.0, 7.0)
"""Movements of the mouth; slower ones follow the loudness, faster ones are noise."""
SENTENCES = 12
CLIPS: Mapping[str, tuple[str, str]] = {
    "heart, new sentences": ("heart", "en-US"),
    "a new voice of espeak, English": ("espeak:en-us+klatt2", "en-US"),
    "German, a new language": ("espeak:de+f2", "de"),
    "Polish, a new language": ("espeak:pl+m3", "pl"),
    "Turkish, a new language": ("espeak:tr+linda", "tr"),
}
"""Voice and language of each clip."""
JOE = "joe, a new voice"
CLOSING = frozenset("pbm")
LONGEST_CLOSURE_S = 0.070
"""The lips of /p/ part at its burst."""
TOLERANCE_S = 0.030
LAGS = range(-8, 9)
"""Shifts that are tried, 1 / CURVE_HZ s each."""
NOISES_S = 10


@dataclass(slots=True)
class Comparison:
    """Tracks of the mouth in several sentences: from the text and from the sound."""

    from_text: list[Curve] = field(default_factory=list)
    """The opening at CURVE_HZ, within BAND_HZ."""
    from_sound: list[Curve] = field(default_factory=list)
    closures: int = 0
    found: int = 0
    pressed: int = 0
    """Number of presses of the lips in the mouth from the sound."""
    right: int = 0
    sound_s: float = 0.0
    processor_s: float = 0.0

    def add(self, said: Speech, heard: Speech) -> None:
        """Compare the mouth from the phonemes of `said` with that from the sound of `heard`."""
        frames = int(said.duration_s * CURVE_HZ)
        truth = mouth_track_from_phonemes(said, frames=frames, fps=CURVE_HZ)
        before_s = time.thread_time()
        track = mouth_track_from_audio(heard, frames=frames, fps=CURVE_HZ)
        self.processor_s += time.thread_time() - before_s
        self.sound_s += said.duration_s
        self.from_text.append(movements(truth[:, Shape.OPEN]))
        self.from_sound.append(movements(track[:, Shape.OPEN]))
        assert said.phonemes is not None
        self._count(list(closures(said.phonemes)), track[:, Shape.PRESS] > 0.5)

    def correlation(self, shift: int = 0) -> float:
        """Return the correlation of the openings, that from the sound `shift` points earlier."""
        pairs = zip(self.from_text, self.from_sound, strict=True)
        shifted = [(a, np.roll(b, -shift)) for a, b in pairs]
        text, sound = (np.concatenate(each) for each in zip(*shifted, strict=True))
        return float(np.corrcoef(text, sound)[0, 1])

    def lag_ms(self) -> float:
        """Return the lag of the mouth from the sound."""
        return 1000 * max(LAGS, key=self.correlation) / CURVE_HZ

    def _count(self, spans: Sequence[tuple[int, int]], pressed: NDArray[np.bool_]) -> None:
        self.closures += len(spans)
        self.found += sum(bool(pressed[first:last].any()) for first, last in spans)
        edges = np.flatnonzero(np.diff(np.pad(pressed.astype(np.int8), 1)))
        for start, stop in zip(edges[::2], edges[1::2], strict=True):
            self.pressed += 1
            self.right += any(start < last and stop > first for first, last in spans)


def measure(out: Path) -> list[Figure]:  # noqa: ARG001 - this topic has no plot
    """Measure five clips, disturbed copies of them, and sounds that are not speech."""
    with ExitStack() as stack:
        families = open_voices(stack)
        clips = {name: list(spoken(families, *clip)) for name, clip in CLIPS.items()}
        joe = list(spoken(families, "joe", "en-US")) if "joe" in families else []
    compared = {name: compare(clip, lambda heard: heard) for name, clip in clips.items()}
    figures = [figure for name, each in compared.items() for figure in clip_figures(name, each)]
    if joe:
        figures += joe_figures(compare(joe, lambda heard: heard))
    return [
        *figures,
        *summary(list(compared.values())),
        *disturbed_figures([speech for clip in clips.values() for speech in clip[:4]]),
        *silence_figures(),
    ]


def open_voices(stack: ExitStack) -> dict[str, VoiceFamily]:
    """Return the voices by the first word of their names; `joe` if its package is installed."""
    phonemizer = stack.enter_context(closing(IsolatedEspeak()))
    espeak = stack.enter_context(closing(EspeakVoices()))
    heart = stack.enter_context(closing(HeartVoices()))
    families: dict[str, VoiceFamily] = {"espeak": espeak, "heart": heart}
    if joe_package.joe_model() is not None:
        piper = PiperVoices(Path("no-folder"), phonemizer)
        families["joe"] = stack.enter_context(closing(piper))
    return families


def spoken(families: Mapping[str, VoiceFamily], voice: str, language: str) -> Iterator[Speech]:
    """Yield the sentences of a clip."""
    family = families[voice.partition(":")[0]]
    texts = ENGLISH[:SENTENCES] if language.startswith("en") else OTHERS[language]
    for text in texts:
        choice = VoiceChoice(voice=voice, language=language, speed=1.0)
        said = family.synthesize(Sentence(text, is_end=True, start=0), choice, lambda: False)
        assert said is not None
        yield said.completed()


def compare(clip: Sequence[Speech], disturb: Callable[[Speech], Speech]) -> Comparison:
    """Compare every sentence with its sound after `disturb`."""
    comparison = Comparison()
    for said in clip:
        comparison.add(said, replace(disturb(said), phonemes=None))
    return comparison


def movements(opening: NDArray[np.float32]) -> Curve:
    """(n,): an opening at CURVE_HZ, within BAND_HZ."""
    filters = butter(2, BAND_HZ, "band", fs=CURVE_HZ, output="sos")
    padded = np.pad(opening.astype(np.float64), CURVE_HZ, mode="edge")
    return np.asarray(sosfiltfilt(filters, padded))[CURVE_HZ:-CURVE_HZ]


def closures(phonemes: Sequence[Phoneme]) -> Iterator[tuple[int, int]]:
    """Yield the first and the last + 1 point at which the lips of each /p b m/ may press."""
    for phoneme in phonemes:
        if phoneme.symbol[:1] in CLOSING:
            end_s = phoneme.end_s
            if phoneme.symbol[0] == "p":
                end_s = min(end_s, phoneme.start_s + LONGEST_CLOSURE_S)
            first = (phoneme.start_s - TOLERANCE_S) * CURVE_HZ
            yield max(0, int(first)), int((end_s + TOLERANCE_S) * CURVE_HZ) + 1


def clip_figures(name: str, clip: Comparison) -> list[Figure]:
    """Return the figures of one clip."""
    count = len(clip.from_text)
    return [
        Figure.at_least(f"sound_lips: {name}: r, 1-7 Hz", clip.correlation(), "", 0.7, count),
        Figure.at_most(f"sound_lips: {name}: lag", abs(clip.lag_ms()), "ms", 20, count),
    ]


def joe_figures(clip: Comparison) -> list[Figure]:
    """Return the figures of a voice made from a person's recordings."""
    found, right = 100 * clip.found / clip.closures, 100 * clip.right / max(clip.pressed, 1)
    name = f"sound_lips: {JOE}: {{}}"
    return [
        *clip_figures(JOE, clip),
        Figure.at_least(name.format("/p b m/ found"), found, "%", 85, clip.closures),
        Figure.at_least(name.format("presses that are right"), right, "%", 80, clip.pressed),
    ]


def summary(clips: Sequence[Comparison]) -> list[Figure]:
    """Return the figures of all clips together."""
    mean = float(np.mean([clip.correlation() for clip in clips]))
    closures, found = sum(clip.closures for clip in clips), sum(clip.found for clip in clips)
    pressed, right = sum(clip.pressed for clip in clips), sum(clip.right for clip in clips)
    cost_ms = 1000 * sum(c.processor_s for c in clips) / sum(c.sound_s for c in clips)
    name = "sound_lips: five clips: {}"
    return [
        Figure.at_least(name.format("mean r, 1-7 Hz"), mean, "", 0.7, len(clips)),
        Figure.at_least(name.format("/p b m/ found"), 100 * found / closures, "%", 85, closures),
        Figure.at_least(
            name.format("presses that are right"), 100 * right / pressed, "%", 80, pressed
        ),
        Figure.at_most(name.format("time per second of sound"), cost_ms, "ms", 20, len(clips)),
    ]


def disturbed_figures(clip: Sequence[Speech]) -> list[Figure]:
    """Return the correlation in disturbed copies of some sentences."""
    figures = []
    for name, disturb in DISTURBANCES.items():
        rng = np.random.default_rng(len(name))
        comparison = compare(clip, lambda said: disturbed(said, disturb, rng))  # noqa: B023
        figures.append(
            Figure.at_least(
                f"sound_lips: {name}: r, 1-7 Hz", comparison.correlation(), "", 0.7, len(clip)
            )
        )
    return figures


def disturbed(said: Speech, disturb: Disturb, rng: np.random.Generator) -> Speech:
    """Return the sentence after `disturb`, at SAMPLE_RATE_HZ."""
    samples = resampled(said.samples, said.sample_rate_hz)
    return replace(said, samples=disturb(samples, rng), sample_rate_hz=SAMPLE_RATE_HZ)


def with_background(samples: Samples, rng: np.random.Generator, ratio_db: float) -> Samples:
    """Return speech with coloured noise, `ratio_db` quieter than the speech."""
    noise = coloured_noise(len(samples), rng)
    noise *= np.sqrt(np.mean(samples**2) / np.mean(noise**2)) * 10 ** (-ratio_db / 20)
    return np.asarray(samples + noise, np.float32)


def with_music(samples: Samples, rng: np.random.Generator) -> Samples:
    """Return speech with music, 15 dB quieter than the speech."""
    tune = music(len(samples), rng)
    tune *= np.sqrt(np.mean(samples**2) / np.mean(tune**2)) * 10 ** (-15 / 20)
    return np.asarray(samples + tune, np.float32)


DISTURBANCES: Mapping[str, Disturb] = {
    "noise, 20 dB": lambda samples, rng: with_background(samples, rng, 20),
    "noise, 10 dB": lambda samples, rng: with_background(samples, rng, 10),
    "music, 15 dB": with_music,
    "a room": lambda samples, rng: fftconvolve(samples, room(rng))[: len(samples)],
    "a microphone": equalised,
    "a telephone": band_limited,
    "clipped": lambda samples, rng: np.clip(samples * 8, -0.5, 0.5),  # noqa: ARG005
    "-50 dBFS": lambda samples, rng: samples * np.float32(0.03),  # noqa: ARG005
}


def silence_figures() -> list[Figure]:
    """Return how far noise, hum and music open the mouth."""
    rng, length = np.random.default_rng(5), NOISES_S * SAMPLE_RATE_HZ
    sounds = {"noise": coloured_noise(length, rng), "music": music(length, rng)}
    figures = []
    for name, sound in sounds.items():
        level = np.float32(0.1) / np.sqrt(np.mean(sound**2))
        speech = Speech("", np.asarray(sound * level, np.float32), SAMPLE_RATE_HZ, None)
        track = mouth_track_from_audio(speech, frames=NOISES_S * FPS, fps=FPS)
        opening = float(track[:, Shape.OPEN].mean())
        figures.append(
            Figure.at_most(f"sound_lips: mean opening in {name}", opening, "", 0.03, NOISES_S)
        )
    return figures
