"""Benchmark of the growing film: encoding, appends, recovery, skew, and sound at boundaries."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import cycle, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from matplotlib.figure import Figure as Plot
from numpy.typing import NDArray

from bench.figure import Figure
from bench.films.decoding import (
    DecodedFilm,
    Values,
    decode_in_order,
    decode_sound,
    decode_with_times,
)
from bench.films.synthetic import (
    PORTRAIT,
    SMALL,
    PictureList,
    Sound,
    append,
    encode,
    encoded_cycle,
    murmur,
    portrait,
    synthesise_film,
)
from session.film import SAMPLE_RATE_HZ
from session.fragmented.fragment_log import FragmentLog
from session.fragmented.journal import journal_path
from session.fragmented.writer import FilmWriter

_CLIP_FRAGMENTS = (2, 4, 8, 12, 12, 12)
"""Frames of each fragment, as the render loop requests them: short at first, then half a second."""
_ENCODED_CLIPS = 12
_LONG_S = 10 * 3600
_SHORT_S = 60
_APPENDS = 300
_APPEND_FRAMES = 12
_SKEW_CLIPS = 1000
_SKEW_LENGTHS = (7, 9, 12, 8, 11)
_FLASH_FRAME = 4
_BOUNDARIES = 100
_WINDOW_SAMPLES = 64
"""Number of samples compared on each side of a clip boundary."""


def measure(out: Path) -> list[Figure]:
    """Measure all figures of the growing film; plots are written to `out`."""
    with TemporaryDirectory(prefix="warmtalk-bench-") as name:
        folder = Path(name)
        return [
            *_measure_encoding(folder),
            *_measure_long_film(folder, out),
            *_measure_skew(folder, out),
            _measure_boundaries(folder),
        ]


def _measure_encoding(folder: Path) -> list[Figure]:
    """Measure frames per second from pictures to durable fragments, on the encoding thread."""
    count = sum(_CLIP_FRAGMENTS)
    pictures = portrait(count, sway=2.0)
    samples = murmur(count * PORTRAIT.samples_per_frame)
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


def _write_clip(film: FilmWriter, pictures: PictureList, samples: Sound) -> list[float]:
    """Write one clip, and return the seconds that each fragment took."""
    clip = film.begin("")
    per_frame = film.spec.samples_per_frame
    times_s = []
    for first, end in pairwise((0, *np.cumsum(_CLIP_FRAGMENTS))):
        start = time.perf_counter()
        clip.write(pictures[first:end], samples[first * per_frame : end * per_frame])
        times_s.append(time.perf_counter() - start)
    clip.finish()
    return times_s


def _measure_long_film(folder: Path, out: Path) -> list[Figure]:
    fragments = encoded_cycle()
    short, long = folder / "short.mp4", folder / "long.mp4"
    for path, seconds in ((short, _SHORT_S), (long, _LONG_S)):
        synthesise_film(path, fragments, seconds)
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


def _append_to_both(short: Path, long: Path) -> NDArray[np.float64]:
    """Append the same fragments to both films in turn; return (2, n) milliseconds."""
    count = _APPENDS * _APPEND_FRAMES // 8
    pictures = portrait(count, sway=2.0)
    fragments = encode(pictures, murmur(count * PORTRAIT.samples_per_frame), _APPEND_FRAMES)
    logs = (FragmentLog(short), FragmentLog(long))
    times_ms = np.zeros((2, _APPENDS))
    for index, fragment in zip(range(_APPENDS), cycle(fragments), strict=False):
        for row, fragment_log in enumerate(logs):
            times_ms[row, index] = time_ms(partial(append, fragment_log, fragment))
    for fragment_log in logs:
        fragment_log.close()
    return times_ms


def time_ms(action: Callable[[], object]) -> float:
    """Measure the duration of `action`."""
    start = time.perf_counter()
    action()
    return (time.perf_counter() - start) * 1000


def _recovery_figure(name: str, film: Path, damage: Callable[[Path], None]) -> Figure:
    times_ms = []
    for _ in range(3):
        damage(film)
        times_ms.append(time_ms(lambda: FilmWriter.open(film).close()))
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
    """Compare clicks with flashes, timed by time stamps and by counting."""
    path = folder / "skew.mp4"
    frames = _write_flashes(path)
    skews_ms = {
        "timestamps": _skew_ms(decode_with_times(path), frames),
        "sample-contiguous": _skew_ms(decode_in_order(path), frames),
    }
    _plot_skew(skews_ms, out / "session_skew.png")
    return [
        Figure(
            name=f"skew of click against flash after 1000 clips, {method}",
            value=float(np.abs(skew).max()),
            unit="ms",
            goal=1.0,
            better="lower",
            n=len(skew),
        )
        for method, skew in skews_ms.items()
    ]


def _write_flashes(path: Path) -> list[int]:
    """Write clips, each with a white picture and a click, and return the frames of these."""
    black = np.zeros((SMALL.height, SMALL.width, 3), np.uint8)
    per_frame = SMALL.samples_per_frame
    flashes = []
    with FilmWriter.create(path, SMALL) as film:
        for _, length in zip(range(_SKEW_CLIPS), cycle(_SKEW_LENGTHS), strict=False):
            flashes.append(film.committed.frames + _FLASH_FRAME)
            samples = np.zeros(length * per_frame, np.float32)
            samples[_FLASH_FRAME * per_frame] = 0.9
            after = length - _FLASH_FRAME - 1
            pictures = [black] * _FLASH_FRAME + [255 - black] + [black] * after
            clip = film.begin("")
            clip.write(pictures[:2], samples[: 2 * per_frame])
            clip.write(pictures[2:], samples[2 * per_frame :])
            clip.finish()
    return flashes


def _skew_ms(decoded: DecodedFilm, frames: Sequence[int]) -> Values:
    """Return the time of the click minus the time of the flash of each clip; (n,) milliseconds."""
    flash_times = decoded.picture_times[decoded.brightness > 128]
    if len(flash_times) != len(frames):
        raise RuntimeError(f"{len(flash_times)} flashes were decoded of {len(frames)} written.")
    half = SMALL.samples_per_frame * 2
    clicks = []
    for frame in frames:
        start = frame * SMALL.samples_per_frame - half
        clicks.append(start + int(np.abs(decoded.values[start : start + 2 * half]).argmax()))
    return (decoded.sample_times[clicks] - flash_times) * 1000


def _measure_boundaries(folder: Path) -> Figure:
    """Compare the largest second difference of a tone at clip boundaries with that in mid-clip."""
    lengths = [5 + index % 7 for index in range(_BOUNDARIES)]
    grey = np.full((SMALL.height, SMALL.width, 3), 128, np.uint8)
    path = folder / "boundaries.mp4"
    with FilmWriter.create(path, SMALL) as film:
        for length in lengths:
            clip = film.begin("")
            clip.write([grey] * length, _tone(film.committed.frames, length))
            clip.finish()
    samples = decode_sound(path)
    boundaries = np.cumsum(lengths)[1:-1] * SMALL.samples_per_frame
    return Figure(
        name="click at joints against mid-clip (second difference)",
        value=_max_second_difference(samples, boundaries)
        / _max_second_difference(samples, boundaries + 2 * 1920),
        unit="x",
        goal=1.5,
        better="lower",
        n=len(boundaries),
    )


def _tone(first_frame: int, frames: int) -> Sound:
    first = first_frame * SMALL.samples_per_frame
    times = np.arange(first, first + frames * SMALL.samples_per_frame) / SAMPLE_RATE_HZ
    return np.asarray(0.3 * np.sin(2 * np.pi * 220 * times), dtype=np.float32)


def _max_second_difference(samples: Sound, places: NDArray[np.int64]) -> float:
    differences = np.abs(np.diff(samples, n=2))
    return float(
        max(
            differences[place - _WINDOW_SAMPLES : place + _WINDOW_SAMPLES].max() for place in places
        )
    )


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
    for method, skew in skews_ms.items():
        axes.plot(skew, label=method, alpha=0.7)
    axes.set(xlabel="clip", ylabel="click after flash, ms", ylim=(-1, 1), title="Skew")
    axes.legend()
    plot.savefig(path, dpi=120)
