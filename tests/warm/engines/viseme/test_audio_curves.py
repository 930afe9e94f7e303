"""Mouth tracks from audio alone: like those from phonemes, and closed in silence and noise."""

import wave
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tts.registry import VoiceRegistry
from tts.speech import Speech
from warm.engines.viseme.audio_curves import mouth_track_from_audio
from warm.engines.viseme.engine import VisemeEngine
from warm.engines.viseme.phoneme_curves import mouth_track_from_phonemes
from warm.engines.viseme.recogniser.loudness_range import REFERENCE_S
from warm.engines.viseme.shape import CURVE_HZ, Shape

RECORDED = Path(__file__).parents[5] / "shared" / "media" / "speech_human_16k.wav"
FPS = 25


def without_phonemes(samples: NDArray[np.float32], rate_hz: int) -> Speech:
    return Speech(text="", samples=samples, sample_rate_hz=rate_hz, phonemes=None)


def spoken(voices: VoiceRegistry, text: str) -> Speech:
    choice = voices.choose(voice="espeak-en-us-female", language=None, speed=1.0)
    return next(iter(voices.speak(text, choice)))


def recorded() -> Speech:
    if not RECORDED.exists():
        pytest.skip("no recorded speech next to the checkout")
    with wave.open(str(RECORDED)) as file:
        raw = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        return without_phonemes((raw / 32768).astype(np.float32), file.getframerate())


def envelope(speech: Speech, rate: int) -> NDArray[np.float64]:
    step = speech.sample_rate_hz // rate
    count = len(speech.samples) // step
    blocks = speech.samples[: count * step].reshape(count, step).astype(np.float64)
    return np.asarray(np.sqrt((blocks**2).mean(axis=1)))


def test_recorded_speech_opens_the_mouth_with_its_loudness() -> None:
    speech = recorded()
    loudness = envelope(speech, FPS)
    opening = mouth_track_from_audio(speech, frames=len(loudness), fps=FPS)[:, Shape.OPEN]
    assert np.corrcoef(opening, np.sqrt(loudness))[0, 1] >= 0.5
    assert opening.max() > 0.6


def test_recorded_speech_is_followed_without_lag() -> None:
    speech = recorded()
    loudness = np.convolve(envelope(speech, CURVE_HZ), np.hanning(9) / np.hanning(9).sum(), "same")
    opening = mouth_track_from_audio(speech, frames=len(loudness), fps=CURVE_HZ)[:, Shape.OPEN]
    shifts = range(-20, 21)
    inner = slice(20, len(loudness) - 20)
    fit = [np.corrcoef(np.roll(opening, -by)[inner], loudness[inner])[0, 1] for by in shifts]
    lag_ms = 1000 / CURVE_HZ * shifts[int(np.argmax(fit))]
    assert abs(lag_ms) <= 20


def test_the_mouth_is_exactly_closed_in_the_silences_of_recorded_speech() -> None:
    speech = recorded()
    loudness = envelope(speech, CURVE_HZ)
    track = mouth_track_from_audio(speech, frames=len(loudness), fps=CURVE_HZ)
    quiet = 20 * np.log10(loudness + 1e-9) < -60
    settled = np.array(
        [quiet[max(0, at - 12) : at + 10].all() for at in range(len(quiet))]
    )  # the mouth needs time to close and to open
    assert settled.sum() > 20
    assert np.abs(track[settled]).max() == 0


@pytest.mark.parametrize(
    "sound", [np.zeros(16_000), np.random.default_rng(3).normal(0, 1e-4, 16_000)]
)
def test_silence_and_faint_noise_leave_the_mouth_closed(sound: NDArray[np.float64]) -> None:
    track = mouth_track_from_audio(
        without_phonemes(sound.astype(np.float32), 16_000), frames=25, fps=FPS
    )
    assert track.shape == (25, 7) and track.dtype == np.float32
    assert not track.any()


def test_the_mouth_is_closed_after_the_audio(voices: VoiceRegistry) -> None:
    speech = spoken(voices, "Hello there.")
    frames = int(speech.duration_s * FPS)
    track = mouth_track_from_audio(
        without_phonemes(speech.samples, speech.sample_rate_hz), frames=frames + 25, fps=FPS
    )
    assert track[:frames, Shape.OPEN].max() > 0.3
    assert not track[frames + 4 :].any()


def test_tracks_from_audio_resemble_those_from_phonemes(voices: VoiceRegistry) -> None:
    texts = ("Good morning everybody, how may I help you?", "We sing by the sea shore.")
    from_phonemes, from_audio = [], []
    for text in texts:
        speech = spoken(voices, text)
        frames = int(speech.duration_s * FPS)
        from_phonemes.append(mouth_track_from_phonemes(speech, frames=frames, fps=FPS))
        from_audio.append(
            mouth_track_from_audio(
                without_phonemes(speech.samples, speech.sample_rate_hz), frames=frames, fps=FPS
            )
        )
    a, b = np.concatenate(from_phonemes), np.concatenate(from_audio)
    for shape, least in (
        (Shape.OPEN, 0.8),
        (Shape.TEETH, 0.8),
        (Shape.WIDE, 0.7),
        (Shape.ROUND, 0.5),
        (Shape.TUCK, 0.5),
        (Shape.PRESS, 0.6),
    ):
        assert np.corrcoef(a[:, shape], b[:, shape])[0, 1] >= least, shape.name


@pytest.mark.parametrize("voice", ["espeak:de+f2", "espeak:en-us+klatt2", "espeak:it+m3"])
def test_the_lips_press_in_the_closures_of_p_b_m(voices: VoiceRegistry, voice: str) -> None:
    """None of these voices was used to train the recogniser."""
    found, closures, pressed = 0, 0, 0
    for text in ("Papa, Mama, Bombe, Palme, Ampel.", "Nana, Tante, Katze, Gans, lila Salat."):
        choice = voices.choose(voice=voice)
        speech = next(iter(voices.speak(text, choice))).completed()
        assert speech.phonemes is not None
        frames = int(speech.duration_s * CURVE_HZ)
        heard = without_phonemes(speech.samples, speech.sample_rate_hz)
        press = mouth_track_from_audio(heard, frames=frames, fps=CURVE_HZ)[:, Shape.PRESS]
        spans = [
            slice(max(0, int(p.start_s * CURVE_HZ) - 2), int(p.end_s * CURVE_HZ) + 2)
            for p in speech.phonemes
            if p.symbol[:1] in ("p", "b", "m")
        ]
        found += sum(press[span].max() > 0.9 for span in spans)
        closures += len(spans)
        pressed += int((np.diff((press > 0.5).astype(int)) == 1).sum())
    assert closures >= 9
    assert found >= 0.8 * closures
    assert pressed <= 1.3 * closures


@pytest.mark.parametrize("level", [0.003, 0.1])
def test_noise_hum_and_music_leave_the_mouth_closed(level: float) -> None:
    rng, times = np.random.default_rng(6), np.arange(3 * 16_000) / 16_000
    chord = sum(np.sin(2 * np.pi * hz * times) for hz in (220, 277, 330, 440, 660))
    beats = chord * np.exp(-4 * (times % 0.5))
    hum = sum(np.sin(2 * np.pi * 50 * k * times) / k for k in (1, 3, 5))
    for sound in (rng.normal(0, 1, len(times)), rng.normal(0, 1, len(times)).cumsum(), beats, hum):
        samples = (sound / np.std(sound) * level).astype(np.float32)
        track = mouth_track_from_audio(without_phonemes(samples, 16_000), frames=75, fps=FPS)
        assert track[:, Shape.OPEN].mean() < 0.12


@pytest.mark.parametrize("count", [0, 1, 159, 1600])
def test_very_short_sounds_have_a_mouth(count: int) -> None:
    samples = np.random.default_rng(2).normal(0, 0.1, count).astype(np.float32)
    track = mouth_track_from_audio(without_phonemes(samples, 16_000), frames=10, fps=FPS)
    assert track.shape == (10, 7) and np.isfinite(track).all()
    assert not track[8:].any()


@pytest.mark.parametrize("kind", ["telephone", "clipped", "faint", "noisy"])
def test_a_poor_recording_moves_the_mouth_as_a_good_one_does(
    kind: str, voices: VoiceRegistry
) -> None:
    speech = spoken(voices, "Maybe we should have coffee before the meeting.")
    clean, rate_hz = speech.samples, speech.sample_rate_hz
    if kind == "telephone":
        spectrum = np.fft.rfft(clean)
        hz = np.fft.rfftfreq(len(clean), 1 / rate_hz)
        poor = np.fft.irfft(np.where((hz > 300) & (hz < 3400), spectrum, 0), len(clean))
    elif kind == "clipped":
        poor = np.clip(clean * 8, -0.6, 0.6)
    elif kind == "faint":
        poor = clean * 0.02
    else:
        poor = clean + np.random.default_rng(4).normal(0, 0.01, len(clean))
    frames = int(speech.duration_s * FPS)
    expected = mouth_track_from_phonemes(speech, frames=frames, fps=FPS)[:, Shape.OPEN]
    heard = without_phonemes(poor.astype(np.float32), rate_hz)
    opening = mouth_track_from_audio(heard, frames=frames, fps=FPS)[:, Shape.OPEN]
    assert np.corrcoef(expected, opening)[0, 1] > 0.7


@pytest.mark.parametrize("rate_hz", [8000, 11_025, 22_050, 44_100, 48_000])
def test_every_rate_gives_nearly_the_same_mouth(rate_hz: int, voices: VoiceRegistry) -> None:
    speech = spoken(voices, "Nobody knows how it happened.")
    seconds = speech.duration_s
    at = np.arange(int(seconds * rate_hz)) / rate_hz
    other = np.interp(at, np.arange(len(speech.samples)) / speech.sample_rate_hz, speech.samples)
    frames = int(seconds * FPS)
    native = mouth_track_from_audio(
        without_phonemes(speech.samples, speech.sample_rate_hz), frames=frames, fps=FPS
    )
    found = mouth_track_from_audio(
        without_phonemes(other.astype(np.float32), rate_hz), frames=frames, fps=FPS
    )
    assert np.corrcoef(native[:, Shape.OPEN], found[:, Shape.OPEN])[0, 1] > 0.85


def test_a_long_file_may_be_processed_in_windows(voices: VoiceRegistry) -> None:
    speech = spoken(voices, "One two three four five six seven eight nine ten eleven twelve.")
    rate_hz = speech.sample_rate_hz
    sound = np.tile(np.pad(speech.samples, (0, rate_hz)), 20)[: 60 * rate_hz]
    sound *= np.linspace(0.2, 1.0, len(sound), dtype=np.float32)
    whole = mouth_track_from_audio(without_phonemes(sound, rate_hz), frames=60 * FPS, fps=FPS)
    context_s = round(REFERENCE_S) + 1
    first, last = 20 - context_s, 40 + context_s
    window = mouth_track_from_audio(
        without_phonemes(sound[first * rate_hz : last * rate_hz], rate_hz),
        frames=(last - first) * FPS,
        fps=FPS,
    )
    inner = window[context_s * FPS : (context_s + 20) * FPS]
    assert np.abs(inner - whole[20 * FPS : 40 * FPS]).max() < 1e-5


def test_the_engine_accepts_speech_without_phonemes(voices: VoiceRegistry) -> None:
    speech = spoken(voices, "Hello.")
    engine = VisemeEngine()
    from_phonemes = engine.encode_speech(speech, frames=10, fps=FPS)
    from_audio = engine.encode_speech(
        without_phonemes(speech.samples, speech.sample_rate_hz), frames=10, fps=FPS
    )
    assert from_phonemes.shape == from_audio.shape == (10, 7)
    assert not np.array_equal(from_phonemes, from_audio)
