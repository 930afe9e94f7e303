"""Benchmark of the film writers: cost of an append as the film grows, and drift of sound.

`python -m bench.films.concat` draws `docs/writers.png`.
"""

import resource
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import accumulate, cycle, islice, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray

from bench.figure import Figure
from bench.films.concat_plot import (
    CLIP_FRAGMENTS,
    DRIFT_CLIPS,
    AppendCost,
    Drift,
    Method,
    Values,
    WriterResults,
    draw,
)
from bench.films.decoding import DecodedFilm, decode_in_order, decode_with_times
from bench.films.session import time_ms
from bench.films.synthetic import (
    PORTRAIT,
    SMALL,
    EncodedFragment,
    PictureList,
    append,
    blurred_portrait,
    encoded_cycle,
    murmur,
    synthesise_film,
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

DOCS = Path(__file__).parents[2] / "docs"
MINUTE_S, HOUR_S = 60, 3600
FRAGMENTED_LENGTHS_S = (MINUTE_S, 10 * MINUTE_S, HOUR_S, 3 * HOUR_S, 10 * HOUR_S)
CONCAT_LENGTHS_S = (MINUTE_S, 10 * MINUTE_S, HOUR_S, 3 * HOUR_S)
CYCLE_FRAMES = 8 * PORTRAIT.fps
DRIFT_LENGTHS = (7, 9, 12, 8, 11)
"""Frames of the clips that are joined to measure drift, in turn."""
FLASH_FRAME = 4
LOUD = 0.45
FRAGMENT_REPEATS = 20
CONCAT_REPEATS = 2
BLOCK_BYTES = 512
"""Unit of `ru_oublock`."""


def measure(out: Path) -> list[Figure]:
    """Measure the figures; the plot is written to `out`."""
    results = measure_writers()
    draw(results, out / "writers.png")
    return figures(results)


def measure_writers() -> WriterResults:
    """Measure all costs and drifts. Films of hours are synthetic: one cycle of 8 s, repeated."""
    results = WriterResults()
    with TemporaryDirectory(prefix="warmtalk-bench-") as name:
        folder = Path(name)
        results.costs["fragments"] = fragmented_costs(folder)
        results.costs |= concat_costs(folder)
        results.drifts = measure_drifts(folder)
    return results


def figures(results: WriterResults) -> list[Figure]:
    """Return the results that have a goal."""
    fragmented, concat = results.costs["fragments"], results.costs["concat"]
    short, long = (float(np.median(cost.times_ms)) for cost in (fragmented[0], fragmented[-1]))
    return [
        Figure(
            name="fragments: a clip of 5 s appended at 10 h against 1 min",
            value=long / short,
            unit="x",
            goal=1.5,
            better="lower",
            n=len(fragmented[-1].times_ms),
        ),
        concat_figure(concat[-2], hours=1, goal_s=3),
        concat_figure(concat[-1], hours=3, goal_s=10),
        *drift_figures(results),
    ]


def concat_figure(cost: AppendCost, *, hours: int, goal_s: float) -> Figure:
    """Return the time of one append to a `concat` film."""
    return Figure(
        name=f"concat: a clip of 5 s joined to {hours} h (copied, verified, synced)",
        value=float(np.median(cost.times_ms)) / 1000,
        unit="s",
        goal=goal_s,
        better="lower",
        n=len(cost.times_ms),
    )


def drift_figures(results: WriterResults) -> Iterator[Figure]:
    """Yield the largest drift of 1000 clips, by either decoder."""
    methods: tuple[Method, ...] = ("concat", "tool")
    names = {"concat": "writer: concat", "tool": "session concat, plain clips"}
    for method in methods:
        drift = results.drifts[method]
        for timing, values in (
            ("timestamps", drift.by_timestamps),
            ("sample-contiguous", drift.in_order),
        ):
            yield Figure(
                name=f"{names[method]}: skew of click against flash after {DRIFT_CLIPS} clips,"
                f" {timing}",
                value=float(np.abs(values).max()),
                unit="ms",
                goal=1,
                better="lower",
                n=len(values),
            )


def fragmented_costs(folder: Path) -> list[AppendCost]:
    """Measure appends to the growing film: fragments and their journal, each synced."""
    film_fragments, clip_fragments = encoded_cycle(), encoded_clip()
    costs = []
    for length_s in FRAGMENTED_LENGTHS_S:
        path = folder / "growing.mp4"
        synthesise_film(path, film_fragments, length_s)
        fragment_log = FragmentLog(path)
        size = path.stat().st_size
        times_ms = [
            time_ms(lambda: append_clip(fragment_log, clip_fragments))  # noqa: B023
            for _ in range(FRAGMENT_REPEATS)
        ]
        growth = path.stat().st_size - size
        fragment_log.delete()
        costs.append(AppendCost(length_s, np.array(times_ms), growth / len(times_ms)))
    return costs


def encoded_clip() -> list[EncodedFragment]:
    """Encode a clip of 5.12 s."""
    pictures, samples = soft_clip()
    video, audio = VideoEncoder(PORTRAIT), AudioEncoder(lead_in=0)
    step = PORTRAIT.samples_per_frame
    return [
        EncodedFragment(
            video.encode(pictures[start:end]), audio.encode(samples[start * step : end * step])
        )
        for start, end in pairwise((0, *accumulate(CLIP_FRAGMENTS)))
    ]


def soft_clip(frames: int = sum(CLIP_FRAGMENTS)) -> tuple[PictureList, NDArray[np.float32]]:
    """Return pictures as soft as those of the long films, and their sound."""
    return blurred_portrait(frames), murmur(frames * PORTRAIT.samples_per_frame)


def append_clip(fragment_log: FragmentLog, fragments: Sequence[EncodedFragment]) -> None:
    """Append one clip, fragment by fragment."""
    for fragment in fragments:
        append(fragment_log, fragment)


def concat_costs(folder: Path) -> dict[Method, list[AppendCost]]:
    """Measure appends to a film that is replaced, by the writer and naively, without encoding."""
    clip_file = ClipFile(folder / "clip.mp4", PORTRAIT)
    pictures, samples = soft_clip(CYCLE_FRAMES)
    step = PORTRAIT.samples_per_frame
    for start in range(0, CYCLE_FRAMES, PORTRAIT.fps):
        end = start + PORTRAIT.fps
        clip_file.write(pictures[start:end], samples[start * step : end * step])
    clip_file.finish()
    by_writer, naive = [], []
    for length_s in CONCAT_LENGTHS_S:
        path = folder / "concat.mp4"
        synthesise_concat_film(path, clip_file, length_s, folder)
        naive.append(naive_cost(path, clip_file.path, length_s))
        by_writer.append(writer_cost(path, length_s))
    return {"concat": by_writer, "naive": naive}


def writer_cost(path: Path, length_s: int) -> AppendCost:
    """Measure appends with the writer."""
    pictures, samples = soft_clip()
    times_ms, blocks = [], 0
    with ConcatFilm.open(path) as film:
        for _ in range(CONCAT_REPEATS):
            clip = film.begin("")
            clip.write(pictures, samples)
            before = blocks_written()
            times_ms.append(time_ms(clip.finish))
            blocks += blocks_written() - before
        film.delete()
    return AppendCost(length_s, np.array(times_ms), blocks * BLOCK_BYTES / CONCAT_REPEATS)


def naive_cost(path: Path, clip: Path, length_s: int) -> AppendCost:
    """Measure plain copies, which are neither verified nor synced."""
    copy, before = path.with_name("copy.mp4"), blocks_written()
    times_ms = [time_ms(lambda: copy_naively([path, clip], copy)) for _ in range(CONCAT_REPEATS)]
    copy.unlink()
    blocks = blocks_written() - before
    return AppendCost(length_s, np.array(times_ms), blocks * BLOCK_BYTES / CONCAT_REPEATS)


def blocks_written() -> int:
    """Return the number of blocks that this process and its children have written."""
    processes = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(resource.getrusage(each).ru_oublock for each in processes)


def synthesise_concat_film(path: Path, clip_file: ClipFile, length_s: int, folder: Path) -> None:
    """Write a `concat` film that consists of one repeated clip."""
    count = length_s * PORTRAIT.fps // clip_file.frames
    duration_s = Fraction(clip_file.frames, PORTRAIT.fps)
    entries = [ConcatEntry(clip_file.path, Fraction(0), duration_s)] * count
    with TemporaryDirectory(dir=folder) as name:
        message = concat_files(entries, path, Path(name), timescale=PORTRAIT.ticks_per_second)
    expected = ExpectedTracks(
        fps=Fraction(PORTRAIT.fps),
        picture_sizes=None,
        frames=count * clip_file.frames,
        rate_hz=SAMPLE_RATE_HZ,
        packets=packet_count(count * clip_file.frames, PORTRAIT.fps),
    )
    verify_concat(path, expected, message)
    with path.open("ab") as file:
        file.write(repeated_metadata(count, clip_file.frames).to_box())


def repeated_metadata(count: int, frames: int) -> MetadataBox:
    """Return the metadata of a film of `count` equal clips, without cues."""
    metadata = new_metadata_box(PORTRAIT)
    clips = tuple(
        ClipRecord(index=index, text="as before", first_frame=index * frames, frames=frames)
        for index in range(count)
    )
    return replace(metadata, clips=clips)


def measure_drifts(folder: Path) -> dict[Method, Drift]:
    """Write 1000 clips, each with a flash and a click, by all methods, and measure them.

    For `concat` all clips are joined at once, which is faster than 1000 replacements and has the
    same result.
    """
    methods: tuple[Method, ...] = ("fragments", "concat", "tool", "naive")
    films = {method: folder / f"drift-{method}.mp4" for method in methods}
    write_fragmented(films["fragments"])
    aligned = [aligned_clip(folder / f"aligned-{frames}.mp4", frames) for frames in DRIFT_LENGTHS]
    concat_clips(list(islice(cycle(aligned), DRIFT_CLIPS)), films["concat"])
    plain = [plain_clip(folder / f"plain-{frames}.mp4", frames) for frames in DRIFT_LENGTHS]
    plain_clips = list(islice(cycle(plain), DRIFT_CLIPS))
    concat_clips(plain_clips, films["tool"])
    copy_naively(plain_clips, films["naive"])
    return {
        method: Drift(offsets_ms(decode_with_times(path)), offsets_ms(decode_in_order(path)))
        for method, path in films.items()
    }


def flash_and_click(frames: int) -> tuple[PictureList, NDArray[np.float32]]:
    """Return black pictures and silence with one white picture, and a click at its start."""
    black = np.zeros((SMALL.height, SMALL.width, 3), np.uint8)
    samples = np.zeros(frames * SMALL.samples_per_frame, np.float32)
    samples[FLASH_FRAME * SMALL.samples_per_frame] = 0.9
    return [255 - black if index == FLASH_FRAME else black for index in range(frames)], samples


def write_fragmented(path: Path) -> None:
    """Write the growing film."""
    with FilmWriter.create(path, SMALL) as film:
        for frames in islice(cycle(DRIFT_LENGTHS), DRIFT_CLIPS):
            clip = film.begin("")
            clip.write(*flash_and_click(frames))
            clip.finish()


def aligned_clip(path: Path, frames: int) -> Path:
    """Write a clip as the `concat` writer does before it appends it: padded to alignment."""
    with ConcatFilm.create(path, SMALL) as film:
        clip = film.begin("")
        clip.write(*flash_and_click(frames))
        clip.finish()
    return path


def plain_clip(path: Path, frames: int) -> Path:
    """Write a clip as other programs do: AAC with priming, which an edit list hides."""
    pictures, samples = flash_and_click(frames)
    sound = path.with_suffix(".f32")
    sound.write_bytes(samples.tobytes())
    raw = ("-f", "rawvideo", "-pix_fmt", "bgr24", "-s", f"{SMALL.width}x{SMALL.height}")
    run_ffmpeg(
        *(*raw, "-r", str(SMALL.fps), "-i", "-"),
        *("-f", "f32le", "-ar", str(SAMPLE_RATE_HZ), "-ac", "1", "-i", str(sound)),
        *("-c:v", "libx264", "-threads", "1", "-bf", "0", "-pix_fmt", "yuv420p"),
        *("-c:a", "aac", str(path)),
        stdin=np.concatenate(pictures).tobytes(),
    )
    return path


def copy_naively(clips: Sequence[Path], out: Path) -> None:
    """Join clips with `ffmpeg -f concat -c copy` alone, as a counterexample."""
    list_file = out.with_suffix(".txt")
    list_file.write_text("".join(f"file '{clip}'\n" for clip in clips), encoding="utf-8")
    run_ffmpeg("-f", "concat", "-safe", "0", "-i", str(list_file), "-c", "copy", str(out))


def run_ffmpeg(*options: str, stdin: bytes = b"") -> None:
    """Run ffmpeg without its warnings."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "fatal", "-y", *options]
    subprocess.run(command, input=stdin, check=True, capture_output=True)


def offsets_ms(decoded: DecodedFilm) -> Values:
    """Return the time of the click minus the time of the flash of each clip, in order."""
    flashes = decoded.picture_times[decoded.brightness > 128]
    loud = np.flatnonzero(np.abs(decoded.values) > LOUD)
    is_first = np.insert(np.diff(loud) > SAMPLE_RATE_HZ // 20, 0, True)
    clicks = decoded.sample_times[loud[is_first]]
    if len(flashes) != DRIFT_CLIPS or len(clicks) != DRIFT_CLIPS:
        raise RuntimeError(
            f"{len(flashes)} flashes and {len(clicks)} clicks of {DRIFT_CLIPS} were decoded."
        )
    return np.asarray((clicks - flashes) * 1000)


if __name__ == "__main__":
    draw(measure_writers(), DOCS / "writers.png")
