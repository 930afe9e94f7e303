"""What each way to keep a film costs as it grows, and how far sound and pictures drift apart."""

import resource
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import accumulate, cycle, islice, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import cv2
import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray

from bench.figure import Figure
from bench.films.session import (
    PORTRAIT,
    SMALL,
    Encoded,
    Pictures,
    Values,
    Watched,
    _append,
    _decode_in_order,
    _decode_with_times,
    _filler,
    _murmur,
    _portrait,
    _synthesise,
)
from session.alignment import packet_count
from session.audio_encoder import AudioEncoder
from session.film import SAMPLE_RATE_HZ, ClipRecord
from session.fragmented.fragment_log import FragmentLog
from session.fragmented.writer import FilmWriter
from session.mp4.clip_file import ClipFile
from session.mp4.concat_clips import concat_clips
from session.mp4.concat_demuxer import ConcatEntry, ExpectedTracks, concat_files, verify_concat
from session.mp4.concat_film import ConcatFilm
from session.mp4.metadata_box import MetadataBox, new_metadata_box
from session.video_encoder import VideoEncoder

Way = Literal["fragments", "concat", "tool", "naive"]
"""The two writers; clips joined from the command line; and `ffmpeg -f concat -c copy`."""

MINUTE_S, HOUR_S = 60, 3600
GROWING_S = (MINUTE_S, 10 * MINUTE_S, HOUR_S, 3 * HOUR_S, 10 * HOUR_S)
JOINED_S = (MINUTE_S, 10 * MINUTE_S, HOUR_S, 3 * HOUR_S)
CLIP_FRAGMENTS = (2, 4, 8, 16, 25, 25, 25, 23)
"""Frames a fragment of the clip that is appended: 5.12 s, on the grid."""
CYCLE_FRAMES = 8 * PORTRAIT.fps
JOINTS = 1000
LENGTHS = (7, 9, 12, 8, 11)
"""Frames of the clips that are joined to see drift, in turns."""
FLASH_FRAME = 4
LOUD = 0.45
REPEATS = 2
BYTES_A_BLOCK = 512
"""What `getrusage` counts."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Appending one clip to a film of some length."""

    length_s: int
    times_ms: Values
    bytes_written: float


@dataclass(frozen=True, slots=True)
class Drift:
    """Click minus flash at every clip, in milliseconds."""

    by_timestamps: Values
    in_order: Values


@dataclass(slots=True)
class Measured:
    """Everything that the plot shows."""

    costs: dict[Way, list[Cost]] = field(default_factory=dict)
    drifts: dict[Way, Drift] = field(default_factory=dict)


def measure(out: Path) -> list[Figure]:
    """The figures; the plot goes to `out`."""
    from bench.films.concat_plot import draw  # noqa: PLC0415 - it draws what is measured here

    measured = measure_writers()
    draw(measured, out / "writers.png")
    return figures(measured)


def measure_writers() -> Measured:
    """All costs and drifts. Films of hours are synthetic: one cycle of 8 s, repeated."""
    measured = Measured()
    with TemporaryDirectory(prefix="warmtalk-bench-") as name:
        folder = Path(name)
        measured.costs["fragments"] = growing_costs(folder)
        measured.costs |= replaced_costs(folder)
        measured.drifts = drifts(folder)
    return measured


def figures(measured: Measured) -> list[Figure]:
    """What has a goal: the growing film of fragments, and drift."""
    growing, joined = measured.costs["fragments"], measured.costs["concat"]
    short, long = (float(np.median(cost.times_ms)) for cost in (growing[0], growing[-1]))
    hour, three = (float(np.median(cost.times_ms)) / 1000 for cost in joined[-2:])
    return [
        Figure(
            name="fragments: a clip of 5 s appended at 10 h against 1 min",
            value=long / short,
            unit="x",
            goal=1.5,
            better="lower",
            n=len(growing[-1].times_ms),
        ),
        *(
            Figure(
                name=f"concat: a clip of 5 s joined to {hours} h (copied, verified, synced)",
                value=value,
                unit="s",
                goal=goal,
                better="lower",
                n=len(cost.times_ms),
            )
            for hours, value, goal, cost in ((1, hour, 3, joined[-2]), (3, three, 10, joined[-1]))
        ),
        *drift_figures(measured),
    ]


def drift_figures(measured: Measured) -> Iterator[Figure]:
    """The worst of 1000 clips, by either decoder."""
    ways: tuple[Way, ...] = ("concat", "tool")
    names = {"concat": "writer: concat", "tool": "session concat, plain clips"}
    for way in ways:
        drift = measured.drifts[way]
        for how, values in (
            ("timestamps", drift.by_timestamps),
            ("sample-contiguous", drift.in_order),
        ):
            yield Figure(
                name=f"{names[way]}: skew of click against flash after {JOINTS} clips, {how}",
                value=float(np.abs(values).max()),
                unit="ms",
                goal=1,
                better="lower",
                n=len(values),
            )


def written(measured: Measured, way: Way, length_s: int) -> float:
    """Bytes that building a film of this length takes, clip by clip, by the measured appends."""
    lengths = [cost.length_s for cost in measured.costs[way]]
    each = [cost.bytes_written for cost in measured.costs[way]]
    clip_s = sum(CLIP_FRAGMENTS) / PORTRAIT.fps
    places = np.arange(clip_s, length_s, clip_s)
    return float(np.interp(places, lengths, each).sum())


def growing_costs(folder: Path) -> list[Cost]:
    """Appends to the default film: fragments and their journal, each synced."""
    filler, parts = _filler(), clip_parts()
    costs = []
    for length_s in GROWING_S:
        path = folder / "growing.mp4"
        _synthesise(path, filler, length_s)
        fragment_log = FragmentLog(path)
        before = path.stat().st_size
        times_ms = [timed_ms(lambda: append_parts(fragment_log, parts)) for _ in range(20)]  # noqa: B023
        grown = path.stat().st_size - before
        fragment_log.delete()
        costs.append(Cost(length_s, np.array(times_ms), grown / len(times_ms)))
    return costs


def clip_parts() -> list[Encoded]:
    """A clip of 5.12 s, encoded."""
    pictures, samples = soft_clip()
    video, sound = VideoEncoder(PORTRAIT), AudioEncoder(lead_in=0)
    step = PORTRAIT.samples_per_frame
    return [
        Encoded(video.encode(pictures[start:end]), sound.encode(samples[start * step : end * step]))
        for start, end in pairwise((0, *accumulate(CLIP_FRAGMENTS)))
    ]


def soft_clip(frames: int = sum(CLIP_FRAGMENTS)) -> tuple[Pictures, NDArray[np.float32]]:
    """Pictures as soft as those of the long films, and their sound."""
    sharp = _portrait(frames, sway=0.0)
    pictures = [np.asarray(cv2.GaussianBlur(each, (0, 0), 2), dtype=np.uint8) for each in sharp]
    return pictures, _murmur(frames * PORTRAIT.samples_per_frame)


def append_parts(fragment_log: FragmentLog, parts: Sequence[Encoded]) -> None:
    """One clip, fragment by fragment."""
    for part in parts:
        _append(fragment_log, part)


def replaced_costs(folder: Path) -> dict[Way, list[Cost]]:
    """Joins to a film that is replaced, ours and naively: all but the encoding."""
    clip_file = ClipFile(folder / "clip_file.mp4", PORTRAIT)
    pictures, samples = soft_clip(CYCLE_FRAMES)
    for start in range(0, CYCLE_FRAMES, PORTRAIT.fps):
        step = PORTRAIT.samples_per_frame
        end = start + PORTRAIT.fps
        clip_file.write(pictures[start:end], samples[start * step : end * step])
    clip_file.finish()
    ours, naive = [], []
    for length_s in JOINED_S:
        path = folder / "joined.mp4"
        synthesise_joined(path, clip_file, length_s, folder)
        naive.append(naive_cost(path, clip_file.path, length_s))
        ours.append(joined_cost(path, length_s))
    return {"concat": ours, "naive": naive}


def joined_cost(path: Path, length_s: int) -> Cost:
    """A few clips joined to the film as the writer does it."""
    pictures, samples = soft_clip()
    times_ms, blocks = [], 0
    with ConcatFilm.open(path) as film:
        for _ in range(REPEATS):
            clip = film.begin("")
            clip.write(pictures, samples)
            before = blocks_written()
            times_ms.append(timed_ms(clip.finish))
            blocks += blocks_written() - before
        film.delete()
    return Cost(length_s, np.array(times_ms), blocks * BYTES_A_BLOCK / REPEATS)


def naive_cost(path: Path, clip: Path, length_s: int) -> Cost:
    """The same by plain copies, which are neither verified nor synced."""
    copy, before = path.with_name("copy.mp4"), blocks_written()
    times_ms = [timed_ms(lambda: copy_naively([path, clip], copy)) for _ in range(REPEATS)]
    copy.unlink()
    blocks = blocks_written() - before
    return Cost(length_s, np.array(times_ms), blocks * BYTES_A_BLOCK / REPEATS)


def blocks_written() -> int:
    """By this process and by the programs that it ran."""
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(resource.getrusage(each).ru_oublock for each in who)


def synthesise_joined(path: Path, clip_file: ClipFile, length_s: int, folder: Path) -> None:
    """A joined film of one clip_file, repeated; as the writer would leave it."""
    count = length_s * PORTRAIT.fps // clip_file.frames
    chain = [
        ConcatEntry(clip_file.path, Fraction(0), Fraction(clip_file.frames, PORTRAIT.fps))
    ] * count
    with TemporaryDirectory(dir=folder) as name:
        words = concat_files(chain, path, Path(name), timescale=PORTRAIT.ticks_per_second)
    expected = ExpectedTracks(
        fps=Fraction(PORTRAIT.fps),
        picture_sizes=None,
        frames=count * clip_file.frames,
        rate_hz=SAMPLE_RATE_HZ,
        packets=packet_count(count * clip_file.frames, PORTRAIT.fps),
    )
    verify_concat(path, expected, words)
    with path.open("ab") as file:
        file.write(label_of(count, clip_file.frames).to_box())


def label_of(count: int, frames: int) -> MetadataBox:
    """What a film of so many equal clips says of itself."""
    empty = new_metadata_box(PORTRAIT)
    clips = tuple(
        ClipRecord(index=index, text="as before", first_frame=index * frames, frames=frames)
        for index in range(count)
    )
    return MetadataBox(
        film_id=empty.film_id,
        spec=empty.spec,
        avcc=empty.avcc,
        audio_config=empty.audio_config,
        clips=clips,
    )


def drifts(folder: Path) -> dict[Way, Drift]:
    """1000 clips, each with a flash and a click, kept in all ways.

    The writer that replaces its film is given all clips at once: as 1000 replacements, but faster.
    """
    films: dict[Way, Path] = {
        "fragments": folder / "drift-fragments.mp4",
        "concat": folder / "drift-concat.mp4",
        "tool": folder / "drift-tool.mp4",
        "naive": folder / "drift-naive.mp4",
    }
    write_fragments(films["fragments"])
    ours = [joined_clip(folder / f"ours-{frames}.mp4", frames) for frames in LENGTHS]
    concat_clips(list(islice(cycle(ours), JOINTS)), films["concat"])
    plain = [plain_clip(folder / f"plain-{frames}.mp4", frames) for frames in LENGTHS]
    every = list(islice(cycle(plain), JOINTS))
    concat_clips(every, films["tool"])
    copy_naively(every, films["naive"])
    return {
        way: Drift(offsets_ms(_decode_with_times(path)), offsets_ms(_decode_in_order(path)))
        for way, path in films.items()
    }


def flashing(frames: int) -> tuple[Pictures, NDArray[np.float32]]:
    """Black pictures and silence, but for a white one and a click that begins with it."""
    black = np.zeros((SMALL.height, SMALL.width, 3), np.uint8)
    samples = np.zeros(frames * SMALL.samples_per_frame, np.float32)
    samples[FLASH_FRAME * SMALL.samples_per_frame] = 0.9
    return [255 - black if index == FLASH_FRAME else black for index in range(frames)], samples


def write_fragments(path: Path) -> None:
    """The default film."""
    with FilmWriter.create(path, SMALL) as film:
        for frames in islice(cycle(LENGTHS), JOINTS):
            clip = film.begin("")
            clip.write(*flashing(frames))
            clip.finish()


def joined_clip(path: Path, frames: int) -> Path:
    """A clip as the writer makes it before it joins it to the film: filled up to the grid."""
    with ConcatFilm.create(path, SMALL) as film:
        clip = film.begin("")
        clip.write(*flashing(frames))
        clip.finish()
    return path


def plain_clip(path: Path, frames: int) -> Path:
    """A clip as programs make it: AAC with priming, which its edit list hides."""
    pictures, samples = flashing(frames)
    sound = path.with_suffix(".f32")
    sound.write_bytes(samples.tobytes())
    raw = ("-f", "rawvideo", "-pix_fmt", "bgr24", "-s", f"{SMALL.width}x{SMALL.height}")
    run_ffmpeg(
        *(*raw, "-r", str(SMALL.fps), "-i", "-"),
        *("-f", "f32le", "-ar", str(SAMPLE_RATE_HZ), "-ac", "1", "-i", str(sound)),
        *("-c:v", "libx264", "-threads", "1", "-bf", "0", "-pix_fmt", "yuv420p"),
        *("-c:a", "aac", str(path)),
        given=np.concatenate(pictures).tobytes(),
    )
    return path


def copy_naively(clips: Sequence[Path], out: Path) -> None:
    """The thing not to do: `ffmpeg -f concat -c copy` onto plain clips."""
    listed = out.with_suffix(".txt")
    listed.write_text("".join(f"file '{clip}'\n" for clip in clips), encoding="utf-8")
    run_ffmpeg("-f", "concat", "-safe", "0", "-i", str(listed), "-c", "copy", str(out))


def run_ffmpeg(*options: str, given: bytes = b"") -> None:
    """The program, without its warnings."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "fatal", "-y", *options]
    subprocess.run(command, input=given, check=True, capture_output=True)


def offsets_ms(watched: Watched) -> Values:
    """Click minus flash, clip by clip, in the order in which they come."""
    flashes = watched.picture_times[watched.brightness > 128]
    loud = np.flatnonzero(np.abs(watched.values) > LOUD)
    first = np.insert(np.diff(loud) > SAMPLE_RATE_HZ // 20, 0, True)
    clicks = watched.sample_times[loud[first]]
    if len(flashes) != JOINTS or len(clicks) != JOINTS:
        raise RuntimeError(f"{len(flashes)} flashes and {len(clicks)} clicks of {JOINTS} decoded.")
    return np.asarray((clicks - flashes) * 1000)


def timed_ms(work: Callable[[], object]) -> float:
    """How long `work` takes."""
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000
