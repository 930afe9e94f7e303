"""How fast a film grows, how exactly, and how it feels after ten hours."""

import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import cv2
import imageio_ffmpeg
import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure as Plot
from numpy.typing import NDArray

from bench.figure import Figure
from session.audio_encoder import AudioEncoder
from session.film import (
    SAMPLE_RATE_HZ,
    SAMPLES_PER_PACKET,
    TICKS_PER_FRAME,
    FilmSpec,
)
from session.fragmented.boxes import build_fragment
from session.fragmented.film_files import create_film
from session.fragmented.fragment_log import FragmentLog
from session.fragmented.journal import JournalEntry, journal_path, write_journal
from session.fragmented.writer import FilmWriter
from session.video_encoder import VideoEncoder

Pictures = list[NDArray[np.uint8]]
Samples = NDArray[np.float32]
Values = NDArray[np.floating]

PORTRAIT = FilmSpec(width=512, height=600, fps=25)
SMALL = FilmSpec(width=64, height=64, fps=25)

_PORTRAIT_FILE = "sample_data/grace_hopper.jpg"
_CLIP_FRAGMENTS = (2, 4, 8, 12, 12, 12)
"""Frames a fragment as a render loop asks for them: short at first, then half a second."""
_ENCODED_CLIPS = 12
_LONG_S = 10 * 3600
_SHORT_S = 60
_CYCLE_S = 8
"""After so many seconds video frames and AAC packets end together."""
_APPENDS = 300
_APPEND_FRAMES = 12
_SKEW_CLIPS = 1000
_JOINTS = 100
_WINDOW = 64
"""Samples each side of a joint."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """What goes into one fragment."""

    video: list[bytes]
    sound: list[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A film as one decoder gave it; times in seconds."""

    picture_times: Values
    brightness: Values
    sample_times: Values
    values: Values


def measure(out: Path) -> list[Figure]:
    """Every figure of the session file; plots go to `out`."""
    with TemporaryDirectory(prefix="warmtalk-bench-") as name:
        folder = Path(name)
        return [
            *_measure_encoding(folder),
            *_measure_long_film(folder, out),
            *_measure_skew(folder, out),
            _measure_joints(folder),
        ]


def _portrait(count: int, *, sway: float) -> Pictures:
    """The demo portrait with a mouth that moves and a head that sways by `sway` pixels."""
    still = cv2.imread(str(Path(mpl.get_data_path()) / _PORTRAIT_FILE))
    assert still is not None
    pictures = []
    for index in range(count):
        shift = np.array([[1, 0, sway * np.sin(index / 17)], [0, 1, sway * np.sin(index / 9)]])
        size = (PORTRAIT.width, PORTRAIT.height)
        picture = cv2.warpAffine(
            still, shift, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
        )
        init_segment = int(6 + 6 * np.sin(index * 1.3))
        cv2.ellipse(
            picture, (245, 275), (28, init_segment), 0, 0, 360, (40, 30, 90), -1, cv2.LINE_AA
        )
        pictures.append(np.asarray(picture, dtype=np.uint8))
    return pictures


def _murmur(count: int) -> Samples:
    """Noise with the spectrum and the syllables of a voice, as heavy for AAC as speech is."""
    chance = np.random.default_rng(7)
    noise = np.convolve(chance.standard_normal(count), np.ones(24) / 24, mode="same")
    syllables = 0.5 + 0.5 * np.sin(np.arange(count) * (2 * np.pi * 4 / SAMPLE_RATE_HZ))
    return np.asarray(0.4 * noise * syllables, dtype=np.float32)


def _measure_encoding(folder: Path) -> list[Figure]:
    """Frames a second from pictures to durable fragments, encoding thread alone."""
    count = sum(_CLIP_FRAGMENTS)
    pictures = _portrait(count, sway=2.0)
    samples = _murmur(count * PORTRAIT.samples_per_frame)
    rates, firsts_ms = [], []
    with FilmWriter.create(folder / "encoding.mp4", PORTRAIT) as film:
        for _ in range(_ENCODED_CLIPS):
            times_s = _write_clip(film, pictures, samples)
            rates.append(count / sum(times_s))
            firsts_ms.append(times_s[0] * 1000)
    return [
        Figure(
            name="pictures -> appended (H.264, AAC, fsync)",
            value=float(np.median(rates)),
            unit="fps",
            goal=150,
            better="higher",
            n=len(rates),
        ),
        Figure(
            name="first fragment of a clip (2 pictures), encoded and durable, p50",
            value=float(np.median(firsts_ms)),
            unit="ms",
            goal=30,
            better="lower",
            n=len(firsts_ms),
        ),
    ]


def _write_clip(film: FilmWriter, pictures: Pictures, samples: Samples) -> list[float]:
    """Seconds that each fragment took."""
    clip = film.begin("")
    per_frame = film.spec.samples_per_frame
    times_s = []
    for first, end in pairwise((0, *np.cumsum(_CLIP_FRAGMENTS))):
        began = time.perf_counter()
        clip.write(pictures[first:end], samples[first * per_frame : end * per_frame])
        times_s.append(time.perf_counter() - began)
    clip.finish()
    return times_s


def _measure_long_film(folder: Path, out: Path) -> list[Figure]:
    filler = _filler()
    short, long = folder / "short.mp4", folder / "long.mp4"
    for path, seconds in ((short, _SHORT_S), (long, _LONG_S)):
        _synthesise(path, filler, seconds)
    recovery = [
        _recovery_figure("recovery of a 10 h file", long, _tear),
        _recovery_figure("recovery of a 10 h file, journal lost", long, _lose_journal),
    ]
    times_ms = _append_to_both(short, long)
    _plot_appends(times_ms, out / "session_append.png")
    short_p95, long_p95 = np.percentile(times_ms, 95, axis=1)
    return [
        _append_figure("append (write + 2 fsync) p95, at 1 min", short_p95, "ms", 10),
        _append_figure("append (write + 2 fsync) p95, at 10 h", long_p95, "ms", 10),
        _append_figure("append p95, 10 h against 1 min", long_p95 / short_p95, "x", 1.5),
        *recovery,
    ]


def _append_figure(name: str, value: float, unit: str, goal: float) -> Figure:
    return Figure(name=name, value=float(value), unit=unit, goal=goal, better="lower", n=_APPENDS)


def _encode(pictures: Pictures, samples: Samples, frames: int) -> list[Encoded]:
    """Fragments of `frames` pictures each, from one pair of encoders."""
    video, sound = VideoEncoder(PORTRAIT), AudioEncoder(lead_in=0)
    per_frame = PORTRAIT.samples_per_frame
    return [
        Encoded(
            video.encode(pictures[first : first + frames]),
            sound.encode(samples[first * per_frame : (first + frames) * per_frame]),
        )
        for first in range(0, len(pictures), frames)
    ]


def _filler() -> list[Encoded]:
    """A cycle of one-second fragments that can be repeated without sound running ahead.

    The pictures are soft, so that ten hours fit into 3 GB.
    """
    frames = _CYCLE_S * PORTRAIT.fps
    sharp = _portrait(frames, sway=0.0) * 2
    pictures = [np.asarray(cv2.GaussianBlur(each, (0, 0), 2), dtype=np.uint8) for each in sharp]
    samples = _murmur(2 * frames * PORTRAIT.samples_per_frame)
    return _encode(pictures, samples, PORTRAIT.fps)[_CYCLE_S:]


def _synthesise(path: Path, filler: Sequence[Encoded], seconds: int) -> None:
    """A film of repeated fragments with clocks that run on, and its journal."""
    create_film(path, PORTRAIT)
    fragment_log = FragmentLog(path)
    film_id, end = fragment_log.init_segment.film_id, len(fragment_log.init_segment.data)
    fragment_log.close()
    entries: list[JournalEntry] = []
    frames = samples = 0
    with path.open("ab", buffering=1 << 20) as file:
        for index, part in zip(range(seconds), cycle(filler), strict=False):
            data = _fragment(index + 1, part, frames, samples)
            file.write(data)
            end += len(data)
            frames += len(part.video)
            samples += len(part.sound) * SAMPLES_PER_PACKET
            text = "as before" if index % 5 == 0 else None
            entries.append(
                JournalEntry(end=end, crc32=None, frames=frames, samples=samples, text=text)
            )
    write_journal(journal_path(path), film_id, entries)


def _fragment(sequence: int, part: Encoded, frames: int, samples: int) -> bytes:
    starts = (frames * TICKS_PER_FRAME, samples)
    return build_fragment(sequence, pictures=part.video, sound=part.sound, starts=starts)


def _append_to_both(short: Path, long: Path) -> NDArray[np.float64]:
    """(2, n) milliseconds: the same appends, in turns, to either film."""
    count = _APPENDS * _APPEND_FRAMES // 8
    pictures = _portrait(count, sway=2.0)
    parts = _encode(pictures, _murmur(count * PORTRAIT.samples_per_frame), _APPEND_FRAMES)
    reels = (FragmentLog(short), FragmentLog(long))
    times_ms = np.zeros((2, _APPENDS))
    for index, part in zip(range(_APPENDS), cycle(parts), strict=False):
        for row, fragment_log in enumerate(reels):
            times_ms[row, index] = _timed_ms(partial(_append, fragment_log, part))
    for fragment_log in reels:
        fragment_log.close()
    return times_ms


def _append(fragment_log: FragmentLog, part: Encoded) -> None:
    data = _fragment(fragment_log.sequence, part, *fragment_log.totals)
    samples = len(part.sound) * SAMPLES_PER_PACKET
    fragment_log.append(data, frames=len(part.video), samples=samples, text=None)


def _timed_ms(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def _recovery_figure(name: str, film: Path, damage: Callable[[Path], None]) -> Figure:
    times_ms = []
    for _ in range(3):
        damage(film)
        times_ms.append(_timed_ms(lambda: FilmWriter.open(film).close()))
    return Figure(
        name=name,
        value=float(np.median(times_ms)) / 1000,
        unit="s",
        goal=1.0,
        better="lower",
        n=len(times_ms),
    )


def _tear(film: Path) -> None:
    with film.open("ab") as file:
        file.write(b"\0\0\4\0moof" + bytes(70_000))


def _lose_journal(film: Path) -> None:
    _tear(film)
    journal_path(film).unlink()


def _measure_skew(folder: Path, out: Path) -> list[Figure]:
    """Clicks against flashes, by two decoders: one keeps time stamps, one only the order."""
    path = folder / "skew.mp4"
    frames = _write_flashes(path)
    skews_ms = {
        "timestamps": _skew_ms(_decode_with_times(path), frames),
        "sample-contiguous": _skew_ms(_decode_in_order(path), frames),
    }
    _plot_skew(skews_ms, out / "session_skew.png")
    return [
        Figure(
            name=f"skew of click against flash after 1000 clips, {way}",
            value=float(np.abs(skew).max()),
            unit="ms",
            goal=1.0,
            better="lower",
            n=len(skew),
        )
        for way, skew in skews_ms.items()
    ]


def _write_flashes(path: Path) -> list[int]:
    """Clips of changing length, each with a white picture and a click; where they are (frames)."""
    black = np.zeros((SMALL.height, SMALL.width, 3), np.uint8)
    lengths = cycle((7, 9, 12, 8, 11))
    flashes = []
    with FilmWriter.create(path, SMALL) as film:
        for _, length in zip(range(_SKEW_CLIPS), lengths, strict=False):
            flashes.append(film.committed.frames + 4)
            samples = np.zeros(length * SMALL.samples_per_frame, np.float32)
            samples[4 * SMALL.samples_per_frame] = 0.9
            pictures = [black] * 4 + [255 - black] + [black] * (length - 5)
            clip = film.begin("")
            clip.write(pictures[:2], samples[: 2 * SMALL.samples_per_frame])
            clip.write(pictures[2:], samples[2 * SMALL.samples_per_frame :])
            clip.finish()
    return flashes


def _decode_with_times(path: Path) -> Watched:
    """Picture times and brightness, sample times and values, as PyAV's time stamps say."""
    with av.open(str(path)) as container:
        shown = [
            (_time_s(frame), frame.to_ndarray()[: SMALL.height].mean())
            for frame in container.decode(video=0)
        ]
    with av.open(str(path)) as container:
        heard = [(_time_s(frame), frame.to_ndarray()[0]) for frame in container.decode(audio=0)]
    times = [time_s + np.arange(len(piece)) / SAMPLE_RATE_HZ for time_s, piece in heard]
    picture_times, brightness = np.array(shown, dtype=np.float64).T
    values = np.concatenate([piece for _, piece in heard])
    return Watched(
        picture_times=picture_times,
        brightness=brightness,
        sample_times=np.concatenate(times),
        values=values,
    )


def _time_s(frame: av.VideoFrame | av.AudioFrame) -> float:
    assert frame.pts is not None
    assert frame.time_base is not None
    return float(frame.pts * frame.time_base)


def _decode_in_order(path: Path) -> Watched:
    """The same from the ffmpeg program, by counting pictures and samples alone."""
    video = ("-map", "0:v", "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "gray")
    planes = np.frombuffer(_ffmpeg(path, *video), np.uint8)
    brightness = planes.reshape(-1, SMALL.width * SMALL.height).mean(axis=1)
    values = np.frombuffer(_ffmpeg(path, "-map", "0:a", "-f", "f32le"), np.float32)
    return Watched(
        picture_times=np.arange(len(brightness)) / SMALL.fps,
        brightness=brightness,
        sample_times=np.arange(len(values)) / SAMPLE_RATE_HZ,
        values=values,
    )


def _ffmpeg(path: Path, *options: str) -> bytes:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(path), *options, "-"]
    return subprocess.run(command, capture_output=True, check=True).stdout


def _skew_ms(watched: Watched, frames: Sequence[int]) -> Values:
    """Click minus flash, clip by clip; (n,) milliseconds."""
    flash_times = watched.picture_times[watched.brightness > 128]
    if len(flash_times) != len(frames):
        raise RuntimeError(f"{len(flash_times)} flashes were decoded of {len(frames)} written.")
    half = SMALL.samples_per_frame * 2
    clicks = []
    for frame in frames:
        start = frame * SMALL.samples_per_frame - half
        clicks.append(start + int(np.abs(watched.values[start : start + 2 * half]).argmax()))
    return (watched.sample_times[clicks] - flash_times) * 1000


def _measure_joints(folder: Path) -> Figure:
    """One endless tone through many clips: how much more it bends at joints than elsewhere."""
    lengths = [5 + index % 7 for index in range(_JOINTS)]
    grey = np.full((SMALL.height, SMALL.width, 3), 128, np.uint8)
    path = folder / "joints.mp4"
    with FilmWriter.create(path, SMALL) as film:
        for length in lengths:
            clip = film.begin("")
            clip.write([grey] * length, _tone(film.committed.frames, length))
            clip.finish()
    heard = np.frombuffer(_ffmpeg(path, "-map", "0:a", "-f", "f32le"), np.float32)
    joints = np.cumsum(lengths)[1:-1] * SMALL.samples_per_frame
    return Figure(
        name="click at joints against mid-clip (second difference)",
        value=_sharpest_bend(heard, joints) / _sharpest_bend(heard, joints + 2 * 1920),
        unit="x",
        goal=1.5,
        better="lower",
        n=len(joints),
    )


def _tone(first_frame: int, frames: int) -> Samples:
    first = first_frame * SMALL.samples_per_frame
    times = np.arange(first, first + frames * SMALL.samples_per_frame) / SAMPLE_RATE_HZ
    return np.asarray(0.3 * np.sin(2 * np.pi * 220 * times), dtype=np.float32)


def _sharpest_bend(heard: Samples, places: NDArray[np.int64]) -> float:
    bends = np.abs(np.diff(heard, n=2))
    return float(max(bends[place - _WINDOW : place + _WINDOW].max() for place in places))


def _plot_appends(times_ms: NDArray[np.float64], path: Path) -> None:
    plot = Plot(figsize=(7, 3.5), layout="constrained")
    axes = plot.subplots()
    for row, label in zip(times_ms, ("at 1 min", "at 10 h"), strict=True):
        axes.plot(np.sort(row), np.linspace(0, 100, len(row)), label=label)
    axes.set(xlabel="ms from packets to published", ylabel="% of appends", title="Append")
    axes.set_xlim(0, float(np.percentile(times_ms, 99.5)))
    axes.legend()
    plot.savefig(path, dpi=120)


def _plot_skew(skews_ms: dict[str, Values], path: Path) -> None:
    plot = Plot(figsize=(7, 3.5), layout="constrained")
    axes = plot.subplots()
    for way, skew in skews_ms.items():
        axes.plot(skew, label=way, alpha=0.7)
    axes.set(xlabel="clip", ylabel="click after flash, ms", ylim=(-1, 1), title="Skew")
    axes.legend()
    plot.savefig(path, dpi=120)
